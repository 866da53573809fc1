"""Speaking with the server: JSON over HTTP, and what its refusals mean."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from trunkline import json
from trunkline.errors import BadRequest
from trunkline_couchdb.service import CouchdbConfig
from trunkline_database.sql.errors import Diagnosis, Kind, Verb, typed

if TYPE_CHECKING:
    import httpx2

_CONNECT = 5.0
_KINDS: dict[int, Kind] = {
    400: "operation", 401: "gone", 403: "denied", 404: "stale", 409: "busy", 412: "exists", 413: "too_complex",
    429: "busy", 503: "busy", 504: "timeout",
}  # fmt: skip
NOT_FOUND, CONFLICT, EXISTS = 404, 409, 412


class CouchError(Exception):
    """The server refused; its words are for the log."""

    def __init__(self, status: int, told: Any) -> None:
        """Keep status and words."""
        super().__init__(f"{status}: {told}")
        self.status = status


class Connection:
    """A server, by connections that are kept."""

    def __init__(self, config: CouchdbConfig) -> None:
        """Connect to nothing yet."""
        self._config = config
        self._made: httpx2.AsyncClient | None = None

    @property
    def seconds(self) -> float:
        """How long a request may take."""
        return self._config.seconds

    async def ask(
        self, verb: Verb, method: str, *path: str, query: Mapping[str, Any] | None = None, body: Any = None,
        good: tuple[int, ...] = (),
    ) -> Any:  # fmt: skip
        """Answer what the server answers; None for statuses in ``good``. Raises typed errors."""
        import httpx2

        try:
            async with asyncio.timeout(self.seconds):
                return await self._asked(method, path, query, body, good)
        except CouchError as error:
            raise typed(error, Diagnosis(_KINDS.get(error.status, "other")), verb) from error
        except (httpx2.TimeoutException, TimeoutError) as error:
            kind: Kind = "gone" if isinstance(error, httpx2.ConnectTimeout) else "timeout"
            raise typed(error, Diagnosis(kind), verb) from error
        except (httpx2.HTTPError, OSError) as error:
            raise typed(error, Diagnosis("gone"), verb) from error

    async def _asked(
        self, method: str, path: tuple[str, ...], query: Mapping[str, Any] | None, body: Any, good: tuple[int, ...]
    ) -> Any:
        client = self._client()
        url = "/" + "/".join(quote(one, safe="") for one in path)
        sent = {name: json.dumps(value).decode() for name, value in (query or {}).items()}
        content = None if body is None else json.dumps(body)
        headers = {} if content is None else {"Content-Type": "application/json"}
        reply = await client.request(method, url, params=sent, content=content, headers=headers)
        if reply.status_code in good:
            return None
        try:
            told = json.loads(reply.content)
        except BadRequest:
            told = None
        if reply.status_code >= 300 or told is None:
            raise CouchError(reply.status_code if reply.status_code >= 300 else 502, told)
        return told

    def _client(self) -> httpx2.AsyncClient:
        import httpx2

        if self._made is None:
            self._made = httpx2.AsyncClient(
                base_url=self._config.address,
                auth=self._config.login,
                headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "Trunkline"},
                timeout=httpx2.Timeout(self.seconds, connect=min(_CONNECT, self.seconds)),
                transport=httpx2.AsyncHTTPTransport(retries=1, limits=httpx2.Limits(max_connections=50)),
                trust_env=False,
                follow_redirects=False,
            )
        return self._made

    async def close(self) -> None:
        """Close the connections."""
        if self._made is not None:
            client, self._made = self._made, None
            await client.aclose()
