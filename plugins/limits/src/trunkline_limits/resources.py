"""The resources ``system/limit`` and ``system/limit_cache``."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from trunkline.call import Call
from trunkline.errors import BadRequest, NotFound
from trunkline.threads import in_thread
from trunkline_limits.model import LimitCacheModel, LimitModel, counter_rows
from trunkline_limits.rules import counters_of
from trunkline_system import reading, writing
from trunkline_system.model import Row, Work
from trunkline_system.stored import Batch, ReadableResource, StoredResource


class Limits(StoredResource):
    """Limits."""

    name = "limit"
    label = "Limits"
    description = "How often who may call what."
    model = LimitModel
    created_status = 200
    named_events = ("{id}.exceeded",)

    async def post(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Create limits; a bare object is answered with a list too, which clients read (system-api 17.1)."""
        if isinstance(call.body, dict) and call.body and "resource" not in call.body:
            call.body = {"resource": [call.body]}
        return await super().post(call, rest)


class LimitCaches(ReadableResource):
    """The counters of limits: how far they are, and setting them back."""

    name = "limit_cache"
    label = "Limit Cache"
    description = "How much of each limit is used, and setting it back."
    model = LimitCacheModel

    def _read(self, work: Work, rest: tuple[str, ...]) -> Any:
        if rest:
            row = writing.read_one(work, self.model, self._key(rest[0]))
            return counter_rows(work, [row])[row["id"]][0]
        rows = self._selected_rows(work)
        found = counter_rows(work, rows)
        counters = [one for row in rows for one in found[row["id"]]]
        if work.call.flag("count_only"):
            return len(counters)
        most, offset = reading.paging(work.call, self.app.settings.max_records)
        content: dict[str, Any] = {"resource": counters[offset : offset + most]}
        if work.call.flag("include_count"):
            content["meta"] = {"count": len(counters)}
        return content

    def _selected_rows(self, work: Work) -> list[Row]:
        """Read the limits that ``ids`` or ``filter`` select, all otherwise; raises NotFound for an unknown id."""
        ids = self._ids(work.call)
        if ids is not None:
            found = reading.by_ids(work, self.model, work.call, ids)
            keys = [self._key(one) for one in ids]
            for key in keys:
                if key not in found:
                    raise NotFound(f"Record with identifier '{key}' not found.")
            return [found[key] for key in dict.fromkeys(keys)]
        query = sa.select(self.model.table).where(reading.where(work, self.model, work.call))
        return list(work.connection.execute(query.order_by(self.model.table.c.id)).mappings())

    async def delete(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Set back one counter by the id of its limit, several by ``ids`` or records, or all where that is allowed."""
        self._no_more(rest, 1)
        if rest:
            return {"id": await in_thread(self._set_back, call, self._key(rest[0]))}
        ids = self._ids(call)
        if ids is None and self._names_records(call.body):
            ids = [record.get(self.model.key) for record in self._records(call)[0]]
        if ids is not None:
            return await in_thread(self._set_back_each, call, ids)
        if not (call.flag("allow_delete") or call.flag("force")):
            raise BadRequest("No filter or records given for delete request.")
        await in_thread(self.app.cache.clear, "limit:")
        await in_thread(self._tell)
        return {"success": True}

    def _set_back(self, call: Call, key: Any) -> Any:
        self.app.database.read(lambda connection: writing.read_one(Work(self.app, connection, call), self.model, key))
        self.app.cache.clear(counters_of(key))
        self._tell()
        return key

    def _set_back_each(self, call: Call, ids: list[Any]) -> dict[str, Any]:
        batch = Batch("deleted", call)
        for one in ids:
            try:
                batch.results.append({"id": self._set_back(call, self._key(one))})
            except NotFound as error:
                batch.failed(error)
            if batch.is_over:
                break
        return {"resource": batch.finished()}

    def _tell(self) -> None:
        """Raise the revision, since workers remember which counters were used up."""
        self.app.database.change(lambda _connection: None)
