"""What the commands do, apart from the command line itself."""

from __future__ import annotations

from importlib.metadata import Distribution, distributions
from typing import Any

import sqlalchemy as sa
from pydantic import AliasChoices, SecretStr

from trunkline import json
from trunkline.app import App
from trunkline.db import tables
from trunkline.errors import BadRequest, Conflict
from trunkline.plugins import Manager
from trunkline.registry import Registry
from trunkline.settings import Settings
from trunkline.threads import in_thread
from trunkline.vault import MARK, MASK, Vault

_GROUPS = ("trunkline.plugins", "trunkline.service_types", "trunkline.servers", "trunkline.caches")


async def ask(settings: Settings, method: str, path: str, body: Any) -> Any:
    """Start the application, make one internal call with all rights, and answer its content."""
    async with App(settings).running() as app:
        return (await app.ask(method, path, body=body)).content


async def setup(settings: Settings, email: str, password: str, names: dict[str, Any]) -> None:
    """Create the first administrator and what a new instance has; raises Conflict when there is one (checklist 30)."""
    async with App(settings).running() as app:
        # Two set-ups at once, even on two nodes, make one administrator: the second one waits here and then finds it.
        with app.database.exclusive():
            admins = sa.select(sa.func.count()).select_from(tables.user).where(tables.user.c.is_sys_admin)
            if await app.database.aread(lambda connection: connection.scalar(admins)):
                raise Conflict("There is an administrator already; further ones are made under /api/v2/system/admin.")
            # Before the administrator, so that a set-up that is cut off can be run again.
            await _create_services(app)
            await _create_admin(app, {"email": email, "password": password, "is_active": True, **names})


async def _create_services(app: App) -> None:
    known = (await app.directory.fresh()).services
    kinds = [(name, app.registry.find(name)) for name in app.registry.names()]
    wanted = [
        {"name": name, "type": kind, "is_active": True, **values}
        for kind, found in kinds
        if found is not None
        for name, values in found.at_setup.items()
        if name not in known
    ]
    if wanted:
        await app.ask("POST", "system/service", body={"resource": wanted})


async def _create_admin(app: App, record: dict[str, Any]) -> None:
    try:
        await app.ask("POST", "system/admin", body={"resource": [record]})
    except BadRequest as error:
        entries = (error.context or {}).get("resource") if isinstance(error.context, dict) else None
        raise BadRequest(entries[0]["message"] if entries else error.message) from None


def plugin_lines() -> list[str]:
    """Describe the installed distributions that belong to Trunkline, one line each."""
    manager = Manager()
    manager.load()
    registry = Registry()
    for name in registry.names():
        registry.find(name)
    lines = []
    for found in sorted(_ours(), key=lambda one: one.name):
        brings = [f"{point.group.removeprefix('trunkline.')}: {point.name}" for point in _points(found)]
        lines.append(f"{found.name:28} {found.version:10} {', '.join(brings)}".rstrip())
    lines += [f"BROKEN plugin {name}: {reason}" for name, reason in manager.broken.items()]
    lines += [f"BROKEN service type {name}: {reason}" for name, reason in registry.broken.items()]
    return lines


def _ours() -> list[Distribution]:
    found = {one.name: one for one in distributions() if one.name == "trunkline" or _points(one)}
    return list(found.values())


def _points(found: Distribution) -> list[Any]:
    return [point for point in found.entry_points if point.group in _GROUPS]


def setting_lines(settings: Settings) -> list[str]:
    """Describe every setting: environment name, value, meaning."""
    lines = []
    for name, info in Settings.model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            value = MASK if value.get_secret_value() else ""
        lines.append(f"{variable_of(name):28} {'' if value is None else value!s:28} {info.description or ''}")
    return lines


def variable_of(name: str) -> str:
    """Answer the environment variable of a setting."""
    alias = Settings.model_fields[name].validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else name.upper()


async def rotate(settings: Settings) -> int:
    """Encrypt every stored secret under the current key, in one transaction; answer how many were not yet."""
    app = App(settings)
    async with app.running():
        return await in_thread(app.database.change, lambda connection: _rotate(connection, app.vault))


def _rotate(connection: sa.Connection, vault: Vault) -> int:
    """Go through every text of every table, those of plugins too: nobody keeps a list of where secrets are."""
    count = 0

    def again(value: Any) -> Any:
        nonlocal count
        if isinstance(value, dict):
            return {key: again(one) for key, one in value.items()}
        if isinstance(value, list):
            return [again(one) for one in value]
        if vault.is_sealed(value) and not vault.is_current(value):
            count += 1
            return vault.encrypt(vault.decrypt(value))
        return value

    def renewed(text: str) -> str:
        if vault.is_sealed(text) or text[0] not in "{[":
            return str(again(text))
        return json.dumps(again(json.loads(text))).decode()

    for table in tables.metadata.sorted_tables:
        keys = list(table.primary_key)
        for column in table.columns:
            if not isinstance(column.type, sa.String) or column in keys:
                continue
            query = sa.select(*keys, column).where(column.contains(MARK))
            for *key, value in connection.execute(query).all():
                same = sa.and_(*(one == part for one, part in zip(keys, key, strict=True)))
                connection.execute(sa.update(table).where(same).values({column.name: renewed(value)}))
    return count
