"""``_table``: the list of tables, and records by verb and path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trunkline.call import Call, Caller, verbs_of
from trunkline.describe import Description
from trunkline.errors import BadRequest, NotFound, TrunklineError
from trunkline.service import CallPath, Resource
from trunkline_database import changes, creates, deletes, reads
from trunkline_database.listing import table_list, with_tables
from trunkline_database.params import read_query
from trunkline_database.plan import Target
from trunkline_database.store import StaleSchema

if TYPE_CHECKING:
    from trunkline_database.service import DatabaseService


class TableResource(Resource):
    """Records of tables and views."""

    name = "_table"
    label = "Table"
    description = "Tables and views, with their records."
    service: DatabaseService

    async def call_paths(self, caller: Caller) -> list[CallPath]:
        """List the paths, also that of each table."""
        return await with_tables(self.service, caller, await super().call_paths(caller))

    async def openapi(self, caller: Caller, described: Description, *, expanded: bool = False) -> None:
        """Describe the calls; expanded, those of each table with its fields."""
        from trunkline_database.openapi import add_records

        await add_records(self.service, caller, described, expanded=expanded)

    async def handle(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Answer a call; when the table was changed behind our back, look at it anew, and try a read again."""
        try:
            return await super().handle(call, rest)
        except StaleSchema:
            await self.service.catalogue.changed()
            if call.method != "GET":
                raise
            return await super().handle(call, rest)
        finally:
            # Also after a failure: a batch may have written some of its records.
            if call.method != "GET" and rest and self.service.config.cache_enabled:
                await self._let_go(call, rest[0])

    async def _let_go(self, call: Call, name: str) -> None:
        try:
            table = await self.service.catalogue.records_of(name)
        except NotFound:
            return
        except TrunklineError:
            # Whatever the table is related to, results must not outlive what may have been written.
            await self.service.results.forget()
            return
        await self.service.results.written(call, table)

    async def get(self, call: Call, rest: tuple[str, ...]) -> Any:
        """List tables, or read records."""
        if not rest:
            return await table_list(self.service, call, self.name, verbs_of)
        target = await self._target(call, rest)
        # What a body asks for is never kept, as recorded (database-api 17.2).
        if self.service.config.cache_enabled and call.body is None:
            return await self.service.results.answer(target, lambda: self._read(target, rest))
        return await self._read(target, rest)

    async def _read(self, target: Target, rest: tuple[str, ...]) -> Any:
        return await reads.by_id(target, rest[1]) if len(rest) > 1 else await reads.several(target)

    async def post(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Create records."""
        target = await self._target(call, rest)
        if len(rest) > 1:
            raise BadRequest("Create record by identifier not currently supported.")
        return await creates.create(target)

    async def put(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Change records; on records PUT keeps what is not sent, as PATCH does (database-api 9.3)."""
        return await self._change(call, rest)

    async def patch(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Change records."""
        return await self._change(call, rest)

    async def delete(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Delete records."""
        target = await self._target(call, rest)
        if len(rest) > 1:
            return await deletes.delete_one(target, rest[1])
        return await deletes.delete_several(target)

    async def _change(self, call: Call, rest: tuple[str, ...]) -> Any:
        target = await self._target(call, rest)
        if len(rest) > 1:
            return await changes.change_one(target, rest[1])
        return await changes.change_several(target)

    async def _target(self, call: Call, rest: tuple[str, ...]) -> Target:
        if not rest:
            raise BadRequest(
                f"{call.method} requests without a resource are not currently supported by the '_table' service."
            )
        if len(rest) > 2:
            raise NotFound(f"Resource '{'/'.join(rest[2:])}' not found for record '{rest[1]}'.")  # D13
        query = read_query(call)
        table = await self.service.catalogue.records_of(rest[0])
        return self.service.target(call, table, query, call.method, call.component)
