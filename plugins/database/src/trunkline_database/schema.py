"""``_schema``: what tables look like, and changing that (database-api 13)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from trunkline.call import Call, truth
from trunkline.errors import BadRequest, BatchError, Conflict, NotFound, TrunklineError
from trunkline.service import Resource
from trunkline_database.definition import read_column, read_name, read_table
from trunkline_database.listing import table_list, visible
from trunkline_database.model import Column, Table
from trunkline_database.params import names_in, read_query
from trunkline_database.schema_change import apply, changes_of

if TYPE_CHECKING:
    from trunkline_database.service import DatabaseService

SUCCESS = {"success": True}
_NO_CREATE = "No data in schema create request."
_NO_DELETE = "No data in schema delete request."


class SchemaResource(Resource):
    """The structure of the database."""

    name = "_schema"
    label = "Schema"
    description = "Structure of tables and views."
    service: DatabaseService

    # Reading.

    async def get(self, call: Call, rest: tuple[str, ...]) -> Any:
        """List tables, or describe tables, fields, relations."""
        if not rest:
            return await self._list(call)
        table = await self.service.catalogue.table(rest[0], refresh=read_query(call).refresh)
        match rest[1:]:
            case ():
                return self._described(call, table)
            case ("_field",):
                return {"resource": [one.describe() for one in _picked_fields(call, table)]}
            case ("_field", name) | (name,) if name != "_related":
                return _field(table, name).describe()
            case ("_related",):
                wanted = _lower(names_in(call.option("ids")))
                chosen = [one for one in table.relations if not wanted or one.name.lower() in wanted]
                return {"resource": [one.describe() for one in chosen]}
            case ("_related", name):
                found = next((one for one in table.relations if one.name.lower() == name.lower()), None)
                if found is None:
                    raise NotFound(f"No requested relationships found in table '{table.name}'.")
                return found.describe()
        raise BadRequest("Invalid schema path in describe request.")

    async def _list(self, call: Call) -> dict[str, Any]:
        wanted = _lower(names_in(call.option("ids")))
        if not wanted:
            return await table_list(self.service, call, self.name, lambda mask: mask, alias=True)
        names = [name for name, _ in await visible(self.service, call, self.name) if name.key.lower() in wanted]
        tables = [await self.service.catalogue.table(name.key) for name in names]
        return {"resource": [self._described(call, table) for table in tables]}

    def _described(self, call: Call, table: Table) -> dict[str, Any]:
        return table.describe(call.caller.mask(self.service.record, f"_schema/{table.name.lower()}"))

    # Writing.

    async def post(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Create tables or fields; what exists is a conflict (D15)."""
        match rest:
            case ():
                return await self._each(call, _records(call, _NO_CREATE), self._create, "created")
            case (name,):
                return await self._create(call, _one(call, _NO_CREATE), name)
            case _:
                return await self._write_fields(call, rest, creating=True)

    async def put(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Change tables so that they have exactly the fields sent, or change fields."""
        return await self._change(call, rest)

    async def patch(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Add or change fields of tables; nothing is dropped."""
        return await self._change(call, rest)

    async def delete(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Drop tables or fields."""
        match rest:
            case ():
                names = _names(call)
                for name in names:
                    call.caller.demand("DELETE", self.service.record, f"_schema/{name.lower()}")
                for name in names:
                    await self._drop(name)
                return {"resource": [{"name": name} for name in names]}
            case (name,):
                await self._drop(name)
                return SUCCESS
            case (name, "_field"):
                return await self._drop_fields(name, _names(call))
            case (name, "_field", field) | (name, field) if field != "_related":
                await self._drop_fields(name, [field])
                return SUCCESS
        raise BadRequest(f"DELETE requests for resource '{'/'.join(rest)}' are not currently supported.")

    async def _change(self, call: Call, rest: tuple[str, ...]) -> Any:
        match rest:
            case ():
                return await self._each(
                    call, _records(call, "No data in schema update request."), self._alter, "updated"
                )
            case (name,):
                return await self._alter(call, _one(call, "No data in schema update request."), name)
            case _:
                return await self._write_fields(call, rest, creating=False)

    async def _each(self, call: Call, records: Sequence[Any], step: Any, word: str) -> dict[str, Any]:
        """Take a step for each table; one alone fails as itself, several as a batch."""
        if len(records) == 1:
            return {"resource": [await step(call, records[0])]}
        results, failed = [], []
        for index, record in enumerate(records):
            try:
                results.append(await step(call, record))
            except TrunklineError as error:
                if error.status >= 500:
                    raise
                failed.append(index)
                results.append(error.entry())
        if failed:
            raise BatchError(f"Batch Error: Not all requested tables could be {word}.", errors=failed, results=results)
        return {"resource": results}

    async def _create(self, call: Call, given: Any, name: str | None = None) -> dict[str, Any]:
        definition = read_table(given, name)
        if not definition.columns:
            raise BadRequest("No valid fields exist in the received table schema.")
        if await self.service.catalogue.find(definition.name) is not None:
            raise Conflict(f"A table with name '{definition.name}' already exist in the database.")
        await self.service.store.create_table(definition)
        return await self._changed(call, definition.name)

    async def _alter(self, call: Call, given: Any, name: str | None = None) -> dict[str, Any]:
        if not isinstance(given, Mapping):
            raise BadRequest("No data in schema update request.")
        wanted = read_name(name or given.get("name"), "Table schema received does not have a valid name.")
        if name is None:
            call.caller.demand(call.method, self.service.record, f"_schema/{wanted.lower()}")
        table = await self.service.catalogue.table(wanted, refresh=True)
        await apply(self.service.store, changes_of(table, given, exact=call.method == "PUT"))
        return await self._changed(call, table.name)

    async def _changed(self, call: Call, name: str) -> dict[str, Any]:
        await self.service.structure_changed()
        if not truth(call.option("fields") is not None):
            return {"name": name}
        return self._described(call, await self.service.catalogue.table(name))

    async def _drop(self, name: str) -> None:
        table = await self.service.catalogue.table(name)
        await self.service.store.drop_table(table)
        await self.service.structure_changed()

    async def _write_fields(self, call: Call, rest: tuple[str, ...], *, creating: bool) -> dict[str, Any]:
        match rest:
            case (name, "_field"):
                fields, single = _records(call, _NO_CREATE), False
            case (name, "_field", field) | (name, field) if field != "_related":
                fields, single = [{**_one(call, _NO_CREATE), "name": field}], True
            case _:
                raise BadRequest(f"{call.method} requests for resource '{'/'.join(rest)}' are not currently supported.")
        table = await self.service.catalogue.table(name, refresh=True)
        names = [read_column(one).name if creating else str(dict(one).get("name")) for one in fields]
        if creating and (known := next((one for one in names if table.column(one)), None)) is not None:
            raise Conflict(f"A field with name '{known}' already exist in table '{table.name}'.")
        await apply(self.service.store, changes_of(table, {"field": list(fields)}))
        await self.service.structure_changed()
        if call.option("fields") is None:
            entries = [{"name": one} for one in names]
        else:
            described = await self.service.catalogue.table(table.name)
            entries = [_field(described, one).describe() for one in names]
        return entries[0] if single else {"resource": entries}

    async def _drop_fields(self, name: str, fields: Sequence[str]) -> dict[str, Any]:
        table = await self.service.catalogue.table(name, refresh=True)
        for field in fields:
            # Dropping what is not there succeeds, as recorded.
            if (column := table.column(field)) is not None:
                await self.service.store.drop_column(table, column)
        await self.service.structure_changed()
        return {"resource": [{"name": one} for one in fields]}


def _field(table: Table, name: str) -> Column:
    found = table.column(name)
    if found is None:
        raise NotFound(f"No requested fields found in table '{table.name}'.")
    return found


def _picked_fields(call: Call, table: Table) -> list[Column]:
    wanted = names_in(call.option("ids"))
    return [_field(table, name) for name in wanted] if wanted else list(table.columns)


def _records(call: Call, message: str) -> list[Any]:
    """Answer the entries of the body: a list, wrapped or not, or one object, wrapped or not (D8)."""
    body = call.body.get("resource", call.body) if isinstance(call.body, dict) else call.body
    entries = [body] if isinstance(body, dict) and body else body
    if not isinstance(entries, list) or not entries or not all(isinstance(one, dict) for one in entries):
        raise BadRequest(message)
    return entries


def _one(call: Call, message: str) -> dict[str, Any]:
    entries = _records(call, message)
    if len(entries) != 1:
        raise BadRequest(message)
    return dict(entries[0])


def _names(call: Call) -> list[str]:
    """Answer the names to drop: ``ids``, or a body of names or of objects with names."""
    asked = call.option("ids")
    if asked is None:
        body = call.body.get("resource") if isinstance(call.body, dict) else call.body
        asked = [one.get("name") if isinstance(one, dict) else one for one in body] if isinstance(body, list) else None
    names = list(names_in(asked))
    if not names:
        raise BadRequest(_NO_DELETE)
    return names


def _lower(names: Sequence[str]) -> set[str]:
    return {name.lower() for name in names}
