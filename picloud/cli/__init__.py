"""The command line.

``commands`` lists every command with its one-line help and the module that holds it; a module is imported when its
command is called, so that help and completion are quick. ``settings`` has the options of commands that run the
platform or look after it, ``target`` those of commands that talk to a running one.

Commands must not know how things are done: they read options, call the platform or its API, and print.
"""

from __future__ import annotations


def main() -> None:
    """The program ``picloud``."""
    try:
        from picloud.cli.commands import picloud

        picloud(prog_name="picloud")
    except KeyboardInterrupt:
        # While modules are still being loaded; later, click sees to it.
        raise SystemExit(130) from None
