"""A script is compiled when it is uploaded, so that a syntax error is told then and nothing is deployed."""

from __future__ import annotations

from picloud.domain.errors import DomainError
from picloud.orchestrator.programs import Programs
from picloud.rhai import RhaiError
from picloud.rhai.tools.excerpt import excerpt
from picloud.rhai.tools.mending import advice_on_parsing


class SyntaxFault(DomainError):
    """The source is not Rhai. ``line`` and ``column`` are 1 and up; ``excerpt`` shows the line with a caret below;
    ``advice`` says how to mend it, if that is known."""

    code = "syntax_error"

    def __init__(self, error: RhaiError, source: str) -> None:
        super().__init__(
            error.message,
            field="source",
            remedy="Mend the script and deploy it again; picloud check FILE says the same without a server.",
        )
        self.kind = error.kind
        self.line = error.line
        self.column = error.column
        self.excerpt = excerpt(source, error.line, error.column)
        self.advice = [str(advice) for advice in advice_on_parsing(error, source)]


def check_source(source: str, programs: Programs) -> None:
    """Compile ``source``, and keep what comes of it in ``programs``. Raises :class:`SyntaxFault`."""
    try:
        programs.compile(source)
    except RhaiError as error:
        raise SyntaxFault(error, source) from error
