"""The tools of databases (connectors 12.5): which call each of them is."""

from __future__ import annotations

from trunkline.errors import BadRequest
from trunkline_mcp.tool import (
    CREATE,
    FLAG,
    READ,
    RUN,
    TEXT,
    WRITE,
    Arguments,
    Request,
    Schema,
    Verb,
    params_of,
)

_TABLE = {"table_name": {**TEXT, "description": "Name of the table or view."}}
_FIELDS: Schema = {"type": "array", "items": {"type": "string"}, "description": "Fields to answer; all unless given."}
_RELATED: Schema = {"type": "string", "description": "Relations to bring along, comma separated."}
_IDS: Schema = {
    "type": "array",
    "items": {"type": ["string", "number"]},
    "description": "Identifiers; those of several columns as '(a,b)'.",
}
_FILTER: Schema = {
    "type": "string",
    "description": "Which records, such as (pages > 300) and (title like 'A%').",
}
_RECORDS: Schema = {"type": "array", "items": {"type": "object"}, "minItems": 1, "description": "The records."}
_BATCH = {
    "continue": {**FLAG, "description": "Go on behind records that fail."},
    "rollback": {**FLAG, "description": "Undo all when one fails."},
}
_SHOWN = {"fields": _FIELDS, "related": _RELATED}
_REFRESH = {"refresh": {**FLAG, "description": "Look at the database anew."}}
_VALUES: Schema = {"type": "object", "description": "Values of the parameters by name."}
_RETURNS: Schema = {"type": "string", "description": "The type of what it returns, where that is a single value."}
_READING = (
    "fields", "filter", "offset", "limit", "order", "group", "related", "continue", "count_only", "include_count",
    "include_schema", "ids",
)  # fmt: skip
_WRITING = ("fields", "related", "continue", "rollback", "ids", "filter", "force")
_MOST = 1000


def _spec(arguments: Arguments) -> Request:
    named = params_of(arguments, "resource_name", "tables", "refresh")
    compact = "true" if arguments.get("compact", True) else "false"
    return Request("GET", ("_spec",), {**named, "compact": compact})


def _reading(arguments: Arguments) -> Request:
    return Request("GET", ("_table", arguments["table_name"]), params_of(arguments, *_READING))


def _aggregating(arguments: Arguments) -> Request:
    fields = [f"{one['function'].upper()}({one['field']})" for one in arguments["aggregates"]]
    if any("," in one for one in fields):
        raise BadRequest("A field of 'aggregates' must be one name.")
    group = arguments.get("group_by") or []
    params = {"fields": ",".join([*group, *fields]), **params_of(arguments, "filter")}
    return Request("GET", ("_table", arguments["table_name"]), params | ({"group": ",".join(group)} if group else {}))


def _writing(method: str, arguments: Arguments) -> Request:
    body = {"resource": arguments["records"]} if "records" in arguments else None
    return Request(method, ("_table", arguments["table_name"]), params_of(arguments, *_WRITING), body)


def _calling(resource: str, name: str, arguments: Arguments) -> Request:
    params = params_of(arguments, "wrapper", "returns")
    return Request("POST", (resource, name), params, {"params": arguments.get("parameters") or {}})


