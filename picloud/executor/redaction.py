"""Secrets taken out of what is kept of a run: wherever a value stands, its name is put instead.

The platform knows the values that a run was given, and nothing of what the run made of them. So what is found is a
value as it is, in the forms in which it is printed inside other values (quoted) and in URLs, and line by line if it has
several lines. Half of a value, its hash or its Base64 is not found, nor is a value of fewer than six characters, which
would be found in everything.
"""

from __future__ import annotations

import json
from typing import Any, Final

SECRETS: Final = "secrets"
"""The service whose answers are secrets; the first argument of its functions is the name of one."""

LEAST: Final = 6
"""Characters of a value, or of a line of one, that is looked for."""

CUT: Final = "…"
"""Stands where a text was cut off."""

_TRIES: Final = 64

_UNRESERVED: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def mark(name: str) -> str:
    """What stands for the value of the secret called ``name``."""
    return f"[secret {name}]"


class Redaction:
    """The secrets that one run was given."""

    __slots__ = ("_needles", "_values")

    def __init__(self) -> None:
        self._needles: dict[str, str] = {}
        self._values: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self._needles)

    def learn(self, name: str, value: Any) -> None:
        """The run was given ``value``, or each of several, as the secret called ``name``."""
        if isinstance(value, list):
            for each in reversed(value):
                self.learn(name, each)
            return
        if not isinstance(value, str) or len(value) < LEAST:
            return
        self._values[mark(name)] = value
        found = {form: mark(name) for form in _forms(value)} | self._needles
        # The longest first: one secret may be a part of another.
        self._needles = {form: found[form] for form in sorted(found, key=len, reverse=True)}

    def text(self, text: str) -> str:
        """``text`` without the secrets; where it was cut off within one, without its beginning."""
        for form, name in self._needles.items():
            if form in text:
                text = text.replace(form, name)
        if self._needles and CUT in text:
            *cut, rest = text.split(CUT)
            return CUT.join([*map(self._without_beginning, cut), rest])
        return text

    def plain(self, value: Any) -> Any:
        """A plain value without the secrets, those in names of members and in blobs too."""
        if not self._needles:
            return value
        match value:
            case str():
                return self.text(value)
            case bytes():
                for form, name in self._needles.items():
                    value = value.replace(form.encode("utf-8", "surrogatepass"), name.encode())
                return value
            case list() | tuple():
                return [self.plain(item) for item in value]
            case dict():
                return {self.plain(key): self.plain(item) for key, item in value.items()}
        return value

    def restored(self, value: Any) -> Any:
        """A plain value with the secrets back in their places, as far as they are known as a whole."""
        if not self._values:
            return value
        match value:
            case str():
                for name, secret in self._values.items():
                    value = value.replace(name, secret)
                return value
            case bytes():
                for name, secret in self._values.items():
                    value = value.replace(name.encode(), secret.encode("utf-8", "surrogatepass"))
                return value
            case list() | tuple():
                return [self.restored(item) for item in value]
            case dict():
                return {self.restored(key): self.restored(item) for key, item in value.items()}
        return value

    def _without_beginning(self, text: str) -> str:
        tail = text[-LEAST:]
        if len(tail) < LEAST:
            return text
        for form, name in self._needles.items():
            end = len(form)
            for _ in range(_TRIES):
                at = form.rfind(tail, 0, end)
                if at < 0:
                    break
                if text.endswith(form[: at + LEAST]):
                    return text[: -(at + LEAST)] + name
                end = at + LEAST - 1
        return text


def _forms(value: str) -> set[str]:
    # Who only keeps records has no need of the language unless there is a secret; in the cage it is there.
    from picloud.rhai.packages.escapes import string_debug

    encoded = value.encode("utf-8", "surrogatepass")
    forms = {value, "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in encoded)}
    forms.add(string_debug(value)[1:-1])
    forms |= {json.dumps(value, ensure_ascii=only_ascii)[1:-1] for only_ascii in (False, True)}
    forms.update(line.strip() for line in value.splitlines() if len(line.strip()) >= LEAST)
    return forms
