"""The certificate for STARTTLS, read anew when its file is another one: whoever renews it need not start us again."""

from __future__ import annotations

import ssl
from pathlib import Path

import structlog

_log = structlog.get_logger(__name__)


class Certificate:
    """A certificate with its chain and its private key, as PEM files; ``key`` may be in the certificate's file."""

    def __init__(self, certificate: Path, key: Path | None) -> None:
        self._files = (certificate, key)
        self._stamp = self._stamped()
        self._context = load(certificate, key)

    def context(self) -> ssl.SSLContext:
        """What to encrypt with. A new certificate that can't be read is told of, and the old one stays."""
        try:
            stamp = self._stamped()
            if stamp != self._stamp:
                self._context, self._stamp = load(*self._files), stamp
                _log.info("smtp.certificate_renewed")
        except OSError as error:
            _log.error("smtp.certificate_unreadable", error=str(error))
        return self._context

    def _stamped(self) -> tuple[tuple[int, int], ...]:
        found = [path.stat() for path in self._files if path is not None]
        return tuple((status.st_mtime_ns, status.st_ino) for status in found)


def load(certificate: Path, key: Path | None) -> ssl.SSLContext:
    """A server's context. Raises :class:`OSError` (:class:`ssl.SSLError` is one) if the files can't be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
