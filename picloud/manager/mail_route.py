"""The way to the server that takes mails: one connection at a time, over which mails go one after the other (RFC 5321).

What the server says of a mail is an answer; that it can't be talked to, doesn't let us in, or has no certificate that
is trusted, says nothing of the mail. Answers that begin with 5 are final, but for those that are about who we are.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import gevent

from picloud.config import MailServer
from picloud.domain.mail import Mail, Tried

if TYPE_CHECKING:
    # It isn't loaded before there is a mail to send.
    import smtplib

TURNS: Final = 10
"""So many times as long as the server may be silent may a whole mail take."""

_CLOSING: Final = 421
"""The server closes the connection."""
_NOT_OF_THE_MAIL: Final = frozenset({530, 534, 535, 538})
"""We have to log in, or to do so in another way (RFC 4954): whoever mends that wants the mail to go then."""


class Unreachable(Exception):
    """No mail could be handed over; ``code`` is the server's answer, or 0."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


@dataclass(slots=True)
class _Answers:
    """What was said of the recipients so far."""

    taken: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    code: int = 0
    text: str = ""

    def said(self, code: int, text: str) -> None:
        self.code, self.text = code, text

    def tried(self, delivered: list[str]) -> Tried:
        return Tried(code=self.code, text=self.text, delivered=delivered, refused=self.refused)


