"""What docs/rhai.md shows is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from picloud.rhai import Engine, Limits

PAGE = (Path(__file__).parents[2] / "docs" / "rhai.md").read_text()
EXAMPLES = [
    tuple(re.split(r" +// =>", line, maxsplit=1))
    for block in re.findall(r"^```rhai\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    for line in block.splitlines()
]


@pytest.mark.parametrize(("source", "value"), EXAMPLES)
def test_each_example_has_the_value_that_stands_beside_it(source: str, value: str) -> None:
    found = Engine().compile(source).run()
    assert Engine().compile("value.to_debug()").run({"value": found}) == value.strip()


@pytest.mark.parametrize("block", re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
def test_the_python_of_the_page_runs(block: str) -> None:
    exec(compile(block, "docs/rhai.md", "exec"), {})


def test_every_limit_is_listed() -> None:
    listed = set(re.findall(r"`(max_\w+)`", PAGE))
    assert listed == {name for name in Limits.__dataclass_fields__ if name.startswith("max_")}
