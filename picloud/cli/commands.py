"""Every command of ``picloud``, in the order in which help shows them."""

from __future__ import annotations

from typing import Final

import click

from picloud import __version__
from picloud.cli.lazy import Entry, LazyGroup

SECTIONS: Final[dict[str, list[Entry]]] = {
    "Run it": [
        Entry("up", "picloud.cli.up", "Start everything: database, HTTP, executors, manager."),
        Entry("doctor", "picloud.cli.doctor", "Say what is wrong with this installation, and how to mend it."),
        Entry("migrate", "picloud.cli.migrate", "Bring the database's schema up to this version."),
        Entry("config", "picloud.cli.config", "Show every setting, its value and where that comes from."),
        Entry("version", "picloud.cli.version", "Show the versions of PiCloud and of what it stands on."),
    ],
    "Write scripts": [
        Entry("check", "picloud.cli.check", "Compile a script without a server, and show what is wrong with it."),
    ],
}
"""Sections of the help. A command is the object ``command`` of its module, unless ``module:object`` says otherwise."""

picloud = LazyGroup(
    "picloud",
    sections=SECTIONS,
    help="Upload a Rhai script, get an HTTP endpoint, on an event log.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
click.version_option(__version__, "--version", prog_name="PiCloud", message="%(prog)s %(version)s")(picloud)
