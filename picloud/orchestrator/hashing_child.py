"""The process that hashes passwords: reads a question a line from descriptor 3, and answers it.

A question is ``{"password": hex, "kept": text or null, "cost": [KiB, passes, lanes]}``; the answer is the hash, or
whether ``kept`` matches. It ends when its parent does, or closes the line.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
from typing import Any, Final

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

SOCKET_FD: Final = 3
SALT_BYTES: Final = 16
HASH_BYTES: Final = 32


def answer(question: dict[str, Any]) -> str | bool:
    """The answer to one question."""
    password, kept = bytes.fromhex(question["password"]), question["kept"]
    if kept is None:
        memory, passes, lanes = question["cost"]
        salt = secrets.token_bytes(SALT_BYTES)
        hasher = Argon2id(salt=salt, length=HASH_BYTES, iterations=passes, lanes=lanes, memory_cost=memory)
        return hasher.derive_phc_encoded(password)
    try:
        Argon2id.verify_phc_encoded(password, kept)
    except InvalidKey:
        return False
    return True


def main() -> None:
    """Answer until the parent is gone."""
    os.closerange(SOCKET_FD + 1, 4096)
    # Passwords are hashed behind what answers requests, not beside it.
    os.nice(5)
    with socket.socket(fileno=SOCKET_FD) as line, line.makefile("rb") as questions:
        for question in questions:
            line.sendall(json.dumps(answer(json.loads(question))).encode() + b"\n")


if __name__ == "__main__":
    main()
