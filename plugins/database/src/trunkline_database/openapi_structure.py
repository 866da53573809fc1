"""The calls of ``_schema`` as OpenAPI documents tell them (database-api 13.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trunkline.describe import AS_LIST, FIELDS, REFRESH, Description, Operation, Path, in_path, ref
from trunkline_database.openapi import BATCH, FILE, NAMES, SCHEMA, WRAP, any_of, identified, records, table_names
from trunkline_database.openapi_schemas import COMMON

if TYPE_CHECKING:
    from trunkline.describe import Parameter, Schema
    from trunkline_database.service import DatabaseService


async def add_schema(service: DatabaseService, described: Description) -> None:
    """Add ``_schema`` and what is below; what is made need not be there yet."""
    described.schemas.update(COMMON)
    names = await table_names(service, "_schema")
    table, field, relation = ref("Table"), ref("TableField"), ref("TableRelation")
    listed = (AS_LIST, FIELDS, NAMES, SCHEMA, REFRESH, WRAP, FILE)
    tables = any_of(ref("TableList"), {"type": "array", "items": {}})
    some_tables = records(table)
    named = identified({"anyOf": [table, {"type": "string"}]})
    described.paths.append(
        Path(
            "_schema",
            {
                "GET": Operation("List tables, or describe some.", "Schemas", parameters=listed, reply=tables),
                "POST": Operation("Create tables.", "Schemas", BATCH, (FIELDS,), some_tables, reply=tables),
                "PUT": Operation("Give just these fields.", "Schemas", BATCH, (FIELDS,), some_tables, reply=tables),
                "PATCH": Operation("Add or change fields.", "Schemas", BATCH, (FIELDS,), some_tables, reply=tables),
                "DELETE": Operation("Drop tables.", "Schemas", "", (NAMES,), named, body_is_needed=False, reply=tables),
            },
        )
    )  # fmt: skip
    here = in_path("table_name", "Name of the table or view.")
    described.paths.append(
        Path(
            "_schema/{table_name}",
            {"POST": Operation("Create a table.", "Schema", "", (FIELDS,), table, reply=table)},
            (here,),
        )
    )
    changing = {
        verb: Operation("Change a table.", "Schema", "", (FIELDS,), table, reply=table) for verb in ("PUT", "PATCH")
    }
    reading = Operation("Describe a table.", "Schema", "", (REFRESH, FILE), reply=table)
    below = [
        Path(
            "_schema/{table_name}",
            {"GET": reading, **changing, "DELETE": Operation("Drop a table.", "Schema", "", reply=ref("Success"))},
            (here,),
        ),
        *_below("_field", "field_name", field, "Field", "fields", here),
        *_below("_related", "relation_name", relation, "Relation", "relations", here),
    ]
    known = {"table_name": names} if names is not None else {}
    described.paths += [Path(one.path, one.operations, one.parameters, known) for one in below]


def _below(part: str, placeholder: str, one: Schema, word: str, words: str, here: Parameter) -> list[Path]:
    """Describe the fields or relations of a table."""
    base = f"_schema/{{table_name}}/{part}"
    some = any_of(ref(f"{word}List"), {"type": "array", "items": {}})
    there = in_path(placeholder, f"Name of one of the {words}.")
    named = identified({"anyOf": [one, {"type": "string"}]})
    return [
        Path(
            base,
            {
                "GET": Operation(
                    f"Describe the {words} of a table.", f"Schema{word}s", "", (NAMES, WRAP, FILE), reply=some
                ),
                **{
                    verb: Operation(f"{does} {words}.", f"Schema{word}s", "", (FIELDS,), records(one), reply=some)
                    for verb, does in (("POST", "Add"), ("PUT", "Change"), ("PATCH", "Change"))
                },
                "DELETE": Operation(
                    f"Remove {words}.", f"Schema{word}s", "", (NAMES,), named, body_is_needed=False, reply=some
                ),
            },
            (here,),
        ),
        Path(
            f"{base}/{{{placeholder}}}",
            {
                "GET": Operation(f"Describe one of the {words}.", f"Schema{word}", "", (FILE,), reply=one),
                **{
                    verb: Operation(f"{does} one of the {words}.", f"Schema{word}", "", (FIELDS,), one, reply=one)
                    for verb, does in (("POST", "Add"), ("PUT", "Change"), ("PATCH", "Change"))
                },
                "DELETE": Operation(f"Remove one of the {words}.", f"Schema{word}", "", reply=ref("Success")),
            },
            (here, there),
        ),
    ]  # fmt: skip
