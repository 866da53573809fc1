"""The calls of stored records and accounts as OpenAPI documents tell them (system-api 5, 7 and 8)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from trunkline.call import VERBS
from trunkline.describe import SUCCESS, Description, Operation, Path, in_path, list_of, query, ref

if TYPE_CHECKING:
    from trunkline.call import Caller
    from trunkline.describe import Schema
    from trunkline_system.model import Model
    from trunkline_system.stored import ReadableResource

_FIELDS = query("fields", "string", "Fields to answer, comma separated; `*` for all of them.")
_RELATED = query("related", "string", "Relations to bring along, comma separated; `*` for all that you may read.")
_IDS = query("ids", "string", "Only the records with these identifiers, comma separated.")
_FILTER = query("filter", "string", "Which records, such as `(name like 'a%') and (is_active = true)`.")
_LIST = (
    _FIELDS, _RELATED, _IDS, _FILTER,
    query("limit", "integer", "Most records."),
    query("offset", "integer", "How many records to pass over."),
    query("order", "string", "Such as `name desc`."),
    query("group", "string", "Fields of which each combination shows one record."),
    query("count_only", "boolean", "Answer the number of records, and nothing else."),
    query("include_count", "boolean", "Add the number of records to `meta`."),
    query("include_schema", "boolean", "Add the description of the fields to `meta`."),
    query("as_list", "boolean", "Answer one value a record: that of `id_field`, else the identifier."),
    query("id_field", "string", "Which value."),
    query("refresh", "boolean", "Has no effect here."),
)  # fmt: skip
_BATCH = (
    query("continue", "boolean", "Go on behind records that fail."),
    query("rollback", "boolean", "Undo all when one fails."),
)
_FORCE = query("force", "boolean", "Take all records, where nothing else says which.")
_SCALAR = {"type": ["string", "number", "boolean", "null"]}
_TEXT = {"type": "string"}
_MAYBE = {"type": ["string", "null"]}
_META: Schema = {"type": "object", "properties": {"count": {"type": "integer"}}}


def words_of(name: str) -> str:
    """Make one word of a name: ``email_template`` → ``EmailTemplate``."""
    return "".join(word[:1].upper() + word[1:] for word in name.split("_"))


class Schemas:
    """The schemas of stored records for one caller, with those of their parts."""

    def __init__(self, described: Description, may_read: Any) -> None:
        """Add to a description; ``may_read`` says of a resource's name whether the caller may read it."""
        self._schemas = described.schemas
        self._may_read = may_read

    def of(self, model: type[Model]) -> str:
        """Answer the name of a record's schema, which is made when first asked for."""
        name = words_of(model.resource or model.table.name)
        if name not in self._schemas:
            # A place is taken first, since records may lead back to their own kind.
            self._schemas[name] = {}
            self._schemas[name] = self._record(model)
            self._schemas[f"{name}Input"] = self._input(model)
        return name

    def _record(self, model: type[Model]) -> Schema:
        properties: dict[str, Any] = {str(name): _shown(model, name) for name in model.visible()}
        for name, relation in model.relations.items():
            if relation.kind == "computed":
                properties[name] = {}
                continue
            other = relation.model()
            if other.resource is not None and not self._may_read(other.resource):
                continue
            one = ref(self.of(other))
            is_single = relation.kind in ("belongs_to", "has_one")
            properties[name] = (
                {"anyOf": [one, {"type": "null"}]} if is_single else {"type": ["array", "null"], "items": one}
            )
        return {"type": "object", "properties": properties}

    def _input(self, model: type[Model]) -> Schema:
        properties: dict[str, Any] = {}
        for column in model.table.columns:
            if column.name in model.read_only or (column.name in model.hidden and not _is_secret(column)):
                continue
            properties[str(column.name)] = _given(model, column)
        for name in sorted(model.computed & model.shapes.keys()):
            if not model.shapes[name].get("readOnly"):
                properties[name] = model.shapes[name]
        for name, relation in model.relations.items():
            if relation.kind in ("has_many", "has_one") and relation.model().resource is None:
                one = ref(f"{self.of(relation.model())}Input")
                is_single = relation.kind == "has_one"
                properties[name] = (
                    {"anyOf": [one, {"type": "null"}]} if is_single else {"type": ["array", "null"], "items": one}
                )
        return {"type": "object", "properties": properties}


