"""``system/cache`` and ``system/constant`` (system-api 7.11 and 7.12)."""

from __future__ import annotations

from typing import Any

from trunkline.call import Call
from trunkline.errors import BadRequest, NotFound
from trunkline.service import Resource
from trunkline.threads import in_thread
from trunkline_system import openapi

# Cached content lives under this prefix of the shared cache; what is under others is state, not cache (D22).
CACHED = "cache:"
# In the place of a service: what is cached for an event by name.
_EVENT = "_event"


class Cache(Resource):
    """What is cached, and clearing it."""

    name = "cache"
    label = "Cache"
    description = "Clears cached content of services."
    operations = openapi.CACHE
    paths_below = openapi.CACHE_OF

    async def get(self, call: Call, _rest: tuple[str, ...]) -> Any:
        """List the services whose cache the caller may clear."""
        records = sorted((await self.app.directory.fresh()).services.values(), key=lambda one: one.name)
        shown = ("name", "label", "description", "type")
        return {
            "resource": [{name: getattr(one, name) for name in shown} for one in records if call.caller.any_access(one)]
        }

    async def delete(self, _call: Call, rest: tuple[str, ...]) -> Any:
        """Clear everything, or what one service or event has cached; logged-out tokens stay dead (D22)."""
        if len(rest) == 2 and rest[0] == _EVENT:
            await in_thread(self.app.cache.clear, f"{CACHED}{_EVENT}:{rest[1]}:")
            return {"success": True}
        if len(rest) > 1:
            raise BadRequest("Only the cache of a service can be cleared by name.")
        snapshot = await self.app.directory.fresh()
        records = list(snapshot.services.values())
        if rest:
            found = snapshot.services.get(rest[0].lower())
            if found is None:
                raise NotFound(f"Could not find a service for {rest[0]}")
            records = [found]
        for record in records:
            if (service := self.app.services.built(record.id)) is not None:
                await service.flush()
        await in_thread(self.app.cache.clear, CACHED + (f"{records[0].id}:" if rest else ""))
        return {"success": True}


class Constant(Resource):
    """Constants; there are none in current versions."""

    name = "constant"
    label = "Constants"
    description = "Read-only constants."
    read_only = True

    def get(self, _call: Call, rest: tuple[str, ...]) -> Any:
        """Answer the empty list."""
        if rest:
            raise NotFound(f"Constant '{'/'.join(rest)}' not found.")
        return {"resource": []}
