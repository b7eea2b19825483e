"""Write requirements.lock and requirements-dev.lock: what an empty environment gets from setup.cfg today.

Run by ``make lock``. Two environments are made in a temporary folder; the running one is left alone. No address of an
index gets into the files: where packages come from is the reader's own setting of pip.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ["setuptools", "wheel"]
"""What `pip install --no-build-isolation --editable .` needs, pinned like the rest."""


def frozen(folder: Path, requirement: str) -> list[str]:
    """The pinned versions of an environment that holds ``requirement`` and the build tools, sorted by name."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", "--upgrade", *BUILD, requirement], check=True)
    listed = subprocess.run([*pip, "freeze", "--all", "--exclude", "pip"], check=True, capture_output=True, text=True)
    lines = [line for line in listed.stdout.splitlines() if not line.startswith("picloud")]
    if loose := [line for line in lines if "==" not in line]:
        raise SystemExit(f"not pinned by a version: {', '.join(loose)}")
    return sorted(lines, key=str.lower)


def main() -> None:
    """Write both files; the second holds only what the first does not."""
    with tempfile.TemporaryDirectory() as name:
        runtime = frozen(Path(name) / "runtime", str(ROOT))
        everything = frozen(Path(name) / "dev", f"{ROOT}[dev]")
    if moved := set(runtime) - set(everything):
        raise SystemExit(f"the dev extra changes versions of the platform's own packages: {', '.join(sorted(moved))}")
    write("requirements.lock", runtime, "What `make up` installs.")
    write(
        "requirements-dev.lock",
        sorted(set(everything) - set(runtime)),
        "What the tests need on top of requirements.lock.",
    )


def write(name: str, lines: list[str], meaning: str) -> None:
    """Replace the lock file ``name``."""
    (ROOT / name).write_text(f"# {meaning} Made by `make lock`.\n" + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
