"""Who may be written to, and a mail into the log: one append with an invocation for each of its recipients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import msgspec
import psycopg
import structlog

from picloud.domain.errors import Invalid
from picloud.domain.invocation import EventInput, Requested
from picloud.domain.mailbox import Mailbox, mail_id, may_send
from picloud.domain.metadata import Metadata
from picloud.log.appender import Appender, Entry, LogUnavailable, StreamConflict
from picloud.log.contents import pack, put_content
from picloud.log.ids import new_id
from picloud.log.reader import read_last_types
from picloud.postgres.sessions import Sessions
from picloud.smtp import reply
from picloud.smtp.command import Path
from picloud.smtp.directory import Addressee, Directory
from picloud.smtp.message import Mail, body_of, read_mail
from picloud.smtp.reply import Reply
from picloud.smtp.session import Envelope

RECORD_SECONDS: Final = 30.0
"""How long a mail may take to be recorded; clients wait for ten minutes (RFC 5321, section 4.5.3.2.6)."""

_TRIES: Final = 5

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Letter:
    """A mail to one trigger, by one address."""

    addressee: Addressee
    recipient: Path
    detail: str


class TriggerPostmaster:
    """See the module. Takes mail for ``domains``, for all if there are none."""

    def __init__(
        self,
        *,
        appender: Appender,
        sessions: Sessions,
        directory: Directory,
        domains: tuple[str, ...],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._appender = appender
        self._sessions = sessions
        self._directory = directory
        self._domains = frozenset(domains)
        self._clock = clock

    def check(self, recipient: Path, *, sender: str, size: int | None) -> Reply:
        """Whether there is a trigger, and it takes the mail now."""
        try:
            found = self._letters(recipient, sender=sender, size=size)
        except psycopg.Error as error:
            _log.warning("smtp.database_lost", error=str(error).strip())
            return reply.LOG_AWAY
        return found if isinstance(found, Reply) else Reply(250, "2.1.5", "ok")

    def deliver(self, envelope: Envelope, content: bytes) -> Reply:
        """Record the mail for all recipients; accepted means committed."""
        try:
            letters: list[_Letter] = []
            for recipient in envelope.recipients:
                found = self._letters(recipient, sender=envelope.sender, size=len(content))
                if isinstance(found, Reply):
                    # It was another answer a moment ago: who comes again gets it where it can be told apart.
                    return found if found.code == reply.too_large(0).code else Reply(451, "4.3.0", found.text)
                letters += found
            accepted = self._record(letters, envelope, content)
        except Invalid as error:
            return Reply(554, "5.6.0", f"the mail can't be given to a script: {error}")
        except (psycopg.Error, LogUnavailable) as error:
            _log.warning("smtp.not_recorded", error=str(error).strip())
            return reply.LOG_AWAY
        ids = [str(invocation) for invocation in accepted]
        _log.info("smtp.accepted", invocations=ids, client=envelope.client, size=len(content))
        return Reply(250, "2.0.0", f"accepted as {ids[0]}" + (f" and {len(ids) - 1} more" if ids[1:] else ""))

    def _letters(self, recipient: Path, *, sender: str, size: int | None) -> list[_Letter] | Reply:
        """To whom a mail to ``recipient`` goes, or why it goes to nobody."""
        if self._domains and recipient.domain not in self._domains:
            return Reply(550, "5.7.1", f"mail for {recipient.domain} is not taken here")
        mailbox = Mailbox.parse(recipient.local)
        if mailbox is None:
            return Reply(550, "5.1.1", f"<{recipient.address}> is nobody; addresses here are APP+ADDRESS@DOMAIN")
        found = self._directory.find(mailbox)
        if not found:
            return Reply(550, "5.1.1", f"<{recipient.address}> is nobody: no trigger of kind email has this address")
        for addressee in found:
            refusal = _refusal(addressee, recipient, sender=sender, size=size)
            if refusal is not None:
                return refusal
        return [_Letter(addressee, recipient, mailbox.detail) for addressee in found]

    def _record(self, letters: list[_Letter], envelope: Envelope, content: bytes) -> list[UUID]:
        mail = read_mail(content)
        requests = self._requests(letters, mail, envelope, content)
        actor = f"email:{envelope.sender}"
        root = next(iter(requests))
        for _ in range(_TRIES):
            with self._sessions.session() as connection:
                known = read_last_types(connection, list(requests))
            entries = [
                Entry(requested, Metadata(requested.app, actor, root, trigger))
                for invocation, (requested, trigger) in requests.items()
                if invocation not in known
            ]
            try:
                if entries:
                    self._appender.append(entries, timeout=RECORD_SECONDS)
                return list(requests)
            except StreamConflict:
                # The same mail came on another connection, and was recorded there for some or all.
                continue
        raise LogUnavailable("the same mail keeps coming on other connections", unknown=True)

    def _requests(
        self, letters: list[_Letter], mail: Mail, envelope: Envelope, content: bytes
    ) -> dict[UUID, tuple[Requested, UUID]]:
        """The requests by invocation, each with its trigger; a trigger that is named twice gets the mail once."""
        payload = msgspec.json.encode(mail)
        data = pack(payload, self._sessions)
        with self._sessions.session() as connection:
            raw = put_content(connection, content)
        now = self._clock()
        requests: dict[UUID, tuple[Requested, UUID]] = {}
        for letter in letters:
            addressee = letter.addressee
            assert addressee.target is not None, "there are no letters to a trigger without a script"
            attributes = {
                "from": envelope.sender,
                "to": letter.recipient.address,
                "detail": letter.detail,
                "client": envelope.client,
                "raw_sha256": raw,
            }
            invocation = _invocation_id(letter, mail, content)
            event = EventInput(attributes, data)
            requests[invocation] = (
                addressee.target.request(invocation, event, now=now, payload=payload),
                addressee.id,
            )
        return requests


def _invocation_id(letter: _Letter, mail: Mail, content: bytes) -> UUID:
    if mail.message_id is None:
        return new_id()
    return mail_id(letter.addressee.id, letter.detail, mail.message_id, body_of(content))


def _refusal(addressee: Addressee, recipient: Path, *, sender: str, size: int | None) -> Reply | None:
    if not may_send(addressee.config.senders, sender):
        return Reply(550, "5.7.1", f"<{recipient.address}> takes no mail from this sender")
    if addressee.why_not or addressee.target is None:
        return Reply(450, "4.2.1", f"<{recipient.address}> takes no mail now: {addressee.why_not}; try again later")
    most = addressee.config.max_bytes
    if most is not None and size is not None and size > most:
        return reply.too_large(most)
    return None
