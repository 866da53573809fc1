"""GET on a folder: lists, properties, and the folder as an archive (connectors 4.2)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from trunkline.call import Call, Reply, truth
from trunkline.errors import BadRequest, NotFound
from trunkline_files import archive, dates, media_types
from trunkline_files.rights import Rights
from trunkline_files.store import Entry, Store
from trunkline_files.target import Target

if TYPE_CHECKING:
    from trunkline_files.service import FilesService

_FIELDS = frozenset({"path", "name", "type", "content_type", "last_modified", "content_length"})


async def answer(service: FilesService, call: Call, target: Target, rights: Rights) -> Any:
    """Answer a folder in the form that is asked for; raises NotFound."""
    store = service.store
    if not target.path and call.flag("as_access_list"):
        return {"resource": await service.access_list(call.caller)}
    found = await known(store, target)
    if call.flag("include_properties"):
        return {"name": target.name, "path": target.shown, "last_modified": dates.written(found.modified), **found.more}
    if call.flag("zip"):
        name = target.name or store.container or f"{service.name}_{int(time.time())}"
        return Reply(
            archive.packed(store, target.path, rights),
            headers={"Content-Disposition": f'attachment; filename="{archive.plain_name(name)}.zip";'},
            media_type="application/zip",
        )
    entries = [entry async for entry in _entries(store, call, target, rights)]
    entries.sort(key=lambda one: f"{one.path}/" if one.is_folder else one.path)
    rows = [_row(store, entry, target.path) for entry in entries]
    if call.flag("as_list"):
        return {"resource": [row.get(_id_field(call)) for row in rows]}
    return {"resource": _narrowed(rows, call.params.get("fields"))}


async def known(store: Store, target: Target) -> Entry:
    """Answer what is known of a folder; the root is there even when nothing was ever put into it."""
    if not target.path:
        return Entry("", is_folder=True)
    found = await store.folder(target.path)
    if found is None:
        raise NotFound(f"Folder '{target.shown}' does not exist in storage.")
    return found


async def _entries(store: Store, call: Call, target: Target, rights: Rights) -> Any:
    """List what is asked for. Of folders further down only what the caller may read is told."""
    files, folders = _wanted(call, "include_files"), _wanted(call, "include_folders")
    deep = call.flag("full_tree")
    search = str(call.params.get("search") or "").lower()
    async for entry in store.list(target.path, deep=deep):
        if not (folders if entry.is_folder else files) or search not in entry.name.lower():
            continue
        is_below = deep and "/" in entry.path[len(target.path) :].strip("/")
        if is_below and not rights.may("GET", entry.path):
            continue
        yield entry


def _wanted(call: Call, name: str) -> bool:
    value = call.option(name)
    return value is None or truth(value)


def _row(store: Store, entry: Entry, folder: str) -> dict[str, Any]:
    name = entry.path[len(folder) + 1 :] if folder else entry.path
    told: dict[str, Any] = {
        "path": f"{entry.path}/" if entry.is_folder else entry.path,
        "name": name,
        "type": "folder" if entry.is_folder else "file",
    }
    if entry.is_folder and store.has_folders:
        return {**told, "last_modified": dates.written(entry.modified), **entry.more}
    return {
        **told,
        "content_type": None if entry.is_folder else media_types.of_entry(store, entry),
        "last_modified": dates.written(entry.modified),
        "content_length": entry.size or 0,
        **entry.more,
    }


def _id_field(call: Call) -> str:
    asked = str(call.params.get("id_field") or "path")
    if asked not in _FIELDS:
        raise BadRequest(f"Unknown field '{asked}' in 'id_field'.")
    return asked


def _narrowed(rows: list[dict[str, Any]], fields: object) -> list[dict[str, Any]]:
    """Keep the fields asked for; what a row does not have is passed over, as clients ask for what some stores have."""
    if fields in (None, "", "*"):
        return rows
    asked = [one for one in str(fields).replace(" ", "").split(",") if one]
    return [{name: row[name] for name in asked if name in row} for row in rows]
