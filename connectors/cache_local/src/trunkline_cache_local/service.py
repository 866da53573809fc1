"""The type cache_local: in a file that all workers share, or in the memory of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from pydantic import field_validator

from trunkline import Field
from trunkline_cache import CacheConfig, CacheService, Store
from trunkline_cache_local.file import FileStore
from trunkline_cache_local.memory import MemoryStore

if TYPE_CHECKING:
    from trunkline.app import App

_STORES = {"file": "File (shared by the workers of a machine)", "array": "Array (each worker its own)"}
# Values in memory outlive changes of a service, and services share them.
_memory: WeakKeyDictionary[App, MemoryStore] = WeakKeyDictionary()


class CacheLocalConfig(CacheConfig):
    """Where values are kept (connectors 6.4)."""

    store: str = Field(
        title="Store",
        description="file for a file in the storage folder, array for the memory of each worker; others are taken for "
        "file.",
    )

    @field_validator("store")
    @classmethod
    def _known(cls, value: str) -> str:
        return value if value in _STORES else "file"

    @classmethod
    def schema_entries(cls) -> list[dict[str, Any]]:
        """Offer the stores that there are."""
        entries = super().schema_entries()
        values = [{"label": label, "name": name, "default": name == "file"} for name, label in _STORES.items()]
        for entry in entries:
            if entry["name"] == "store":
                entry.pop("length", None)
                entry |= {"type": "picklist", "values": values}
        return entries

    @classmethod
    def shown(cls, stored: Mapping[str, Any]) -> dict[str, Any]:
        """Answer the store that is used, where an older name is kept."""
        found = super().shown(dict(stored))
        return {**found, "store": cls._known(str(found["store"]))}


class CacheLocal(CacheService):
    """Values on the gateway's own machine."""

    label = "Local Cache"
    description = "Keeps values on the machine that the gateway runs on."
    config: CacheLocalConfig

    def open_store(self) -> Store:
        """Open the file, or the memory of this process."""
        if self.config.store == "file":
            return FileStore(self.app.settings.storage / "values.sqlite", self.prefix)
        return _memory.setdefault(self.app, MemoryStore())
