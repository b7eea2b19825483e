"""What the domain answers when it refuses a command."""

from __future__ import annotations


class DomainError(Exception):
    """A command was refused; nothing has changed.

    ``code`` is a stable word for programs, ``field`` the place in the input (dotted, empty if none),
    ``remedy`` one sentence on how to mend it.
    """

    code = "refused"

    def __init__(self, message: str, *, field: str = "", remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.remedy = remedy


class Invalid(DomainError):
    """A value is out of bounds: the message says what was found and what is expected."""

    code = "invalid"


class NotFound(DomainError):
    """The thing that the command names does not exist (any more)."""

    code = "not_found"


class Conflict(DomainError):
    """The command contradicts the present state, for example a name that is taken."""

    code = "conflict"


class VersionMismatch(DomainError):
    """Someone else changed the thing after the caller last saw it."""

    code = "version_mismatch"


class Disabled(DomainError):
    """The script is switched off; the message holds the reason that was given."""

    code = "disabled"
