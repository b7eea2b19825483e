"""Write docs/configuration.md from the declarations in picloud/config.py. Run by ``make docs``."""

from __future__ import annotations

from pathlib import Path

from picloud.config import settings

PAGE = Path(__file__).resolve().parent.parent / "docs" / "configuration.md"

HEAD = """# Settings

Every setting is an environment variable; options of `picloud up` go over it. All processes of one `picloud up` get the
same values. `picloud config` shows what is in force here, and where it comes from. Sizes in bytes may have a unit:
`512KiB`, `6MiB`.

PostgreSQL's own settings for the embedded server go into `postgres.conf` in the data folder.

This page is made by `make docs`.

| variable | default | meaning |
| --- | --- | --- |
"""


def page() -> str:
    """The page as it should be."""
    rows = []
    for setting in settings():
        unit = f" {setting.unit}" if setting.unit and setting.default[:1].isdigit() else ""
        default = f"{setting.default}{unit}" if setting.default else "(empty)"
        rows.append(f"| `{setting.variable}` | {default} | {setting.sentence} |\n")
    return HEAD + "".join(rows)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
