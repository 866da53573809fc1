"""From a call to what is sent: URL, query, headers, body; nothing of the client's goes along that is not meant to."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from trunkline import json
from trunkline.call import VERBS, Call
from trunkline.query import parse_query
from trunkline.remote import HOP_BY_HOP

if TYPE_CHECKING:
    from trunkline.lookups import Lookups
    from trunkline.remote import Request
    from trunkline_rws.config import Header, Parameter, RwsConfig

# Credentials for this gateway, by the names that they have in queries.
_OURS = frozenset({"api_key", "session_token"})
# A body that is no longer than this is held, so that it can be sent again where a redirect wants it.
_MOST_HELD = 256 * 1024
Pairs = list[tuple[str, str]]


def applies(row: Parameter | Header, call: Call) -> bool:
    """Say whether a row is for the verb of a call."""
    return bool(row.action & VERBS.get(call.method, 0))


def url_of(base: str, call: Call, query: str, *, slash: bool) -> str:
    """Put the URL together."""
    address, _, fixed = base.partition("?")
    if call.path:
        address = "/".join([address.rstrip("/"), *(quote(one, safe="") for one in call.path)])
        address += "/" if slash else ""
    together = "&".join(filter(None, (fixed, query)))
    return f"{address}?{together}" if together else address


def client_query(call: Call) -> Pairs:
    """Answer the client's parameters, repeated ones too, without credentials for this gateway."""
    if call.query and parse_query(call.query) == call.params:
        pairs = parse_qsl(call.query.decode("latin-1"), keep_blank_values=True)
    else:
        pairs = [pair for name, value in call.params.items() for pair in _flat(name, value)]
    return [one for one in pairs if one[0].lower() not in _OURS]


def _flat(name: str, value: Any) -> Pairs:
    if isinstance(value, dict):
        return [(f"{name}[{key}]", _as_text(one)) for key, one in value.items()]
    if isinstance(value, list):
        return [(f"{name}[]", _as_text(one)) for one in value]
    return [(name, _as_text(value))]


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def query_pairs(config: RwsConfig, call: Call, lookups: Lookups) -> Pairs:
    """Answer what is sent in the query."""
    rows = [one for one in config.parameters if one.outbound and applies(one, call)]
    hidden = {one.name.lower() for one in rows if one.exclude}
    pairs = [one for one in client_query(call) if one[0].lower() not in hidden]
    return pairs + [(one.name, _filled(one, lookups)) for one in rows if not one.exclude]


def encoded(pairs: Pairs) -> str:
    """Write a query; a parameter without a value has no equals sign."""
    return "&".join(
        quote(name, safe="[]") + (f"={quote(value, safe='', errors='surrogateescape')}" if value else "")
        for name, value in pairs
    )


def _filled(row: Parameter | Header, lookups: Lookups) -> str:
    return str(lookups.fill(row.value or "", private=True))


def headers_of(config: RwsConfig, call: Call, lookups: Lookups) -> Pairs:
    """Answer the headers of the rows; what belongs to a connection, or names the server, is not for rows to say."""
    found: Pairs = []
    for row in config.headers:
        name = row.name.lower()
        if not applies(row, call) or name in HOP_BY_HOP or name in ("host", "content-length"):
            continue
        if not row.pass_from_client:
            found.append((row.name, _filled(row, lookups)))
        elif not _is_ours(call, name):
            found.append((row.name, call.headers.get(name, "")))
    return found


def _is_ours(call: Call, name: str) -> bool:
    """Say whether a header of the client is a credential for this gateway."""
    if name.startswith("x-dreamfactory-"):
        return True
    if name != "authorization":
        return False
    scheme = call.headers.get(name, "").partition(" ")[0].lower()
    # Basic credentials are the gateway's where it was sent nothing else that says who asks (``identify``).
    other = call.headers.get("x-dreamfactory-session-token") or call.params.get("session_token")
    return scheme == "bearer" or (scheme == "basic" and not other)


def basic(user: str, password: str) -> str:
    """Write basic credentials."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")


async def body_of(call: Call) -> tuple[bytes | AsyncIterator[bytes] | None, int | None]:
    """Answer what is sent as the body, and its length where that is known; None where there is none."""
    if call.incoming is None:
        if call.raw:
            return call.raw, len(call.raw)
        if call.body is None or call.method == "GET":
            return None, None
        form = call.media_type == "application/x-www-form-urlencoded" and isinstance(call.body, dict)
        content = urlencode(call.body, doseq=True).encode() if form else json.dumps(call.body)
        return content, len(content)
    length = call.headers.get("content-length", "")
    size = int(length) if length.isascii() and length.isdecimal() else None
    begin = bytearray()
    async for piece in call.incoming:
        begin += piece
        if len(begin) > _MOST_HELD:
            return _continued(bytes(begin), call.incoming), size
    if begin:
        return bytes(begin), len(begin)
    return (b"", 0) if call.method in ("POST", "PUT", "PATCH") else (None, None)


async def _continued(begin: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    yield begin
    async for piece in rest:
        yield piece


async def request_of(
    config: RwsConfig, base: str, call: Call, lookups: Lookups, login: tuple[str, str] | None, agent: str | None
) -> Request:
    """Make the request that a call is for the remote server."""
    from trunkline.remote import Request

    base, login = _without_login(base, login)
    headers = headers_of(config, call, lookups)
    set_already = {name.lower() for name, _ in headers}
    content, size = await body_of(call)
    usual = [("Accept", "*/*"), ("Accept-Encoding", "identity"), ("User-Agent", agent or "Trunkline")]
    kind = call.headers.get("content-type") or call.media_type or ("application/json" if call.body is not None else "")
    if content and kind:
        usual.append(("Content-Type", kind))
    if login is not None:
        usual.append(("Authorization", basic(*login)))
    headers += [one for one in usual if one[0].lower() not in set_already]
    query = encoded(query_pairs(config, call, lookups))
    url = url_of(base, call, query, slash=config.preserve_forward_trailing_slash)
    return Request(call.method, url, headers, content, size)


def _without_login(base: str, login: tuple[str, str] | None) -> tuple[str, tuple[str, str] | None]:
    """Take user and password out of an address."""
    parts = urlsplit(base)
    if "@" not in parts.netloc:
        return base, login
    user = (parts.username or "", parts.password or "")
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl(), login or user