def _is_secret(column: sa.Column[Any]) -> bool:
    """Say whether a column that is never shown may be set."""
    return column.name in ("password", "security_answer")


def _type(column: sa.Column[Any]) -> dict[str, Any]:
    if isinstance(column.type, sa.Boolean):
        return {"type": "boolean"}
    if isinstance(column.type, sa.Integer):
        return {"type": "integer"}
    return {"type": "number"} if isinstance(column.type, sa.Numeric | sa.Float) else {"type": "string"}


def _shown(model: type[Model], name: str) -> Schema:
    """Describe a field as it comes out."""
    read_only = {"readOnly": True} if name in model.read_only else {}
    if name in model.shapes:
        return {**model.shapes[name], **read_only}
    column = model.table.columns.get(name)
    if column is None or name in model.hidden:
        return {"readOnly": True}
    found = _type(column)
    return {"type": [found["type"], "null"] if column.nullable else found["type"], **read_only}


def _given(model: type[Model], column: sa.Column[Any]) -> Schema:
    """Describe a field as it goes in."""
    if column.name in model.shapes:
        return model.shapes[column.name]
    found = _type(column)
    length = getattr(column.type, "length", None)
    limit = {"maxLength": length} if length and found["type"] == "string" and column.name not in model.hidden else {}
    takes_null = column.nullable or column.default is not None
    return {"type": [found["type"], "null"] if takes_null else found["type"], **limit}


def _records(one: Schema) -> Schema:
    several = {"type": "array", "items": one, "minItems": 1}
    wrapped = {
        "type": "object",
        "required": ["resource"],
        "properties": {"resource": {"anyOf": [several, one]}, "ids": {"type": ["array", "string"], "items": _SCALAR}},
    }
    return {"anyOf": [wrapped, several, one]}


async def add_stored(resource: ReadableResource, caller: Caller, described: Description) -> None:
    """Add the calls on the records of a resource."""
    model, record = resource.model, resource.service.record
    schemas = Schemas(described, lambda name: caller.may("GET", record, name))
    name = schemas.of(model)
    described.schemas[f"{name}List"] = {
        "type": "object",
        "required": ["resource"],
        "properties": {"resource": {"type": "array", "items": ref(name)}, "meta": _META},
    }
    one, some, given = ref(name), ref(f"{name}List"), ref(f"{name}Input")
    values = list_of(_SCALAR)
    needed = [str(column.name) for column in model.table.columns if model.must_be_sent(column)]
    creating = {"allOf": [given, {"type": "object", "required": needed}]} if needed else given
    page = {"anyOf": [some, values, {"type": "integer"}, {"type": "array", "items": {}}, {"type": "object"}]}
    written = {"anyOf": [some, values, one, {"type": "array", "items": {}}]}
    change = Operation(
        "Change records: each by its key, or those that `ids` or `filter` select.", f"{name}s",
        parameters=(_FIELDS, _RELATED, _IDS, _FILTER, *_BATCH), body=_records(given), reply=written,
    )  # fmt: skip
    change_one = Operation("Change a record.", name, parameters=(_FIELDS, _RELATED), body=given, reply=one)
    delete = Operation(
        "Delete records: by `ids`, by `filter`, or by records with their keys.", f"{name}s",
        parameters=(_FIELDS, _RELATED, _IDS, _FILTER, _FORCE, *_BATCH), body=_records(given), body_is_needed=False,
        reply={"anyOf": [*written["anyOf"], SUCCESS]},
    )  # fmt: skip
    alone = resource.shown_alone if resource.shown_alone is not None else one
    whole = {
        "GET": Operation("List records.", f"{name}s", parameters=_LIST, reply=page),
        "POST": Operation(
            "Create records.", f"{name}s", parameters=(_FIELDS, _RELATED, *_BATCH), body=_records(creating),
            reply=written, status=getattr(resource, "created_status", 200),
        ),
        "PUT": change, "PATCH": change, "DELETE": delete,
    }  # fmt: skip
    single = {
        "GET": Operation("Read a record.", name, parameters=(_FIELDS, _RELATED), reply=alone),
        "PUT": change_one,
        "PATCH": change_one,
        "DELETE": Operation("Delete a record.", name, parameters=(_FIELDS, _RELATED), reply=one),
    }
    is_number = isinstance(model.table.c[model.key].type, sa.Integer)
    here = in_path("id", "Identifier of the record.", "integer" if is_number else "string")
    base = resource.path_name
    described.paths += [
        Path(base, _existing(resource, whole)),
        Path(f"{base}/{{id}}", _existing(resource, single), (here,)),
    ]


