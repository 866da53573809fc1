"""The records that the demo needs in the gateway: an admin, a service, a role, an app; made when missing."""

import asyncio
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trunkline.app import App
from trunkline.settings import Settings

EMAIL = "admin@example.com"
SERVICE = "flights"
DATABASE = "flights.sqlite"
GET, ANY_REQUESTOR = 1, 3


@dataclass(frozen=True)
class Access:
    """What someone needs to use the demo."""

    api_key: str
    admin_email: str
    admin_password: str


def prepare(settings: Settings) -> Access:
    """Bring the gateway's records into place; whatever an earlier, interrupted run has made is kept.

    `demo.json` keeps the login from one start to the next. It is written last: an admin without it (an
    interrupted run, a deleted file) gets a new password.
    """
    memory = settings.storage / "demo.json"
    password = json.loads(memory.read_text())["admin_password"] if memory.exists() else None
    access = asyncio.run(records(settings, password))
    if password is None:
        remember(memory, {"admin_email": access.admin_email, "admin_password": access.admin_password})
    return access


async def records(settings: Settings, password: str | None) -> Access:
    """Make what is missing: admin, service, role, app."""
    app = App(settings)
    async with app.running():
        password = password or await new_password(app)
        service = await ensure(
            app,
            "service",
            name=SERVICE,
            label="Flights",
            description="Flights from New York City in 2013, with airlines, airports, planes and weather.",
            type="sqlite",
            is_active=True,
            config={"database": DATABASE},
        )
        rights = {"service_id": service["id"], "component": "*", "verb_mask": GET, "requestor_mask": ANY_REQUESTOR}
        role = await ensure(
            app,
            "role",
            name="demo-reader",
            description="May read the flights.",
            is_active=True,
            role_service_access_by_role_id=[rights],
        )
        application = await ensure(app, "app", name="demo", is_active=True, type=0, role_id=role["id"])
    return Access(application["api_key"], EMAIL, password)


async def new_password(app: App) -> str:
    """Give the admin, made when missing, a random password and answer it."""
    password = secrets.token_urlsafe(18)
    record = await ensure(app, "admin", "email", email=EMAIL, first_name="Demo", last_name="Admin", password=password)
    await app.ask("PATCH", f"system/admin/{record['id']}", body={"password": password})
    return password


async def ensure(app: App, resource: str, key: str = "name", **record: Any) -> dict[str, Any]:
    """Answer the record of a system resource that has this key, made when there is none."""
    query = {"fields": "*", "filter": f"{key}='{record[key]}'"}
    reply = await app.ask("GET", f"system/{resource}", params=query)
    if not reply.content["resource"]:
        reply = await app.ask("POST", f"system/{resource}", params={"fields": "*"}, body={"resource": [record]})
    found: dict[str, Any] = reply.content["resource"][0]
    return found


def remember(file: Path, facts: dict[str, str]) -> None:
    """Write a file that only its owner can read, all of it or nothing."""
    part = file.with_name(f"{file.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as writer:
        json.dump(facts, writer)
    part.replace(file)
