"""How much a value holds, with all that is in it: found level by level, for a level is gone through by C code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any, Final

from picloud.rhai.runtime.run import Run
from picloud.rhai.values import I64_MAX, I64_MIN

_PIECE: Final = 4096
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
        values = chain(chain.from_iterable(arrays), chain.from_iterable(map(dict.values, maps)))
        for piece in _pieces(values):
            if most is not None and found.total > most:
                return found
            run.pay(1 + len(piece) // _PER_OPERATION)
            kinds = set(map(type, piece))
            if not kinds <= _PLAIN:
                found.is_plain = False
                return found
            if str in kinds:
                found.characters += sum([len(each) for each in piece if type(each) is str])
            if most is None and int in kinds:
                integers = [each for each in piece if type(each) is int]
                if max(integers) > I64_MAX or min(integers) < I64_MIN:
                    found.is_plain = False
            if list in kinds or dict in kinds:
                deeper += [each for each in piece if type(each) is list or type(each) is dict]
        level = deeper
    return found


def _pieces(values: Iterable[Any]) -> Iterator[list[Any]]:
    walk = iter(values)
    while piece := list(islice(walk, _PIECE)):
        yield piece