def _existing(resource: ReadableResource, operations: dict[str, Operation]) -> dict[str, Operation]:
    """Keep the verbs that the resource has; some need somebody who is logged in."""
    return {
        verb: replace(one, needs="user") if resource.needs_user else one
        for verb, one in operations.items()
        if verb in VERBS and hasattr(resource, verb.lower())
    }


# Accounts.

_ACCOUNT = dict.fromkeys(("username", "first_name", "last_name", "name", "email", "phone"), _MAYBE)
_SESSION: Schema = {
    "type": "object",
    "required": ["session_token", "session_id", "id", "email"],
    "properties": {
        "session_token": _TEXT, "session_id": _TEXT, "id": {"type": "integer"},
        **dict.fromkeys(("name", "first_name", "last_name", "last_login_date", "host", "role"), _MAYBE),
        "email": _TEXT, "is_sys_admin": {"type": "boolean"}, "role_id": {"type": "integer"},
        "token_expiry_date": _TEXT,
    },
}  # fmt: skip
_LOGIN: Schema = {
    "type": "object",
    "properties": {"email": _TEXT, "username": _TEXT, "password": _TEXT, "remember_me": {"type": "boolean"}},
}
SESSION = {
    "GET": Operation("Read the current session.", "Session", reply=_SESSION, needs="user"),
    "POST": Operation("Log in.", "Session", body=_LOGIN, reply=_SESSION),
    "PUT": Operation("Get a new token for the one sent.", "Session", reply=_SESSION, needs="user"),
    "DELETE": Operation("Log out.", "Session", reply=SUCCESS),
}
ADMIN_SESSION = SESSION | {"GET": replace(SESSION["GET"], needs="administrator")}
_CHANGED: Schema = {
    "type": "object",
    "properties": {"success": {"type": "boolean"}, "session_token": _TEXT, "security_question": _TEXT},
}
_NEW_PASSWORD: Schema = {
    "type": "object",
    "properties": dict.fromkeys(
        ("old_password", "new_password", "email", "username", "code", "security_answer"), _TEXT
    ),
}
_SET = Operation(
    "Change the password, or reset it.", "Password",
    parameters=(
        query("reset", "boolean", "Ask for a code by mail, or for the security question."),
        query("login", "boolean", "Answer a session token too."),
    ),
    body=_NEW_PASSWORD, reply=_CHANGED,
)  # fmt: skip
PASSWORD = dict.fromkeys(("POST", "PUT", "PATCH"), _SET)
_MORE = {"security_question": _MAYBE, "default_app_id": {"type": ["integer", "null"]}}
_CHANGE_PROFILE = Operation(
    "Change your own account.", "Profile", needs="user", reply=_CHANGED,
    body={
        "type": "object",
        "properties": {**_ACCOUNT, **_MORE, "security_answer": _MAYBE, "current_password": _TEXT},
    },
)  # fmt: skip
PROFILE = {
    "GET": Operation(
        "Read your own account.", "Profile", needs="user",
        reply={"type": "object", "properties": {**_ACCOUNT, **_MORE, "oauth_provider": _TEXT, "adldap": _TEXT}},
    ),
    **dict.fromkeys(("POST", "PUT", "PATCH"), _CHANGE_PROFILE),
}  # fmt: skip
REGISTER = {
    "POST": Operation(
        "Make an account for yourself.", "Register",
        parameters=(query("login", "boolean", "Answer a session token too."),),
        body={
            "type": "object",
            "required": ["email"],
            "properties": {
                **dict.fromkeys(("email", "username", "first_name", "last_name", "name", "phone"), _TEXT),
                **dict.fromkeys(("password", "new_password", "password_confirmation"), _TEXT),
                **dict.fromkeys(("security_question", "security_answer"), _TEXT),
            },
        },
        reply={
            "type": "object",
            "required": ["success"],
            "properties": {
                "success": {"type": "boolean"}, "session_token": _TEXT, "confirmation_required": {"type": "boolean"},
            },
        },
    )
}  # fmt: skip

