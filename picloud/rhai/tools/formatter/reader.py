"""The lexemes of a script one after the other, as documents, with their comments.

A comment behind a token, on the same line, is written there by :meth:`Reader.trail`; one on a line of its own in front
of what follows, by :meth:`Reader.take` or, between statements and items, by :meth:`Reader.own_lines`. So every comment
stays between the same two tokens.
"""

from __future__ import annotations

from picloud.rhai.tools.formatter.layout import FRESH, Comment, Concat, Continued, Doc
from picloud.rhai.tools.lexemes import Lexeme, lexemes


class FormatError(Exception):
    """A script can't be formatted; the message says why."""


class Reader:
    """See the module."""

    def __init__(self, source: str) -> None:
        self._lexemes = lexemes(source)
        self._at = 0

    @property
    def next(self) -> Lexeme:
        """The lexeme that is to be taken next."""
        return self._lexemes[self._at]

    def behind(self, count: int) -> Lexeme:
        """Return the lexeme that comes so many behind the next one."""
        return self._lexemes[min(self._at + count, len(self._lexemes) - 1)]

    def sees(self, *kinds: str) -> bool:
        """Whether the next lexeme is of one of these kinds."""
        return self.next.kind in kinds

    def take(self, *kinds: str) -> Doc:
        """Take the next lexeme with the comments in front of it; one of these kinds, if any are named.

        Raises FormatError for another one: then the reader of the grammar and the language's parser disagree.
        """
        lexeme = self.next
        if (kinds and lexeme.kind not in kinds) or lexeme.kind == "end":
            raise FormatError(f"the formatter doesn't know what to do with {lexeme.text!r}")
        parts = [self.trail()]
        followed = [*(comment.newlines for comment in lexeme.comments[1:]), lexeme.newlines]
        for comment, newlines in zip(lexeme.comments, followed, strict=False):
            if comment.newlines or comment.is_line:
                parts.append(FRESH)
            parts += [comment.text, FRESH if newlines or comment.is_line else " "]
        lexeme.comments = []
        self._at += 1
        text: Doc = lexeme.text
        if lexeme.kind == "str" and "\n" in lexeme.text and lexeme.text[0] == '"':
            text = Continued(lexeme.text, lexeme.column)
        return Concat([*parts, text]) if len(parts) > 1 or parts[0] else text

    def accept(self, *kinds: str) -> Doc | None:
        """Take the next lexeme if it is of one of these kinds."""
        return self.take(*kinds) if self.next.kind in kinds else None

    def without(self, kind: str) -> Doc:
        """Take the next lexeme and return its comments alone."""
        taken = self.take(kind)
        return Concat(taken.parts[:-1]) if isinstance(taken, Concat) else ""

    def trail(self) -> Doc:
        """Take the comments behind the last lexeme, on its line."""
        comments = self.next.comments
        taken: list[Doc] = []
        while comments and not comments[0].newlines and self._at:
            first = comments[0]
            if not self._ends_line():
                break
            taken.append(Comment(first.text if first.is_line else f" {first.text}", ends_line=first.is_line))
            comments.pop(0)
        return Concat(taken) if taken else ""

    def _ends_line(self) -> bool:
        """Whether only comments are between here and the end of the line."""
        for comment in self.next.comments:
            if comment.newlines or comment.is_line:
                return True
        return self.next.newlines > 0 or self.next.kind == "end"

    @property
    def has_own_lines(self) -> bool:
        """Whether comments stand in front of the next lexeme."""
        return bool(self.next.comments)

    @property
    def blank_before(self) -> bool:
        """Whether an empty line is in front of the next lexeme, or of its comments."""
        comments = self.next.comments
        return (comments[0].newlines if comments else self.next.newlines) > 1

    def own_lines(self) -> list[tuple[str, bool]]:
        """Take the comments in front of the next lexeme: each, and whether an empty line is before it.

        A block comment right in front of the lexeme is left to it.
        """
        lexeme = self.next
        taken: list[tuple[str, bool]] = []
        while lexeme.comments:
            comment = lexeme.comments[0]
            is_last = len(lexeme.comments) == 1
            if is_last and not comment.is_line and not lexeme.newlines and lexeme.kind not in ("end", "}", "]", ")"):
                break
            taken.append((comment.text, comment.newlines > 1))
            lexeme.comments.pop(0)
        return taken
