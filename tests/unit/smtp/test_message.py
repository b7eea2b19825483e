"""Mails as values: the odd ones of a folder, and whatever hypothesis makes. Never an exception, never half a mail."""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.domain.sample import sample_event, shown_event
from picloud.domain.trigger_config import Email
from picloud.smtp.message import MOST_HEADERS, MOST_PARTS, Mail, body_of, read_mail

MAILS = Path(__file__).parent / "mails"


def told(raw: bytes) -> dict[str, Any]:
    """The mail as a script is told of it."""
    found: dict[str, Any] = json.loads(msgspec.json.encode(read_mail(raw)))
    return found


@pytest.mark.parametrize("name", sorted(path.stem for path in MAILS.glob("*.eml")))
def test_an_odd_mail_is_read_as_a_person_would(name: str) -> None:
    found = told((MAILS / f"{name}.eml").read_bytes())
    expected = json.loads((MAILS / f"{name}.json").read_text())
    names = expected.pop("names", None)
    assert {field: found[field] for field in expected} == expected
    if names is not None:
        assert [attachment["name"] for attachment in found["attachments"]] == names
    assert found["size"] == len((MAILS / f"{name}.eml").read_bytes())


def test_a_mail_within_the_mail_is_attached_whole() -> None:
    (inner,) = told((MAILS / "mail-in-mail.eml").read_bytes())["attachments"]
    assert inner["content_type"] == "message/rfc822"
    assert b"inner text" in base64.b64decode(inner["content"])


def test_pictures_that_a_text_shows_are_told_by_their_id() -> None:
    picture = told((MAILS / "nested.eml").read_bytes())["attachments"][0]
    assert (picture["content_id"], picture["inline"], picture["content_type"]) == ("pic@x", True, "image/png")


def test_what_is_broken_is_named() -> None:
    assert told((MAILS / "broken-base64.eml").read_bytes())["defects"]
    assert "NoBoundaryInMultipartDefect" in told((MAILS / "multipart-without-boundary.eml").read_bytes())["defects"]


def test_multiparts_nested_beyond_reason_leave_their_text() -> None:
    raw = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(3000))
    found = told(b"Subject: deep\r\n" + raw + b"\r\nat the bottom\r\n")
    assert found["subject"] == "deep"
    assert "at the bottom" in found["text"]
    assert "RecursionError" in found["defects"]


def test_headers_and_parts_without_number_are_counted_out() -> None:
    found = told(b"".join(b"X-%d: y\r\n" % n for n in range(MOST_HEADERS + 5)) + b"\r\nbody")
    assert len(found["headers"]) == MOST_HEADERS
    assert "TooManyHeaders" in found["defects"]
    parts = b"--b\r\nContent-Type: image/png\r\n\r\nx\r\n" * (MOST_PARTS + 5)
    found = told(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + parts)
    assert len(found["attachments"]) == MOST_PARTS
    assert "TooManyParts" in found["defects"]


@pytest.mark.parametrize(
    "raw",
    [
        b"Content-Type: multipart/mixed; " + b"a=b; " * 200_000 + b"\r\n\r\n",
        b"X: " + b"=?a?q?" * 150_000 + b"\r\n\r\n",
        (b"X: " + b"=?a?q?" * 290 + b"z" * 3_000 + b"\r\n") * 300 + b"\r\n",
        b"To: " + b'"a' * 300_000 + b"\r\n\r\n",
        b"To: " + b"(" * 300_000 + b"\r\n\r\n",
        b"To: " + b"a@b.c, " * 100_000 + b"\r\n\r\n",
        b"Content-Type: text/plain; charset=punycode\r\n\r\n" + b"a-" * 300_000,
    ],
    ids=["parameters", "words", "many words", "quotes", "comments", "addresses", "punycode"],
)
def test_no_mail_takes_long(raw: bytes) -> None:
    began = time.process_time()
    told(raw)
    assert time.process_time() - began < 4.0


def test_the_body_is_the_same_whatever_headers_are_added() -> None:
    assert body_of(b"A: b\r\n\r\nbody\r\n\r\nmore") == body_of(b"Received: x\r\nA: b\r\n\r\nbody\r\n\r\nmore")
    assert body_of(b"A: b\n\nbody") == b"body"
    assert body_of(b"no body") == b""


def test_the_sample_of_a_trigger_is_told_as_a_mail_is() -> None:
    event = sample_event(Email(), invocation=UUID(int=7), app="demo", now=datetime(2030, 1, 1, tzinfo=UTC))
    sample = shown_event("email", "inbox", event)["data"]
    assert list(sample) == list(told(b""))
    assert type(msgspec.convert(sample, Mail)) is Mail


TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=200)
NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=40).map(str.strip)


@given(
    subject=TEXTS,
    text=TEXTS,
    html=st.none() | TEXTS,
    files=st.lists(st.tuples(NAMES.filter(bool), st.binary(max_size=300)), max_size=4),
)
def test_a_mail_that_was_made_well_comes_out_as_it_went_in(
    subject: str, text: str, html: str | None, files: list[tuple[str, bytes]]
) -> None:
    message = EmailMessage()
    message["Subject"] = subject
    message["From"] = "Ada <ada@example.org>"
    message.set_content(text)
    if html is not None:
        message.add_alternative(html, subtype="html")
    for name, content in files:
        message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    found = told(message.as_bytes(policy=SMTP))
    assert found["subject"].split() == subject.split()
    assert found["text"] == text + "\n"
    assert found["html"] == (None if html is None else html + "\n")
    assert [base64.b64decode(file["content"]) for file in found["attachments"]] == [content for _, content in files]
    assert [file["name"] for file in found["attachments"]] == [name for name, _ in files]
    assert found["defects"] == []


PIECES = st.sampled_from(
    [
        b"\r\n", b"\n", b"\r", b": ", b"Content-Type: ", b"multipart/mixed; boundary=b", b"message/rfc822",
        b"text/html", b"message/delivery-status", b"multipart/", b"; charset=", b"utf-16", b"\xff\xfe",
        b"--b", b"--b--", b"From: ", b"To: ", b"Date: ", b"Subject: ", b"Content-Transfer-Encoding: base64",
        b"quoted-printable", b"x-uuencode", b"=?", b"?q?", b"?=", b"=?utf-8?b?", b"<", b">", b"@", b"a",
        b'"', b"\\", b"(", b",", b";", b"=", b"\x00", b"\xe9", b" ",
        b"Content-Disposition: attachment; filename*0*=", b"name*1=", b"''%", b"Message-ID: <a@b>",
        b"=\r\n", b"=C3",
    ]
)  # fmt: skip


@given(st.lists(PIECES | st.binary(max_size=5), max_size=60).map(b"".join))
def test_whatever_comes_is_a_mail(raw: bytes) -> None:
    found = told(raw)
    assert found["size"] == len(raw)
    assert isinstance(found["subject"], str)
