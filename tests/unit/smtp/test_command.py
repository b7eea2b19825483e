"""What command lines mean."""

from __future__ import annotations

import pytest

from picloud.smtp.command import BadArguments, Command, Path
from picloud.smtp.reply import Reply


@pytest.mark.parametrize(
    ("line", "verb", "rest"),
    [
        (b"EHLO mx.example.org", "EHLO", b"mx.example.org"),
        (b"mail  FROM:<a@b> ", "MAIL", b"FROM:<a@b>"),
        (b"QUIT\t", "QUIT", b""),
    ],
)
def test_a_verb_and_what_follows_it(line: bytes, verb: str, rest: bytes) -> None:
    assert Command.parse(line) == Command(verb, rest)


@pytest.mark.parametrize("line", [b"", b" NOOP", b"\xff", b"GET / HTTP/1.1\x00"[:3] + b"!", b"X" * 17])
def test_what_is_no_command(line: bytes) -> None:
    assert Command.parse(line) is None


@pytest.mark.parametrize(
    ("rest", "address", "parameters"),
    [
        (b"FROM:<a@b.c>", "a@b.c", {}),
        (b"from: <a@b.c> SIZE=10 BODY=8BITMIME smtputf8", "a@b.c", {"SIZE": "10", "BODY": "8BITMIME", "SMTPUTF8": ""}),
        (b"FROM:<>", "", {}),
        (b"FROM:a@b.c SIZE=1", "a@b.c", {"SIZE": "1"}),
        (b"FROM:<@relay.example,@other.example:a@b.c>", "a@b.c", {}),
        (b'FROM:<"a>b c"@d.e>', '"a>b c"@d.e', {}),
        ("FROM:<jürgen@größe.example>".encode(), "jürgen@größe.example", {}),
    ],
)
def test_addresses_with_their_parameters(rest: bytes, address: str, parameters: dict[str, str]) -> None:
    assert Path.parse(rest, "FROM") == Path(address, parameters)


@pytest.mark.parametrize(
    "rest",
    [b"", b"FROM", b"FROM:", b"FROM:<a@b", b"TO:<a@b>", b"FROM:<ab>", b"FROM:<@b>", b"FROM:<a@>", b"FROM:<a\x01@b>",
     b"FROM:<a@b> SIZE==", b"FROM:<\xff@b>", b"FROM:<" + b"a" * 320 + b"@b>", b"FROM:<a@b>SIZE=\x00"],
)  # fmt: skip
def test_what_is_no_address(rest: bytes) -> None:
    with pytest.raises(BadArguments, match="MAIL FROM:<address>"):
        Path.parse(rest, "FROM")


def test_local_parts_lose_their_quotes_and_domains_their_capitals() -> None:
    path = Path.parse(rb'TO:<"shop+a\"b"@Example.ORG>', "TO")
    assert (path.local, path.domain) == ('shop+a"b', "example.org")


def test_answers_are_lines_of_ascii_whatever_they_speak_of() -> None:
    assert Reply(550, "5.1.1", "no é\r\n250 ok").encode() == b"550 5.1.1 no \\xe9??250 ok\r\n"
    assert Reply(250, "", "me", ("SIZE 1", "HELP")).encode() == b"250-me\r\n250-SIZE 1\r\n250 HELP\r\n"
    assert len(Reply(550, "5.1.1", "x" * 5000).encode()) <= 512
