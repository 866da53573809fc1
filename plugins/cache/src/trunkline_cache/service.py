"""CacheService: the verbs of all cache services; a connector brings the store."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from trunkline import Config, Field, Service
from trunkline.call import Caller, Reply, truth
from trunkline.describe import COMMON, Description
from trunkline.errors import BadRequest, NotFound
from trunkline.service import CallPath
from trunkline_cache import openapi
from trunkline_cache.values import Text, packed, unpacked

if TYPE_CHECKING:
    from trunkline.app import App
    from trunkline.call import Call
    from trunkline.db.records import ServiceRecord
    from trunkline_cache.store import Store

# Seconds; with more, the moment of expiry is beyond what caches can count to.
_LONGEST = 10 * 365 * 86400
_NO_KEY = "No key/resource provide. Please provide a cache key to {}."
_NO_VALUE = "No value/payload provided to store in cache."
_VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_SEPARATOR = "\x1f"


class CacheConfig(Config):
    """The part of a configuration that all caches have; ``after`` are fields that forms show behind it."""

    after: ClassVar[tuple[str, ...]] = ()

    default_ttl: int = Field(
        default=300,
        ge=1,
        le=_LONGEST,
        title="Default TTL",
        description="Seconds that values live whose request does not say.",
    )

    @classmethod
    def schema_entries(cls) -> list[dict[str, Any]]:
        """Render the fields in the order that forms know (connectors 6.4)."""
        place = {"default_ttl": 1, **dict.fromkeys(cls.after, 2)}
        return sorted(super().schema_entries(), key=lambda entry: place.get(entry["name"], 0))


class CacheService(Service):
    """Keeps values under keys: the path below the service is the key."""

    group = "Cache"
    config: CacheConfig

    def __init__(self, app: App, record: ServiceRecord, config: CacheConfig) -> None:
        """Make the store, which connects when first used."""
        super().__init__(app, record, config)
        self.store = self.open_store()

    @abstractmethod
    def open_store(self) -> Store:
        """Make the store of this service."""

    @property
    def prefix(self) -> str:
        """What keys begin with on a server, where the platform keeps its own under another name (connectors 6.2)."""
        return f"{self.app.settings.cache_prefix}value:"

    async def handle(self, call: Call) -> Any:
        """Take the whole path as the key."""
        key = "/".join(call.path).strip("/")
        if "(" in key:
            # What stands in brackets is not part of what the kernel has judged.
            self._demand(call, key)
        match call.method:
            case "GET":
                return await self._get(call, key)
            case "POST":
                return await self._post(call, key)
            case "PUT" | "PATCH":
                return await self._put(call, key)
            case "DELETE":
                return await self._delete(key)
        raise BadRequest(f"{call.method} requests are not currently supported by the '{self.name}' service.")

    async def _get(self, call: Call, key: str) -> Any:
        if not key:
            if _is_asked(call, "as_access_list"):
                return {"resource": await self.access_list(call.caller)}
            raise BadRequest(_NO_KEY.format("retrieve"))
        removes = _is_asked(call, "clear", "pull")
        data = await (self.store.pull(key) if removes else self.store.get(key))
        if data is not None:
            value = unpacked(data)
        elif (given := call.params.get("default")) is not None:
            value = Text(given) if isinstance(given, str) else given
        else:
            raise NotFound(f"No value found for key '{key}'.")
        if isinstance(value, Text):
            return Reply(str(value), media_type="text/plain; charset=UTF-8")
        return Reply(value)

    async def _post(self, call: Call, key: str) -> Any:
        items, ttl = self._items(call, key), self._ttl(call)
        held = await self.store.add({one: packed(value) for one, value in items.items()}, ttl)
        if held and key:
            raise BadRequest(f"Key '{key}' already exists in cache. Use PUT to update existing key.")
        if held:
            told = ",".join(held)
            raise BadRequest(f"Nothing was stored in cache. One or more key(s) already exists ({told})")
        return Reply(items if key else {"success": True}, status=201)

    async def _put(self, call: Call, key: str) -> Any:
        items, ttl = self._items(call, key), self._ttl(call)
        await self.store.put({one: packed(value) for one, value in items.items()}, ttl)
        return items if key else {"success": True}

    async def _delete(self, key: str) -> Any:
        if not key:
            raise BadRequest(_NO_KEY.format("delete"))
        return {"success": await self.store.delete(key)}

    def _items(self, call: Call, key: str) -> dict[str, Any]:
        """Answer what is to be stored, by key; raises BadRequest, Forbidden for keys that the caller may not write."""
        body = call.body
        if body is None and not call.raw.strip():
            raise BadRequest(_NO_VALUE)
        if key:
            return {key: Text(body) if call.media_type == "text/plain" and isinstance(body, str) else body}
        if not isinstance(body, Mapping) or not body:
            raise BadRequest(_NO_VALUE)
        items = {_plain(name): value for name, value in body.items()}
        if "" in items or len(items) != len(body):
            raise BadRequest("Every key must be a text of its own, which is not empty.")
        for name in items:
            self._demand(call, name)
        return items

    def _ttl(self, call: Call) -> float | None:
        """Answer the seconds that values shall live, None for ever (connectors 6.3)."""
        if _is_asked(call, "forever"):
            return None
        given = call.params.get("ttl")
        if given is None:
            return float(self.config.default_ttl)
        if not re.fullmatch(r"\d{1,9}", str(given), re.ASCII) or not 1 <= int(given) <= _LONGEST:
            raise BadRequest(f"The ttl must be a whole number of seconds, from 1 to {_LONGEST}.")
        return float(given)

    def _demand(self, call: Call, key: str) -> None:
        """Raise Forbidden unless the caller may use the verb on a key."""
        call.caller.demand(call.method, self.record, key.lower())

    async def call_paths(self, caller: Caller) -> list[CallPath]:
        """Name the root and the keys, of which there is no list."""
        return [CallPath("", _VERBS), CallPath(openapi.KEY, _VERBS)]

    async def openapi(self, caller: Caller, *, expanded: bool = False) -> Description:
        """Describe the calls."""
        return Description(list(openapi.PATHS), dict(COMMON))

    async def close(self) -> None:
        """Let the store go."""
        await self.store.close()


def _is_asked(call: Call, *names: str) -> bool:
    """Read a boolean option of the query; what the body has by that name is a value."""
    return any(truth(call.params.get(name, "")) for name in names)


def _plain(key: str) -> str:
    """Write a key as paths have it; clients of the original know the slash by another character."""
    return key.replace(_SEPARATOR, "/").strip("/")
