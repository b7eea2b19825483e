"""A mail that a script sends: queued with the success of its run, then tried until it is taken, or never will be.

A stream of its own; states ``queued → sent | failed | kept | cancelled``, and from there ``queued`` again if a person
says so. The functions here decide. The key on (stream, version) is the fence: of two who try a mail, one records it.

A mail is *kept* where there is no server to send it: it has come to the local mailbox. It is *sent* as soon as the
server took it for one recipient; those that it refused are named beside that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from picloud.domain.errors import Conflict
from picloud.domain.names import stream_id

LONGEST_TRY: Final = timedelta(days=2)
"""A mail that the server doesn't take for so long has failed."""
FIRST_DELAY: Final = timedelta(seconds=15)
LONGEST_DELAY: Final = timedelta(hours=1)
MOST_TEXT: Final = 500
"""Characters of an answer that are kept."""
TOO_LATE: Final = "it was not taken within two days"


class MailState(StrEnum):
    """Where a mail is."""

    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"
    KEPT = "kept"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class MailQueued:
    """A run has succeeded that sends this mail. ``content`` is the SHA-256 of all of it, ``sender`` and ``recipients``
    are the envelope's. ``international`` tells that an address isn't ASCII, so that the server must know SMTPUTF8.
    """

    originator_id: UUID
    originator_version: int
    invocation: UUID
    script: str
    sender: str
    recipients: list[str]
    subject: str
    content: str
    size: int
    international: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MailAttemptFailed:
    """Somebody didn't get it yet, and it is tried again when it is ``due``.

    ``code`` and ``text`` are the server's answer; ``code`` is 0 if there was none. ``delivered`` are those who got it
    by this attempt, ``refused`` those who never will, each with the server's answer.
    """

    originator_id: UUID
    originator_version: int
    attempt: int
    code: int
    text: str
    due: datetime
    delivered: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MailSent:
    """The server has it for all that are ``delivered``, by this attempt or one before; the others are ``refused``."""

    originator_id: UUID
    originator_version: int
    attempt: int
    code: int
    text: str
    delivered: list[str]
    refused: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MailFailed:
    """Nobody got it, and it isn't tried again."""

    originator_id: UUID
    originator_version: int
    attempt: int
    code: int
    text: str
    refused: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class MailKept:
    """There is no server for mails: it is in the local mailbox, and goes nowhere."""

    originator_id: UUID
    originator_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MailCancelled:
    """It isn't to be sent any more."""

    originator_id: UUID
    originator_version: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MailRequeued:
    """It is to be sent to those who didn't get it, again from the beginning."""

    originator_id: UUID
    originator_version: int


MailEvent = MailQueued | MailAttemptFailed | MailSent | MailFailed | MailKept | MailCancelled | MailRequeued


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail as its events have made it. ``since`` is when it was queued last, ``due`` when it is tried next; ``tries``
    are the attempts since then. Who is neither ``delivered`` nor ``refused`` hasn't got it yet.
    """

    version: int
    state: MailState
    queued: MailQueued
    since: datetime
    due: datetime | None
    attempts: int = 0
    tries: int = 0
    delivered: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> UUID:
        """The mail's id."""
        return self.queued.originator_id

    @property
    def waiting(self) -> list[str]:
        """The recipients that it is to be sent to."""
        return [each for each in self.queued.recipients if each not in self.delivered and each not in self.refused]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What an attempt came to: the last answer, who got the mail, and who never will, each with the answer."""

    code: int
    text: str
    delivered: Sequence[str] = ()
    refused: Mapping[str, str] = field(default_factory=dict)


def mail_id(invocation: UUID, attempt: int, number: int) -> UUID:
    """The id of a run's mail with that number."""
    return stream_id("mail", str(invocation), str(attempt), str(number))


def keyed_mail_id(app: str, key: str) -> UUID:
    """The id of the one mail that an app sends under an idempotency key."""
    return stream_id("mail of key", app, key)


