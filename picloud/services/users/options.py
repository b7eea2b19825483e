"""The options and arguments of ``users::``, read and checked."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from picloud.domain.duration import parse_duration
from picloud.domain.users import MAX_ROLES
from picloud.services.arguments import Options, kind_of, refused_as
from picloud.services.kv import now_of
from picloud.services.work import ServiceError, Work

MAX_PAGE: Final = 200
MAX_LIFETIME_MS: Final = 366 * 86_400_000
MAX_CODE_MS: Final = 86_400_000
MAX_ADDRESS: Final = 100
MAX_SECRET: Final = 4_096
"""Characters of a password or a token that is looked at at all."""

_A_DURATION: Final = 'a string such as "30d"'
OF_REGISTER: Final[Options] = {"data": (dict, "a map"), "roles": (list, f"an array of {MAX_ROLES} strings at most")}
OF_UPDATE: Final[Options] = {**OF_REGISTER, "name": (str, "a string"), "disabled": (bool, "true or false")}
OF_LIST: Final[Options] = {
    "cursor": (str, "a string"),
    "limit": (int, f"an integer from 1 to {MAX_PAGE}"),
    "role": (str, "a string"),
}
OF_GUESS: Final[Options] = {"address": (str, "a string")}
OF_SESSION: Final[Options] = {
    "about": (str, "a string"),
    "idle": (str, 'a string such as "7d"'),
    "lifetime": (str, _A_DURATION),
}
OF_SIGN_IN: Final[Options] = {**OF_GUESS, **OF_SESSION}
OF_TOKEN: Final[Options] = {"lifetime": (str, _A_DURATION), "name": (str, "a string")}
OF_CODE: Final[Options] = {
    "lifetime": (str, 'a string such as "15m"'),
    "link": (bool, "true or false"),
    "purpose": (str, "a string"),
}
OF_SEND_CODE: Final[Options] = {
    **OF_CODE,
    "from": (str, "a string"),
    "html": (str, "a string"),
    "reply_to": (str, "a string"),
    "subject": (str, "a string"),
    "text": (str, "a string"),
}
OF_VERIFY_CODE: Final[Options] = {**OF_GUESS, "purpose": (str, "a string")}


def id_of(function: str, value: Any, what: str = "user") -> UUID | None:
    """The id that a script gives, or that of the map that it got for a user; None for a text that is none."""
    if isinstance(value, dict) and isinstance(value.get("id"), str):
        value = value["id"]
    if not isinstance(value, str):
        raise ServiceError(f"{function} takes the id of a {what} as a string, not {kind_of(value)}")
    try:
        return UUID(value)
    except ValueError:
        return None


def text_of(function: str, value: Any, what: str) -> str:
    """``value`` if it is a string; a long one is cut where no right one is as long."""
    if not isinstance(value, str):
        raise ServiceError(f"{function} takes the {what} as a string, not {kind_of(value)}")
    return value[: MAX_SECRET + 1]


def token_of(function: str, value: Any) -> str | None:
    """A token as clients send it, with or without ``Bearer``; None for ``()``, which is what a header is that wasn't
    sent."""
    if value is None:
        return None
    text = text_of(function, value, "token")
    scheme, _, rest = text.partition(" ")
    return rest.strip() if scheme.lower() == "bearer" and rest else text


def address_of(function: str, given: dict[str, Any]) -> str:
    """The client's address, empty if it wasn't given."""
    address: str = given.get("address", "")
    if len(address) > MAX_ADDRESS:
        raise ServiceError(f"{function}: address has {MAX_ADDRESS} characters at most, not {len(address)}")
    return address


def span_of(function: str, given: dict[str, Any], name: str, default_ms: int, most_ms: int = MAX_LIFETIME_MS) -> int:
    """The milliseconds of an option."""
    if name not in given:
        return default_ms
    with refused_as(f"{function}: {name}"):
        return parse_duration(given[name], field=name, least_ms=1_000, most_ms=most_ms)


def after(work: Work, milliseconds: int) -> datetime:
    """The time so long after the run's own."""
    return now_of(work) + timedelta(milliseconds=milliseconds)
