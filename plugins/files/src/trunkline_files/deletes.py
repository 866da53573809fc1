"""DELETE: files, folders, and lists of both (connectors 4.10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trunkline.call import Call
from trunkline.errors import BadRequest, NotFound, TrunklineError
from trunkline_files import content, paths
from trunkline_files.rights import Rights
from trunkline_files.store import Store
from trunkline_files.target import Target

if TYPE_CHECKING:
    from trunkline_files.service import FilesService


async def answer(service: FilesService, call: Call, target: Target, rights: Rights) -> Any:
    """Delete what the path or the body names; raises NotFound, BadRequest."""
    store = service.store
    if not target.is_folder:
        await _file(store, target, rights, no_check=call.flag("no_check"))
        return target.told(with_type=False)
    await content.parse(service.app, call)
    listed = entries_of(call.body)
    if listed is not None:
        return await _listed(store, call, target, listed, rights)
    if not target.path and not call.flag("content_only"):
        raise BadRequest("No resources given for delete.")
    force, content_only = call.flag("force"), call.flag("content_only")
    await _folder(store, target, rights, force=force, content_only=content_only)
    return target.told(with_type=False)


def entries_of(body: Any) -> list[Any] | None:
    """Answer the entries of a body: a list, wrapped or not, or a single entry (D8); None when it names none."""
    if isinstance(body, dict):
        if "resource" in body:
            found = body["resource"]
            return found if isinstance(found, list) else [found]
        return [body] if body.keys() & {"type", "path", "source_path"} else None
    return body if isinstance(body, list) and body else None


async def _listed(store: Store, call: Call, within: Target, listed: list[Any], rights: Rights) -> dict[str, Any]:
    targets = [_entry(one, within) for one in listed]
    force, no_check = call.flag("force"), call.flag("no_check")
    told = []
    for one in targets:
        row = one.told()
        try:
            if one.is_folder:
                await _folder(store, one, rights, force=force, content_only=call.flag("content_only"))
            else:
                await _file(store, one, rights, no_check=no_check)
        except TrunklineError as error:
            row["error"] = {"message": error.message, "code": error.status}
        told.append(row)
    return {"resource": told}


def _entry(one: Any, within: Target) -> Target:
    if not isinstance(one, dict) or not (one.get("path") or one.get("name")):
        raise BadRequest("No path or name provided for resource.")
    if one.get("path"):
        path, ends_as_folder = paths.from_text(one["path"])
    else:
        name, ends_as_folder = paths.from_text(one["name"])
        path = paths.joined(within.path, name)
    kind = one.get("type") or ("folder" if ends_as_folder else "file")
    if kind not in ("file", "folder"):
        raise BadRequest(f"Unknown type '{str(kind)[:50]}'; it must be 'file' or 'folder'.")
    return Target(path, is_folder=kind == "folder")


async def _file(store: Store, target: Target, rights: Rights, *, no_check: bool) -> None:
    rights.demand("DELETE", target.path)
    if not no_check and await store.file(target.path) is None:
        raise NotFound(f"File '{target.path}' was not found.")
    await store.remove_file(target.path)


async def _folder(store: Store, target: Target, rights: Rights, *, force: bool, content_only: bool) -> None:
    rights.demand("DELETE", target.path)
    if not target.path and not content_only:
        raise BadRequest("The root folder cannot be deleted.")
    if target.path and await store.folder(target.path) is None:
        raise NotFound(f"Folder '{target.shown}' was not found.")
    if content_only:
        await empty(store, target.path, rights)
        return
    if not force and await _has_content(store, target.path):
        raise BadRequest(f"Folder '{target.shown}' is not empty, can not delete without force option.")
    if force:
        await empty(store, target.path, rights)
    await store.remove_folder(target.path)


async def _has_content(store: Store, folder: str) -> bool:
    listed = store.list(folder)
    try:
        return await anext(listed, None) is not None
    finally:
        await listed.aclose()


async def empty(store: Store, folder: str, rights: Rights) -> None:
    """Remove what is in a folder; nothing at all unless the caller may delete all of it."""
    entries = [entry async for entry in store.list(folder, deep=True)]
    for entry in entries:
        rights.demand("DELETE", entry.path)
    await store.remove_all(folder, entries)
