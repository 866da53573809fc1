"""Fetching what a client names by its URL, without becoming that client's way into our own network (SSRF)."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trunkline.errors import BadGateway, BadRequest, GatewayTimeout, TooLarge

if TYPE_CHECKING:
    import httpx2

    from trunkline.settings import Settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_MOST_REDIRECTS = 5
_SECONDS = 60.0
# Networks in which an IPv4 address stands at the end of an IPv6 address (RFC 6052 and 8215).
_TRANSLATED = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))


class BadAddress(BadRequest):
    """A URL that is not fetched: of another scheme, without a host, or of an address that is not public."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a URL answered, in the end, after redirects."""

    content: bytes
    media_type: str
    # The last segment of the path, for those who tell kinds of files by their names.
    name: str


@dataclass(frozen=True, slots=True)
class Opened:
    """What a URL answers while it comes: ``size`` in bytes where the server says it, ``content`` in pieces."""

    media_type: str
    name: str
    size: int | None
    content: AsyncGenerator[bytes, None]


class Outgoing:
    """Fetches from public addresses, and from networks that the operator names."""

    def __init__(self, settings: Settings) -> None:
        """Read which networks are allowed beside the public ones."""
        parts = filter(None, map(str.strip, settings.outgoing_networks.split(",")))
        self._allowed: tuple[Network, ...] = tuple(map(ipaddress.ip_network, parts))
        self._most = settings.max_body

    async def fetch(self, url: str, *, most: int | None = None) -> Fetched:
        """Get a URL; at most ``most`` bytes, those of a request body unless given.

        Raises BadAddress, TooLarge, BadGateway when the server refuses, GatewayTimeout.
        """
        most = self._most if most is None else most
        try:
            async with asyncio.timeout(_SECONDS), self.opened(url, most=most) as opened:
                content = b"".join([piece async for piece in opened.content])
                return Fetched(content, opened.media_type, opened.name)
        except TimeoutError as error:
            raise GatewayTimeout("The address did not answer in time.") from error

    @asynccontextmanager
    async def opened(self, url: str, *, most: int) -> AsyncIterator[Opened]:
        """Get a URL piece by piece, for what is too large to hold; raises as ``fetch`` does, also amid the content."""
        import httpx2

        with _told():
            client = httpx2.AsyncClient(trust_env=False, timeout=20.0)
        async with client:
            for _ in range(_MOST_REDIRECTS + 1):
                parsed = parsed_url(url)
                with _told():
                    response = await self._asked(client, parsed)
                try:
                    if response.is_redirect and (location := response.headers.get("location")):
                        url = str(parsed.join(location))
                        continue
                    yield _accepted(response, parsed, most)
                    return
                finally:
                    await response.aclose()
            raise BadGateway("The address redirects too often.")

    async def _asked(self, client: httpx2.AsyncClient, url: httpx2.URL) -> httpx2.Response:
        """Ask once, at an address that was checked.

        The address goes into the URL, so that the name is not resolved again to another one; the name itself stays in
        the header and is what the certificate is checked for.
        """
        address = await self.checked(url.host, url.port or (443 if url.scheme == "https" else 80))
        headers = {"Host": url.netloc.decode("ascii"), "Accept-Encoding": "identity"}
        request = client.build_request(
            "GET",
            url.copy_with(host=str(address)),
            headers=headers,
            extensions={"sni_hostname": url.raw_host.decode("ascii")},
        )
        return await client.send(request, stream=True)

    async def checked(self, host: str, port: int) -> Address:
        """Resolve a name and answer an address to connect to; raises as ``addresses`` does."""
        return (await self.addresses(host, port))[0]

    async def addresses(self, host: str, port: int) -> list[Address]:
        """Resolve a name and answer its addresses; raises BadAddress unless all of them are fine.

        One that is not means that the name is not to be trusted, whatever the others are.
        """
        try:
            loop = asyncio.get_running_loop()
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise BadAddress("the host is not known.") from None
        addresses = [ipaddress.ip_address(str(one[4][0]).partition("%")[0]) for one in found]
        if not addresses or not all(map(self.may_reach, addresses)):
            raise BadAddress("the host has an address that is not public.")
        return addresses

    def may_reach(self, address: Address) -> bool:
        """Say whether an address is public, or of a network that is allowed; also one inside of another."""
        return all(self._is_allowed(one) or (one.is_global and not _is_special(one)) for one in _inner(address))

    def _is_allowed(self, address: Address) -> bool:
        return any(address.version == network.version and address in network for network in self._allowed)


@contextmanager
def _told() -> Iterator[None]:
    """Tell in our words what goes wrong on the way."""
    import httpx2

    try:
        yield
    except httpx2.TimeoutException as error:
        raise GatewayTimeout("The address did not answer in time.") from error
    except httpx2.HTTPError as error:
        raise BadGateway("The address could not be reached.") from error


def _accepted(response: httpx2.Response, url: httpx2.URL, most: int) -> Opened:
    """Take an answer for what was asked for; raises BadGateway, TooLarge."""
    if not response.is_success:
        raise BadGateway(f"The address answered with status {response.status_code}.")
    if response.headers.get("content-encoding", "identity") != "identity":
        # Unpacked, it could be of any size.
        raise BadGateway("The address answered with an encoding that was not asked for.")
    length = response.headers.get("content-length", "")
    size = int(length) if length.isdecimal() and len(length) < 20 else None
    if size is not None and size > most:
        raise TooLarge(f"What the address answers is larger than {most} bytes.")
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return Opened(media_type, url.path.rpartition("/")[2], size, _pieces(response, most))


async def _pieces(response: httpx2.Response, most: int) -> AsyncGenerator[bytes, None]:
    received = 0
    with _told():
        async for piece in response.aiter_raw():
            received += len(piece)
            if received > most:
                raise TooLarge(f"What the address answers is larger than {most} bytes.")
            yield piece


def _is_special(address: Address) -> bool:
    """Say whether an address is none of a host on the Internet, although it is not private either."""
    if isinstance(address, ipaddress.IPv6Address) and address.is_site_local:
        return True
    return address.is_multicast or address.is_reserved or address.is_unspecified or address.is_loopback


def _inner(address: Address) -> tuple[Address, ...]:
    """Answer the IPv4 addresses that an IPv6 address leads to; else the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return (address,)
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address.teredo is not None:
        return address.teredo
    if address.sixtofour is not None:
        return (address.sixtofour,)
    if any(address in network for network in _TRANSLATED):
        return (ipaddress.IPv4Address(int(address) & 0xFFFFFFFF),)
    return (address,)


def parsed_url(url: str) -> httpx2.URL:
    """Read a URL of http or https; raises BadAddress."""
    import httpx2

    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL:
        raise BadAddress("it is no URL.") from None
    if parsed.scheme not in ("http", "https"):
        raise BadAddress("only http and https are supported.")
    if not parsed.host:
        raise BadAddress("it has no host.")
    return parsed
