"""Addresses of triggers, who may send to them, and which mails are the same."""

from __future__ import annotations

from uuid import UUID

import pytest

from picloud.domain.errors import Invalid
from picloud.domain.mailbox import Mailbox, check_senders, mail_id, may_send
from picloud.domain.size import format_size, parse_size
from picloud.domain.trigger_config import Email, read_config


@pytest.mark.parametrize(
    ("local", "mailbox"),
    [
        ("shop+orders", Mailbox("shop", "orders")),
        ("SHOP+Orders+Nr 4711+x", Mailbox("shop", "orders", "Nr 4711+x")),
        ("shop", None),
        ("shop+", None),
        ("+orders", None),
        ("shop++x", None),
        ("", None),
    ],
)
def test_the_mailbox_of_an_address(local: str, mailbox: Mailbox | None) -> None:
    assert Mailbox.parse(local) == mailbox


def test_a_trigger_stores_its_settings_in_one_form() -> None:
    found = read_config(
        "email", {"address": "In.Box", "senders": " Ada@example.org , *@Example.com,", "max_size": "1024 k"}
    )
    assert found == Email("in.box", "ada@example.org,*@example.com", "1MiB")
    assert isinstance(found, Email)
    assert found.max_bytes == 1024 * 1024
    assert read_config("email", {}) == Email("", "", "")


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"address": "a+b"}, "config.address"),
        ({"address": "a@b"}, "config.address"),
        ({"address": ".a"}, "config.address"),
        ({"senders": "example.org"}, "config.senders"),
        ({"senders": "*@*.*"}, "config.senders"),
        ({"senders": ",".join(f"a{n}@b" for n in range(101))}, "config.senders"),
        ({"max_size": "much"}, "config.max_size"),
        ({"max_size": "1GiB"}, "config.max_size"),
    ],
)
def test_what_a_trigger_cannot_be_told_is_refused_by_name(config: dict[str, str], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_config("email", config)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("senders", "address", "may"),
    [
        ("", "", True),
        ("", "anybody@example.org", True),
        ("ada@example.org", "ADA@example.org", True),
        ("*@example.org", "x@example.org", True),
        ("*@example.org", "x@example.org.evil.example", False),
        ("*@*.example.org", "x@a.example.org", True),
        ("*@*.example.org", "x@example.org", False),
        ("*@a.b", "x@aXb", False),
        ("*@example.org", "", False),
        ("a@b,c@d", "c@d", True),
    ],
)
def test_who_may_send(senders: str, address: str, may: bool) -> None:
    assert may_send(check_senders(senders), address) is may


def test_a_mail_is_the_same_by_trigger_detail_id_and_content() -> None:
    trigger = UUID(int=1)
    first = mail_id(trigger, "", "<1@x>", b"a")
    assert first == mail_id(trigger, "", "<1@x>", b"a")
    others = [(UUID(int=2), "", "<1@x>", b"a"), (trigger, "d", "<1@x>", b"a"), (trigger, "", "<2@x>", b"a")]
    assert len({first, *(mail_id(*other) for other in others), mail_id(trigger, "", "<1@x>", b"b")}) == 5


@pytest.mark.parametrize(
    ("text", "size", "said"), [("1000", 1000, "1000"), ("64KiB", 65536, "64KiB"), ("2m", 2097152, "2MiB")]
)
def test_sizes_are_read_and_written(text: str, size: int, said: str) -> None:
    assert parse_size(text, field="x", least=0, most=2**30) == size
    assert format_size(size) == said
