"""Why a run failed, with the lines of the script that the error speaks of, and advice."""

from __future__ import annotations

import re
from typing import Any, Final

from picloud.executor.language import VARIABLES, platform_engine
from picloud.rhai import Limits
from picloud.rhai.tools.advice import advise_on
from picloud.rhai.tools.excerpt import excerpt
from picloud.rhai.tools.mending import Mistake

_CALL: Final = re.compile(r"(?P<function>.*) \(called at line (?P<line>\d+), position (?P<column>\d+)\)\Z", re.DOTALL)


def explanation(error: dict[str, Any], source: str) -> list[str]:
    """Lines about an attempt's error, as the API gives it: an excerpt of ``source``, advice, and the calls.

    Without the source (empty) there is only advice.
    """
    mistake = Mistake(kind=error["kind"], text=error["message"], line=error["line"], column=error["column"])
    lines = excerpt(source, mistake.line, mistake.column).splitlines() if source else []
    for advice in advise_on(mistake, source, platform_engine(Limits()), VARIABLES):
        if advice.line:
            lines += excerpt(source, advice.line, advice.column, advice.text).splitlines()
        else:
            lines.append(f"  = {advice.text}")
    for call in error["call_stack"] if source else ():
        match = _CALL.match(call)
        if match is not None:
            what = "a closure" if match["function"].startswith("anon$") else f"`{match['function']}`"
            label = f"{what} is called here"
            lines += excerpt(source, int(match["line"]), int(match["column"]), label).splitlines()
    return lines
