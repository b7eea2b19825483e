"""Whether scripts can call the world outside by TLS."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

from picloud.config import Config
from picloud.doctor.finding import Finding, good, warning, wrong


def authorities(config: Config) -> Iterator[Finding]:
    """The certificate authorities that are trusted: the system's, and those of a file."""
    file = config.egress_authorities
    if file is not None:
        try:
            ssl.create_default_context().load_verify_locations(cafile=file)
        except (OSError, ssl.SSLError) as error:
            yield wrong(
                "egress",
                f"the certificate authorities in {file} can't be read: {error.strerror or error}",
                "PICLOUD_EGRESS_CA is to name a file of PEM certificates that PiCloud's user can read",
            )
            return
    paths = ssl.get_default_verify_paths()
    system = paths.cafile is not None or (paths.capath is not None and any(Path(paths.capath).iterdir()))
    if system:
        yield good("egress", f"http:: trusts the system's certificate authorities{f', and {file}' if file else ''}")
    elif file is None:
        yield warning(
            "egress",
            "this system has no certificate authorities: http:: can't call https",
            "install them (on Debian: apt install ca-certificates), or name a file in PICLOUD_EGRESS_CA",
        )
    else:
        yield good("egress", f"http:: trusts the certificate authorities in {file}, and no others: the system has none")
