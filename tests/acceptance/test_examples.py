"""Each example does what it says, deployed as the README deploys it."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from uuid import UUID

import pytest

from picloud.domain.message import delivery_id
from tests.acceptance.platform import Platform, Response

EXAMPLES = Path(__file__).parents[2] / "examples"
ROUTES = {
    "hello": ["GET /hello/{name}"],
    "validate": ["POST /validate"],
    "todo": ["GET /todos", "POST /todos", "GET /todos/{id}", "PATCH /todos/{id}", "DELETE /todos/{id}"],
    "webhook": ["POST /webhook"],
    "page": ["GET /page"],
    "primes": ["GET /primes/{limit}"],
    "orders": ["POST /orders", "GET /orders/{id}"],
    "invoice": [],
    "mail": ["GET /tickets"],
}
TRIGGERS = {"invoice": ["topic", "invoice", "topic=orders.created"]}
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def examples(platform: Platform) -> Platform:
    for name, routes in ROUTES.items():
        options = [part for route in routes for part in ("--route", route)]
        platform.run("deploy", str(EXAMPLES / f"{name}.rhai"), "--app", "examples", *options)
    for name, setting in TRIGGERS.items():
        platform.run("triggers", "set", f"examples/{name}", *setting)
    return platform


def call(platform: Platform, method: str, path: str, content: object = None, **headers: str) -> Response:
    body = None if content is None else json.dumps(content)
    return platform.call(method, f"/apps/examples{path}", body, {**JSON, **headers})


def test_every_example_is_here() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.rhai")} == set(ROUTES)


def test_hello_greets_and_prints(examples: Platform) -> None:
    answer = call(examples, "GET", "/hello/ada")
    assert (answer.status, answer.json) == (200, {"message": "Hello, ada!", "version": 1})
    assert call(examples, "GET", "/hello/%C3%89va").json["message"] == "Hello, Éva!"
    assert call(examples, "HEAD", "/hello/ada").body == b""


def test_validate_accepts_a_good_order_and_names_every_fault_of_a_bad_one(examples: Platform) -> None:
    good = {"customer": "Ada", "currency": "EUR", "items": [{"sku": "a1", "quantity": 2, "price": 3.5}]}
    answer = call(examples, "POST", "/validate", good)
    assert (answer.status, answer.json["total"]) == (200, 7.0)
    bad = {"customer": "", "currency": "XYZ", "items": [{"sku": "a1", "quantity": 0, "price": -1}]}
    answer = call(examples, "POST", "/validate", bad)
    assert answer.status == 422
    places = [fault["place"] for fault in answer.json["faults"]]
    assert places == ["customer", "currency", "items[0].quantity", "items[0].price"]
    assert examples.call("POST", "/apps/examples/validate", "{", JSON).status == 400


def test_todo_keeps_a_list_over_several_routes(examples: Platform) -> None:
    made = call(examples, "POST", "/todos", {"title": "milk"})
    assert made.status == 201
    path = made.headers["location"].removeprefix("/apps/examples")
    assert call(examples, "GET", path).json == {"id": made.json["id"], "title": "milk", "done": False}
    assert call(examples, "PATCH", path, {"done": True}).json["done"] is True
    assert made.json["id"] in [todo["id"] for todo in call(examples, "GET", "/todos?done=true").json]
    assert call(examples, "POST", "/todos", {"name": "x"}).status == 422
    assert call(examples, "DELETE", path).status == 204
    assert call(examples, "GET", path).status == 404
    allow = call(examples, "PUT", path)
    assert (allow.status, allow.headers["allow"]) == (405, "GET, HEAD, PATCH, DELETE, OPTIONS")


def test_webhook_takes_signed_deliveries_alone(examples: Platform) -> None:
    body = json.dumps({"zen": "Keep it logically awesome."})
    signature = hmac.new(b"It's a Secret to Everybody", body.encode(), hashlib.sha256).hexdigest()
    headers = {**JSON, "X-GitHub-Event": "ping"}
    path = "/apps/examples/webhook"
    signed = examples.call("POST", path, body, {**headers, "X-Hub-Signature-256": f"sha256={signature}"})
    assert (signed.status, signed.json) == (200, {"pong": "Keep it logically awesome."})
    forged = examples.call("POST", path, body + " ", {**headers, "X-Hub-Signature-256": f"sha256={signature}"})
    assert forged.status == 401
    assert examples.call("POST", path, body, headers).status == 401


def test_page_is_html_with_everything_from_outside_escaped(examples: Platform) -> None:
    answer = call(examples, "GET", "/page?name=%3Cscript%3E&title=A%26B")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<title>A&amp;B</title>" in answer.text
    assert "<td>&lt;script&gt;</td>" in answer.text
    assert "<script>" not in answer.text


def test_primes_computes(examples: Platform) -> None:
    answer = call(examples, "GET", "/primes/10000")
    assert answer.json == {"limit": 10000, "primes": 1229, "largest": 9973}
    assert call(examples, "GET", "/primes/many").status == 400
    assert call(examples, "GET", "/primes/1").status == 422


def test_orders_are_published_and_get_invoices_one_after_the_other(examples: Platform) -> None:
    made = [call(examples, "POST", "/orders", {"customer": "ada", "total": total}) for total in (12.5, 3, 4)]
    assert {answer.status for answer in made} == {202}
    for answer in made:
        cause = examples.api("GET", f"/invocations/{answer.json['id']}").json["correlation_id"]
        published = examples.api("GET", f"/events?type=MessagePublished&correlation={cause}")
        delivered = delivery_id(UUID(published.json["items"][0]["stream"]), "invoice")
        assert examples.api("GET", f"/invocations/{delivered}?wait=20").json["state"] == "succeeded"
    paths = [answer.headers["location"].removeprefix("/apps/examples") for answer in made]
    orders = [call(examples, "GET", path).json for path in paths]
    assert [order["invoice"] for order in orders] == [
        {"number": n, "customer": "ada", "total": total} for n, total in enumerate((12.5, 3, 4), 1)
    ]
    assert call(examples, "POST", "/orders", {"total": 1}).status == 422
    assert call(examples, "GET", "/orders/none").status == 404


def test_mail_opens_tickets_and_answers_join_them(examples: Platform) -> None:
    examples.run("triggers", "set", "examples/tickets", "email", "mail", "senders=*@example.org")
    first = {
        "from": {"name": "Ada", "address": "ada@example.org"}, "subject": "The printer burns", "message_id": "<1@x>",
        "in_reply_to": None, "references": [], "date": "2026-03-28T12:00:00Z", "text": "Help!\n",
        "attachments": [{"name": "fire.jpg", "size": 1234}],
    }  # fmt: skip
    answer = {
        **first,
        "message_id": "<2@x>",
        "in_reply_to": "<1@x>",
        "text": "> Help!\nOn our way.\n",
        "attachments": [],
    }
    for mail in (first, answer):
        examples.run("triggers", "fire", "examples/tickets", "-d", json.dumps(mail))
    (ticket,) = call(examples, "GET", "/tickets").json
    assert ticket["subject"] == "The printer burns"
    assert [message["text"] for message in ticket["messages"]] == ["Help!", "On our way."]
    assert ticket["messages"][0]["files"] == ["fire.jpg (1234 bytes)"]
