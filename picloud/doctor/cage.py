"""What of the cage around scripts is in force here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from picloud.doctor.finding import Finding, good, warning, wrong
from picloud.executor.cage import CageError, probe

_REMEDIES: Final = {
    "network": "allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, or "
    "kernel.apparmor_restrict_unprivileged_userns=0), or start PiCloud as root; scripts can't make sockets anyway "
    "while system_calls is in force",
    "user": "start PiCloud as an ordinary user",
    "system_calls": "use a kernel with seccomp filters; in a container, allow them",
    "dies_with_parent": "an executor whose worker is killed ends when it next talks to it",
}


def features() -> Iterator[Finding]:
    """One finding for each part of the cage."""
    try:
        found = probe()
    except CageError as error:
        yield wrong("cage", str(error), "no script runs without it; allow it to this user or container")
        return
    for feature in found:
        subject = f"cage: {feature.name}"
        if feature.in_force:
            yield good(subject, feature.meaning)
            continue
        missing = f"not in force ({feature.why_not}); it would mean: {feature.meaning}"
        remedy = _REMEDIES.get(feature.name, "allow it to this user or container")
        yield (wrong if feature.required else warning)(subject, missing, remedy)
