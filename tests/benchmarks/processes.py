"""What a tree of processes costs: CPU time and proportional memory, read from /proc."""

from __future__ import annotations

import time
from pathlib import Path

import psutil


def tree(pid: int) -> list[psutil.Process]:
    """The process and all its descendants."""
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


def is_postgres(process: psutil.Process) -> bool:
    """Whether it belongs to PostgreSQL."""
    return "postgres" in process.name()


def cpu_seconds(processes: list[psutil.Process]) -> float:
    """User and system time so far, from the scheduler's own count (nanoseconds), children that ended left out."""
    total = 0
    for process in processes:
        for task in Path(f"/proc/{process.pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def idle_cpu(pid: int, seconds: float) -> dict[str, float]:
    """CPU seconds that the tree used in ``seconds``, without PostgreSQL and of PostgreSQL."""
    ours = [p for p in tree(pid) if not is_postgres(p)]
    postgres = [p for p in tree(pid) if is_postgres(p)]
    before = cpu_seconds(ours), cpu_seconds(postgres)
    time.sleep(seconds)
    return {"picloud": cpu_seconds(ours) - before[0], "postgres": cpu_seconds(postgres) - before[1]}


def proportional_megabytes(pid: int) -> dict[str, float]:
    """Proportional set size of the tree by kind of process, in MB (10**6 bytes)."""
    sizes: dict[str, float] = {}
    for process in tree(pid):
        text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
        line = next(line for line in text.splitlines() if line.startswith("Pss:"))
        kind = _kind(process)
        sizes[kind] = sizes.get(kind, 0.0) + int(line.split()[1]) * 1024 / 1e6
    return sizes


def _kind(process: psutil.Process) -> str:
    if is_postgres(process):
        return "postgres"
    command = " ".join(process.cmdline())
    for kind in ("supervisor", "gunicorn", "manager", "executor"):
        if kind in command:
            return kind
    return "other"
