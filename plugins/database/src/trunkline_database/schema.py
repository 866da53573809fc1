"""``_schema``: what tables look like, and changing that (database-api 13)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from trunkline.call import Call, Caller
from trunkline.describe import Description
from trunkline.errors import BadRequest, BatchError, Conflict, NotFound, TrunklineError
from trunkline.service import CallPath, Resource
from trunkline_database.definition import read_name
from trunkline_database.extras import Extra, forget_fields, forget_own, forget_table, save
from trunkline_database.listing import table_list, visible, with_tables
from trunkline_database.model import Column, Relation, Table
from trunkline_database.params import names_in, read_query
from trunkline_database.probing import has_functions, probe
from trunkline_database.remembered import lowered
from trunkline_database.schema_change import Changes, apply, changes_of, check, creation_of
from trunkline_database.store import BrokenView
from trunkline_database.virtual_relations import read_relation

if TYPE_CHECKING:
    from trunkline_database.service import DatabaseService

SUCCESS = {"success": True}
_NO_CREATE = "No data in schema create request."
_NO_UPDATE = "No data in schema update request."
_NO_DELETE = "No data in schema delete request."


class SchemaResource(Resource):
    """The structure of the database."""

    name = "_schema"
    label = "Schema"
    description = "Structure of tables and views."
    service: DatabaseService

    async def call_paths(self, caller: Caller) -> list[CallPath]:
        """List the paths, also that of each table."""
        return await with_tables(self.service, caller, await super().call_paths(caller))

    async def openapi(self, caller: Caller, described: Description, *, expanded: bool = False) -> None:
        """Describe the calls."""
        from trunkline_database.openapi_structure import add_schema

        await add_schema(self.service, described)

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
                return _relation(table, name).describe()
        raise BadRequest("Invalid schema path in describe request.")

    async def _list(self, call: Call) -> dict[str, Any]:
        wanted = _lower(names_in(call.option("ids")))
        if not wanted:
            return await table_list(self.service, call, self.name, lambda mask: mask, alias=True)
        found = await visible(self.service, call.caller, self.name)
        tables = [await self.service.catalogue.table(one.shown) for one in found if one.shown.lower() in wanted]
        return {"resource": [self._described(call, table) for table in tables]}

    def _described(self, call: Call, table: Table) -> dict[str, Any]:
        return table.describe(call.caller.mask(self.service.record, f"_schema/{table.name.lower()}"))

    # Writing.

    async def post(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Create tables, fields or virtual relations; what exists is a conflict (D15)."""
        match rest:
            case ():
                return await self._each(call, _records(call, _NO_CREATE), self._create, "created")
            case (name,):
                return await self._create(call, _one(call, _NO_CREATE), name)
            case (_, "_related", *_):
                return await self._write_relations(call, rest, creating=True)
            case _:
                return await self._write_fields(call, rest, creating=True)

    async def put(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Change tables so that they have exactly the fields sent, or change fields or relations."""
        return await self._change(call, rest)

    async def patch(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Add or change fields and relations of tables; nothing is dropped."""
        return await self._change(call, rest)

    async def delete(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Drop tables or fields, or forget virtual relations."""
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
            case (name, "_related"):
                return await self._drop_relations(name, _names(call))
            case (name, "_related", relation):
                await self._drop_relations(name, [relation])
                return SUCCESS
            case (name, "_field", field) | (name, field):
                await self._drop_fields(name, [field])
                return SUCCESS
        raise BadRequest(f"DELETE requests for resource '{'/'.join(rest)}' are not currently supported.")

    async def _change(self, call: Call, rest: tuple[str, ...]) -> Any:
        match rest:
            case ():
                return await self._each(call, _records(call, _NO_UPDATE), self._alter, "updated")
            case (name,):
                return await self._alter(call, _one(call, _NO_UPDATE), name)
            case (_, "_related", *_):
                return await self._write_relations(call, rest, creating=False)
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
        definition, extras = creation_of(self.service, given, name)
        known = await self.service.catalogue.extras()
        if definition.name.lower() in known.aliases or await self.service.catalogue.find(definition.name) is not None:
            raise Conflict(f"A table with name '{definition.name}' already exist in the database.")
        await self._check_alias(definition.name, extras)
        await self.service.store.create_table(definition)
        await self._probe(definition.name, extras)
        # Of a table that once had the name and was dropped elsewhere, something may still be remembered.
        return await self._changed(call, definition.name, extras, fresh=True)

    async def _alter(self, call: Call, given: Any, name: str | None = None) -> dict[str, Any]:
        if not isinstance(given, Mapping):
            raise BadRequest(_NO_UPDATE)
        wanted = read_name(name or given.get("name"), "Table schema received does not have a valid name.")
        if name is None:
            call.caller.demand(call.method, self.service.record, f"_schema/{wanted.lower()}")
        table = await self.service.catalogue.table(wanted, refresh=True)
        changes = changes_of(self.service, table, given, exact=call.method == "PUT")
        await self._check_alias(table.name, changes.extras)
        await self._apply(changes)
        return await self._changed(call, table.name)

    async def _check_alias(self, name: str, extras: Sequence[Extra]) -> None:
        """Refuse a table's alias that is the name or the alias of another one."""
        alias = next(((one.words or {}).get("alias") for one in extras if one.kind == "table"), None)
        if alias is None:
            return
        known = await self.service.catalogue.extras()
        taken = {one.key.lower(): one.key.lower() for one in await self.service.catalogue.names()} | dict(known.aliases)
        if taken.get(alias.lower(), name.lower()) != name.lower():
            raise Conflict(f"The alias '{alias[:128]}' is already in use.")

    async def _apply(self, changes: Changes) -> None:
        await apply(self.service.store, changes)
        await self._probe(changes.table, changes.extras)
        service_id, table = self.service.record.id, changes.table.name
        dropped = [one.name for one in changes.dropped]

        def work(connection: sa.Connection) -> None:
            forget_fields(connection, service_id, table, dropped)
            save(connection, service_id, changes.extras)

        await self.service.structure_changed(work)

    async def _probe(self, table: Table | str, extras: Sequence[Extra]) -> None:
        """Try new functions on the table as it has become; a refusal leaves them out, and what was made stays."""
        if has_functions(extras):
            name = table if isinstance(table, str) else table.name
            described = await self.service.catalogue.table(name, refresh=True)
            await probe(self.service.store, described, extras)

    async def _changed(
        self, call: Call, name: str, extras: Sequence[Extra] = (), *, fresh: bool = False
    ) -> dict[str, Any]:
        service_id = self.service.record.id

        def work(connection: sa.Connection) -> None:
            forget_own(connection, service_id, name)
            save(connection, service_id, extras)

        if fresh:
            await self.service.structure_changed(work)
        if call.option("fields") is None:
            return {"name": name}
        return self._described(call, await self.service.catalogue.table(name))

    async def _drop(self, name: str) -> None:
        try:
            table = await self.service.catalogue.table(name)
        except BrokenView:
            found = await self.service.catalogue.find(name)
            if found is None:
                raise
            table = Table(found, ())
        await self.service.store.drop_table(table)
        service_id = self.service.record.id
        await self.service.structure_changed(lambda connection: forget_table(connection, service_id, table.name))

    async def _write_fields(self, call: Call, rest: tuple[str, ...], *, creating: bool) -> dict[str, Any]:
        match rest:
            case (name, "_field"):
                fields, single = _records(call, _NO_CREATE), False
            case (name, "_field", field) | (name, field):
                fields, single = [{**_one(call, _NO_CREATE), "name": field}], True
            case _:
                raise BadRequest(f"{call.method} requests for resource '{'/'.join(rest)}' are not currently supported.")
        table = await self.service.catalogue.table(name, refresh=True)
        names = [read_name(lowered(one).get("name"), "Invalid schema detected - no name element.") for one in fields]
        if creating and (known := next((one for one in names if _is_declared(table, one)), None)) is not None:
            raise Conflict(f"A field with name '{known}' already exist in table '{table.name}'.")
        await self._apply(changes_of(self.service, table, {"field": list(fields)}))
        if call.option("fields") is None:
            entries = [{"name": one} for one in names]
        else:
            described = await self.service.catalogue.table(table.name)
            entries = [_field(described, one).describe() for one in names]
        return entries[0] if single else {"resource": entries}

    async def _write_relations(self, call: Call, rest: tuple[str, ...], *, creating: bool) -> dict[str, Any]:
        match rest:
            case (name, "_related"):
                given, single = _records(call, _NO_CREATE), False
            case (name, "_related", relation):
                given, single = [{"name": relation, **_one(call, _NO_CREATE)}], True
            case _:
                raise BadRequest(f"{call.method} requests for resource '{'/'.join(rest)}' are not currently supported.")
        table = await self.service.catalogue.table(name, refresh=True)
        changes = Changes(table)
        for one in given:
            read = read_relation(self.service, table.name, table.by_real_name, table.relations, one, creating=creating)
            changes.extras.append(read)
        check(self.service, changes)
        await self._apply(changes)
        if call.option("fields") is None:
            entries = [{"name": one.name} for one in changes.extras]
        else:
            described = await self.service.catalogue.table(table.name)
            entries = [_relation(described, one.name).describe() for one in changes.extras]
        return entries[0] if single else {"resource": entries}

    async def _drop_fields(self, name: str, fields: Sequence[str]) -> dict[str, Any]:
        table = await self.service.catalogue.table(name, refresh=True)
        # Dropping what is not there succeeds, as recorded.
        dropped = [column for field in fields if (column := table.real_column(field)) is not None]
        await self._apply(Changes(table, dropped=dropped))
        return {"resource": [{"name": one} for one in fields]}

    async def _drop_relations(self, name: str, relations: Sequence[str]) -> dict[str, Any]:
        """Forget virtual relations, and what is remembered of others; what the database knows stays."""
        table = await self.service.catalogue.table(name, refresh=True)
        known = {one.name.lower(): one.name for one in table.relations}
        gone = [Extra("relation", table.name, known[one.lower()], None) for one in relations if one.lower() in known]
        await self._apply(Changes(table, extras=gone))
        return {"resource": [{"name": one} for one in relations]}


def _is_declared(table: Table, name: str) -> bool:
    found = table.real_column(name)
    return found is not None and not found.is_open


def _field(table: Table, name: str) -> Column:
    found = table.real_column(name)
    if found is None or (found.is_open and found not in table.columns):
        raise NotFound(f"No requested fields found in table '{table.name}'.")
    return found


def _relation(table: Table, name: str) -> Relation:
    found = next((one for one in table.relations if one.name.lower() == name.lower()), None)
    if found is None:
        raise NotFound(f"No requested relationships found in table '{table.name}'.")
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
