"""A JSON client for services on this machine: one kept connection, errors that say what was answered."""

import contextlib
import http.client
import json
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from pipelines.errors import SourceUnavailable

HOST = "127.0.0.1"


class RefusedRequest(SourceUnavailable):
    """A service answered with an error."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


class JsonClient:
    """Calls one service on the loopback interface; ``authorization`` goes with every request."""

    def __init__(self, port: int, *, timeout_s: float = 60.0) -> None:
        self.port = port
        self.authorization: str | None = None
        self._connection = http.client.HTTPConnection(HOST, port, timeout=timeout_s)

    def get(self, path: str, **query: object) -> Any:
        """Return the JSON answer to a GET."""
        return self._call("GET", f"{path}?{urlencode(query)}" if query else path, None)

    def post(self, path: str, body: object) -> Any:
        """Return the JSON answer to a POST of ``body``."""
        return self._call("POST", path, body)

    def put(self, path: str, body: object) -> Any:
        """Return the JSON answer to a PUT of ``body``."""
        return self._call("PUT", path, body)

    def patch(self, path: str, body: object) -> Any:
        """Return the JSON answer to a PATCH of ``body``."""
        return self._call("PATCH", path, body)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _call(self, method: str, path: str, body: object) -> Any:
        headers = {"Accept": "application/json"}
        if self.authorization:
            headers["Authorization"] = self.authorization
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        status, text = self._exchange(method, path, data, headers)
        if status >= 400:
            raise RefusedRequest(status, f"{method} {path} was answered with {status}: {text[:500]}")
        return json.loads(text) if text else None

    def _exchange(self, method: str, path: str, data: bytes | None, headers: Mapping[str, str]) -> tuple[int, str]:
        for is_last in (
            False,
            True,
        ):  # a kept connection may have been closed meanwhile: once more on a new one
            try:
                self._connection.request(method, path, data, dict(headers))
                answer = self._connection.getresponse()
                return answer.status, answer.read().decode(errors="replace")
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                if is_last or not isinstance(error, ConnectionError):
                    raise SourceUnavailable(f"{method} {path} on port {self.port}: {error}") from error
        raise AssertionError


def free_port(preferred: int) -> int:
    """Return ``preferred`` where it is free on the loopback interface, else any port that is."""
    for port in (preferred, 0):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            return int(probe.getsockname()[1])
    raise SourceUnavailable("no port is free on 127.0.0.1")
