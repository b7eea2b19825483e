"""``email::``: mails, sent behind the commit of the run.

    email::send(mail)      #{to, cc, bcc, from, reply_to, subject, text, html, attachments, headers, idempotency_key};
                           the mail's id

A mail is queued by an event that commits with the run's outcome; a run that fails has sent nothing. What goes over the
wire is made here and stored by its hash, so that what was sent can be looked at for as long as the log is kept. The
leader hands it to a server (``manager/mail_sender.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import get_close_matches
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from picloud.domain.errors import Invalid
from picloud.domain.mail import MailQueued, keyed_mail_id, mail_id
from picloud.log.reader import read_first_events
from picloud.postgres.sessions import Sessions
from picloud.services import mime
from picloud.services.arguments import kind_of, refused_as
from picloud.services.mail_address import Address, address_of, addresses_of
from picloud.services.work import ServiceError, Work

MOST_RECIPIENTS: Final = 100
"""Of one mail, whatever header they are in; servers need not take more (RFC 5321, section 4.5.3.1.8)."""
MOST_BYTES: Final = 10 * 1024 * 1024
"""Of one mail as it is sent: attachments take a third more than they have."""
MOST_ATTACHMENTS: Final = 100
MOST_HEADERS: Final = 20
MOST_OF_RUN: Final = 100
"""Mails that one run may send."""
MOST_BYTES_OF_RUN: Final = 20 * 1024 * 1024
"""Of all mails of one run."""
LONGEST_KEY: Final = 200

_SEND: Final = "email::send"
_ADDRESSES: Final = "a string, a map or an array of these"
_FIELDS: Final[dict[str, tuple[tuple[type, ...], str]]] = {
    "to": ((str, dict, list), _ADDRESSES),
    "cc": ((str, dict, list), _ADDRESSES),
    "bcc": ((str, dict, list), _ADDRESSES),
    "from": ((str, dict), "a string or a map"),
    "reply_to": ((str, dict, list), _ADDRESSES),
    "subject": ((str,), "a string"),
    "text": ((str,), "a string"),
    "html": ((str,), "a string"),
    "attachments": ((list,), "an array of maps #{name, content_type, data}"),
    "headers": ((dict,), "a map of strings"),
    "idempotency_key": ((str,), "a string"),
}
_LATELY: Final = """
    SELECT count(*)
    FROM (
        SELECT FROM mails.mails
        WHERE app = %(app)s AND queued_at > now() - interval '24 hours'
        LIMIT %(most)s
    ) lately
