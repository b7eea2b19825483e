"""What ``crypto::`` asks of the parent: real randomness, and signatures by public keys.

The rest of it is computed where scripts run (``executor/modules/crypto.py``). What comes back is in the run's journal,
so that a repeated run gets the same bytes.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, Final

from picloud.services.work import ServiceError, Work

MOST_RANDOM: Final = 4096
LEAST_RSA_BITS: Final = 2048
MOST_RSA_BITS: Final = 8192
"""A larger one would hold up everything else."""
MOST_KEY_CHARACTERS: Final = 16 * 1024

_VERIFY: Final = "crypto::jwt_verify"


class Crypto:
    """See the module."""

    def __init__(self) -> None:
        self.functions: dict[str, Callable[..., Any]] = {"random_bytes": self.random_bytes, "verify": self.verify}

    def random_bytes(self, work: Work, count: Any) -> bytes:
        """So many bytes that nobody can guess."""
        if type(count) is not int or not 1 <= count <= MOST_RANDOM:
            raise ServiceError(f"crypto::random_bytes gives 1 to {MOST_RANDOM} bytes at a time")
        return secrets.token_bytes(count)

    def verify(self, work: Work, algorithm: Any, key: Any, signed: Any, signature: Any) -> bool:
        """Whether ``signature`` is one of ``signed`` by ``key``, a public one as PEM or JWK."""
        # Loaded when first needed: nodes that verify no tokens do without.
        from jwt.algorithms import get_default_algorithms

        if algorithm not in ("RS256", "ES256", "EdDSA"):
            raise ServiceError(f"{_VERIFY}: public keys are for RS256, ES256 and EdDSA")
        return bool(get_default_algorithms()[algorithm].verify(signed, _public_key(algorithm, key), signature))


def _public_key(algorithm: str, key: Any) -> Any:
    """The key, if it is one for the algorithm."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    found = _loaded(algorithm, key)
    if algorithm == "RS256" and isinstance(found, rsa.RSAPublicKey):
        if not LEAST_RSA_BITS <= found.key_size <= MOST_RSA_BITS:
            raise ServiceError(
                f"{_VERIFY}: an RSA key has {LEAST_RSA_BITS} to {MOST_RSA_BITS} bits, this one has {found.key_size}"
            )
        return found
    if algorithm == "ES256" and isinstance(found, ec.EllipticCurvePublicKey) and found.curve.name == "secp256r1":
        return found
    if algorithm == "EdDSA" and isinstance(found, ed25519.Ed25519PublicKey):
        return found
    raise ServiceError(f"{_VERIFY}: the key is none for {algorithm}: RS256 is RSA, ES256 is P-256, EdDSA is Ed25519")


def _loaded(algorithm: str, key: Any) -> Any:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from jwt import PyJWK

    try:
        if isinstance(key, dict) and len(str(key)) <= MOST_KEY_CHARACTERS:
            return PyJWK(key, algorithm=algorithm).key
        if isinstance(key, str) and len(key) <= MOST_KEY_CHARACTERS:
            if "BEGIN CERTIFICATE" in key:
                return x509.load_pem_x509_certificate(key.encode()).public_key()
            return load_pem_public_key(key.encode())
    except Exception as error:
        raise ServiceError(f"{_VERIFY}: the key can't be read: a PEM public key or a JWK is expected") from error
    raise ServiceError(f"{_VERIFY}: the key is a PEM or a JWK of at most {MOST_KEY_CHARACTERS:,} characters")
