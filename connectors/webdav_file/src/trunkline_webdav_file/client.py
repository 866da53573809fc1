"""Requests to a WebDAV server, and what its refusals mean."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx2

from trunkline.errors import BadGateway, BadRequest, Conflict, Forbidden, InternalError, NotFound, TrunklineError
from trunkline_files.errors import FileExists, FileMissing, StorageFull, unavailable
from trunkline_files.paths import parent_of

# Seconds for each step, as there is no setting for it.
TIMEOUT = 60.0
_CONNECTIONS = 16
_DIGEST = 2


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the server is and which folder of it is served, who logs in and how; ``encoding`` is a word of HTTP."""

    base: str
    container: str
    username: str
    password: str = field(repr=False)
    auth_type: int | None = None
    encoding: str = ""
    proxy: str | None = field(default=None, repr=False)


class AsAsked(httpx2.Auth):
    """Logs in as the server asks when it first does; digest where there is a choice."""

    def __init__(self, username: str, password: str) -> None:
        """Keep the login; nothing of it is sent unless it is asked for."""
        self._digest = httpx2.DigestAuth(username, password)
        self._basic = httpx2.BasicAuth(username, password)
        self.chosen: httpx2.Auth | None = None

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Send as it is, then as it is asked for."""
        if self.chosen is None:
            response = yield request
            if response.status_code != 401:
                return
            asked = [one.lower() for one in response.headers.get_list("www-authenticate")]
            has_digest = any(one.startswith("digest ") for one in asked)
            self.chosen = self._digest if has_digest else self._basic
        yield from self.chosen.auth_flow(request)


class Client:
    """The connections to a server. Methods raise typed errors, whose words name no places (D10)."""

    def __init__(self, settings: Settings) -> None:
        """Connect when first asked."""
        self._settings = settings
        self._root = settings.base.rstrip("/") + "/".join(
            ("", *(quote(one, safe="") for one in settings.container.split("/") if one))
        )
        self._login = _auth(settings)
        self._http = httpx2.AsyncClient(
            proxy=settings.proxy,
            timeout=TIMEOUT,
            limits=httpx2.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS),
            headers={"Accept-Encoding": "identity"},
            trust_env=False,
        )

    def fresh_login(self) -> httpx2.Auth | None:
        """Answer a login for a request whose body cannot be sent again, so that it must not be asked for once more.

        What a digest is made of may end at any moment; so the request before is to get it anew.
        """
        login = _auth(self._settings)
        if isinstance(login, AsAsked) and isinstance(self._login, AsAsked):
            login = self._login.chosen or login
        if isinstance(login, httpx2.DigestAuth):
            return httpx2.DigestAuth(self._settings.username, self._settings.password)
        return login

    def url(self, path: str, *, is_folder: bool = False) -> str:
        """Answer the URL of something."""
        found = self._root + "/".join(("", *(quote(one, safe="") for one in path.split("/") if one)))
        return f"{found}/" if is_folder else found

    @asynccontextmanager
    async def answer(
        self, method: str, url: str, login: httpx2.Auth | None = None, **more: Any
    ) -> AsyncIterator[httpx2.Response]:
        """Ask, and answer a response whose body is to be read within the block."""
        with _reached():
            request = self._http.build_request(method, url, **more)
            response = await self._http.send(request, stream=True, auth=login or self._login)
        try:
            yield response
        finally:
            await response.aclose()

    async def ask(self, method: str, url: str, path: str, login: httpx2.Auth | None = None, **more: Any) -> None:
        """Ask for something to be done; raises what the refusal means for a path."""
        async with self.answer(method, url, login, **more) as response:
            # 207 tells of parts that failed.
            if not response.is_success or response.status_code == 207:
                raise refusal(response.status_code, path)

    async def move(self, method: str, source: str, target: str, path: str, *, replace: bool) -> None:
        """Move or copy; URLs."""
        headers = {"Destination": target, "Overwrite": "T" if replace else "F"}
        await self.ask(method, source, path, headers=headers)

    def download_headers(self, start: int, length: int | None) -> dict[str, str]:
        """Answer the headers that ask for a part of a file, or for all of it packed as configured."""
        if start or length is not None:
            end = "" if length is None else start + length - 1
            return {"Range": f"bytes={start}-{end}", "Accept-Encoding": "identity"}
        return {"Accept-Encoding": self._settings.encoding} if self._settings.encoding else {}

    async def pieces(self, response: httpx2.Response, size: int) -> AsyncIterator[bytes]:
        """Read a body in pieces of a size."""
        with _reached():
            async for piece in response.aiter_bytes(size):
                yield piece

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()


def _auth(settings: Settings) -> httpx2.Auth | None:
    if not settings.username:
        return None
    if settings.auth_type == _DIGEST:
        return httpx2.DigestAuth(settings.username, settings.password)
    if settings.auth_type is None:
        return AsAsked(settings.username, settings.password)
    return httpx2.BasicAuth(settings.username, settings.password)


@contextmanager
def _reached() -> Generator[None, None, None]:
    try:
        yield
    except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL) as error:
        raise unavailable() from error


def refusal(status: int, path: str) -> TrunklineError:
    """Choose the error for a status."""
    match status:
        case 401 | 407:
            return BadGateway("The storage did not accept the login of this service.")
        case 403:
            return Forbidden("The storage does not permit this.")
        case 404 | 410:
            return FileMissing(path)
        case 405 | 412:
            return FileExists(path)
        case 409:
            return NotFound(f"Folder '{parent_of(path)}/' does not exist.")
        case 413 | 507:
            return StorageFull("The storage is full.")
        case 414:
            return BadRequest("The path has a name that the storage does not take.")
        case 423:
            return Conflict("The storage has locked this for somebody else.")
        case 408 | 429 | 502 | 503 | 504:
            return unavailable()
    return InternalError("The storage failed.")
