"""One-time codes: six digits to be typed, or a long text for a link. Right once, for a while, with few tries."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from typing import Any, Final

from picloud.domain.users import check_label
from picloud.log.ids import new_id
from picloud.services.arguments import options_of, refused_as
from picloud.services.kv import now_of
from picloud.services.mail_address import address_of
from picloud.services.users import options
from picloud.services.users.accounts import Account, Code, UsersDraft, told
from picloud.services.users.guesses import ADDRESSES, CODES, SENT, Guesses
from picloud.services.users.keys import Keys
from picloud.services.users.people import People
from picloud.services.users.store import CODE, Store, live
from picloud.services.work import Disguised, ServiceError, Work

LIFETIME_MS: Final = 15 * 60_000
DIGITS: Final = 6
LINK_BYTES: Final = 32
PURPOSE: Final = "sign-in"
PLACE: Final = "{code}"
"""Where the code goes in a mail."""

Mailing = Callable[[Work, dict[str, Any]], str]
"""Sends a mail as ``email::send`` does, and returns its id."""


class Codes:
    """See the module."""

    def __init__(self, store: Store, keys: Keys, guesses: Guesses, people: People, mailing: Mailing) -> None:
        self._store = store
        self._keys = keys
        self._guesses = guesses
        self._people = people
        self._mailing = mailing
        self.functions: dict[str, Callable[..., Any]] = {
            "code": self.code,
            "send_code": self.send_code,
            "verify_code": self.verify_code,
        }

    def code(self, work: Work, name: Any, given: Any = None) -> Disguised | None:
        """A new code for whoever has the name; None if nobody has, or the account is disabled."""
        function = "users::code"
        given = options_of(function, given, options.OF_CODE)
        made = self._made(work, function, name, given)
        if made is None:
            return None
        account, code, text = made
        shown = {"user": account.shown(), "expires": told(code.expires)}
        return Disguised(shown | {"code": text}, shown | {"code": self._keys.sealed(work.app, text)})

    def send_code(self, work: Work, name: Any, mail: Any) -> None:
        """Send a new code by mail to whoever has the name, which is an address; nothing if nobody has.

        The answer is the same in both cases.
        """
        function = "users::send_code"
        given = options_of(function, mail, options.OF_SEND_CODE)
        text, html = given.get("text", ""), given.get("html", "")
        if not given.get("subject") or not (text or html):
            raise ServiceError(f"{function} takes a subject and a text, or html")
        if PLACE not in text + html or (text and PLACE not in text) or (html and PLACE not in html):
            raise ServiceError(f"{function}: text and html say {PLACE} where the code is to be")
        with refused_as(function):
            address_of(options.text_of(function, name, "name").strip(), "name")
        made = self._made(work, function, name, given)
        if made is None:
            return
        account, _, code = made
        fields: dict[str, Any] = {field: given[field] for field in ("from", "reply_to", "subject") if field in given}
        for field in ("text", "html"):
            if field in given:
                fields[field] = given[field].replace(PLACE, code)
        self._mailing(work, fields | {"to": account.name})

    def _made(self, work: Work, function: str, name: Any, given: dict[str, Any]) -> tuple[Account, Code, str] | None:
        """A new code, and the text that the user is to be told; None if nobody has the name."""
        name = options.text_of(function, name, "name")
        purpose = _purpose(function, given)
        span = options.span_of(function, given, "lifetime", LIFETIME_MS, options.MAX_CODE_MS)
        self._guesses.take(work, function, SENT, self._people.mark_of(work, name))
        account = self._people.named(work, name)
        if account is None or account.disabled:
            return None
        text = secrets.token_urlsafe(LINK_BYTES) if given.get("link") else f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
        code = Code(
            id=new_id(),
            user=account.id,
            purpose=purpose,
            mark=self._mark(work, account, purpose, text),
            expires=options.after(work, span),
        )
        work.draft(UsersDraft).give_code(code, account)
        return account, code, text

    def verify_code(self, work: Work, name: Any, code: Any, given: Any = None) -> dict[str, Any] | None:
        """The user, if the code is right; it is void then. None if it isn't, or nobody has the name."""
        function = "users::verify_code"
        given = options_of(function, given, options.OF_VERIFY_CODE)
        name = options.text_of(function, name, "name")
        text = options.text_of(function, code, "code").strip()
        purpose = _purpose(function, given)
        address = options.address_of(function, given)
        mark = self._people.mark_of(work, name)
        if address:
            self._guesses.take(work, function, ADDRESSES, address)
        self._guesses.take(work, function, CODES, f"{mark} {purpose}")
        account = self._people.named(work, name)
        found = self._store.code(work, account.id, purpose) if account is not None else None
        if account is None or account.disabled or found is None or not live(found.expires, now_of(work)):
            return None
        if not hmac.compare_digest(found.mark, self._mark(work, account, purpose, text)):
            return None
        self._guesses.forgive(work.app, CODES, f"{mark} {purpose}")
        if address:
            self._guesses.give_back(work.app, ADDRESSES, address)
        work.draft(UsersDraft).use_code(found)
        return account.shown()

    def _mark(self, work: Work, account: Account, purpose: str, text: str) -> str:
        return self._keys.mark(work.app, CODE, f"{account.id}\x00{purpose}\x00{text}")


def _purpose(function: str, given: dict[str, Any]) -> str:
    with refused_as(function):
        return check_label(given.get("purpose", PURPOSE), field="purpose")
