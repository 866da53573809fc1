"""The JSON form of writes: files with their content, folders, copies and moves (connectors 4.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trunkline.call import truth
from trunkline.errors import BadRequest, NotFound, TrunklineError
from trunkline_files import content, paths
from trunkline_files.errors import FileExists
from trunkline_files.listing import known
from trunkline_files.making import make_folder, stored_type
from trunkline_files.rights import Rights
from trunkline_files.store import Entry, Store
from trunkline_files.target import Target

if TYPE_CHECKING:
    from trunkline_files.service import FilesService


async def create(service: FilesService, within: Target, listed: list[Any], rights: Rights) -> list[dict[str, Any]]:
    """Do each entry; answer one row for each in order, with ``error`` in those that failed."""
    if within.path:
        await known(service.store, within)
    return [await _row(service, within, one, rights) for one in listed]


async def _row(service: FilesService, within: Target, one: Any, rights: Rights) -> dict[str, Any]:
    if not isinstance(one, dict):
        raise BadRequest("Each entry of 'resource' must be an object.")
    row: dict[str, Any] = {"name": one.get("name"), "path": None, "type": one.get("type")}
    try:
        target = _target(within, one)
        row = target.told()
        await _done(service, target, one, rights)
    except TrunklineError as error:
        row["error"] = {"message": error.message, "code": error.status}
    return row


def _target(within: Target, one: dict[str, Any]) -> Target:
    """Say what an entry makes; the name defaults to that of the source."""
    kind = one.get("type")
    if kind not in ("file", "folder"):
        raise BadRequest("'type' must be 'file' or 'folder'.")
    name = one.get("name")
    if name in (None, "") and one.get("source_path"):
        name = paths.name_of(paths.from_text(one["source_path"])[0])
    if not isinstance(name, str) or not name:
        raise BadRequest("'name' must be the name of a file or folder.")
    name = name.rstrip("/")
    paths.check_name(name)
    return Target(paths.joined(within.path, name), is_folder=kind == "folder")


async def _done(service: FilesService, target: Target, one: dict[str, Any], rights: Rights) -> None:
    store = service.store
    if one.get("source_path") is not None:
        await _transfer(store, target, one, rights)
    elif target.is_folder:
        await make_folder(store, target, rights)
    elif "content" in one:
        rights.demand_write(target.path)
        data = content.decoded(one["content"], is_base64=truth(one.get("is_base64", False)))
        kind = stored_type(store, target.name, str(one.get("content_type") or ""))
        await store.write(target.path, content.once(data), kind, len(data))
    else:
        raise BadRequest("A file needs 'content' or 'source_path'.")


async def _transfer(store: Store, target: Target, one: dict[str, Any], rights: Rights) -> None:
    """Copy or move a file or folder; what is there already is never replaced."""
    path, _ = paths.from_text(one["source_path"])
    if not path:
        raise BadRequest("'source_path' must name a file or folder.")
    container = one.get("source_container")
    moves = truth(one.get("delete_source", False))
    source = store
    if container not in (None, "", store.container):
        rights.demand_all()
        source = store.other(str(container))
    if target.is_folder:
        await _transfer_folder(source, store, path, target, rights, moves=moves)
        return
    if await source.file(path) is None:
        rights.demand("GET", path)
        raise NotFound(f"File '{path}' does not exist.")
    _demand(rights, path, target.path, moves=moves)
    if await store.file(target.path) is not None or (store.has_folders and await store.folder(target.path) is not None):
        raise FileExists(target.path)
    await _one(source, store, path, target.path, moves=moves)


def _demand(rights: Rights, source: str, target: str, *, moves: bool) -> None:
    """Whoever copies reads the one and writes the other; whoever moves deletes as well."""
    rights.demand("GET", source)
    if moves:
        rights.demand("DELETE", source)
    rights.demand_write(target)


async def _one(source: Store, store: Store, path: str, target: str, *, moves: bool) -> None:
    if source is store:
        await (store.move if moves else store.copy)(path, target)
        return
    found = await source.file(path)
    kind = found.media_type if found and found.media_type else store.unknown_media_type
    await store.write(target, source.read(path), kind, found.size if found else None)
    if moves:
        await source.remove_file(path)


async def _transfer_folder(
    source: Store, store: Store, path: str, target: Target, rights: Rights, *, moves: bool
) -> None:
    rights.demand("GET", path)
    if await source.folder(path) is None:
        raise NotFound(f"Folder '{path}/' does not exist.")
    if source is store and f"{target.path}/".startswith(f"{path}/"):
        raise BadRequest("A folder cannot be copied or moved into itself.")
    if await store.folder(target.path) is not None:
        raise BadRequest(f"Folder '{target.shown}' already exists.")
    if store.has_folders and await store.file(target.path) is not None:
        raise FileExists(target.path)
    entries = [Entry(path, is_folder=True), *[entry async for entry in source.list(path, deep=True)]]
    pairs = [(entry, target.path + entry.path[len(path) :]) for entry in entries]
    for entry, there in pairs:
        _demand(rights, entry.path, there, moves=moves)
    if source is store and moves and await store.move_folder(path, target.path):
        return
    for entry, there in pairs:
        if entry.is_folder:
            await store.make_folder(there)
        else:
            await _one(source, store, entry.path, there, moves=False)
    if moves:
        await source.remove_all(path, entries[1:])
        await source.remove_folder(path)
