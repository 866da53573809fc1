"""Logging in: a token and the address of the storage, from an identity service (Keystone, versions 2.0 and 3)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from trunkline.errors import BadGateway
from trunkline_files.errors import unavailable

if TYPE_CHECKING:
    import httpx2

STORAGE = "object-store"
_REFUSED = "The storage refuses the credentials of this service."


@dataclass(frozen=True, slots=True)
class Access:
    """What a login gives: a token, where the storage is, and when the token ends (epoch seconds)."""

    token: str = field(repr=False)
    url: str
    expires: float


class Login(ABC):
    """One way to log in; ``region`` chooses among the storages of the catalogue."""

    def __init__(self, url: str, region: str) -> None:
        """Know the address of the identity service, which ends in its version."""
        self.url = url.rstrip("/")
        self.region = region

    @abstractmethod
    async def access(self, client: httpx2.AsyncClient) -> Access:
        """Log in; raises BadGateway when that is refused, Unavailable when nobody answers."""

    async def posted(self, client: httpx2.AsyncClient, path: str, body: Mapping[str, Any]) -> tuple[Any, str]:
        """Send credentials; answer the content and the token in the header."""
        reply = await client.post(f"{self.url}/{path}", json=body, headers={"Accept": "application/json"})
        if reply.status_code in (401, 403):
            raise BadGateway(_REFUSED)
        if reply.status_code >= 500 or reply.status_code == 429:
            raise unavailable()
        if not reply.is_success:
            raise BadGateway("The identity service does not answer as it should; is its address right?")
        try:
            return reply.json(), reply.headers.get("x-subject-token", "")
        except ValueError:
            raise BadGateway("The identity service does not answer as it should; is its address right?") from None

    def storage(self, catalogue: Iterable[Mapping[str, Any]], *, named: str | None = None) -> Mapping[str, Any]:
        """Find the endpoint of the storage in a region; raises BadGateway."""
        for service in catalogue:
            if service.get("type") != STORAGE or (named is not None and service.get("name") != named):
                continue
            for endpoint in service.get("endpoints", ()):
                public = endpoint.get("interface", "public") == "public"
                if public and self.region in (endpoint.get("region"), endpoint.get("region_id")):
                    found: Mapping[str, Any] = endpoint
                    return found
        raise BadGateway("The catalogue of the identity service has no storage in that region.")


class PasswordLogin(Login):
    """By name and password: version 3, scoped to a project of the domain ``default``, or version 2.0."""

    def __init__(self, url: str, region: str, username: str, password: str, project: str) -> None:
        """Remember the credentials."""
        super().__init__(url, region)
        self._username = username
        self._password = password
        self._project = project

    async def access(self, client: httpx2.AsyncClient) -> Access:
        """Log in."""
        return await (self._third(client) if self.url.endswith("/v3") else self._second(client))

    async def _third(self, client: httpx2.AsyncClient) -> Access:
        domain = {"id": "default"}
        user = {"name": self._username, "domain": domain, "password": self._password}
        scope = {"project": {"name": self._project, "domain": domain}}
        identity = {"methods": ["password"], "password": {"user": user}}
        told, token = await self.posted(client, "auth/tokens", {"auth": {"identity": identity, "scope": scope}})
        found = told.get("token", {})
        return Access(token, self.storage(found.get("catalog", ()))["url"], moment(found.get("expires_at")))

    async def _second(self, client: httpx2.AsyncClient) -> Access:
        credentials = {"username": self._username, "password": self._password}
        body = {"auth": {"passwordCredentials": credentials, "tenantName": self._project}}
        told, _ = await self.posted(client, "tokens", body)
        return second(self, told)


def second(login: Login, told: Any, *, named: str | None = None) -> Access:
    """Read the reply of version 2.0."""
    found = told.get("access", {})
    token = found.get("token", {})
    endpoint = login.storage(found.get("serviceCatalog", ()), named=named)
    return Access(str(token.get("id", "")), endpoint["publicURL"], moment(token.get("expires")))


def moment(text: object) -> float:
    """Read a time of an identity service; what is none is long ago, so that the token is used once."""
    try:
        return datetime.fromisoformat(str(text).replace("Z", "+00:00")).timestamp()
    except ValueError:
        return 0.0
