"""POST and PUT: files and folders are created (connectors 4.4 and 4.6). The first case that fits is done."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TYPE_CHECKING, Any

from trunkline.call import Call, Reply
from trunkline.errors import BadRequest, NotFound
from trunkline_files import archive, content, entries, paths
from trunkline_files.deletes import entries_of
from trunkline_files.errors import FileExists
from trunkline_files.making import make_folder, stored_type
from trunkline_files.rights import Rights
from trunkline_files.store import Store
from trunkline_files.target import Target

if TYPE_CHECKING:
    from trunkline_files.service import FilesService

_CREATED = 201


async def into_folder(service: FilesService, call: Call, target: Target, rights: Rights) -> Reply:
    """Do what headers, parameters and body say to do in a folder."""
    upload = Upload(service.store, call, rights)
    if (name := _header(call, "x-file-name")) is not None:
        told = await upload.store_as(target.path, name, content.body_of(call), call.media_type, content.size_of(call))
    elif (name := _header(call, "x-folder-name")) is not None:
        paths.check_name(name)
        made = Target(paths.joined(target.path, name), is_folder=True)
        await make_folder(service.store, made, rights)
        told = {"name": name, "path": made.path}
    elif (url := call.params.get("url")) is not None:
        told = await _from_url(service, upload, call, target, str(url))
    elif call.media_type == "multipart/form-data":
        told = {"resource": await _from_form(upload, call, target)}
    else:
        await content.parse(service.app, call)
        listed = entries_of(call.body)
        if listed is not None:
            told = {"resource": await entries.create(service, target, listed, rights)}
        elif call.body:
            raise BadRequest("The body must have a list 'resource' of files and folders.")
        else:
            await make_folder(service.store, target, rights)
            told = target.told(with_type=False)
    return Reply(told, _CREATED)


async def to_file(service: FilesService, call: Call, target: Target, rights: Rights) -> Reply:
    """Store the body, or the only file of a form, under the path that is asked for."""
    upload = Upload(service.store, call, rights)
    folder, name = paths.parent_of(target.path), target.name
    if call.media_type == "multipart/form-data":
        source, media_type = _only_part(content.Form(call), name), ""
        told = await upload.store_as(folder, name, source, media_type, None)
    else:
        told = await upload.store_as(folder, name, content.body_of(call), call.media_type, content.size_of(call))
    return Reply(told, _CREATED)


class Upload:
    """What all cases have in common: names, checks, archives."""

    def __init__(self, store: Store, call: Call, rights: Rights) -> None:
        """Read the options."""
        self._store = store
        self._rights = rights
        self._extract = call.flag("extract")
        self._clean = call.flag("clean")
        self._check_exist = call.flag("check_exist")

    async def store_as(
        self, folder: str, name: str, source: AsyncIterator[bytes], media_type: str, size: int | None
    ) -> dict[str, Any]:
        """Store or unpack one file in a folder and answer what replies say of it; raises NotFound, FileExists."""
        try:
            return await self._store_as(folder, name, source, media_type, size)
        finally:
            if isinstance(source, AsyncGenerator):
                await source.aclose()

    async def _store_as(
        self, folder: str, name: str, source: AsyncIterator[bytes], media_type: str, size: int | None
    ) -> dict[str, Any]:
        paths.check_name(name)
        within = Target(folder, is_folder=True)
        if self._extract and archive.is_archive(name, media_type):
            await self._demand_folder(within)
            await archive.unpack(self._store, folder, source, self._rights, clean=self._clean)
            told = within.told(with_type=False)
            return {**told, "type": "file"} if self._store.has_folders else told
        target = Target(paths.joined(folder, name), is_folder=False)
        self._rights.demand_write(target.path)
        await self._demand_folder(within)
        if self._check_exist and await self._store.file(target.path) is not None:
            raise FileExists(target.path)
        if self._store.has_folders and await self._store.folder(target.path) is not None:
            raise BadRequest(f"Folder '{target.path}/' already exists.")
        await self._store.write(target.path, source, stored_type(self._store, name, media_type), size)
        return target.told()

    async def _demand_folder(self, folder: Target) -> None:
        if folder.path and await self._store.folder(folder.path) is None:
            raise NotFound(f"Folder '{folder.shown}' does not exist.")


async def _from_url(service: FilesService, upload: Upload, call: Call, target: Target, url: str) -> dict[str, Any]:
    """Fetch a URL through the guard for addresses, and store what it answers."""
    await content.parse(service.app, call)
    async with service.app.outgoing.opened(url, most=service.app.settings.max_upload) as fetched:
        asked = call.option("filename")
        name = paths.sanitized(str(asked if asked not in (None, "") else fetched.name))
        return await upload.store_as(target.path, name, fetched.content, fetched.media_type, fetched.size)


async def _from_form(upload: Upload, call: Call, target: Target) -> list[dict[str, Any]]:
    told = []
    async with contextlib.aclosing(content.Form(call).parts()) as parts:
        async for part in parts:
            name = paths.sanitized(part.name)
            told.append(await upload.store_as(target.path, name, part.content, part.media_type, None))
    if not told:
        raise BadRequest("The form has no file.")
    return told


async def _only_part(form: content.Form, path: str) -> AsyncGenerator[bytes, None]:
    """Yield the bytes of the only file of a form; a second one makes the first fail, before it is there."""
    count = 0
    async with contextlib.aclosing(form.parts()) as parts:
        async for part in parts:
            count += 1
            if count > 1:
                raise BadRequest(f"Multiple files uploaded to a single REST resource '{path}'.")
            async for piece in part.content:
                yield piece
    if not count:
        raise BadRequest("The form has no file.")


def _header(call: Call, name: str) -> str | None:
    """Read a header that holds a name; headers are bytes, clients put UTF-8 into them."""
    value = call.headers.get(name)
    if not value:
        return None
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value
