"""The type local_file: which folder is served, and which never is."""

from __future__ import annotations

from pathlib import Path

from pydantic import field_validator

from trunkline import Field
from trunkline.errors import BadRequest
from trunkline_files import FilesConfig, FilesService
from trunkline_local_file.store import LocalStore

# Nothing there is anybody's to serve (connectors 4.13).
_FORBIDDEN = tuple(
    map(Path, ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/dev", "/etc", "/proc", "/sys", "/boot"))
)


class LocalFileConfig(FilesConfig):
    """Where the folder is."""

    container: str | None = Field(
        default=None,
        title="Root Folder",
        description="Empty or local for the folder app in the storage folder, a name for one beside it, or an absolute "
        "path.",
    )

    @field_validator("container")
    @classmethod
    def _allowed(cls, value: str | None) -> str | None:
        if value:
            path = Path(value)
            if ".." in path.parts or "\0" in value:
                raise ValueError("the path must be plain")
            _check(path)
        return value


class LocalFile(FilesService):
    """One folder of the machine that the gateway runs on."""

    label = "Local File Storage"
    description = "Serves one folder of the machine that the gateway runs on."
    at_setup = {"files": {"label": "Local File Storage", "config": {"container": "app"}}}  # noqa: RUF012 - a class attribute of the kernel
    config: LocalFileConfig

    def open_store(self) -> LocalStore:
        """Open the folder; it is created when first used, its parents are not."""
        storage = self.app.settings.storage.resolve()
        named = (self.config.container or "").strip()
        root = storage / ("app" if named in ("", "local") else named)
        resolved = root.resolve()
        try:
            _check(resolved)
        except ValueError:
            raise BadRequest("Invalid root directory: it is not allowed.") from None
        if storage.is_relative_to(resolved):
            raise BadRequest("Invalid root directory: it holds the gateway's own keys.")
        return LocalStore(resolved, named or "local", make_parents=not Path(named).is_absolute())


def _check(path: Path) -> None:
    """Raise ValueError for a folder that is the machine's own."""
    if path == Path("/") or any(path.is_relative_to(one) for one in _FORBIDDEN):
        raise ValueError(f"Invalid root directory: {path} is not allowed.")
