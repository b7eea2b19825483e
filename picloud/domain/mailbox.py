"""Addresses of triggers that take mail: ``APP+ADDRESS@DOMAIN``, and who may send to them.

What follows a second ``+`` is the *detail*: ``shop+orders+4711@…`` reaches the trigger at ``shop+orders``, whose script
is told ``4711``. Small and capital letters mean the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Final
from uuid import UUID

from picloud.domain.errors import Invalid
from picloud.domain.names import stream_id

MOST_SENDERS: Final = 100

_ADDRESS: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9_-])?")
_PATTERN: Final = re.compile(r"[^\s,@]{1,64}@[^\s,@]{1,255}")
_MOST_STARS: Final = 2
"""A search with each star more takes longer by the length of the address."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Whom an address means: the trigger's ``address`` in ``app``, and the ``detail`` for its script, if any."""

    app: str
    address: str
    detail: str = ""

    @classmethod
    def parse(cls, local: str) -> Mailbox | None:
        """The mailbox that the part of an address before the ``@`` means; None if it can't be one of a trigger."""
        app, plus, rest = local.partition("+")
        address, _, detail = rest.partition("+")
        return cls(app.lower(), address.lower(), detail) if plus and app and address else None


def check_address(text: str, *, field: str = "config.address") -> str:
    """``text`` in small letters, if it can stand behind the ``+`` of an address. Raises :class:`Invalid`."""
    if not _ADDRESS.fullmatch(text.lower()):
        raise Invalid(
            f"{text[:80]!r} can't be part of an address: expected 1 to 63 letters, digits, '-', '_' or '.'",
            field=field,
            remedy="Give what stands between + and @, for example 'orders' for shop+orders@example.org.",
        )
    return text.lower()


def check_senders(text: str, *, field: str = "config.senders") -> str:
    """Patterns of addresses in one form: small letters, commas between them. Raises :class:`Invalid`."""
    patterns = [pattern.strip().lower() for pattern in text.split(",") if pattern.strip()]
    for pattern in patterns:
        if not _PATTERN.fullmatch(pattern) or pattern.count("*") > _MOST_STARS:
            raise Invalid(
                f"{pattern[:80]!r} is no pattern of senders: expected an address in which * stands for any characters",
                field=field,
                remedy="For example 'ada@example.org, *@example.com'.",
            )
    if len(patterns) > MOST_SENDERS:
        raise Invalid(f"there may be {MOST_SENDERS} senders, found {len(patterns)}", field=field)
    return ",".join(patterns)


def may_send(senders: str, address: str) -> bool:
    """Whether one of the patterns that :func:`check_senders` gave fits the address; no patterns fit all."""
    found = address.lower()
    return not senders or any(
        re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), found) is not None for pattern in senders.split(",")
    )


def mail_id(trigger: UUID, detail: str, message_id: str, content: bytes) -> UUID:
    """The stream of the invocation that a mail asks for: the same when the same mail comes again.

    ``content`` is what is the same about it then: not the headers, to which each server on the way adds its own.
    """
    return stream_id("email", str(trigger), detail, message_id, sha256(content).hexdigest())
