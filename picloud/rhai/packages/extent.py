"""How much a value holds, with all that is in it: found level by level, for a level is gone through by C code."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, Final

from picloud.rhai.runtime.run import Run
from picloud.rhai.values import I64_MAX, I64_MIN

_PIECE: Final = 4096
_MOST_COLUMNS: Final = 16
_LEAST_ROWS: Final = 4
_PER_OPERATION: Final = 16
"""So many values are gone through for one operation."""
_PLAIN: Final = frozenset({int, float, bool, str, list, dict, type(None)})


class Extent:
    """What was counted. What is in a value twice is counted twice."""

    __slots__ = ("characters", "depth", "elements", "entries", "is_plain", "names")

    def __init__(self) -> None:
        self.elements = 0
        """Elements of arrays."""
        self.entries = 0
        """Entries of maps."""
        self.characters = 0
        """Characters of texts, not of the names of entries."""
        self.names = 0
        """Characters of the names of entries; 0 if there is no bound that they may pass."""
        self.depth = 0
        """Levels of arrays and maps."""
        self.is_plain = True
        """Whether there is nothing but what JSON knows."""

    @property
    def total(self) -> int:
        """A measure of the work that the value makes: about how many characters JSON takes for it."""
        return 6 * self.entries + 2 * self.elements + self.characters + self.names


def extent(run: Run, containers: list[Any], most: int | None = None) -> Extent:
    """Return what arrays and maps hold. Counting is paid for.

    It ends as soon as the total passes ``most``, and as soon as something is found that isn't plain. Without a
    ``most``, a value with an integer that the language does not have isn't plain either.
    """
    found = Extent()
    level = containers
    while level and found.is_plain:
        found.depth += 1
        arrays = [each for each in level if type(each) is list] if type(level[0]) is not dict else []
        maps = [each for each in level if type(each) is dict] if len(arrays) < len(level) else []
        found.elements += sum(map(len, arrays))
        found.entries += sum(map(len, maps))
        if most is not None and found.total <= most:
            for names in _pieces(chain.from_iterable(maps)):
                found.names += sum(map(len, names))
                if found.total > most:
                    return found
        deeper: list[Any] = []
        for values in chain(_values(arrays, _itself), _values(maps, dict.values)):
            if most is not None and found.total > most:
                return found
            run.pay(1 + len(values) // _PER_OPERATION)
            _count(found, values, deeper, integers=most is None)
            if not found.is_plain:
                return found
        level = deeper
    return found


def _count(found: Extent, values: Sequence[Any], deeper: list[Any], *, integers: bool) -> None:
    """Add what values there are, and collect those that hold others."""
    kinds = set(map(type, values))
    if not kinds <= _PLAIN:
        found.is_plain = False
        return
    alike = len(kinds) == 1
    if str in kinds:
        found.characters += sum(map(len, values if alike else [each for each in values if type(each) is str]))
    if integers and int in kinds:
        numbers = values if alike else [each for each in values if type(each) is int]
        found.is_plain = max(numbers) <= I64_MAX and min(numbers) >= I64_MIN
    if list in kinds or dict in kinds:
        deeper += values if alike else [each for each in values if type(each) is list or type(each) is dict]


def _values(containers: list[Any], values_of: Callable[[Any], Iterable[Any]]) -> Iterator[Sequence[Any]]:
    """Give all values of containers, some thousands at once.

    Those of records come by columns, for a column's values are of one type as a rule.
    """
    step = _PIECE // _MOST_COLUMNS
    for start in range(0, len(containers), step):
        part = containers[start : start + step]
        columns = len(part[0])
        if columns <= _MOST_COLUMNS and len(part) >= _LEAST_ROWS and set(map(len, part)) == {columns}:
            yield from zip(*map(values_of, part), strict=True)
        else:
            yield from _pieces(chain.from_iterable(map(values_of, part)))


def _itself(array: list[Any]) -> list[Any]:
    return array


def _pieces(values: Iterable[Any]) -> Iterator[list[Any]]:
    walk = iter(values)
    while piece := list(islice(walk, _PIECE)):
        yield piece
