"""How a call fails without an answer."""

from __future__ import annotations

from typing import Any, Final

KINDS: Final = (
    "refused", "dns", "connect", "tls", "timeout", "closed", "protocol", "too_large", "redirects", "busy",
)  # fmt: skip
"""``refused`` by the guard; ``dns``, ``connect``, ``tls``: no connection; ``timeout``; ``closed`` in the midst of it;
``protocol``: what came is no HTTP; ``too_large`` an answer; ``redirects`` too many or astray; ``busy`` with others."""


class HttpFailure(Exception):
    """A call came to no answer: its kind, the host that it was made to, and what happened."""

    def __init__(self, kind: str, host: str, what: str) -> None:
        super().__init__(what)
        assert kind in KINDS
        self.kind = kind
        self.host = host
        self.what = what

    def told(self, function: str) -> dict[str, Any]:
        """What the script's error holds."""
        return {"error": "HttpError", "kind": self.kind, "host": self.host, "message": f"{function}: {self.what}"}
