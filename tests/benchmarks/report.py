"""What was measured, as a table for people."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Row:
    """One figure; ``met`` is None where there is no target."""

    what: str
    found: str
    target: str
    met: bool | None


@dataclass(slots=True)
class Report:
    """The figures of one run, printed as they come."""

    rows: list[Row] = field(default_factory=list)

    def add(self, what: str, found: str, target: str = "", met: bool | None = None) -> None:
        """One more figure."""
        row = Row(what, found, target, met)
        self.rows.append(row)
        verdict = "" if met is None else f"   [{target}: {'met' if met else 'MISSED'}]"
        print(f"  {what}: {found}{verdict}", flush=True)

    def markdown(self, day: str, about: str) -> str:
        """The page docs/benchmarks.md."""
        lines = [
            "# Benchmarks",
            "",
            f"Written by `make bench ARGS=--write` on {day} ({about}).",
            "The client, the platform and PostgreSQL share the machine, so the ratios within the run count, not the",
            "absolute figures. `tests/benchmarks` says how each is taken, `docs/performance.md` where the time goes.",
            "",
            "| what | found | target | |",
            "| --- | --- | --- | --- |",
        ]
        for row in self.rows:
            met = "" if row.met is None else "met" if row.met else "**missed**"
            lines.append(f"| {row.what} | {row.found} | {row.target} | {met} |")
        return "\n".join(lines) + "\n"
