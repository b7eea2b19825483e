"""What a run was told from outside, in order, so that it can be run again on the same.

Every service call passes the door, and the door hands it to a :class:`Recorder`. Together with the input, the clock and
the seed, which the invocation's events hold, the calls and the readings of ``timestamp()`` are all that a run depends
on: with them it is repeated exactly (:mod:`picloud.orchestrator.inspection`). What a run wrote is among the calls, for
writing is calling. The journal of an attempt that failed is kept with the failure. That of one that succeeded isn't:
its effects are in the log themselves, and so is what it read of ``kv::``; the log would double for what nobody asks.

A run that passes checkpoints leaves its calls with each of them, a *stretch*: a further run is answered by these. What
was called inside of a durable step isn't among them, only the step and its value.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

import msgspec

from picloud.executor.protocol import Limits
from picloud.executor.redaction import SECRETS, Redaction
from picloud.services.http import recording as http
from picloud.services.work import OutOfStore, Withheld

FORMAT: Final = 1
MAX_STRETCH: Final = 2 * 1024 * 1024
"""Bytes of the calls between two checkpoints."""
_ENTRY_BYTES: Final = 16
"""What a call takes beyond its arguments and its answer."""


FORMS: Final[dict[str, Callable[[list[Any]], list[Any]]]] = {"http": http.recorded}
"""Services whose calls are kept in a form of their own: without what no record may keep."""


def as_kept(service: str, args: list[Any]) -> list[Any]:
    """The arguments of a call as a record has them."""
    form = FORMS.get(service)
    return args if form is None else form(args)


class RecordedCall(msgspec.Struct, frozen=True, array_like=True):
    """A service call as it was made, and its answer: ``value``, or ``refusal`` if it was refused; ``value`` is then
    what was thrown for it, if that was more than the text.

    A module's source, and what was read of a large file, is held by the hash of the whole alone (``sha256``).
    ``withheld`` tells that the answer was not to be kept; ``value`` is then what may be kept of it: of a secret the
    number of the version, or of each. Where a secret that the run was given stands in what it asked or was told later,
    its name is put instead.
    """

    service: str
    function: str
    args: list[Any]
    value: Any = None
    refusal: str | None = None
    sha256: str | None = None
    withheld: bool = False

    @property
    def name(self) -> str:
        """The function as scripts write it."""
        return f"{self.service}::{self.function}"


class Journal(msgspec.Struct, frozen=True, array_like=True):
    """The calls of a run, in order; ``made`` is how many there were, more than are kept if the journal is truncated.

    ``readings`` are those of ``timestamp()``, ``limits`` what the run might use. ``batch`` are the invocations, with
    their attempts, whose messages the run got together; the run was the first one's.
    """

    format: int
    made: int
    calls: list[RecordedCall]
    readings: list[int]
    limits: Limits
    batch: list[tuple[UUID, int]] = []

    @property
    def truncated(self) -> bool:
        """Whether calls are missing at the end."""
        return self.made > len(self.calls)

    def packed(self) -> bytes:
        """The journal as bytes, to be kept."""
        return zlib.compress(_encode(self), 6)


class UnreadableJournal(Exception):
    """The bytes are no journal that this version knows."""


class _Stretch(msgspec.Struct, frozen=True, array_like=True):
    """The calls between two checkpoints."""

    format: int
    calls: list[RecordedCall]


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Journal).decode
_decode_call: Final = msgspec.msgpack.Decoder(RecordedCall).decode
_decode_stretch: Final = msgspec.msgpack.Decoder(_Stretch).decode


def unpacked(data: bytes) -> Journal:
    """The journal of :meth:`Journal.packed`. Raises :class:`UnreadableJournal`."""
    try:
        journal = _decode(zlib.decompress(data))
    except (zlib.error, msgspec.MsgspecError) as error:
        raise UnreadableJournal(str(error)) from error
    if journal.format != FORMAT:
        raise UnreadableJournal(f"it has the format {journal.format}, this version knows {FORMAT}")
    return journal


def without_secrets(call: RecordedCall, redaction: Redaction) -> RecordedCall:
    """The call as a record may have it."""
    return msgspec.structs.replace(
        call,
        args=redaction.plain(call.args),
        value=redaction.plain(call.value),
        refusal=None if call.refusal is None else redaction.text(call.refusal),
    )


def packed_stretch(calls: Sequence[RecordedCall]) -> bytes:
    """The calls of a stretch as bytes, to be kept."""
    return zlib.compress(_encode(_Stretch(FORMAT, list(calls))), 6)


def unpacked_stretch(data: bytes) -> list[RecordedCall]:
    """The calls of :func:`packed_stretch`. Raises :class:`UnreadableJournal`."""
    try:
        stretch = _decode_stretch(zlib.decompress(data))
    except (zlib.error, msgspec.MsgspecError) as error:
        raise UnreadableJournal(str(error)) from error
    if stretch.format != FORMAT:
        raise UnreadableJournal(f"it has the format {stretch.format}, this version knows {FORMAT}")
    return stretch.calls


class Recorder:
    """Keeps the calls of a running attempt since its last checkpoint, as far as there is room for them.

    Of these the journal of a failure has the first ``most_bytes``; with 0 there is none. A call is encoded when it is
    made: what it holds may be changed later, and its size is known then.
    """

    __slots__ = ("_calls", "_for_failure", "_left", "_left_for_failure", "keeps", "made", "redaction")

    def __init__(self, most_bytes: int) -> None:
        self.keeps = most_bytes > 0
        """Whether there is to be a journal of a failure."""
        self._left_for_failure = most_bytes
        self._left = max(most_bytes, MAX_STRETCH)
        self._calls: list[bytes] = []
        self._for_failure = 0
        self.made = 0
        """How many calls there were."""
        self.redaction = Redaction()
        """The secrets that the run was given."""

    @property
    def kept(self) -> int:
        """How many of them were kept, the first ones."""
        return len(self._calls)

    def answered(self, service: str, function: str, args: list[Any], value: Any) -> None:
        """Keep a call that was answered."""
        args = as_kept(service, args)
        if type(value) is Withheld:
            self._keep(RecordedCall(service, function, args, value.kept, withheld=True))
            if service == SECRETS:
                self.redaction.learn(str(args[0]), value.value)
        elif type(value) is OutOfStore:
            self._keep(RecordedCall(service, function, args, sha256=value.sha256))
        elif service == "modules" and isinstance(value, str):
            digest = sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
            self._keep(RecordedCall(service, function, args, sha256=digest))
        else:
            self._keep(RecordedCall(service, function, args, value))

    def refused(self, service: str, function: str, args: list[Any], why: str, thrown: Any = None) -> None:
        """Keep a call that was refused."""
        self._keep(RecordedCall(service, function, as_kept(service, args), thrown, refusal=why))

    def journal(self, limits: Limits, readings: list[int], batch: Sequence[tuple[UUID, int]] = ()) -> Journal:
        """What is kept with a failure."""
        return Journal(FORMAT, self.made, self.calls(self._for_failure), readings, limits, list(batch))

    def calls(self, count: int) -> list[RecordedCall]:
        """The first ``count`` calls that were kept."""
        return [_decode_call(call) for call in self._calls[:count]]

    def _keep(self, call: RecordedCall) -> None:
        complete = self.kept == self.made
        self.made += 1
        if not complete:
            return
        if self.redaction:
            call = without_secrets(call, self.redaction)
        try:
            encoded = _encode(call)
        except (TypeError, OverflowError, ValueError, RecursionError):
            # What can't be kept can't be sent to the script either: it is told so, and the record ends here.
            return
        size = len(encoded) + _ENTRY_BYTES
        self._left -= size
        if self._left < 0:
            return
        self._calls.append(encoded)
        self._left_for_failure -= size
        if self._left_for_failure >= 0:
            self._for_failure = len(self._calls)