class MailRoute:
    """See the module. ``timeout`` is how long, in seconds, the server may be silent; ``authorities`` is a PEM file with
    certificates that are trusted beside the system's.
    """

    def __init__(self, server: MailServer, *, timeout: float, authorities: Path | None) -> None:
        self.server = server
        self._timeout = timeout
        self._authorities = authorities
        self._client: smtplib.SMTP | None = None

    def deliver(self, mail: Mail, content: bytes) -> Tried:
        """Hand the mail over for those who wait for it. Raises :class:`Unreachable`."""
        limit = gevent.Timeout(TURNS * self._timeout)
        try:
            with limit:
                return self._deliver(mail, content)
        except gevent.Timeout as reached:
            if reached is not limit:
                raise
            self._drop()
            return Tried(code=0, text=f"{self.server.shown} took longer than {TURNS * self._timeout:g} s for the mail")
        except OSError as error:
            self._drop()
            return Tried(code=0, text=f"{self.server.shown} broke off: {_said(error)}")
        except BaseException:
            self._drop()
            raise

    def check(self) -> None:
        """Connect, and log in, as for a mail. Raises :class:`Unreachable`."""
        self._client = self._connected()
        self.close()

    def close(self) -> None:
        """Say good-bye; the next mail opens another connection."""
        if self._client is not None:
            with contextlib.suppress(OSError, gevent.Timeout), gevent.Timeout(self._timeout):
                self._client.quit()
        self._drop()

    def _drop(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _deliver(self, mail: Mail, content: bytes) -> Tried:
        if self._is_open():
            tried = self._handed_over(mail, content)
            if tried.code != _CLOSING or tried.delivered or tried.refused:
                return tried
            # Some servers take so many mails over one connection, and no more.
        return self._handed_over(mail, content)

    def _is_open(self) -> bool:
        """Whether there is a connection that can take a mail; the server may have gone since the one before."""
        if self._client is None:
            return False
        from smtplib import SMTPServerDisconnected

        try:
            code, _ = self._client.rset()
        except SMTPServerDisconnected:
            code = 0
        if code != 250:
            self._drop()
        return code == 250

    def _handed_over(self, mail: Mail, content: bytes) -> Tried:
        client = self._client = self._client or self._connected()
        answers = _Answers()
        if self._fits(client, mail, content, answers) and self._offered(client, mail, content, answers):
            return answers.tried(self._sent(client, content, answers))
        return answers.tried([])

    def _fits(self, client: smtplib.SMTP, mail: Mail, content: bytes, answers: _Answers) -> bool:
        """Whether the server can take such a mail."""
        most = client.esmtp_features.get("size", "")
        if most.isdigit() and 0 < int(most) < len(content):
            answers.said(552, f"the server takes {int(most):,} bytes at most, the mail has {len(content):,}")
        elif mail.queued.international and not client.has_extn("smtputf8"):
            answers.said(553, "the server doesn't know SMTPUTF8, and an address isn't ASCII")
        else:
            return True
        self._refuse(mail.waiting, answers)
        return False

    def _offered(self, client: smtplib.SMTP, mail: Mail, content: bytes, answers: _Answers) -> bool:
        """Whether the server wants the content, for some at least."""
        options = [f"SIZE={len(content)}"] if client.has_extn("size") else []
        if mail.queued.international:
            options += ["SMTPUTF8", "BODY=8BITMIME"]
        answers.said(*_text(client.mail(mail.queued.sender, options)))
        if answers.code != 250:
            self._judge(mail.waiting, answers)
            return False
        said: list[tuple[int, str]] = []
        for recipient in mail.waiting:
            answers.said(*_text(client.rcpt(recipient)))
            if answers.code == _CLOSING:
                self._drop()
                return False
            if answers.code in (250, 251, 252):
                answers.taken.append(recipient)
            elif not self._judge([recipient], answers):
                said.append((answers.code, answers.text))
        if said:
            # Of all answers, that one is told for which the mail is tried again.
            answers.said(*said[0])
        return bool(answers.taken)

    def _sent(self, client: smtplib.SMTP, content: bytes, answers: _Answers) -> list[str]:
        """Send the content; return who has got it."""
        from smtplib import SMTPDataError

        put_off = (answers.code, answers.text) if answers.code not in (250, 251, 252) else None
        try:
            answers.said(*_text(client.data(content)))
        except SMTPDataError as error:
            answers.said(*_text((error.smtp_code, error.smtp_error)))
        if answers.code != 250:
            self._judge(answers.taken, answers)
            return []
        if put_off is not None and put_off[0] < 500:
            answers.said(*put_off)
        return answers.taken

    def _judge(self, recipients: list[str], answers: _Answers) -> bool:
        """Take note of an answer that is no consent; tell whether it is the last."""
        if answers.code == _CLOSING:
            self._drop()
        final = 500 <= answers.code <= 599 and answers.code not in _NOT_OF_THE_MAIL
        if final:
            self._refuse(recipients, answers)
        return final

    @staticmethod
    def _refuse(recipients: list[str], answers: _Answers) -> None:
        answers.refused |= dict.fromkeys(recipients, f"{answers.code} {answers.text}")

    def _connected(self) -> smtplib.SMTP:
        import smtplib
        import ssl

        server = self.server
        client: smtplib.SMTP | None = None
        try:
            trusted = ssl.create_default_context()
            if self._authorities is not None:
                trusted.load_verify_locations(self._authorities)
            if server.scheme == "smtps":
                client = smtplib.SMTP_SSL(server.host, server.port, timeout=self._timeout, context=trusted)
            else:
                client = smtplib.SMTP(server.host, server.port, timeout=self._timeout)
            client.ehlo_or_helo_if_needed()
            if server.scheme == "smtp":
                client.starttls(context=trusted)
                client.ehlo_or_helo_if_needed()
            if server.user:
                client.login(server.user, server.password)
        except (OSError, ValueError) as error:
            if client is not None:
                client.close()
            code = getattr(error, "smtp_code", 0)
            raise Unreachable(max(code, 0), f"{server.shown} can't be used: {_said(error)}") from None
        except BaseException:
            if client is not None:
                client.close()
            raise
        return client


def _text(answer: tuple[int, Any]) -> tuple[int, str]:
    code, text = answer
    # What is no answer at all comes as -1.
    return max(code, 0), " ".join(text.decode("utf-8", "replace").split()) if isinstance(text, bytes) else str(text)


def _said(error: Exception) -> str:
    """An error in one line; of an answer, what the server said."""
    answer = getattr(error, "smtp_error", None)
    if answer is not None:
        return _text((0, answer))[1]
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
