"""What is wrong with an installation, and how to mend it.

:func:`examine` looks at the settings, the data folder, the running platform, the database and the cage, and yields a
:class:`Finding` for each thing it looked at. It changes nothing, needs nothing to run, and must not depend on the
platform's own processes: it is asked when they don't work.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from picloud.config import Config
from picloud.doctor.finding import Finding, Severity

__all__ = ["Finding", "Severity", "examine"]


def examine(config: Config, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Look at everything, the quick things first."""
    from picloud.doctor import cage, database, egress, machine, mail, node, vault

    yield from machine.variables(environment)
    yield from machine.folder(config)
    yield from machine.disk(config)
    yield from machine.memory()
    running = node.is_running(config)
    yield from node.process(config)
    yield from node.token_file(config)
    yield from vault.key_file(config, running=running)
    yield from mail.examine(config, running=running)
    yield from egress.authorities(config)
    yield from database.examine(config, running=running)
    yield from cage.features()