def evolve(mail: Mail | None, event: MailEvent, at: datetime) -> Mail:
    """The mail after ``event``, which was recorded ``at``."""
    if isinstance(event, MailQueued):
        return Mail(version=1, state=MailState.QUEUED, queued=event, since=at, due=at)
    assert mail is not None, "a mail begins with being queued"
    mail = replace(mail, version=event.originator_version)
    match event:
        case MailAttemptFailed():
            return replace(_tried(mail, event), due=event.due)
        case MailSent():
            return replace(_tried(mail, event), state=MailState.SENT, due=None)
        case MailFailed():
            return replace(
                mail,
                state=MailState.FAILED,
                due=None,
                attempts=event.attempt,
                tries=mail.tries + 1,
                refused={**mail.refused, **event.refused},
            )
        case MailKept():
            return replace(mail, state=MailState.KEPT, due=None)
        case MailCancelled():
            return replace(mail, state=MailState.CANCELLED, due=None)
        case MailRequeued():
            return replace(mail, state=MailState.QUEUED, since=at, due=at, tries=0, refused={})


def _tried(mail: Mail, event: MailAttemptFailed | MailSent) -> Mail:
    delivered = (*mail.delivered, *(each for each in event.delivered if each not in mail.delivered))
    refused = {**mail.refused, **event.refused}
    return replace(mail, attempts=event.attempt, tries=mail.tries + 1, delivered=delivered, refused=refused)


def settle(mail: Mail, tried: Tried, *, now: datetime, random: float) -> MailAttemptFailed | MailSent | MailFailed:
    """What is recorded of an attempt. ``random`` is from 0 to 1."""
    refused = {address: text[:MOST_TEXT] for address, text in tried.refused.items()}
    text, attempt, version = tried.text[:MOST_TEXT], mail.attempts + 1, mail.version + 1
    left = [each for each in mail.waiting if each not in tried.delivered and each not in refused]
    due = now + delay_behind(mail.tries + 1, random=random)
    if left and mail.state is MailState.QUEUED and due < mail.since + LONGEST_TRY:
        return MailAttemptFailed(
            originator_id=mail.id,
            originator_version=version,
            attempt=attempt,
            code=tried.code,
            text=text,
            due=due,
            delivered=list(tried.delivered),
            refused=refused,
        )
    why = f"{TOO_LATE}: {text}" if mail.state is MailState.QUEUED else "the mail was cancelled meanwhile"
    refused |= dict.fromkeys(left, why[:MOST_TEXT])
    if mail.delivered or tried.delivered:
        return MailSent(
            originator_id=mail.id,
            originator_version=version,
            attempt=attempt,
            code=tried.code,
            text=text,
            delivered=list(tried.delivered),
            refused=refused,
        )
    return MailFailed(
        originator_id=mail.id,
        originator_version=version,
        attempt=attempt,
        code=tried.code,
        text=why[:MOST_TEXT] if left else text,
        refused=refused,
    )


def delay_behind(tries: int, *, random: float) -> timedelta:
    """How long to wait behind so many attempts in a row: twice as long each time, of which chance takes up to half."""
    longest = min(FIRST_DELAY * (1 << min(tries - 1, 20)), LONGEST_DELAY)
    return longest * (0.5 + random / 2)


def keep(mail: Mail) -> MailKept:
    """Leave it in the local mailbox."""
    return MailKept(originator_id=mail.id, originator_version=mail.version + 1)


def cancel(mail: Mail, reason: str) -> MailCancelled:
    """Don't send it any more. Raises :class:`Conflict` unless it is queued."""
    if mail.state is not MailState.QUEUED:
        raise Conflict(f"the mail {mail.id} is {mail.state}: only one that is queued can be cancelled")
    return MailCancelled(originator_id=mail.id, originator_version=mail.version + 1, reason=reason)


def requeue(mail: Mail) -> MailRequeued:
    """Send it to those who didn't get it. Raises :class:`Conflict` if it is queued, or everybody got it."""
    if mail.state is MailState.QUEUED:
        raise Conflict(f"the mail {mail.id} is queued: it is tried again by itself")
    if len(mail.delivered) == len(mail.queued.recipients):
        raise Conflict(
            f"the mail {mail.id} is sent: the server took it for everybody",
            remedy="Replay the invocation to send another.",
        )
    return MailRequeued(originator_id=mail.id, originator_version=mail.version + 1)
