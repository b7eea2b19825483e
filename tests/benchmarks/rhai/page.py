"""The part of docs/benchmarks.md that is about Rhai, from its heading to the end of the page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import geometric_mean

from tests.benchmarks.rhai.pair import Pair

PAGE = Path(__file__).parents[3] / "docs" / "benchmarks.md"
HEADING = "## Rhai"


def kept() -> str:
    """What the page has about Rhai now, for who writes the rest of it."""
    text = PAGE.read_text() if PAGE.exists() else ""
    at = text.find(f"\n{HEADING}\n")
    return text[at:] if at >= 0 else ""


def write(pairs: Sequence[Pair], rows: Sequence[dict[str, float]], about: str) -> None:
    """Put these figures in place of those of the page."""
    before = PAGE.read_text().removesuffix(kept()) if PAGE.exists() else ""
    PAGE.write_text(before + _section(pairs, rows, about))


def _section(pairs: Sequence[Pair], rows: Sequence[dict[str, float]], about: str) -> str:
    mean = geometric_mean([pair.ratio for pair in pairs])
    worst = max(pair.ratio for pair in pairs)
    lines = [
        "",
        HEADING,
        "",
        f"Written by `make bench-rhai ARGS=--write` on {about}.",
        "",
        "Each program of `tests/benchmarks/rhai/programs` is there twice, in Rhai and by hand in Python. Both give the",
        "same answer and are run in turns in one process; the shortest process time of each counts. The Rhai program",
        "runs with a budget of operations. `make bench-rhai ARGS=--limits` adds the platform's limits on sizes.",
        "",
        "| program | Rhai s | Python s | ratio |",
        "| --- | --- | --- | --- |",
        *(f"| {pair.name} | {pair.rhai:.4f} | {pair.python:.4f} | {pair.ratio:.2f} |" for pair in pairs),
        f"| geometric mean (target: at most 1.5) | | | {mean:.2f} |",
        f"| worst (target: at most 2.5) | | | {worst:.2f} |",
        "",
        "Compiling, in milliseconds by stage, of scripts that a seeded generator writes as people would. Target: under",
        "1 ms for 50 lines, and the same for each line of a longer script.",
        "",
        "| lines | parse | resolve | generate | Python's compile | all | µs a line |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        times = " | ".join(f"{row[stage]:.2f}" for stage in ("parse", "resolve", "generate", "Python", "all"))
        lines.append(f"| {row['lines']:,} | {times} | {row['line']:.0f} |")
    return "\n".join(lines) + "\n"
