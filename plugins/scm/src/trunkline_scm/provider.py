"""Asking a provider's API: JSON in, JSON out, and what its refusals mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from trunkline import json
from trunkline.errors import BadGateway, BadRequest, TrunklineError
from trunkline.outgoing import BadAddress, parsed_url
from trunkline.remote import Dialling, Remote, Request

if TYPE_CHECKING:
    from trunkline.app import App

# Seconds for each step.
_WAIT = 30.0
_MOST_BYTES = 64 * 2**20
_PLAIN_ERROR = 500
Query = Mapping[str, str | int | None]


class ProviderError(TrunklineError):
    """A provider refused, in its own words and with its own status."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        """Tell status and words."""
        super().__init__(message, code=status, headers=headers)
        # Each error has the status that the provider gave it.
        self.status = status  # type: ignore[misc]


class Asked:
    """A provider's API below an address, with the headers that say who asks."""

    def __init__(self, app: App, base: str, headers: Mapping[str, str]) -> None:
        """Connect to nothing yet; raises BadRequest for what is no address."""
        try:
            parsed_url(base)
        except BadAddress:
            raise BadRequest("The base URL must begin with http:// or https:// and name a host.") from None
        self._base = base.rstrip("/")
        self._headers = [("Accept-Encoding", "identity"), ("User-Agent", "Trunkline"), *headers.items()]
        self._remote = Remote(app.outgoing, Dialling(wait=_WAIT))

    @property
    def host(self) -> str:
        """The host, as errors must not show it."""
        return urlsplit(self._base).netloc

    async def raw(self, *segments: str, query: Query | None = None) -> bytes:
        """Get what is at a path; raises ProviderError, BadGateway, Unavailable, GatewayTimeout, TooLarge."""
        path = "/".join([self._base, *(quote(one, safe="") for one in segments)])
        given = {name: value for name, value in (query or {}).items() if value is not None}
        url = f"{path}?{urlencode(given)}" if given else path
        answer = await self._remote.send(Request("GET", url, self._headers))
        if answer.status >= 300:
            kept = {name: value for name, value in answer.headers if name == "retry-after"}
            raise _refusal(answer.status, await answer.begin_of(65536), kept)
        return await answer.read(_MOST_BYTES)

    async def get(self, *segments: str, query: Query | None = None) -> Any:
        """Get the JSON at a path; raises as ``raw`` does."""
        content = await self.raw(*segments, query=query)
        try:
            return json.loads(content)
        except BadRequest as error:
            raise BadGateway("The provider did not answer with JSON.") from error

    async def close(self) -> None:
        """Close the connections."""
        await self._remote.close()


def _refusal(status: int, content: bytes, headers: Mapping[str, str]) -> TrunklineError:
    try:
        told = json.loads(content)
    except BadRequest:
        told = None
    message = _message(told) or f"The provider answered with status {status}."
    if status < 400:
        return BadGateway(message)
    return ProviderError(status, message, headers)


def _message(told: Any) -> str:
    """Find the words: GitHub and GitLab say ``message``, GitLab's login ``error``, Bitbucket ``error.message``."""
    if not isinstance(told, dict):
        return ""
    for one in (told.get("message"), told.get("error_description"), told.get("error")):
        if isinstance(one, str):
            return one
        if isinstance(one, dict) and isinstance(one.get("message"), str):
            return str(one["message"])
    return ""