ADMIN_PROFILE = {verb: replace(one, needs="administrator") for verb, one in PROFILE.items()}

# The others.

ENVIRONMENT = {"GET": Operation("Read how to log in, and what runs here.", "Environment", reply={"type": "object"})}
_NAMED = {"name": _TEXT, "label": _MAYBE, "description": _MAYBE}
_CACHED: Schema = list_of({"type": "object", "properties": {**_NAMED, "type": _TEXT}})
_CLEAR = Operation("Forget all that is cached.", "Caches", reply=SUCCESS)
CACHE = {"GET": Operation("List services with a cache.", "Caches", reply=_CACHED), "DELETE": _CLEAR}
_SERVICE = in_path("service", "Name of a service.")
_CLEAR_ONE = Operation("Forget what is cached for a service.", "Cache", reply=SUCCESS)
CACHE_OF = (Path("{service}", {"DELETE": _CLEAR_ONE}, (_SERVICE,)),)
_TYPE: Schema = {
    "type": "object",
    "properties": {
        **_NAMED, "group": _MAYBE, "singleton": {"type": "boolean"},
        "config_schema": {"type": ["array", "null"], "items": {"type": "object"}},
    },
}  # fmt: skip
SERVICE_TYPES = {
    "GET": Operation(
        "List the installed service types.", "ServiceTypes",
        parameters=(
            _FIELDS, query("group", "string", "Only those of these groups, comma separated."),
            query("as_list", "boolean", "Answer the names only."),
            query("include_count", "boolean", "Add the number of types to `meta`."),
        ),
        reply={"anyOf": [list_of({"anyOf": [_TYPE, _TEXT]}), {"type": "array", "items": {}}, {"type": "object"}]},
    )
}  # fmt: skip
SERVICE_TYPE = (
    Path(
        "{name}",
        {"GET": Operation("Describe a service type.", "ServiceType", parameters=(_FIELDS,), reply=_TYPE)},
        (in_path("name", "Name of the type."),),
    ),
)
EVENTS = {
    "GET": Operation(
        "List the names of events, by service.", "Events",
        parameters=(
            query("service", "string", "Only those of this service."),
            query("scriptable", "boolean", "Those that scripts can be put on."),
            query("services_only", "boolean", "Answer the names of services only."),
            query("as_list", "boolean", "Answer the names only."),
        ),
        reply={"type": ["object", "array"]},
    )
}  # fmt: skip
IMPORT = {
    "POST": Operation(
        "Make a table of a CSV file, which is uploaded or named by its URL.", "Import",
        parameters=(
            query("service", "string", "Name of the database service; `db` unless given."),
            query("resource", "string", "Name of the table to make."),
            query("import_url", "string", "Where the file is, unless it is uploaded."),
        ),
        body={"type": "object"}, body_is_needed=False, status=201,
        reply={"type": "object", "required": ["resource"], "properties": {"resource": _TEXT}},
    )
}  # fmt: skip
PACKAGE = {
    "GET": Operation("Read the manifest of what can be exported.", "Package", reply={"type": "object"}),
    "POST": Operation(
        "Export what a manifest names, or import a package.", "Package",
        parameters=(query("import_url", "string", "Where the package is, unless it is uploaded."),),
        body={"type": "object"}, body_is_needed=False, status=200, also=(201,), reply={"type": "object"},
        media_types=("application/json", "application/zip"),
    ),
}  # fmt: skip
CONFIG_PACKAGE = {
    "GET": Operation("Read services, roles and apps as one object.", "ConfigPackage", reply={"type": "object"}),
    "POST": Operation(
        "Take over such an object.", "ConfigPackage",
        parameters=(query("overwrite", "boolean", "Change what is there already."),),
        body={"type": "object", "required": ["format"], "properties": {"format": _TEXT}}, status=201,
        reply={"type": "object", "required": ["success"], "properties": {"success": {"type": "boolean"}}},
    ),
}  # fmt: skip
