"""``users::`` as scripts call it, on a whole node: what is answered, recorded, and repeated."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from picloud.domain.invocation import AttemptFailed, Succeeded
from picloud.log.contents import unpack
from picloud.orchestrator.inspection import TraceWanted, Wanted
from picloud.orchestrator.journal import Journal, unpacked
from picloud.orchestrator.vault import ensure_vault_key

from ..orchestrator.living_node import LivingNode, living_node

PASSWORD = "unmistakable horse"
LIFE = """
let given = ctx.request.json;
let user = users::register(given.name, given.password, #{ data: #{ n: 1 } });
let wrong = users::verify(given.name, "unmistakable guess");
let held = users::sign_in(given.name, given.password, #{ about: "a test" });
let seen = users::session("Bearer " + held.token);
let token = users::create_token(user.id, #{ name: "ci" });
let program = users::token(token.token);
let code = users::code(given.name, #{ link: true });
let right = users::verify_code(given.name, code.code);
let again = users::verify_code(given.name, code.code);
users::set_password(user, "unmistakable second");
let over = users::session(held.token);
let out = users::sign_out(held.token);
let told = [wrong, seen.session == held.session, program.token, right.id == user.id, again, over, out];
"""


@pytest.fixture(scope="module")
def node(dsn: str) -> Iterator[LivingNode]:
    with TemporaryDirectory(prefix="picloud-test-") as folder:
        assert ensure_vault_key(Path(folder) / "vault.key", dsn) is None
        with living_node(dsn, Path(folder)) as living:
            yield living


def ended(node: LivingNode, source: str, body: Any) -> tuple[Any, Any]:
    """Run a script; return the invocation and the event of its end."""
    invocation = node.run(node.deploy("life", source), json.dumps(body))
    events = [recorded.event for recorded in node.stream(invocation)]
    return invocation, next(event for event in reversed(events) if isinstance(event, AttemptFailed | Succeeded))


def journal_of(node: LivingNode, failed: AttemptFailed) -> Journal:
    assert failed.journal is not None
    return unpacked(unpack(failed.journal, node.node.sessions))


def test_a_script_sees_what_it_does_and_commits_it_as_one(node: LivingNode) -> None:
    _, end = ended(node, LIFE + "told", {"name": "ada", "password": PASSWORD})
    assert isinstance(end, Succeeded)
    assert json.loads(end.reply.body.text or "") == [None, True, "ci", True, None, None, False]
    _, end = ended(node, 'users::verify("ada", "unmistakable second").data.n', {})
    assert isinstance(end, Succeeded)
    assert end.reply.body.text == "1"


def test_a_run_that_fails_has_made_no_user_and_is_repeated_exactly_without_a_secret_in_its_record(
    node: LivingNode,
) -> None:
    source = LIFE + "print(told); throw `no ${told}`;"
    invocation, end = ended(node, source, {"name": "ben", "password": PASSWORD})
    assert isinstance(end, AttemptFailed)
    record = journal_of(node, end)
    assert "unmistakable" not in repr(record)
    assert " us_" not in repr(record).replace("'", " ")
    assert " ut_" not in repr(record).replace("'", " ")
    assert record.made == 12
    _, after = ended(node, 'users::find("ben")', {})
    assert isinstance(after, Succeeded)
    assert after.reply.status == 204
    inspection = node.inspect(invocation)
    assert inspection.why_not == ""
    assert inspection.exact
    assert inspection.result.error is not None
    assert inspection.result.error.message == end.error.message
    traced = node.inspect(invocation, Wanted(trace=TraceWanted(limit=50)))
    assert traced.exact


def test_who_guesses_too_often_is_answered_with_429_unless_the_script_has_something_else_to_say(
    node: LivingNode,
) -> None:
    guess = 'users::verify("cyd", "a wrong guess"); "let in"'
    for _ in range(10):
        ended(node, guess, {})
    _, end = ended(node, guess, {})
    assert isinstance(end, Succeeded)
    assert (end.reply.status, end.thrown, end.effects) == (429, True, 0)
    (seconds,) = [value for name, value in end.reply.headers if name == "retry-after"]
    assert 0 < int(seconds) <= 60
    caught = """
        let told = "";
        try { users::verify("cyd", "a guess"); } catch (error) { told = `${error.status} ${error.retry_after > 0}`; }
        told
    """
    _, end = ended(node, caught, {})
    assert isinstance(end, Succeeded)
    assert end.reply.body.text == "429 true"


def test_a_refusal_that_was_caught_is_refused_in_the_same_way_when_the_run_is_repeated(node: LivingNode) -> None:
    source = """
        let refused = 0;
        for n in 0..12 {
            try { users::verify("dan", "a wrong guess") } catch (error) { refused += error.status; }
        }
        throw `refused ${refused}`;
    """
    invocation, end = ended(node, source, {})
    assert isinstance(end, AttemptFailed)
    assert "refused 858" in end.error.message
    assert node.inspect(invocation).exact
