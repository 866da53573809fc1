"""What a provider says of itself: its discovery document and its keys, kept for a while and read anew when needed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from joserfc import jwk
from joserfc.errors import JoseError

from trunkline.errors import BadGateway
from trunkline.outgoing import BadAddress, parsed_url
from trunkline_oauth.provider import Asked

_WELL_KNOWN = "/.well-known/openid-configuration"
# Seconds that documents are kept, and between two looks for a key that is not among those kept.
_KEPT = 3600.0
_PAUSE = 10.0
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri")


class Documents:
    """The documents of one provider; what cannot be read anew is used as it was."""

    def __init__(self, asked: Asked) -> None:
        """Read nothing yet."""
        self._asked = asked
        self._lock = asyncio.Lock()
        self._discovery: tuple[float, Mapping[str, Any]] | None = None
        self._keys: tuple[float, str, jwk.KeySet] | None = None

    async def discovery(self, url: str) -> Mapping[str, Any]:
        """Answer the discovery document at an address; raises BadGateway where it is none of its place."""
        held = self._discovery
        if held is not None and time.monotonic() - held[0] < _KEPT:
            return held[1]
        async with self._lock:
            if self._discovery is held:
                self._discovery = (time.monotonic(), _checked(url, await self._asked.told("GET", url)))
        assert self._discovery is not None  # noqa: S101 - set just now, or by who held the lock before
        return self._discovery[1]

    async def keys(self, url: str, *, anew: bool = False) -> jwk.KeySet:
        """Answer the provider's keys; ``anew`` where one was missing, as providers change them."""
        held = self._keys
        age = time.monotonic() - held[0] if held is not None and held[1] == url else None
        if held is not None and age is not None and age < (_PAUSE if anew else _KEPT):
            return held[2]
        async with self._lock:
            if self._keys is held:
                self._keys = (time.monotonic(), url, _key_set(await self._asked.told("GET", url)))
        assert self._keys is not None  # noqa: S101 - set just now, or by who held the lock before
        return self._keys[2]


def _checked(url: str, told: Mapping[str, Any]) -> Mapping[str, Any]:
    """Hold a document against where it was found: one issuer must not speak for another (Discovery 4.3)."""
    issuer = told.get("issuer")
    if not isinstance(issuer, str) or issuer.rstrip("/") + _WELL_KNOWN != url.rstrip("/"):
        raise BadGateway("The discovery document names another issuer than the one at whose address it was found.")
    for name in _ENDPOINTS:
        if told.get(name) is not None:
            try:
                parsed_url(told[name] if isinstance(told[name], str) else "")
            except BadAddress as error:
                raise BadGateway(f"The discovery document has no address as {name}.") from error
    return told


def _key_set(told: Mapping[str, Any]) -> jwk.KeySet:
    """Read the keys that can be used; others, as of kinds that we do not know, are passed over."""
    found = []
    listed = told.get("keys")
    for one in listed if isinstance(listed, list) else []:
        try:
            if isinstance(one, dict) and one.get("use", "sig") == "sig" and one.get("kty") != "oct":
                found.append(jwk.import_key(one))
        except (JoseError, ValueError, KeyError, TypeError):
            continue
    if not found:
        raise BadGateway("The identity provider has no keys that can be used.")
    return jwk.KeySet(found)
