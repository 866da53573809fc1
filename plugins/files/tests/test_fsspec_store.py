"""The suite on filesystems of fsspec, as a type of a third party would use them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

from trunkline.testing import Gateway
from trunkline_files import FilesConfig, FilesService
from trunkline_files.fsspec_store import FsspecStore
from trunkline_files.testing import FilesSuite


class Toy(FilesService):
    """A folder, through fsspec."""

    label = "Toy"
    description = "Serves a folder."
    config: FilesConfig
    in_threads: ClassVar[bool] = True

    def open_store(self) -> FsspecStore:
        """Open it."""
        from fsspec.implementations.asyn_wrapper import AsyncFileSystemWrapper
        from fsspec.implementations.local import LocalFileSystem

        filesystem = LocalFileSystem()
        if not self.in_threads:
            filesystem = AsyncFileSystemWrapper(filesystem, asynchronous=True)
        return FsspecStore(filesystem, str(self.config.container))


class AsyncToy(Toy):
    """A folder, through what is asynchronous."""

    in_threads = False


class _Suite(FilesSuite):
    lacks = frozenset({"types", "properties"})
    kind: ClassVar[type[FilesService]]

    @pytest.fixture(autouse=True)
    def _type(self, gateway: Gateway) -> None:
        gateway.app.registry.add(self.service_type, self.kind)

    @pytest.fixture(scope="class")
    @staticmethod
    def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
        return tmp_path_factory.mktemp("toy")

    @pytest.fixture
    def config(self, folder: Path) -> dict[str, Any]:
        return {"container": str(folder)}

    def test_describing_the_type_needs_no_driver(self) -> None:
        """The type is of no package, and its driver is part of fsspec."""


class TestInThreads(_Suite):
    service_type = "toy_files"
    kind = Toy


class TestAsynchronous(_Suite):
    service_type = "async_toy_files"
    kind = AsyncToy
