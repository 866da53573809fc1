"""Folders that are made, and the types that files are stored with."""

from __future__ import annotations

from trunkline.errors import BadRequest
from trunkline_files import media_types, paths
from trunkline_files.errors import FileExists
from trunkline_files.rights import Rights
from trunkline_files.store import Store
from trunkline_files.target import Target

_FORMS = ("", "application/x-www-form-urlencoded", "multipart/form-data")


async def make_folder(store: Store, target: Target, rights: Rights) -> None:
    """Create a folder and those above it; raises BadRequest when it is there already."""
    rights.demand_write(target.path)
    if not target.path or await store.folder(target.path) is not None:
        raise BadRequest(f"Folder '{target.shown}' already exists.")
    if store.has_folders:
        if await store.file(target.path) is not None:
            raise FileExists(target.path)
        for one in paths.above(target.path):
            if await store.folder(one) is None:
                rights.demand_write(one)
                await store.make_folder(one)
    await store.make_folder(target.path)


def stored_type(store: Store, name: str, said: str) -> str:
    """Answer the type to keep with a file: what its name says, else what the client says of the body."""
    return media_types.of_name(name, "") or (store.unknown_media_type if said in _FORMS else said)
