"""A gateway with one of everything, and the commands as a shell runs them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from click.testing import CliRunner, Result

from trunkline.cli import cli
from trunkline.db import tables
from trunkline.plugins import Manager
from trunkline.testing import Client, Gateway
from trunkline_operators import commands, document
from trunkline_operators.apply import Outcome, applied
from trunkline_operators.telling import lines
from trunkline_scheduler.table import task_log

KEY = "base64:dHJ1bmtsaW5lLXRlc3RzLXRydW5rbGluZS10ZXN0cy0="
OWN_ROWS = [{"name": "owner", "operator": "=", "value": "{user.email}"}]


def made(client: Client, path: str, record: dict[str, Any]) -> int:
    """Create a record over the API and answer its id."""
    reply = client.post(path, json={"resource": [record]})
    assert reply.status_code in (200, 201), reply.text
    found: int = reply.json()["resource"][0]["id"]
    return found


def furnish(gateway: Gateway) -> None:
    """Make a service with what is remembered of it, a role, an app, a user with it, lookups, a limit and so on."""
    admin = gateway.admin
    shop = made(admin, "/system/service", {
        "name": "shop", "type": "sqlite", "is_active": True, "label": "The shop",
        "config": {"database": "shop.sqlite", "max_records": 50},
        "service_doc_by_service_id": {"format": 1, "content": "openapi: 3.0.0\ninfo: {}\n"},
    })  # fmt: skip
    table = {
        "name": "book", "field": [
            {"name": "id", "type": "id"}, {"name": "title", "type": "string", "label": "What it is called"},
            {"name": "owner", "type": "string"}, {"name": "author_id", "type": "integer", "allow_null": True},
        ],
    }  # fmt: skip
    assert admin.post("/shop/_schema", json={"resource": [table]}).status_code in (200, 201)
    related = {"name": "x", "is_virtual": True, "type": "belongs_to", "field": "author_id", "ref_service_id": shop,
               "ref_table": "book", "ref_field": "id"}  # fmt: skip
    reply = admin.post("/shop/_schema/book/_related", json={"resource": [related]})
    assert reply.status_code in (200, 201), reply.text
    role = made(admin, "/system/role", {
        "name": "reader", "is_active": True, "role_service_access_by_role_id": [
            {"service_id": shop, "component": "_table/book/*", "verb_mask": 1, "requestor_mask": 3, "filters": OWN_ROWS,
             "response_filters": [{"name": "author_id", "action": "mask", "value": "hash"}]},
            {"service_id": shop, "component": "_schema/*", "verb_mask": 1, "requestor_mask": 1},
        ],
        "lookup_by_role_id": [{"name": "region", "value": "north"}, {"name": "pin", "value": "1234", "private": True}],
    })  # fmt: skip
    app = made(admin, "/system/app", {"name": "mobile", "is_active": True, "role_id": role})
    user = made(admin, "/system/user", {
        "email": "ann@example.com", "first_name": "Ann", "default_app_id": app, "password": "correct horse battery",
        "user_to_app_to_role_by_user_id": [{"app_id": app, "role_id": role}],
        "lookup_by_user_id": [{"name": "colour", "value": "red"}],
    })  # fmt: skip
    made(admin, "/system/lookup", {"name": "city", "value": "Bremen"})
    made(admin, "/system/cors", {"path": "api/*", "origin": "https://example.com", "method": ["GET", "POST"]})
    made(
        admin, "/system/limit", {"type": "instance.role", "role_id": role, "rate": 9, "period": "hour", "name": "nine"}
    )
    task = made(admin, "/system/scheduler", {
        "name": "nightly", "service_id": shop, "component": "_table/book", "verb_mask": 1, "user_id": user,
        "schedule": "0 3 * * *",
    })  # fmt: skip
    gateway._insert(task_log, task_id=task, status_code=200, created_date=datetime(2026, 1, 1))
    script = {"name": "shop._table.book.get.post_process", "type": "python3", "content": "x = 1\nreturn x\n"}
    assert admin.post("/system/event_script", json={"resource": [script]}).status_code in (200, 201)
    reply = admin.post("/system/custom", json={"resource": [{"name": "theme", "value": {"dark": [1, None, ""]}}]})
    assert reply.status_code == 201, reply.text


def exported(gateway: Gateway, **more: Any) -> str:
    """Export in this process."""
    return commands.exported(gateway.app, **more)


def apply(gateway: Gateway, text: str, *, planning: bool = False, prune: bool = False, **more: Any) -> Outcome:
    """Apply in this process."""
    return applied(gateway.app, document.parse(text), planning=planning, prune=prune, **more)


def told(outcome: Outcome) -> str:
    """Answer what the command prints of an outcome."""
    return "\n".join(lines(outcome))


def with_keys(gateway: Gateway, text: str) -> str:
    """Put the keys of apps into a file in place of their placeholders, as an operator who knows them might."""
    rows = gateway.app.database.read(lambda connection: connection.execute(sa.select(tables.app)).mappings().all())
    for row in rows:
        key = gateway.app.vault.decrypt(row["api_key"])
        text = text.replace(f"- name: {row['name']}\n  api_key: 'secret:'", f"- name: {row['name']}\n  api_key: {key}")
    return text


def command(storage: Path, *arguments: str, **environment: str) -> Result:
    """Run the command line on a folder."""
    manager = Manager()
    manager.load()
    manager.hook.register_commands(cli=cli)
    runner = CliRunner(env={"APP_KEY": KEY, "TRUNKLINE_STORAGE": str(storage), **environment})
    return runner.invoke(cli, [*arguments])


def made_custom(client: Client, name: str, value: Any) -> None:
    """Keep a value under a name."""
    reply = client.post("/system/custom", json={"resource": [{"name": name, "value": value}]})
    assert reply.status_code == 201, reply.text


def id_of(gateway: Gateway, service: str) -> int:
    """Answer the id of a service."""
    return gateway.app.directory.snapshot.services[service].id
