"""FilesService: what all file services have in common, whatever their store."""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property
from typing import Any

from pydantic import field_validator

from trunkline import Config, Field
from trunkline.call import Call, Caller, Reply
from trunkline.describe import Description
from trunkline.errors import MethodNotAllowed
from trunkline.service import CallPath, Service
from trunkline_files import deletes, download, listing, openapi, paths, properties, resumable, uploads
from trunkline_files.rights import Rights
from trunkline_files.store import Store
from trunkline_files.target import Target


class FilesConfig(Config):
    """The settings with which every file type ends."""

    public_path: list[str] | None = Field(
        default=None,
        title="Public Path",
        description="Folders that anybody may read without credentials, at /{service}/{path}.",
    )
    container: str | None = Field(
        default=None, title="Container", description="The folder, bucket or container that is served."
    )

    @field_validator("public_path", mode="before")
    @classmethod
    def _plain_list(cls, value: Any) -> Any:
        """Take what forms send: one text, or a list with empty lines."""
        if isinstance(value, str):
            value = value.split(",")
        if isinstance(value, list):
            return [one.strip().strip("/") for one in value if isinstance(one, str) and one.strip().strip("/")] or None
        return value

    @classmethod
    def schema_entries(cls) -> list[dict[str, Any]]:
        """Render the fields with these two at the end, where forms have always shown them."""
        tail = ("public_path", "container")
        order = {name: position for position, name in enumerate(tail)}
        return sorted(super().schema_entries(), key=lambda entry: order.get(entry["name"], -1))


class FilesService(Service):
    """Folders and files of one container; a connector brings a store.

    A path that ends in a slash is a folder, any other a file; one without a slash where a folder is means the folder
    (D19). PUT is POST on every path (connectors 4.1).
    """

    group = "File"
    takes_streams = True
    config: FilesConfig

    @abstractmethod
    def open_store(self) -> Store:
        """Make the store; it connects when first used."""

    @cached_property
    def store(self) -> Store:
        """The store of this service."""
        return self.open_store()

    async def handle(self, call: Call) -> Any:
        """Answer a call on any path."""
        target = await self._target(call)
        rights = Rights(call.caller, self.record)
        if resumable.is_asked_for(call):
            return await resumable.answer(self, call, target, rights)
        match call.method:
            case "GET" if target.is_folder:
                return await listing.answer(self, call, target, rights)
            case "GET":
                return await download.answer(self.store, call, target)
            case "POST" | "PUT" if target.is_folder:
                return await uploads.into_folder(self, call, target, rights)
            case "POST" | "PUT":
                return await uploads.to_file(self, call, target, rights)
            case "PATCH":
                return await properties.change(self, call, target)
            case "DELETE":
                return await deletes.answer(self, call, target, rights)
        raise MethodNotAllowed(f"{call.method} is not supported.")

    async def _target(self, call: Call) -> Target:
        """Say which file or folder a call means; raises BadPath."""
        path = paths.checked(call.path)
        if not path or call.trailing_slash:
            return Target(path, is_folder=True)
        if self.store.has_folders and await self.store.folder(path) is not None:
            return Target(path, is_folder=True)
        if not self.store.has_folders and call.method in ("GET", "DELETE") and await self.store.file(path) is None:
            return Target(path, is_folder=await self.store.folder(path) is not None)
        return Target(path, is_folder=False)

    async def access_list(self, caller: Caller) -> list[str]:
        """List the components for the whole tree (connectors 4.1)."""
        rights = Rights(caller, self.record)
        found = ["", "*"] if rights.sees("") else []
        folders = sorted([one.path async for one in self.store.list("", deep=True) if one.is_folder])
        return found + [f"{folder}/{end}" for folder in folders if rights.sees(folder) for end in ("", "*")]

    async def call_paths(self, caller: Caller) -> list[CallPath]:
        """List the paths of calls, by which events are named (connectors 4.1)."""
        verbs = ("GET", "POST", "PUT", "PATCH", "DELETE")
        return [CallPath("", verbs), CallPath("{folder_path}", verbs), CallPath("{file_path}", verbs)]

    async def openapi(self, caller: Caller, *, expanded: bool = False) -> Description:
        """Describe the calls on folders and files (connectors 11.2)."""
        return openapi.described()

    async def public(self, call: Call) -> Reply | None:
        """Answer a download without credentials; None where the path is not public (connectors 4.11)."""
        path = paths.checked(call.path)
        places = self.config.public_path or ()
        if not any(path == one or path.startswith(f"{one}/") for one in places):
            return None
        return await download.sent(self.store, call, Target(path, is_folder=False))

    async def close(self) -> None:
        """Let go of connections."""
        if "store" in self.__dict__:
            await self.store.close()
