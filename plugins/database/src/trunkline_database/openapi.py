"""The calls of databases as OpenAPI documents tell them (connectors 11, database-api 5)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from trunkline.describe import AS_LIST, FIELDS, REFRESH, Description, Operation, Path, Rights, in_path, query, ref
from trunkline.errors import TrunklineError
from trunkline_database.model import Relation, Table
from trunkline_database.openapi_schemas import COMMON, TableSchemas, camel

if TYPE_CHECKING:
    from trunkline.call import Caller
    from trunkline.describe import Schema
    from trunkline_database.service import DatabaseService

IDS = query("ids", "string", "Identifiers, comma separated; those of several columns as `(a,b)`.")
NAMES = query("ids", "string", "Only these names, comma separated.")
SCHEMA = query("schema", "string", "Only names that begin with this schema.")
_FIELDS = query(
    "fields", "string", "Fields to answer, comma separated; `*` for all. `COUNT(*)`, `SUM(f)` and so on too."
)
_RELATED = query(
    "related",
    "string",
    "Relations to bring along, comma separated; `*` for all. `{relation}.fields`, `.limit`, `.order` narrow one.",
)
_FILTER = query("filter", "string", "Which records, such as `(pages > 300) and (title like 'A%')`.")
_ID_FIELD = query("id_field", "string", "The field(s) that identify records, instead of the primary key.")
_ID_TYPE = query("id_type", {"type": "string", "enum": ["string", "integer"]}, "The type of these.")
WRAP = query("wrap", "boolean", "Whether lists stand below `resource`.")
FILE = query("file", "string", "Send the reply as a download of this name; its ending chooses the format.")
_ON_ONE = (_FIELDS, _RELATED, _ID_FIELD, _ID_TYPE)
_READ = (
    _FIELDS, _FILTER,
    query("limit", "integer", "Most records; never more than the service's own maximum."),
    query("offset", "integer", "How many records to pass over."),
    query("order", "string", "Such as `name desc nulls last, id`."),
    query("group", "string", "Fields to group by, comma separated."),
    _RELATED, IDS, _ID_FIELD, _ID_TYPE,
    query("count_only", "boolean", "Answer the number of records, and nothing else."),
    query("include_count", "boolean", "Add the number of records to `meta`."),
    query("include_schema", "boolean", "Add the description of the table to `meta`."),
    query("as_list", "boolean", "Answer one value a record: that of `id_field`, else of `name`."),
    query("paging", {"type": "string", "enum": ["offset", "keyset"]}, "`keyset` pages behind a cursor."),
    query("page", "string", "The cursor that `meta.next` had."),
    query("refresh", "boolean", "Pass over results that are kept."),
    WRAP, FILE,
)  # fmt: skip
_CONTINUE = query("continue", "boolean", "Go on behind records that fail.")
_ROLLBACK = query("rollback", "boolean", "Undo all when one fails.")
_UPSERT = query("upsert", "boolean", "Create records that are not there.")
_UNLINK = query("allow_related_delete", "boolean", "Delete related records that would be left without a parent.")
_FORCE = query("force", "boolean", "Take all records, where nothing else says which.")
_MANY = (_FIELDS, _RELATED, _ID_FIELD, _ID_TYPE, _CONTINUE, _ROLLBACK, _UNLINK)
_WHICH = (IDS, _FILTER, _FORCE)
BATCH = "Records go in `resource`, as a bare list, or one alone."
_OPTIONS = "Beside `resource` may stand what the query may say, and `params` with the values of `:name` in the filter."
# Tables to describe before others have their turn.
_PORTION = 20


def any_of(*schemas: Schema) -> Schema:
    """Let any of the schemas do."""
    return {"anyOf": list(schemas)}


def records(one: Schema) -> Schema:
    """Describe the three forms of records in a body (database-api 9.1, D8)."""
    several = {"type": "array", "items": one, "minItems": 1}
    wrapped = {"type": "object", "required": ["resource"], "properties": {"resource": any_of(several, one)}}
    return any_of(wrapped, several, one)


def identified(one: Schema) -> Schema:
    """Describe a body that names records: by ids, or by records that have their keys."""
    ids = {"type": "array", "items": {}}
    return any_of(
        {"type": "object", "properties": {"ids": ids, "filter": {"type": "string"}, "params": {"type": "object"}}},
        records(one),
    )


def record_paths(
    name: str, schemas: str, alone: str, identifier: Schema, suffix: str, names: Sequence[str] | None
) -> list[Path]:
    """Describe the records of a table, or of those in ``names`` where the name is a placeholder.

    ``schemas`` is the name of the record's schema, ``alone`` that of one by its id.
    """
    one, some, by_id = ref(schemas), ref(f"{schemas}List"), ref(alone)
    new, change = ref(f"{schemas}Input"), ref(f"{schemas}Change")
    page = any_of(some, ref("ValueList"), ref("NumberedList"), {"type": "integer"}, {"type": "array", "items": {}})
    written = any_of(some, ref("ValueList"), ref("Success"), {"type": "array", "items": {}}, one)
    base = f"_table/{name}"
    table = (in_path("table_name", "Name of the table or view."),) if "{" in name else ()
    listed = {"table_name": names} if "{" in name and names is not None else {}
    changing = {
        verb: Operation(
            "Change records.", f"{suffix}Records", f"By `ids`, by `filter`, or each by its key. {BATCH} {_OPTIONS}",
            (*_MANY, *_WHICH, _UPSERT), records(change), reply=written,
        )
        for verb in ("PUT", "PATCH")
    }  # fmt: skip
    changing_one = {
        verb: Operation(
            "Change one record.", f"{suffix}Record", "What is not sent stays as it is.",
            (*_ON_ONE, _UPSERT, _UNLINK), change, reply=by_id,
        )
        for verb in ("PUT", "PATCH")
    }  # fmt: skip
    return [
        Path(
            base,
            {
                "GET": Operation("Read records.", f"{suffix}Records", "", _READ, reply=page),
                "POST": Operation(
                    "Create records.", f"{suffix}Records", f"{BATCH} The keys are answered, or `fields`.",
                    _MANY, records(new), reply=written,
                ),
                **changing,
                "DELETE": Operation(
                    "Delete records.", f"{suffix}Records", "By `ids`, by `filter`, or by records with their keys.",
                    (*_MANY, *_WHICH), identified(change), body_is_needed=False, reply=written,
                ),
            },
            table,
            listed,
        ),
        Path(
            f"{base}/{{id}}",
            {
                "GET": Operation("Read one record.", f"{suffix}Record", "", (*_ON_ONE, FILE), reply=by_id),
                **changing_one,
                "DELETE": Operation("Delete one record.", f"{suffix}Record", "", _ON_ONE, reply=by_id),
            },
            (*table, in_path("id", "Identifier of the record; one of several columns as `(a,b)`.", identifier)),
            listed,
        ),
    ]  # fmt: skip


async def add_records(service: DatabaseService, caller: Caller, described: Description, *, expanded: bool) -> None:
    """Add ``_table`` and what is below."""
    described.schemas.update(COMMON)
    listed = Operation(
        "List the tables that you may use.",
        "Tables",
        parameters=(AS_LIST, FIELDS, NAMES, SCHEMA, REFRESH, WRAP, FILE),
        reply=any_of(ref("TableList"), {"type": "array", "items": {}}),
    )
    described.paths.append(Path("_table", {"GET": listed}))
    names = await table_names(service, "_table")
    if not expanded or names is None:
        described.schemas.update({"RecordInput": COMMON["Record"], "RecordChange": COMMON["Record"]})
        described.paths += record_paths("{table_name}", "Record", "Record", {"type": "string"}, "", names)
        return
    rights = Rights(service.app, caller, service.record)
    tables = []
    for number, name in enumerate(names):
        is_shown = rights.any(f"_table/{name}") or rights.any(f"_table/{name}/{{id}}")
        if is_shown and (table := await _table(service, name)) is not None:
            tables.append(table)
        if number % _PORTION == 0:
            # Tables that are known take no time of others else.
            await asyncio.sleep(0)
    called = _called(tables, {*described.schemas, "RecordInput", "RecordChange"})
    resources, relations = [], {}
    for number, table in enumerate(tables):
        found, alone = _schemas(service, caller, table, called)
        described.schemas.update(found.all())
        if alone is not found:
            described.schemas.update(alone.all())
        one = alone.name if rights.any(f"_table/{table.key}/{{id}}") else found.name
        described.paths += record_paths(table.key, found.name, one, found.identifier(), camel(table.key), None)
        fields = list(described.schemas[found.name]["properties"])
        resources.append(
            {
                **table.listed(),
                "name": table.key,
                "primary_key": [one.key for one in table.primary_key],
                "fields": fields,
            }
        )
        if known := [relation_entry(one) for one in table.relations if found.leads(one)]:
            relations[table.key] = known
        if number % _PORTION == 0:
            await asyncio.sleep(0)
    described.extras |= {"x-dreamfactory-resources": resources, "x-dreamfactory-relationships": relations}


async def table_names(service: DatabaseService, component: str) -> list[str] | None:
    """List the tables, records by alias and the schema by real names; None while the database is not there."""
    try:
        names = [one.key for one in await service.catalogue.names()]
        known = await service.catalogue.extras()
    except TrunklineError:
        return None
    return [known.record_name(one) for one in names] if component == "_table" else names


async def _table(service: DatabaseService, name: str) -> Table | None:
    """Describe what is listed; it may be gone by now."""
    try:
        return await service.catalogue.records_of(name)
    except TrunklineError:
        return None


def _called(tables: Sequence[Table], taken: set[str]) -> dict[str, str]:
    """Name the schemas of tables so that none has the name of another, whatever ending it gets."""
    called: dict[str, str] = {}
    taken = {one.lower() for one in taken}
    for table in tables:
        word = base = f"{camel(table.key) or 'Table'}Record"
        number = 1
        while word.lower() in taken:
            number += 1
            word = f"{base}{number}"
        taken |= {f"{word}{ending}".lower() for ending in ("", "List", "Input", "Change")}
        called[table.name.lower()] = word
    return called


def _schemas(
    service: DatabaseService, caller: Caller, table: Table, called: dict[str, str]
) -> tuple[TableSchemas, TableSchemas]:
    """Answer the schemas of a table's records, and those of one by its id, which other rows of a role may be about."""
    own, record = service.record.id, service.record

    def related(relation: Relation) -> Any:
        """Describe what a relation leads to: nothing unless the caller may read that."""
        if relation.ref_service_id != own:
            other = service.app.directory.snapshot.services_by_id.get(relation.ref_service_id)
            may = other is not None and caller.may("GET", other, f"_table/{relation.ref_table.lower()}")
            return {"type": "object"} if may else None
        word = called.get(relation.ref_table.lower())
        return ref(word) if word and caller.may("GET", record, f"_table/{relation.ref_table.lower()}") else None

    component, word = f"_table/{table.key.lower()}", called[table.name.lower()]
    several = caller.response_filter(record, component)
    one = caller.response_filter(record, f"{component}/\0")
    found = TableSchemas(table, word, several, related)
    return found, found if one == several else TableSchemas(table, f"{word}ById", one, related)


def relation_entry(relation: Relation) -> dict[str, Any]:
    """Tell a relation as data models do (connectors 11.3)."""
    return {
        "name": relation.key,
        "type": relation.type,
        "field": relation.field,
        "ref_table": relation.ref_table,
        "ref_field": relation.ref_field,
        "junction_table": relation.junction_table,
        "usage": f"related={relation.key}",
    }
