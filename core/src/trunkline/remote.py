"""HTTP calls to servers that operators name, by the guard of ``outgoing``: what was judged is what is connected to."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from trunkline.errors import BadGateway, GatewayTimeout, TooLarge, TrunklineError, Unavailable
from trunkline.outgoing import BadAddress, parsed_url

if TYPE_CHECKING:
    import httpcore2
    import httpx2

    from trunkline.outgoing import Outgoing

_RETRY_AFTER = "30"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Of headers only these go on to another origin; the others may be credentials.
_HARMLESS = frozenset({"accept", "accept-encoding", "accept-language", "content-type", "user-agent"})
# What is about one connection only (RFC 9110, 7.6.1), beside what ``Connection`` names.
HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te", "trailer"}
    | {"transfer-encoding", "upgrade", "http2-settings", "proxy-authentication-info"}
)


@dataclass(frozen=True, slots=True)
class Dialling:
    """How to reach servers: seconds to connect and for each step after that, TLS, a proxy, how many redirects."""

    connect: float = 20.0
    wait: float = 60.0
    redirects: int = 5
    # None is the system's authorities.
    tls: ssl.SSLContext | None = None
    proxy: str | None = field(default=None, repr=False)
    proxy_login: tuple[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent. ``content`` that is a stream is sent once; ``size`` is its length where that is known."""

    method: str
    url: str
    headers: Sequence[tuple[str, str]] = field(default=(), repr=False)
    content: bytes | AsyncIterator[bytes] | None = field(default=None, repr=False)
    size: int | None = None


class Answer:
    """What a server answers while it comes; ``content`` must be read to its end or closed."""

    def __init__(self, status: int, headers: list[tuple[str, str]], content: AsyncGenerator[bytes, None]) -> None:
        """Names of headers are lower case."""
        self.status = status
        self.content = content
        named = {one.strip().lower() for name, value in headers if name == "connection" for one in value.split(",")}
        self.headers = [one for one in headers if one[0] not in HOP_BY_HOP | named]

    def header(self, name: str) -> str:
        """Answer the value of a header, the last one where there are several; empty where there is none."""
        return next((value for one, value in reversed(self.headers) if one == name), "")

    async def read(self, most: int) -> bytes:
        """Read all; raises TooLarge beyond ``most`` bytes."""
        whole = bytearray()
        try:
            async for piece in self.content:
                whole += piece
                if len(whole) > most:
                    raise TooLarge(f"What the remote server answers is larger than {most} bytes.")
        finally:
            await self.content.aclose()
        return bytes(whole)

    async def begin_of(self, most: int) -> bytes:
        """Read up to ``most`` bytes and let the rest go."""
        begin = bytearray()
        try:
            async for piece in self.content:
                begin += piece
                if len(begin) >= most:
                    break
        finally:
            await self.content.aclose()
        return bytes(begin[:most])


class Remote:
    """Sends requests over connections that are kept for the next ones."""

    def __init__(self, outgoing: Outgoing, dialling: Dialling = Dialling()) -> None:
        """Connect to nothing yet."""
        self._outgoing = outgoing
        self._dialling = dialling
        self._pool: httpcore2.AsyncConnectionPool | None = None

    async def send(self, request: Request) -> Answer:
        """Send a request and follow redirects; every address is judged anew, credentials stay with the first origin.

        Raises BadGateway, Unavailable, GatewayTimeout, and whatever the content of the request raises.
        """
        for left in range(self._dialling.redirects, -1, -1):
            answer = await self._sent(request)
            location = answer.header("location")
            if answer.status not in _REDIRECTS or not location or not self._dialling.redirects:
                return answer
            following = _following(request, answer.status, location)
            if following is None:
                return answer
            await answer.content.aclose()
            if left:
                request = following
        raise BadGateway("The remote server redirects too often.")

    async def close(self) -> None:
        """Close the connections."""
        if self._pool is not None:
            pool, self._pool = self._pool, None
            await pool.aclose()

    async def _sent(self, request: Request) -> Answer:
        """Send once; again where a kept connection turns out to be dead and nothing can have been done twice."""
        import httpcore2

        with _told():
            try:
                return await self._tried(request)
            except (httpcore2.ReadError, httpcore2.WriteError, httpcore2.RemoteProtocolError):
                if request.method not in ("GET", "HEAD") or request.content is not None:
                    raise
                return await self._tried(request)

    async def _tried(self, request: Request) -> Answer:
        import httpcore2

        url = parsed_url(request.url)
        if self._dialling.proxy is not None:
            # The proxy resolves the name for itself, but is asked for nothing that may not be reached from here.
            await self._outgoing.addresses(url.host, _port(url))
        wait, connect = self._dialling.wait, self._dialling.connect
        asked = httpcore2.Request(
            request.method,
            httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=[(b"Host", url.netloc), *_framed(request)],
            content=_content(request),
            extensions={"timeout": {"connect": connect, "read": wait, "write": wait, "pool": connect}},
        )
        response = await self._opened().handle_async_request(asked)
        headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in response.headers]
        content = _pieces(response)
        # Begun, so that closing it closes the response, whether anybody reads it or not.
        await anext(content)
        return Answer(response.status, headers, content)

    def _opened(self) -> httpcore2.AsyncConnectionPool:
        import httpcore2

        if self._pool is None:
            dialling = self._dialling
            proxy = None
            if dialling.proxy is not None:
                proxy = httpcore2.Proxy(dialling.proxy, auth=dialling.proxy_login)
            self._pool = httpcore2.AsyncConnectionPool(
                ssl_context=dialling.tls or ssl.create_default_context(),
                proxy=proxy,
                max_connections=None,
                max_keepalive_connections=20,
                keepalive_expiry=30.0,
                network_backend=_judging(self._outgoing),
            )
        return self._pool


