"""Talking to a platform: requests with the token, answers as JSON, problems as messages for people."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any, Final
from urllib.parse import quote, urlencode, urlsplit

import click

from picloud.cli.target import Target

TIMEOUT_SECONDS: Final = 75.0
PIECE_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What the platform answered."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        """The content as JSON."""
        return json.loads(self.content)


class ProblemError(click.ClickException):
    """The platform refused; ``problem`` is its document."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(_told(status, problem))
        self.status = status
        self.problem = problem


class Client:
    """The control plane of one platform. Paths are given as parts, which are quoted here."""

    def __init__(self, target: Target) -> None:
        self._target = target
        parts = urlsplit(target.url)
        self._host = parts.hostname or "127.0.0.1"
        self._port = parts.port
        self._secure = parts.scheme == "https"
        self._prefix = parts.path.rstrip("/") + "/api/v1"

    def get(self, *path: str, **query: Any) -> Any:
        """The JSON of a GET."""
        return self.send("GET", *path, query=query).json

    def pages(self, *path: str, limit: int | None, **query: Any) -> Iterator[dict[str, Any]]:
        """The items of a list, page by page, ``limit`` at most."""
        left = limit
        cursor: str | None = None
        while left is None or left > 0:
            page = self.get(*path, **query, cursor=cursor, limit=min(left or 1000, 1000))
            yield from page["items"]
            cursor = page["next"]
            if left is not None:
                left -= len(page["items"])
            if cursor is None or not page["items"]:
                return

    def send(
        self,
        method: str,
        *path: str,
        query: Mapping[str, Any] | None = None,
        content: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request, with ``content`` as JSON, or as it is if it is bytes or a binary file.

        Raises :class:`ProblemError` for a refusal, :class:`click.ClickException` for no answer.
        """
        connection, answer = self._ask(method, path, query, content, headers)
        try:
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error
        finally:
            connection.close()
        if answer.status >= 400:
            raise ProblemError(answer.status, _problem(body))
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, body)

    def lines(self, *path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """The lines of a stream, as they come, until it ends."""
        connection, answer = self._ask("GET", path, query, None, None)
        try:
            if answer.status >= 400:
                raise ProblemError(answer.status, _problem(answer.read()))
            if connection.sock is not None:
                connection.sock.settimeout(None)
            for line in answer:
                if line.strip():
                    yield json.loads(line)
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error
        finally:
            connection.close()

    def fetch(self, *path: str, into: IO[bytes]) -> Mapping[str, str]:
        """Write the content of a GET into a file as it comes; return the headers, names in lower case.

        Raises as :meth:`send` does.
        """
        connection, answer = self._ask("GET", path, None, None, None)
        try:
            if answer.status >= 400:
                raise ProblemError(answer.status, _problem(answer.read()))
            while piece := answer.read(PIECE_BYTES):
                into.write(piece)
        except http.client.HTTPException as error:
            raise self._unreachable(error) from error
        finally:
            connection.close()
        return {name.lower(): value for name, value in answer.getheaders()}

    def _ask(
        self,
        method: str,
        path: tuple[str, ...],
        query: Mapping[str, Any] | None,
        content: Any,
        headers: Mapping[str, str] | None,
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        given = {name: value for name, value in (query or {}).items() if value is not None}
        url = "/".join([self._prefix, *(quote(part, safe="") for part in path)])
        if given:
            url += "?" + urlencode(given, doseq=True)
        sent = {"Authorization": f"Bearer {self._target.token}", **(headers or {})}
        body: Any = None
        if isinstance(content, bytes) or hasattr(content, "read"):
            body = content
        elif content is not None:
            body = json.dumps(content).encode()
            sent["Content-Type"] = "application/json"
        connection = self._connection()
        try:
            connection.request(method, url, body, sent)
            return connection, connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise self._unreachable(error) from error

    def _connection(self) -> http.client.HTTPConnection:
        if self._secure:
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(
                self._host, self._port, timeout=TIMEOUT_SECONDS, context=context, blocksize=PIECE_BYTES
            )
        return http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_SECONDS, blocksize=PIECE_BYTES)

    def _unreachable(self, error: Exception) -> click.ClickException:
        return click.ClickException(
            f"{self._target.url} doesn't answer ({error}); is PiCloud running there? Start it with `picloud up`, or "
            "look with `picloud doctor`."
        )


def _problem(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"detail": body.decode(errors="replace").strip()}


def _told(status: int, problem: dict[str, Any]) -> str:
    text = str(problem.get("detail") or problem.get("title") or f"the platform answered {status}")
    if remedy := problem.get("remedy"):
        text += f"\n{remedy}"
    return text
