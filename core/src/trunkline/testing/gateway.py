"""A gateway inside the test process, and clients that speak to it as HTTP clients do."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2
import sqlalchemy as sa
from starlette.testclient import TestClient

from trunkline import json
from trunkline.app import App
from trunkline.db import tables
from trunkline.db.records import User
from trunkline.directory import digest_of
from trunkline.settings import Settings

ADMIN_EMAIL = "admin@example.com"
ADMIN_PASSWORD = "correct horse battery staple"


class Client:
    """Sends requests below ``/api/v2`` with fixed headers; answers httpx responses."""

    def __init__(self, http: TestClient, headers: Mapping[str, str] | None = None) -> None:
        """Remember the credentials to send."""
        self._http = http
        self.headers = dict(headers or {})

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        content: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> httpx2.Response:
        """Send a request; ``path`` begins with a slash and stands below ``/api/v2``."""
        url = path if path.startswith("/api") else f"/api/v2{path}"
        # What the test client reads as Latin-1 it sends as UTF-8, as other clients do.
        together = {**self.headers, **(headers or {})}
        sent = {name.encode(): value.encode("latin-1") for name, value in together.items()}
        return self._http.request(method, url, params=params, json=json, content=content, headers=sent, data=data)

    def get(self, path: str, **more: Any) -> httpx2.Response:
        """Send GET."""
        return self.request("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx2.Response:
        """Send POST."""
        return self.request("POST", path, **more)

    def put(self, path: str, **more: Any) -> httpx2.Response:
        """Send PUT."""
        return self.request("PUT", path, **more)

    def patch(self, path: str, **more: Any) -> httpx2.Response:
        """Send PATCH."""
        return self.request("PATCH", path, **more)

    def delete(self, path: str, **more: Any) -> httpx2.Response:
        """Send DELETE."""
        return self.request("DELETE", path, **more)


class Gateway:
    """A started application on its own folder; use it in a ``with``."""

    def __init__(self, settings: Settings) -> None:
        """Build the application; entering the ``with`` starts it."""
        self.app = App(settings)
        self._http = TestClient(
            self.app, base_url="http://testserver", raise_server_exceptions=True, follow_redirects=False
        )
        self._numbers = itertools.count(1)

    def __enter__(self) -> Self:
        """Start the application."""
        self._http.__enter__()
        self.anonymous = Client(self._http)
        self.admin = self.as_user(self.create_user(email=ADMIN_EMAIL, is_sys_admin=True))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the application."""
        self._http.__exit__(kind, error, trace)

    @property
    def storage(self) -> Path:
        """The folder of this gateway."""
        return self.app.settings.storage

    def create_service(self, name: str, type: str, config: dict[str, Any] | None = None) -> dict[str, Any]:  # noqa: A002
        """Configure a service and answer its row."""
        kind = self.app.registry.load(type)
        stored = kind.config_class().merged({}, config or {}, self.app.vault)
        kind.config_class().check(self.app.services.system_lookups().fill(config or {}, private=True))
        return self._insert(tables.service, name=name, type=type, label=name, is_active=True, config=_text(stored))

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Create a user; without a password nobody can log in with one."""
        from trunkline import passwords
        from trunkline.directory import read_user

        existing = self.app.database.read(lambda c: read_user(c, tables.user.c.email == email))
        if existing is not None:
            return existing
        values = {"name": email.partition("@")[0], "username": email, **fields}
        row = self._insert(tables.user, email=email, password=password and passwords.hashed(password), **values)
        found = self.app.database.read(lambda c: read_user(c, tables.user.c.id == row["id"]))
        assert found is not None
        return found

    def create_role(self, rows: Sequence[Mapping[str, Any]], **fields: Any) -> int:
        """Create an active role from rows ``{service, component, verb_mask, filters, …}``; answer its id.

        ``service`` is a name, or None for every service; ``requestor_mask`` is 3 unless given.
        """
        role = self._insert(tables.role, **{"name": f"role {next(self._numbers)}", "is_active": True, **fields})
        for row in rows:
            values = dict(row)
            name = values.pop("service")
            values["service_id"] = self._service_id(name) if name is not None else None
            for name in ("filters", "response_filters"):
                values[name] = _text(values[name]) if values.get(name) else None
            self._insert(tables.role_service_access, role_id=role["id"], **{"requestor_mask": 3, **values})
        return int(role["id"])

    def create_app(self, role_id: int | None = None, **fields: Any) -> dict[str, Any]:
        """Create an active app and answer its row, with ``api_key`` in clear."""
        api_key = secrets.token_hex(32)
        values = {"name": f"app {next(self._numbers)}", "is_active": True, "role_id": role_id, **fields}
        sealed = self.app.vault.encrypt(api_key)
        row = self._insert(tables.app, api_key=sealed, api_key_digest=digest_of(api_key), **values)
        return {**row, "api_key": api_key}

    def key_for(self, rows: Sequence[Mapping[str, Any]], **role: Any) -> Client:
        """Answer a client that uses the key of a new app whose role has these access rows."""
        return self.with_key(self.create_app(self.create_role(rows, **role))["api_key"])

    def with_key(self, api_key: str) -> Client:
        """Answer a client that sends an API key."""
        return Client(self._http, {"X-DreamFactory-API-Key": api_key})

    def as_user(self, user: User, api_key: str | None = None) -> Client:
        """Answer a client with a session of a user, and perhaps an API key."""
        headers = {"X-DreamFactory-Session-Token": self.app.sessions.issue(user)}
        return Client(self._http, headers | ({"X-DreamFactory-API-Key": api_key} if api_key else {}))

    def _service_id(self, name: str) -> int:
        query = sa.select(tables.service.c.id).where(tables.service.c.name == name)
        return int(self.app.database.read(lambda connection: connection.scalars(query).one()))

    def _insert(self, table: sa.Table, **values: Any) -> dict[str, Any]:
        def insert(connection: sa.Connection) -> dict[str, Any]:
            key = connection.execute(sa.insert(table).values(**values)).inserted_primary_key
            assert key is not None
            return {"id": key[0], **values}

        return self.app.database.change(insert)


def _text(value: Any) -> str:
    return json.dumps(value).decode()
