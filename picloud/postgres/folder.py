"""Where the embedded PostgreSQL's socket lies, and how to reach it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

SOCKET_NAME: Final = ".s.PGSQL.5432"
_LONGEST_SOCKET_PATH: Final = 107


def socket_folder(folder: Path) -> Path:
    """The folder of the socket of the server whose data is in ``folder``.

    It is that folder, which its user alone may enter, unless the kernel's limit of 107 bytes for a socket's path
    forbids: then a folder named by a hash of it, in a place with a short name.
    """
    if len(os.fsencode(folder / SOCKET_NAME)) <= _LONGEST_SOCKET_PATH:
        return folder
    from hashlib import sha256  # loads OpenSSL, 4 MB that the supervisor need not have

    digest = sha256(os.fsencode(folder)).hexdigest()[:16]
    uid = os.geteuid()
    # In /tmp the server makes the folder for its user alone, and refuses one that belongs to another.
    return Path("/run" if uid == 0 else "/tmp") / f"picloud-{uid}-{digest}"  # noqa: S108


def socket_dsn(folder: Path) -> str:
    """How to reach the embedded server whose data is in ``folder``, as a libpq connection string."""
    # libpq: a value with spaces or quotes stands in single quotes, and in it backslash and quote are escaped.
    host = str(socket_folder(folder)).replace("\\", "\\\\").replace("'", "\\'")
    return f"host='{host}' user=postgres dbname=postgres"
