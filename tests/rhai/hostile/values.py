"""The largest values of each type that the limits allow, for scripts that shall find them in their scope."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from picloud.rhai import Limits

_Makers = dict[str, Callable[[Limits], Any]]


def _nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def _square(items: int) -> list[Any]:
    side = int(items**0.5)
    return [list(range(side)) for _ in range(side)]


_STRINGS: Final[_Makers] = {
    "one letter": lambda limits: "a" * limits.max_string_size,
    "words": lambda limits: "ab, cd " * (limits.max_string_size // 7),
    "two bytes": lambda limits: "é" * (limits.max_string_size // 2),
    "four bytes": lambda limits: "\U0001f600" * (limits.max_string_size // 4),
    "quotes": lambda limits: '"\n' * (limits.max_string_size // 2),
    "digits": lambda limits: "1" * limits.max_string_size,
    "spaces": lambda limits: " " * limits.max_string_size,
    "JSON": lambda limits: "[" + '{"a":[1,2.5,"x"]},' * (limits.max_string_size // 19) + "1]",
    "JSON numbers": lambda limits: "[" + "1," * min(limits.max_string_size // 3, limits.max_array_size - 1) + "1]",
    "JSON text": lambda limits: '"' + "\\u0041" * (limits.max_string_size // 7) + '"',
    "brackets": lambda limits: "[" * limits.max_string_size,
}
_ARRAYS: Final[_Makers] = {
    "numbers": lambda limits: list(range(limits.max_array_size)),
    "the same": lambda limits: [1] * limits.max_array_size,
    "backwards": lambda limits: list(range(limits.max_array_size, 0, -1)),
    "alternating": lambda limits: [(each * 7919) % 1000003 for each in range(limits.max_array_size)],
    "floats": lambda limits: [float(each) for each in range(limits.max_array_size)],
    "texts": lambda limits: [f"k{each}" for each in range(min(limits.max_array_size, limits.max_string_size // 8))],
    "long texts": lambda limits: ["a" * (limits.max_string_size // 10) for _ in range(8)],
    "arrays": lambda limits: _square(limits.max_array_size),
    "pairs": lambda limits: [[each] for each in range(limits.max_array_size // 2)],
    "maps": lambda limits: [{"a": each} for each in range(min(limits.max_map_size, limits.max_array_size) // 2)],
    "nested": lambda limits: _nested(min(limits.max_array_size // 2, 100_000)),
    "mixed": lambda limits: [1, "a", 1.5, None] * (limits.max_array_size // 4),
}
_MAPS: Final[_Makers] = {
    "numbers": lambda limits: {f"k{each}": each for each in range(limits.max_map_size)},
    "arrays": lambda limits: {f"k{each}": [each] for each in range(min(limits.max_map_size, limits.max_array_size))},
}
_BLOBS: Final[_Makers] = {"blob": lambda limits: bytearray(limits.max_array_size)}
MAKERS: Final[dict[str, _Makers]] = {
    "string": _STRINGS,
    "array": _ARRAYS,
    "map": _MAPS,
    "blob": _BLOBS,
}
"""Of each type that has a size, what makes large values of it."""

LITERALS: Final[dict[str, tuple[str, ...]]] = {
    "i64": ("0", "1", "-1", "1000", "500000", "9223372036854775807", "(-9223372036854775807 - 1)"),
    "f64": ("0.5", "1e300", "1e-300"),
    "bool": ("true",),
    "char": ("'a'", "'é'"),
    "()": ("()",),
    "range": ("(0..500000)", "(1..9223372036854775807)"),
    "range=": ("(0..=500000)",),
    "Fn": ("(|a| a)", "(|a, b| a < b)", "(|a, b| a - b)", '(Fn("len"))', "(|| 1)", "(|a| [])"),
    "timestamp": ("timestamp()",),
}
"""Of the other types, what stands for them in a script."""
