"""A mail that was composed is read as what went into it, and no field can say more than its own."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from picloud.domain.errors import Invalid
from picloud.services.mail_address import Address, address_of, addresses_of
from picloud.services.mime import (
    Attached,
    Composition,
    check_body,
    check_content_type,
    check_file_name,
    check_headers,
    check_text,
    compose,
)

ID = UUID(int=5)
AT = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
ADA = Address("ada", "example.org")

characters = st.characters(exclude_categories=("Cs",))
words = st.text(characters, max_size=120)
names = st.text(characters, min_size=1, max_size=60)
locals_ = st.from_regex(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}(\.[a-z0-9]{1,8}){0,2}", fullmatch=True)
addresses = st.builds(lambda local, name: {"name": name, "address": f"{local}@example.org"}, locals_, names)


def read(raw: bytes) -> EmailMessage:
    message = message_from_bytes(raw, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def accepted(check: Any, *values: Any) -> bool:
    try:
        for value in values:
            check(value, "field")
    except Invalid:
        return False
    return True


def lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")


@settings(max_examples=300, deadline=None)
@given(
    subject=words,
    to=st.lists(addresses, min_size=1, max_size=4),
    text=st.none() | words,
    html=words,
    files=st.lists(st.tuples(names, st.binary(max_size=300)), max_size=3),
    extra=st.dictionaries(st.from_regex(r"X-[A-Za-z0-9]{1,10}", fullmatch=True), words, max_size=2),
)
def test_what_was_composed_is_read_back(
    subject: str,
    to: list[dict[str, str]],
    text: str | None,
    html: str,
    files: list[tuple[str, bytes]],
    extra: dict[str, str],
) -> None:
    if not accepted(check_text, subject) or not accepted(addresses_of, to) or not accepted(check_headers, extra):
        return
    if not accepted(check_file_name, *(name for name, _ in files)) or not accepted(check_body, text or "", html):
        return
    people = addresses_of(to, "to")
    raw = compose(
        Composition(
            author=ADA,
            to=people,
            subject=subject.strip(),
            text=text,
            html=html,
            attachments=[Attached(name, "application/pdf", data) for name, data in files],
            headers=check_headers(extra, "headers"),
        ),
        id=ID,
        at=AT,
    )
    assert raw.isascii()
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    message = read(raw)
    assert message["Subject"] == subject.strip()
    assert [(each.display_name, each.addr_spec) for each in message["To"].addresses] == [
        (each.name, each.spec) for each in people
    ]
    for name, value in extra.items():
        assert message[name] == value
    expected = {"From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type", *extra}
    assert {name.lower() for name in message.keys()} - {"content-transfer-encoding"} == {  # noqa: SIM118
        name.lower() for name in expected
    }
    plain, rich = message.get_body(("plain",)), message.get_body(("html",))
    assert rich is not None
    assert lines(rich.get_content()) == lines(html)
    if text is not None:
        assert plain is not None
        assert lines(plain.get_content()) == lines(text)
    found = [(part.get_filename(), part.get_content()) for part in message.iter_attachments()]
    assert found == files


@given(
    st.text(characters, max_size=40), st.sampled_from("\r\n\x0b\x0c\x00\x1c\x85\u2028\u2029\x7f"), st.text(max_size=9)
)
def test_no_field_of_a_header_takes_what_ends_a_line(before: str, ends: str, behind: str) -> None:
    value = f"{before}{ends}{behind}"
    assert not accepted(check_text, value)
    assert not accepted(check_file_name, value)
    assert not accepted(check_headers, {"X-Note": value})
    assert not accepted(check_headers, {f"X-{value}": "note"})
    assert not accepted(check_headers, {"References": f"<a@b>{value}<c@d>"})
    assert not accepted(check_content_type, f"text/{value}")
    assert not accepted(check_content_type, f"text/csv; charset={value}")
    assert not accepted(address_of, f"{value} <ada@example.org>")
    assert not accepted(address_of, {"name": value, "address": "ada@example.org"})
    assert not accepted(address_of, f"ada{ends}@example.org")
    assert not accepted(address_of, f"ada@exam{ends}ple.org")


@pytest.mark.parametrize(
    ("given", "name", "spec"),
    [
        ("ada@example.org", "", "ada@example.org"),
        (" Ada Lovelace <ada@Example.ORG> ", "Ada Lovelace", "ada@example.org"),
        ('"Lovelace, Ada" <ada@example.org>', "Lovelace, Ada", "ada@example.org"),
        (r'"Ada \"the first\"" <ada@example.org>', 'Ada "the first"', "ada@example.org"),
        ("Lovelace, Ada <ada@example.org>", "Lovelace, Ada", "ada@example.org"),
        ({"address": "o'neil+tag@sub.example.org"}, "", "o'neil+tag@sub.example.org"),
        ("grüße@straße.de", "", "grüße@xn--strae-oqa.de"),
        ("a@bücher.example", "", "a@xn--bcher-kva.example"),
        ("a@例え.jp", "", "a@xn--r8jz45g.jp"),
        ("root@localhost", "", "root@localhost"),
    ],
)
def test_an_address_is_read(given: Any, name: str, spec: str) -> None:
    found = address_of(given, "to")
    assert (found.name, found.spec) == (name, spec)


@pytest.mark.parametrize(
    "given",
    [
        "", "ada", "@example.org", "ada@", "ada@example", "ada@@example.org", "a b@example.org", "<ada@example.org",
        "ada@example.org, eve@example.org", "ada@example.org,eve@example.org", "A <ada@example.org> <eve@example.org>",
        ".ada@example.org", "a..b@example.org", '"a b"@example.org', "ada@[127.0.0.1]", "ada@127.0.0.1", "ada@-x.org",
        "ada@x..org", "ada@exa mple.org", "ada@xn--.org\u2024", "a" * 65 + "@example.org", "ada@" + "a." * 130 + "org",
        "ada@example.org\r\nRCPT TO:<eve@example.org>", "Ada\nBcc: eve@example.org <ada@example.org>", 7, None, True,
        b"ada@example.org", {"name": "Ada"}, {"address": 7}, {"address": "a@b.org", "nam": ""}, {"x" * 500: 1},
        {"name": "n" * 201, "address": "ada@example.org"}, "ada@\u2028.org", "\u202eada@exa\ud7ffmple.\u0000org",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_by_its_place(given: Any) -> None:
    with pytest.raises(Invalid, match=r"^to\[3\]"):
        address_of(given, "to[3]")


def test_the_headers_that_a_reader_needs_are_there() -> None:
    raw = compose(
        Composition(author=Address("shop", "example.org", "Der Laden"), to=[ADA], cc=[ADA], reply_to=[ADA], text="hi"),
        id=ID,
        at=AT,
    )
    message = read(raw)
    assert message["From"] == "Der Laden <shop@example.org>"
    assert message["Message-ID"] == f"<{ID}@example.org>"
    assert message["Date"] == "Sun, 29 Mar 2026 01:30:00 +0000"
    assert (message["Cc"], message["Reply-To"]) == ("ada@example.org", "ada@example.org")
    assert "Bcc" not in message


def test_an_international_address_is_written_as_it_is() -> None:
    raw = compose(
        Composition(author=ADA, to=[address_of("Jürgen <jürgen@bücher.example>", "to")], text="hi"), id=ID, at=AT
    )
    assert "<jürgen@xn--bcher-kva.example>".encode() in raw


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("In-Reply-To", "<a@example.org>"),
        ("references", "<a@example.org>  <b@example.org>"),
        ("List-Unsubscribe", f"<https://example.org/{'u' * 300}>, <mailto:stop@example.org?subject=stop>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        ("List-Id", "The news <news.example.org>"),
        ("Auto-Submitted", "auto-generated"),
        ("X-Campaign", "Frühling " * 40),
    ],
)
def test_a_safe_header_arrives_as_it_was_set(name: str, value: str) -> None:
    headers = check_headers({name: value.strip()}, "headers")
    message = read(compose(Composition(author=ADA, to=[ADA], text="hi", headers=headers), id=ID, at=AT))
    assert " ".join(str(message[name]).split()) == " ".join(value.split())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("From", "eve@example.org"), ("Bcc", "eve@example.org"), ("Sender", "eve@example.org"), ("Received", "x"),
        ("Content-Type", "text/html"), ("DKIM-Signature", "x"), ("Return-Path", "<>"), ("X", "x"), ("X-", "x"),
        ("X-A:B", "x"), ("X-A B", "x"), ("", "x"), ("In-Reply-To", "a@b"), ("References", "<a@b> c"),
        ("List-Unsubscribe", "https://example.org"), ("List-Unsubscribe", "<javascript:alert(1)>"),
        ("List-Unsubscribe-Post", "yes"), ("Precedence", "first-class"), ("X-Long", "x" * 901), ("X-Number", 7),
    ],
)  # fmt: skip
def test_other_headers_are_refused(name: str, value: Any) -> None:
    with pytest.raises(Invalid, match=r"^headers\["):
        check_headers({name: value}, "headers")


@pytest.mark.parametrize(
    "value", ["text", "text/", "/csv", "text/csv; a=b", "multipart/mixed", "message/rfc822", "a/b/c"]
)
def test_content_types_that_cannot_be_are_refused(value: str) -> None:
    with pytest.raises(Invalid, match="expected type/subtype"):
        check_content_type(value, "attachments[0].content_type")


def test_a_content_type_may_name_its_charset() -> None:
    kind = check_content_type("Text/CSV ; charset=UTF-8", "f")
    assert kind == "text/csv; charset=utf-8"
    raw = compose(
        Composition(author=ADA, to=[ADA], text="hi", attachments=[Attached("ü.csv", kind, "ä;b".encode())]),
        id=ID,
        at=AT,
    )
    (part,) = read(raw).iter_attachments()
    assert (part.get_content_type(), part.get_filename(), part.get_content()) == ("text/csv", "ü.csv", "ä;b")
