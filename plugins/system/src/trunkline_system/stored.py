"""Resources over stored records: the verbs, batches and replies that all of them share (system-api 5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import sqlalchemy as sa

from trunkline.call import Call, Caller, Reply, truth
from trunkline.describe import Description
from trunkline.errors import BadRequest, BatchError, NotFound, TrunklineError
from trunkline.events import RecordChanged
from trunkline.service import Resource
from trunkline.threads import in_thread
from trunkline_system import reading, writing
from trunkline_system.model import Model, Row, Work

NO_RECORDS = (
    "No record(s) detected in request. Please make sure record(s) are wrapped in a 'resource' tag. "
    'Example: {"resource":[{"record":1},{"record":2}]}'
)
Step = Callable[[Work, Any], Row]


class ReadableResource(Resource):
    """Serves the records of one model to readers; who writes them is another matter."""

    model: ClassVar[type[Model]]
    # What GET by id answers where that is not the record, as JSON Schema.
    shown_alone: ClassVar[Mapping[str, Any] | None] = None
    # Whether only people who are logged in have records here.
    needs_user: ClassVar[bool] = False

    async def openapi(self, caller: Caller, described: Description, *, expanded: bool = False) -> None:
        """Describe the calls on records, and those of the resources below."""
        from trunkline_system.openapi import add_stored

        await add_stored(self, caller, described)
        for child in self._children.values():
            await child.openapi(caller, described, expanded=expanded)

    async def get(self, call: Call, rest: tuple[str, ...]) -> Any:
        """List records, or answer one by id."""
        self._no_more(rest, 1)
        return await in_thread(
            self.app.database.read, lambda connection: self._read(Work(self.app, connection, call), rest)
        )

    def _read(self, work: Work, rest: tuple[str, ...]) -> Any:
        call = work.call
        shape = reading.shape_of(self.model, call, default="*")
        if rest:
            row = writing.read_one(work, self.model, self._key(rest[0]))
            return reading.shown(work, self.model, [row], shape)[0]
        ids = self._ids(call)
        if ids is not None:
            return self._by_ids(work, ids, shape)
        table = self.model.table
        where = reading.grouped(self.model, call, reading.where(work, self.model, call))
        count = sa.select(sa.func.count()).select_from(table).where(where)
        if call.flag("count_only"):
            return work.connection.scalar(count)
        limit, offset = reading.paging(call, self.app.settings.max_records)
        query = sa.select(table).where(where).order_by(*reading.ordered(self.model, call)).limit(limit).offset(offset)
        rows = work.connection.execute(query).mappings().all()
        meta: dict[str, Any] = {}
        if call.flag("include_count"):
            meta["count"] = work.connection.scalar(count)
        if call.flag("include_schema"):
            meta["schema"] = self.model.described()
        return _list(reading.shown(work, self.model, rows, shape), shape, meta)

    def _by_ids(self, work: Work, ids: Sequence[Any], shape: reading.Shape) -> Any:
        found = reading.by_ids(work, self.model, work.call, ids)
        batch = Batch("retrieved", work.call)
        for one in ids:
            row = found.get(reading.key_of(self.model, one))
            if row is None:
                batch.failed(NotFound(f"Record with identifier '{one}' not found."))
            else:
                batch.results.append(reading.shown(work, self.model, [row], shape)[0])
            if batch.is_over:
                break
        meta = {"count": len(batch.results)} if work.call.flag("include_count") else {}
        return _list(batch.finished(), shape, meta)

    # What the request selects.

    def _records(self, call: Call) -> tuple[list[dict[str, Any]], bool]:
        """Answer the records of the body, and whether they came as a list (D8)."""
        body = call.body
        if isinstance(body, dict) and "resource" in body:
            body = body["resource"]
            body = [body] if isinstance(body, dict) else body
        if isinstance(body, dict) and body:
            return [body], False
        if not isinstance(body, list) or not body or not all(isinstance(one, dict | int | str) for one in body):
            raise BadRequest(NO_RECORDS)
        return [one if isinstance(one, dict) else {self.model.key: one} for one in body], True

    def _names_records(self, body: Any) -> bool:
        """Say whether a body has records, and not only options such as ``filter``."""
        return isinstance(body, list) or (isinstance(body, dict) and bool({"resource", self.model.key} & body.keys()))

    def _ids(self, call: Call) -> list[Any] | None:
        ids = call.option("ids")
        if ids is not None:
            found = reading.split(ids)
            if not found:
                raise BadRequest("No ids given.")
            return found
        if call.method == "GET" and self._names_records(call.body):
            return [record.get(self.model.key) for record in self._records(call)[0]]
        return None

    def _key(self, given: Any) -> Any:
        key = reading.key_of(self.model, given)
        if key is None:
            raise NotFound(f"Record with identifier '{given}' not found.")
        return key

    def _no_more(self, rest: tuple[str, ...], most: int) -> None:
        if len(rest) > most:
            raise NotFound(f"Resource '{'/'.join((self.path_name, *rest))}' not found.")


class StoredResource(ReadableResource):
    """Serves the records of one model, and writes them."""

    # What a create answers; almost everywhere 201.
    created_status: ClassVar[int] = 201

    async def post(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Create records."""
        if rest:
            raise BadRequest("Create record by identifier not currently supported.")
        records, is_list = self._records(call)
        content = await self._batch(call, "created", records, self._create)
        return Reply(content if is_list else content["resource"][0], self.created_status)

    async def patch(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Update one record by id, several by their ids, or those that ``ids`` or ``filter`` select."""
        self._no_more(rest, 1)
        if rest:
            given = _unwrapped(call.body)
            if not isinstance(given, dict):
                raise BadRequest(NO_RECORDS)
            return await self._one(call, "updated", lambda work: self._update(work, self._key(rest[0]), given))
        records, is_list = self._records(call)
        keys = await self._selected(call)
        if keys is not None:
            changes = {name: value for name, value in records[0].items() if name != self.model.key}
            records = [{self.model.key: key, **changes} for key in keys]
        content = await self._batch(call, "updated", records, self._update_record)
        return content if is_list or keys is not None else content["resource"][0]

    put = patch

    async def delete(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Delete one record by id, several by ids or records, those a filter selects, or all with ``force=true``."""
        self._no_more(rest, 1)
        if rest:
            return await self._one(call, "deleted", lambda work: self._delete(work, self._key(rest[0])))
        keys = await self._selected(call)
        if keys is None and self._names_records(call.body):
            # Records come before ``force``: who names some never means all (D26).
            keys = [record.get(self.model.key) for record in self._records(call)[0]]
        if keys is None and truth(call.option("force")):
            keys = await in_thread(
                self.app.database.read, lambda connection: self._keys(Work(self.app, connection, call))
            )
        if keys is None:
            raise BadRequest("No filter or records given for delete request.")
        return await self._batch(call, "deleted", keys, self._delete)

    def _create(self, work: Work, given: dict[str, Any]) -> Row:
        return writing.create(work, self.model, given)

    def _update(self, work: Work, key: Any, given: dict[str, Any]) -> Row:
        return writing.update(work, self.model, writing.read_one(work, self.model, key), given)

    def _update_record(self, work: Work, given: dict[str, Any]) -> Row:
        if given.get(self.model.key) is None:
            raise BadRequest(f'Identifying field "{self.model.key}" can not be empty for update request.')
        return self._update(work, self._key(given[self.model.key]), given)

    def _delete(self, work: Work, key: Any) -> Row:
        row = writing.read_one(work, self.model, self._key(key))
        writing.delete(work, self.model, row)
        return row

    async def _one(self, call: Call, action: str, step: Callable[[Work], Row]) -> Any:
        def run(connection: sa.Connection) -> tuple[Any, Any]:
            work = Work(self.app, connection, call)
            shape = reading.shape_of(self.model, call, default=self.model.key)
            # What a delete answers must be read while it is there.
            before = self._before(work, shape) if action == "deleted" else None
            row = step(work)
            return self._id(row), before or reading.shown(work, self.model, [row], shape)[0]

        key, content = await in_thread(self.app.database.change, run)
        self._publish(call, action, key, _unwrapped(call.body))
        return content

    def _before(self, work: Work, shape: reading.Shape) -> Any:
        key = self._key(work.call.path[-1])
        return reading.shown(work, self.model, [writing.read_one(work, self.model, key)], shape)[0]

    async def _batch(self, call: Call, action: str, items: Sequence[Any], step: Step) -> dict[str, Any]:
        """Run one step an item; each in a savepoint, so that a failure undoes only itself (system-api 4.4)."""
        shape = reading.shape_of(self.model, call, default=self.model.key)
        batch = Batch(action, call)
        keys: list[tuple[Any, Any]] = []

        def run(connection: sa.Connection) -> None:
            work = Work(self.app, connection, call)
            for item in items:
                try:
                    with connection.begin_nested():
                        row = step(work, item)
                        keys.append((self._id(row), item))
                        batch.results.append(reading.shown(work, self.model, [row], shape)[0])
                except TrunklineError as error:
                    batch.failed(error)
                if batch.is_over:
                    break
            if batch.errors and batch.rolls_back:
                # Raising inside the transaction is what undoes it.
                batch.finished()

        await in_thread(self.app.database.change, run)
        for key, item in keys:
            self._publish(call, action, key, item)
        return _list(batch.finished(), shape, {})

    def _id(self, row: Row) -> Any:
        """Answer what events call a record by: its id, if it has one, also where clients know it by name."""
        return row["id"] if "id" in row else row[self.model.key]

    def _publish(self, call: Call, action: str, key: Any, given: Any) -> None:
        user, fields = call.caller.user, ()
        if action != "deleted" and isinstance(given, dict):
            fields = tuple(sorted(given.keys() & self.model.known()))
        changed = RecordChanged(self.path_name, action, key, user.id if user else None, fields, call.request_id)
        self.app.events.publish(changed)

    async def _selected(self, call: Call) -> list[Any] | None:
        """Answer the keys that ``ids`` or ``filter`` select, None when neither is given; an empty filter is neither."""
        if call.option("ids") is not None:
            return self._ids(call)
        if call.option("filter", "where") is None:
            return None
        if call.option("filter", "where") == "":
            raise BadRequest("The filter must not be empty.")
        return await in_thread(self.app.database.read, lambda connection: self._keys(Work(self.app, connection, call)))

    def _keys(self, work: Work) -> list[Any]:
        column = self.model.table.c[self.model.key]
        query = sa.select(column).where(reading.where(work, self.model, work.call)).order_by(column)
        return list(work.connection.scalars(query))


def _list(records: list[dict[str, Any]], shape: reading.Shape, meta: dict[str, Any]) -> dict[str, Any]:
    shown: list[Any] = [record[shape.only] for record in records] if shape.only is not None else records
    return {"resource": shown, "meta": meta} if meta else {"resource": shown}


def _unwrapped(body: Any) -> Any:
    """Take a record out of a wrapper: by id a bare object is usual, a wrapped one is no reason to do nothing."""
    if isinstance(body, dict) and set(body) == {"resource"}:
        body = body["resource"]
    if isinstance(body, list) and len(body) == 1:
        return body[0]
    return body


class Batch:
    """Collects the results of a list request and makes its envelope."""

    def __init__(self, action: str, call: Call) -> None:
        """Read how failures are to be taken; raises BadRequest when both ways are asked for."""
        self._action = action
        self._continues = call.flag("continue")
        self.rolls_back = call.flag("rollback")
        if self._continues and self.rolls_back:
            raise BadRequest("Rollback and continue operations can not be requested at the same time.")
        self.results: list[Any] = []
        self.errors: list[int] = []

    @property
    def is_over(self) -> bool:
        """Say whether a failure ends the batch."""
        return bool(self.errors) and not self._continues

    def failed(self, error: TrunklineError) -> None:
        """Note a failure at this position."""
        self.errors.append(len(self.results))
        self.results.append(error.entry())

    def finished(self) -> list[Any]:
        """Answer the results; raises BatchError when any failed."""
        if self.errors:
            undone = " All changes rolled back." if self.rolls_back else ""
            message = f"Batch Error: Not all requested records could be {self._action}.{undone}"
            raise BatchError(message, errors=self.errors, results=self.results)
        return self.results