def _judging(outgoing: Outgoing) -> httpcore2.AsyncNetworkBackend:
    """Make what connects for the pool: to addresses that may be reached, and to nothing by its name."""
    import httpcore2

    class Judging(httpcore2.AnyIOBackend):
        async def connect_tcp(
            self,
            host: str,
            port: int,
            timeout: float | None = None,  # noqa: ASYNC109 - the interface of httpcore
            local_address: str | None = None,
            socket_options: Iterable[Any] | None = None,
        ) -> httpcore2.AsyncNetworkStream:
            try:
                async with asyncio.timeout(timeout):
                    *others, last = await outgoing.addresses(host, port)
                    for address in others:
                        with contextlib.suppress(httpcore2.ConnectError):
                            return await super().connect_tcp(str(address), port, timeout, local_address, socket_options)
                    return await super().connect_tcp(str(last), port, timeout, local_address, socket_options)
            except TimeoutError as error:
                raise httpcore2.ConnectTimeout from error

    return Judging()


@contextmanager
def _told() -> Iterator[None]:
    """Tell in our words what goes wrong on the way; the log has the cause."""
    import httpcore2

    try:
        yield
    except BadAddress as error:
        raise BadGateway("The remote address is not known, or none that this gateway may reach.") from error
    except httpcore2.TimeoutException as error:
        raise GatewayTimeout("The remote server did not answer in time.") from error
    except (httpcore2.ConnectError, httpcore2.ProxyError) as error:
        if isinstance(error.__cause__ or error.__context__, ssl.SSLError):
            raise BadGateway("The remote server's certificate is not trusted.") from error
        raise unavailable() from error
    except (httpcore2.NetworkError, httpcore2.ProtocolError, ssl.SSLError) as error:
        raise BadGateway("The remote server did not answer as it should.") from error


def unavailable() -> TrunklineError:
    """Make the error for a server that may be there later."""
    return Unavailable("The remote server is not available.", headers={"Retry-After": _RETRY_AFTER})


def _port(url: httpx2.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


def _framed(request: Request) -> list[tuple[bytes, bytes]]:
    """Write the headers, with our own word of where the content ends and no other; raises BadGateway."""
    found = [("Connection", "keep-alive")]
    found += [one for one in request.headers if one[0].lower() not in HOP_BY_HOP | {"host", "content-length"}]
    if isinstance(request.content, bytes):
        found.append(("Content-Length", str(len(request.content))))
    elif request.content is not None:
        found.append(
            ("Transfer-Encoding", "chunked") if request.size is None else ("Content-Length", str(request.size))
        )
    written = []
    for name, value in found:
        raw = value.strip().encode("utf-8", "surrogateescape")
        if any((one < 32 and one != 9) or one == 127 for one in raw):
            raise BadGateway(f"The value for the header {name} has characters that are not allowed.")
        written.append((name.encode("ascii"), raw))
    return written


async def _content(request: Request) -> AsyncIterator[bytes]:
    if isinstance(request.content, bytes):
        yield request.content
    elif request.content is not None:
        async for piece in request.content:
            yield piece


async def _pieces(response: httpcore2.Response) -> AsyncGenerator[bytes, None]:
    """Yield nothing at first, then the content."""
    try:
        yield b""
        with _told():
            async for piece in response.aiter_stream():
                yield piece
    finally:
        await response.aclose()


def _following(request: Request, status: int, location: str) -> Request | None:
    """Answer what a redirect asks for; None where that cannot be done, as the content has gone."""
    import httpx2

    try:
        before, url = parsed_url(request.url), parsed_url(str(httpx2.URL(request.url).join(location)))
    except (BadAddress, httpx2.InvalidURL, ValueError) as error:
        raise BadGateway("The remote server redirects to what is no address.") from error
    method, content, headers = request.method, request.content, list(request.headers)
    if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
        method, content = "GET", None
        headers = [one for one in headers if not one[0].lower().startswith("content-")]
    if content is not None and not isinstance(content, bytes):
        return None
    if (before.scheme, before.host, _port(before)) != (url.scheme, url.host, _port(url)):
        headers = [one for one in headers if one[0].lower() in _HARMLESS]
    return replace(request, method=method, url=str(url), headers=headers, content=content, size=None)
