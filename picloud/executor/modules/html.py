"""``html::``: text that is safe inside a page.

html::escape(text)    & < > " ' as character references; for elements and for quoted attributes
"""

from __future__ import annotations

from typing import Final

from picloud.rhai.packages.budget import charge
from picloud.rhai.packages.declare import Package
from picloud.rhai.runtime.run import Run

PACKAGE: Final = Package("html")

# The same as html.escape, whose module would bring a table of all 2,231 character references into each child.
_REFERENCES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"}
_TABLE: Final = str.maketrans(_REFERENCES)


@PACKAGE.function("escape", "string", run=True)
def escape(run: Run, text: str) -> str:
    """Return the text with everything that means something in HTML replaced."""
    charge(run, len(text))
    return text.translate(_TABLE)