DATABASE_VERBS: tuple[Verb, ...] = (
    Verb(
        "get_api_spec", "API Description", "Describe the calls of a database, by default in few words.",
        READ, "GET", "_spec", _spec,
        {
            "compact": {**FLAG, "default": True, "description": "Paths and parameters only."},
            "resource_name": {"type": "string", "description": "Only paths with this table or routine."},
            "tables": {**FLAG, "description": "Tell more about each table."}, **_REFRESH,
        }, (), "_spec",
    ),
    Verb(
        "get_data_model", "Data Model",
        "Describe all tables at once: columns, keys, relations and sample values. A good first step.",
        READ, "GET", "_spec", lambda a: Request("GET", ("_spec",), {"model": "true", **params_of(a, "refresh")}),
        _REFRESH, (), "_spec",
    ),
    Verb(
        "get_tables", "List Tables", "List the tables and views.",
        READ, "GET", "_schema", lambda _: Request("GET", ("_schema",)),
    ),
    Verb(
        "get_table_schema", "Table Schema", "Describe a table: its fields, keys and relations.",
        READ, "GET", "_schema/{table_name}", lambda a: Request("GET", ("_schema", a["table_name"])),
        _TABLE, ("table_name",),
    ),
    Verb(
        "get_table_data", "Query Records",
        "Read records of a table. Ask for few fields and records; 'filter' and 'order' do the choosing.",
        READ, "GET", "_table/{table_name}", _reading,
        {
            **_TABLE, "fields": _FIELDS, "filter": _FILTER,
            "offset": {"type": "integer", "minimum": 0, "description": "How many records to pass over."},
            "limit": {"type": "integer", "minimum": 1, "maximum": _MOST, "description": "Most records."},
            "order": {"type": "string", "description": "Such as name desc, id."},
            "group": {"type": "string", "description": "Fields to group by, comma separated."},
            "continue": _BATCH["continue"], "related": _RELATED,
            "count_only": {**FLAG, "description": "Answer the number of records only."},
            "include_count": {**FLAG, "description": "Add the number of records."},
            "include_schema": {**FLAG, "description": "Add the description of the table."},
            "ids": _IDS,
        }, ("table_name",),
    ),
    Verb(
        "create_records", "Create Records", "Create records in a table.",
        CREATE, "POST", "_table/{table_name}", lambda a: _writing("POST", a),
        {**_TABLE, "records": _RECORDS, **_SHOWN, **_BATCH}, ("table_name", "records"),
    ),
    Verb(
        "update_records", "Update Records",
        "Change records: each by its key, or all of 'ids' or 'filter' to the values of the only one in 'records'.",
        WRITE, "PATCH", "_table/{table_name}", lambda a: _writing("PATCH", a),
        {**_TABLE, "records": _RECORDS, **_SHOWN, "ids": _IDS, "filter": _FILTER, **_BATCH}, ("table_name", "records"),
    ),
    Verb(
        "delete_records", "Delete Records", "Delete records by 'ids' or by 'filter'.",
        WRITE, "DELETE", "_table/{table_name}", lambda a: _writing("DELETE", a),
        {
            **_TABLE, "ids": _IDS, "filter": _FILTER,
            "force": {**FLAG, "description": "Delete all records, where nothing else says which."}, **_SHOWN, **_BATCH,
        }, ("table_name",),
    ),
    Verb(
        "get_table_fields", "Table Fields", "Describe the fields of a table.",
        READ, "GET", "_schema/{table_name}/_field",
        lambda a: Request("GET", ("_schema", a["table_name"], "_field"), params_of(a, "refresh")),
        {**_TABLE, **_REFRESH}, ("table_name",),
    ),
    Verb(
        "get_table_relationships", "Table Relationships", "Describe how a table is related to others.",
        READ, "GET", "_schema/{table_name}/_related",
        lambda a: Request("GET", ("_schema", a["table_name"], "_related"), params_of(a, "refresh")),
        {**_TABLE, **_REFRESH}, ("table_name",),
    ),
    Verb(
        "get_stored_procedures", "List Stored Procedures", "List the stored procedures.",
        READ, "GET", "_proc", lambda _: Request("GET", ("_proc",)), {}, (), "_proc",
    ),
    Verb(
        "call_stored_procedure", "Call Stored Procedure", "Call a stored procedure.",
        RUN, "POST", "_proc/{procedure_name}", lambda a: _calling("_proc", a["procedure_name"], a),
        {
            "procedure_name": {**TEXT, "pattern": "^[^(]*$", "description": "Name of the procedure."},
            "parameters": _VALUES, "returns": _RETURNS,
            "wrapper": {"type": "string", "description": "Name under which a result set stands."},
        }, ("procedure_name",), "_proc",
    ),
    Verb(
        "get_stored_functions", "List Stored Functions", "List the stored functions.",
        READ, "GET", "_func", lambda _: Request("GET", ("_func",)), {}, (), "_func",
    ),
    Verb(
        "call_stored_function", "Call Stored Function", "Call a stored function.",
        RUN, "POST", "_func/{function_name}", lambda a: _calling("_func", a["function_name"], a),
        {
            "function_name": {**TEXT, "pattern": "^[^(]*$", "description": "Name of the function."},
            "parameters": _VALUES, "returns": _RETURNS,
        }, ("function_name",), "_func",
    ),
    Verb(
        "get_database_resources", "Database Resources", "List what a database offers.",
        READ, "GET", "",
        lambda a: Request("GET", (), params_of(a, "as_list", "as_access_list", "include_access", "fields", "refresh")),
        {
            "as_list": {**FLAG, "description": "Names only."},
            "as_access_list": {**FLAG, "description": "The components that roles can name."},
            "include_access": {**FLAG, "description": "Add the verbs that you may use, where 'fields' is given."},
            "fields": _FIELDS, **_REFRESH,
        },
    ),
    Verb(
        "aggregate_data", "Aggregate Data",
        "Count, add up, or find averages and extremes in the database itself, perhaps for each group.",
        READ, "GET", "_table/{table_name}", _aggregating,
        {
            **_TABLE,
            "aggregates": {
                "type": "array", "minItems": 1,
                "items": {
                    "type": "object", "required": ["function", "field"], "additionalProperties": False,
                    "properties": {
                        "function": {"enum": ["SUM", "COUNT", "AVG", "MIN", "MAX"]},
                        "field": {**TEXT, "description": "Name of the field; * for COUNT."},
                    },
                },
            },
            "filter": _FILTER,
            "group_by": {"type": "array", "items": TEXT, "description": "Fields to group by."},
        }, ("table_name", "aggregates"),
    ),
)  # fmt: skip