"""


@dataclass(slots=True)
class Mails:
    """What a run has sent so far. ``lately`` is what its app had sent within a day when it began, if that was asked."""

    app: str
    count: int = 0
    size: int = 0
    lately: int | None = None
    keyed: set[UUID] = field(default_factory=set)

    def events(self) -> list[Any]:
        """None: each mail is asked for when it is made."""
        return []


class Email:
    """See the module. ``sender`` is that of mails without one, or empty; without a server (``local``) there is always
    one. ``per_day`` is how many mails an app may send within 24 hours.
    """

    def __init__(self, sessions: Sessions, *, sender: str, local: bool, per_day: int) -> None:
        self._sessions = sessions
        self._sender = sender
        self._local = local
        self._per_day = per_day
        self.functions: dict[str, Callable[..., Any]] = {"send": self.send}

    def send(self, work: Work, mail: Any) -> str:
        """Send the mail when the run succeeds; return its id."""
        given = _given(mail)
        mails = work.draft(Mails)
        key = _key(given.get("idempotency_key"))
        caller = work.caller
        found = (
            mail_id(caller.invocation, caller.attempt, mails.count + 1) if key is None else keyed_mail_id(work.app, key)
        )
        if key is not None and self._is_known(mails, found):
            return str(found)
        with refused_as(_SEND):
            composition = self._composition(work.app, given)
            recipients = _recipients(composition, addresses_of(given.get("bcc"), "bcc"))
        self._check_room(work.app, mails)
        content = mime.compose(composition, id=found, at=_second(caller.clock_ms))
        _check_size(mails, len(content))
        work.ask(
            [
                MailQueued(
                    originator_id=found,
                    originator_version=1,
                    invocation=caller.invocation,
                    script=caller.title.partition("/")[2],
                    sender=composition.author.spec,
                    recipients=[each.spec for each in recipients],
                    subject=composition.subject,
                    content=sha256(content).hexdigest(),
                    size=len(content),
                    international=any(each.international for each in (composition.author, *recipients)),
                )
            ],
            [content],
        )
        mails.count, mails.size = mails.count + 1, mails.size + len(content)
        mails.keyed.add(found)
        return str(found)

    def _is_known(self, mails: Mails, mail: UUID) -> bool:
        if mail in mails.keyed:
            return True
        with self._sessions.session() as connection:
            return bool(read_first_events(connection, [mail]))

    def _composition(self, app: str, given: Mapping[str, Any]) -> mime.Composition:
        """What the fields say. Raises :class:`Invalid`."""
        if "text" not in given and "html" not in given:
            raise Invalid("a mail has a text, or an html, or both", field="text", remedy='For example text: "Hello!".')
        composition = mime.Composition(
            author=self._author(app, given.get("from")),
            to=addresses_of(given.get("to"), "to"),
            cc=addresses_of(given.get("cc"), "cc"),
            reply_to=addresses_of(given.get("reply_to"), "reply_to"),
            subject=mime.check_text(given.get("subject", ""), "subject").strip(),
            text=mime.check_body(given["text"], "text") if "text" in given else None,
            html=mime.check_body(given["html"], "html") if "html" in given else None,
            attachments=tuple(_attachments(given.get("attachments", []))),
            headers=mime.check_headers(given.get("headers", {}), "headers"),
        )
        if len(composition.headers) > MOST_HEADERS:
            raise Invalid(f"there may be {MOST_HEADERS} headers, found {len(composition.headers)}", field="headers")
        _check_sum(composition)
        return composition

    def _author(self, app: str, given: Any) -> Address:
        if given is not None:
            return address_of(given, "from")
        if self._sender:
            return address_of(self._sender, "PICLOUD_MAIL_FROM")
        if self._local:
            return Address(app, "localhost")
        raise Invalid(
            "the mail has no sender",
            field="from",
            remedy='Give from: "shop@example.org", or set PICLOUD_MAIL_FROM for all that give none.',
        )

    def _check_room(self, app: str, mails: Mails) -> None:
        if mails.count >= MOST_OF_RUN:
            raise ServiceError(f"{_SEND}: a run may send {MOST_OF_RUN} mails; let a queue's runs send them, some each")
        if mails.lately is None:
            with self._sessions.session() as connection:
                row = connection.execute(_LATELY, {"app": app, "most": self._per_day}, prepare=True).fetchone()
            assert row is not None
            mails.lately = int(row[0])
        if mails.lately + mails.count >= self._per_day:
            raise ServiceError(
                f"{_SEND}: {app} may send {self._per_day:,} mails within 24 hours, and has;"
                " PICLOUD_MAIL_PER_DAY raises that, at the next start of PiCloud"
            )


def _given(mail: Any) -> dict[str, Any]:
    """The fields of a mail that are set, each of its type."""
    if not isinstance(mail, Mapping):
        example = '#{to: "ada@example.org", subject: "Hello", text: "Hi!"}'
        raise ServiceError(f"{_SEND} takes the mail as a map, such as {example}, not {kind_of(mail)}")
    for name, value in mail.items():
        known = _FIELDS.get(name)
        if known is None:
            near = get_close_matches(name, _FIELDS, n=1)
            meant = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(_FIELDS)}"
            raise ServiceError(f"{_SEND}: a mail has no {name[:40]!r}: {meant}")
        kinds, said = known
        if value is not None and type(value) not in kinds:
            raise ServiceError(f"{_SEND}: {name} is {said}, not {kind_of(value)}")
    return {name: value for name, value in mail.items() if value is not None}


def _second(clock_ms: int) -> datetime:
    return datetime.fromtimestamp(clock_ms // 1_000, UTC)


def _key(key: str | None) -> str | None:
    if key is not None and not 1 <= len(key) <= LONGEST_KEY:
        raise ServiceError(f"{_SEND}: idempotency_key has 1 to {LONGEST_KEY} characters, found {len(key):,}")
    return key


def _recipients(composition: mime.Composition, hidden: tuple[Address, ...]) -> list[Address]:
    """Everybody who gets the mail, once. Raises :class:`Invalid`."""
    found = {each.spec: each for each in (*composition.to, *composition.cc, *hidden)}
    if not found:
        raise Invalid("the mail has no recipient", field="to", remedy='For example to: "ada@example.org".')
    if len(found) > MOST_RECIPIENTS:
        raise Invalid(
            f"a mail has {MOST_RECIPIENTS} recipients at most, found {len(found):,}",
            field="to",
            remedy="Send several mails: that also keeps addresses from one another.",
        )
    return list(found.values())


def _attachments(given: list[Any]) -> Iterator[mime.Attached]:
    if len(given) > MOST_ATTACHMENTS:
        raise Invalid(f"a mail has {MOST_ATTACHMENTS} attachments at most, found {len(given):,}", field="attachments")
    for number, attachment in enumerate(given):
        place = f"attachments[{number}]"
        if not isinstance(attachment, Mapping) or not {"name", "data"} <= attachment.keys():
            raise Invalid(f"{place} is a map with a name and data", field=place)
        for member in attachment:
            if member not in ("name", "content_type", "data"):
                raise Invalid(f"{place} has no {member[:40]!r}: it has name, content_type and data", field=place)
        name, data, kind = attachment["name"], attachment["data"], attachment.get("content_type")
        if not isinstance(name, str):
            raise Invalid(f"{place}.name is a string, not {kind_of(name)}", field=place)
        if not isinstance(data, str | bytes):
            raise Invalid(f"{place}.data is a blob or a string, not {kind_of(data)}", field=place)
        if not isinstance(kind, str | None):
            raise Invalid(f"{place}.content_type is a string, not {kind_of(kind)}", field=place)
        mime.check_file_name(name, f"{place}.name")
        yield mime.Attached(
            name,
            mime.guessed_type(name) if kind is None else mime.check_content_type(kind, f"{place}.content_type"),
            data.encode() if isinstance(data, str) else data,
        )


def _check_sum(composition: mime.Composition) -> None:
    """Refuse what can't fit before it is encoded."""
    size = sum(len(each.data) for each in composition.attachments)
    size += len(composition.text or "") + len(composition.html or "")
    if size > MOST_BYTES:
        raise Invalid(_too_large(size), field="attachments", remedy="Send where the file is instead.")


def _check_size(mails: Mails, size: int) -> None:
    if size > MOST_BYTES:
        raise ServiceError(f"{_SEND}: {_too_large(size)}. Send where the file is instead.")
    if mails.size + size > MOST_BYTES_OF_RUN:
        raise ServiceError(f"{_SEND}: the mails of one run have {MOST_BYTES_OF_RUN:,} bytes together at most")


def _too_large(size: int) -> str:
    return f"a mail has {MOST_BYTES:,} bytes at most, encoded; this one has {size:,}"
