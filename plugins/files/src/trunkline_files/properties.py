"""PATCH: properties of files and folders, where a store has a place for them (connectors 4.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trunkline.call import Call
from trunkline.errors import BadRequest
from trunkline_files import content, listing
from trunkline_files.errors import FileMissing
from trunkline_files.target import Target

if TYPE_CHECKING:
    from trunkline_files.service import FilesService


async def change(service: FilesService, call: Call, target: Target) -> dict[str, Any]:
    """Keep the properties of the body; raises NotFound, BadRequest, NotSupported."""
    await content.parse(service.app, call)
    if not isinstance(call.body, dict) or not call.body:
        raise BadRequest("The properties must be an object.")
    if target.is_folder:
        await listing.known(service.store, target)
    elif await service.store.file(target.path) is None:
        raise FileMissing(target.path)
    await service.store.set_properties(target.path, call.body, is_folder=target.is_folder)
    return {"success": True}
