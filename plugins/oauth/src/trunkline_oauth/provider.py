"""Asking an identity provider: what it is, what it gives, and what its refusals mean."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qsl

from trunkline import json
from trunkline.errors import BadGateway, BadRequest, GatewayTimeout, Unauthorized
from trunkline.remote import Dialling, Remote, Request

if TYPE_CHECKING:
    from trunkline.app import App

# Seconds for each step, and for all of a request, however slowly it comes.
_CONNECT, _WAIT, _ALL = 5.0, 10.0, 20.0
_MOST_BYTES = 2**20
# Seconds before its end at which an access token is renewed.
_EARLY = 60


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a provider is, and its ways: data of a connector, which the configuration may replace."""

    authorize: str
    token: str
    user: str
    scopes: tuple[str, ...] = ()
    # Providers that do not know PKCE ignore it, but for some, which refuse.
    pkce: bool = True
    client_auth: Literal["client_secret_post", "client_secret_basic"] = "client_secret_post"
    # What else the page for browsers is told.
    extra: Mapping[str, str] = field(default_factory=dict)
    # Only for OAuth 1.0a: where a login begins.
    request_token: str = ""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a provider gave: ``expires`` is in epoch seconds, ``secret`` is for OAuth 1.0a, ``extra`` all else."""

    access: str = field(repr=False)
    refresh: str | None = field(default=None, repr=False)
    id_token: str | None = field(default=None, repr=False)
    expires: float | None = None
    secret: str | None = field(default=None, repr=False)
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, told: Mapping[str, Any], before: Tokens | None = None) -> Tokens:
        """Read the reply of a token endpoint; a refresh token that is not given anew stays. Raises BadGateway."""
        access, kind = told.get("access_token"), told.get("token_type", "bearer")
        if not isinstance(access, str) or not access or str(kind).lower() != "bearer":
            raise BadGateway("The identity provider gave no token.")
        try:
            seconds = float(told["expires_in"]) if told.get("expires_in") is not None else None
        except (TypeError, ValueError):
            seconds = None
        given = {name: told[name] for name in ("refresh_token", "id_token") if isinstance(told.get(name), str)}
        known = {"access_token", "refresh_token", "id_token", "token_type", "expires_in"}
        return cls(
            access,
            given.get("refresh_token") or (before.refresh if before is not None else None),
            given.get("id_token") or (before.id_token if before is not None else None),
            time.time() + seconds if seconds is not None else None,
            extra={name: value for name, value in told.items() if name not in known},
        )

    @property
    def is_old(self) -> bool:
        """Whether the access token has ended or is about to."""
        return self.expires is not None and self.expires - _EARLY <= time.time()

    def as_text(self) -> str:
        """Write for storing."""
        return json.dumps(asdict(self)).decode()

    @classmethod
    def from_text(cls, text: str) -> Tokens:
        """Read what was stored."""
        return cls(**json.loads(text))


class Asked:
    """Requests to a provider, all with an end in time and size."""

    def __init__(self, app: App) -> None:
        """Connect to nothing yet."""
        self._remote = Remote(app.outgoing, Dialling(connect=_CONNECT, wait=_WAIT, redirects=0))

    async def answer(
        self, method: str, url: str, headers: Sequence[tuple[str, str]] = (), content: bytes | None = None
    ) -> tuple[int, bytes]:
        """Answer status and content of a reply; raises BadGateway, Unavailable, GatewayTimeout, TooLarge."""
        sent = [("Accept", "application/json"), ("Accept-Encoding", "identity"), ("User-Agent", "Trunkline"), *headers]
        try:
            async with asyncio.timeout(_ALL):
                answer = await self._remote.send(Request(method, url, sent, content))
                return answer.status, await answer.read(_MOST_BYTES)
        except TimeoutError as error:
            raise GatewayTimeout("The identity provider did not answer in time.") from error

    async def told(
        self, method: str, url: str, headers: Sequence[tuple[str, str]] = (), content: bytes | None = None
    ) -> dict[str, Any]:
        """Answer the object that a provider tells, as JSON or as a form; raises also Unauthorized for a refusal."""
        status, body = await self.answer(method, url, headers, content)
        told = _read(body)
        if status >= 500 or (status >= 300 and not 400 <= status < 500):
            raise BadGateway("The identity provider failed.")
        # Some say with a good status that it is none.
        if status >= 400 or (isinstance(told, dict) and isinstance(told.get("error"), str)):
            raise refused(told)
        if not isinstance(told, dict):
            raise BadGateway("The identity provider did not answer as it should.")
        return told

    async def get(self, url: str, token: str) -> dict[str, Any]:
        """Ask who somebody is, or the like, with an access token."""
        return await self.told("GET", url, [("Authorization", f"Bearer {token}")])

    async def get_any(self, url: str, token: str) -> Any:
        """Do as ``get`` does where the answer may be a list; None for a refusal, as for a right not given."""
        status, body = await self.answer("GET", url, [("Authorization", f"Bearer {token}")])
        return _read(body) if status == 200 else None

    async def close(self) -> None:
        """Close the connections."""
        await self._remote.close()


def refused(told: Any) -> Unauthorized | BadGateway:
    """Make an error of a refusal; only the words that the standards have for it, as others may be anything."""
    error = told.get("error") if isinstance(told, dict) else None
    if error in ("invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope"):
        return BadGateway(f"The identity provider refused this application ({error}).")
    return Unauthorized("Authentication failed. The identity provider refused the login.")


def _read(body: bytes) -> Any:
    try:
        return json.loads(body)
    except BadRequest:
        pass
    try:
        text = body.decode("ascii")
        return dict(parse_qsl(text, strict_parsing=True)) if "=" in text and "<" not in text else None
    except ValueError:
        return None
