"""A gateway with something of everything, and packages of it."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
from asking import PASSWORD, create, create_one, read

from trunkline import Call, Config, Field, Resource, Secret, Service
from trunkline.testing import Client, Gateway
from trunkline.testing.fixtures import settings_for

PATH = "/system/package"
SEAL = "a good password"
SECRETS = ("open sesame", "hidden value", "user hidden value")


class ChestConfig(Config):
    """What a chest needs."""

    host: str = Field(title="Host", description="Where it is.")
    port: int = Field(default=80, title="Port", description="Where it listens.")
    default_app_id: int | None = Field(default=None, title="App", description="Which app it is for.")
    password: Secret = Field(title="Password", description="What opens it.")
    token: Secret | None = Field(default=None, title="Token", description="Another secret.")


class Look(Resource):
    """Shows the configuration as the service sees it."""

    name = "look"

    async def get(self, _call: Call, _rest: tuple[str, ...]) -> Any:
        config = self.service.config
        assert isinstance(config, ChestConfig)
        return {"host": config.host, "port": config.port, "password": config.password.get_secret_value()}


class Chest(Service):
    """A service that keeps secrets."""

    label = "Chest"
    resources = (Look,)
    config: ChestConfig


class Store(Service):
    """Stands for a file service: keeps what was posted."""

    label, group = "Store", "File"

    async def handle(self, call: Call) -> Any:
        kept[call.path] = (call.method, call.media_type, call.raw)
        return {"name": call.path[-1]}


kept: dict[tuple[str, ...], tuple[str, str, bytes]] = {}


def opened(tmp_path: Path, name: str) -> Gateway:
    """Make a gateway that has the types of this module."""
    started = Gateway(settings_for(tmp_path / name))
    started.app.registry.add("chest", Chest)
    started.app.registry.add("store", Store)
    return started


@contextlib.contextmanager
def full_gateway(tmp_path: Path) -> Iterator[Gateway]:
    """A gateway with something of everything."""
    with opened(tmp_path, "full") as gateway:
        admin = gateway.admin
        create_one(admin, "/system/lookup", name="chest_port", value="8081")
        create_one(admin, "/system/lookup", name="chest_word", value="hidden value", private=True)
        config = {"host": "{chest_host}", "port": "{chest_port}", "password": "open sesame", "token": "env:CHEST_TOKEN"}
        chest = create_one(
            admin, "/system/service", name="chest", type="chest", is_active=True, config=config,
            service_doc_by_service_id={"content": '{"paths": {}}'},
        )  # fmt: skip
        create_one(admin, "/system/service", name="shop", type="sqlite", is_active=True, config={"database": "a.db"})
        rows = [
            {"service_id": chest["id"], "component": "*", "verb_mask": 1},
            {"service_id": None, "component": "", "verb_mask": 1},
            {"service_id": read(admin, "/system/service/shop")["id"], "component": "_table/*", "verb_mask": 3,
             "filters": [{"name": "id", "operator": "<", "value": 3}],
             "response_filters": [{"name": "note", "action": "exclude"}]},
        ]  # fmt: skip
        role = create_one(
            admin, "/system/role", name="reader", is_active=True, role_service_access_by_role_id=rows,
            lookup_by_role_id=[{"name": "level", "value": "1"}],
        )  # fmt: skip
        app = create_one(
            admin, "/system/app", name="shop", is_active=True, role_id=role["id"], type=2, url="https://example.com"
        )
        admin.patch(f"/system/service/{chest['id']}", json={"config": {"default_app_id": app["id"]}})
        create_one(
            admin, "/system/user", email="ana@ex.org", first_name="Ana", password=PASSWORD,
            lookup_by_user_id=[{"name": "pin", "value": "user hidden value", "private": True}],
            user_to_app_to_role_by_user_id=[{"app_id": app["id"], "role_id": role["id"]}],
        )  # fmt: skip
        create(admin, "/system/cors", {"path": "*", "origin": "*", "method": ["GET"]})
        admin.post("/system/custom", json={"name": "theme", "value": {"dark": True}})
        create_one(admin, "/system/email_template", name="Own", subject="Hi", attachment="a,b")
        table = {"name": "item", "field": [{"name": "id", "type": "id"}, {"name": "note", "type": "string"}]}
        assert admin.post("/shop/_schema", json={"resource": [table]}).status_code == 200
        notes = [{"note": f"n{number}"} for number in range(4)]
        assert admin.post("/shop/_table/item", json={"resource": notes}).status_code == 200
        yield gateway


def exported(client: Client, wanted: dict[str, Any] | None = None, **more: Any) -> httpx2.Response:
    """Export what a manifest names, everything otherwise."""
    services = read(client, PATH)["service"] if wanted is None else wanted
    return client.post(
        PATH, json={"service": services, **more}, headers={"Accept": "*/*" if "storage" in more else "application/zip"}
    )


def documents(packed: bytes) -> dict[str, Any]:
    """Read the documents of a package."""
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        return {name: json.loads(archive.read(name)) for name in archive.namelist()}


def packed_of(found: dict[str, Any]) -> bytes:
    """Make a package of documents."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in found.items():
            archive.writestr(name, json.dumps(content))
    return buffer.getvalue()


def asked(gateway: Gateway, api_key: str) -> list[tuple[int, Any]]:
    """Send the same requests to a gateway, with its own tokens, and answer what it says."""
    app = gateway.with_key(api_key)
    login = {"email": "ana@ex.org", "password": PASSWORD}
    session = app.post("/user/session", json=login).json()
    user = Client(app._http, {**app.headers, "X-DreamFactory-Session-Token": session.get("session_token", "")})
    calls = [
        ("GET", "/chest/look", None), ("GET", "/chest", None), ("POST", "/chest/look", {}), ("GET", "/shop", None),
        ("GET", "/shop/_table/item", None), ("GET", "/shop/_table/item/3", None), ("GET", "/system/role", None),
        ("POST", "/shop/_table/item", {"resource": [{"note": "x"}]}), ("GET", "/user/profile", None),
        ("DELETE", "/shop/_table/item/1", None), ("GET", "/system/environment", None),
    ]  # fmt: skip
    found: list[tuple[int, Any]] = []
    for client in (app, user):
        for method, path, body in calls:
            reply = client.request(method, path, json=body)
            content = reply.json()
            if path == "/system/environment":
                content = [one["name"] for one in content["apps"]]
            found.append((reply.status_code, content))
    preflight = {"Origin": "https://a.b", "Access-Control-Request-Method": "GET"}
    found.append((app.request("OPTIONS", "/shop", headers=preflight).status_code, session.get("name")))
    return found
