"""The calls of cache services, for documents and tools."""

from __future__ import annotations

from trunkline.describe import AS_ACCESS_LIST, SUCCESS, Operation, Path, Schema, in_path, query

KEY = "{key_path}"
_ANY: Schema = {"description": "Any JSON value."}
_MAP: Schema = {"type": "object", "minProperties": 1, "description": "Values by their keys."}
_STORED: Schema = {"type": "object", "description": "The value by its key."}
_LIVES = (
    query("ttl", {"type": "integer", "minimum": 1}, "Seconds that it lives, instead of those of the service."),
    query("forever", "boolean", "Let it live until it is removed."),
)
_READS = (
    query("default", "string", "What to answer where there is no value."),
    query("clear", "boolean", "Remove the value."),
    query("pull", "boolean", "The same."),
)
_TEXT: dict[str, Schema] = {"text/plain": {"type": "string"}}


def _set(name: str) -> Operation:
    return Operation("Store values, whatever is there.", name, parameters=_LIVES, body=_MAP, reply=SUCCESS)


def _set_one(name: str) -> Operation:
    return Operation(
        "Store a value, whatever is there.", name, parameters=_LIVES, body=_ANY, bodies=_TEXT, reply=_STORED
    )


PATHS = (
    Path(
        "",
        {
            "GET": Operation("Answer the components that roles can name.", "Components", parameters=(AS_ACCESS_LIST,)),
            "POST": Operation(
                "Store values under keys that are not there yet, all or none.",
                "Values",
                parameters=_LIVES,
                body=_MAP,
                reply=SUCCESS,
                status=201,
            ),
            "PUT": _set("Values"),
            "PATCH": _set("Values"),
        },
    ),
    Path(
        KEY,
        {
            "GET": Operation("Answer a value.", "Value", parameters=_READS),
            "POST": Operation(
                "Store a value under a key that is not there yet.",
                "Value",
                parameters=_LIVES,
                body=_ANY,
                bodies=_TEXT,
                reply=_STORED,
                status=201,
            ),
            "PUT": _set_one("Value"),
            "PATCH": _set_one("Value"),
            "DELETE": Operation("Remove a key; tell whether it was there.", "Value", reply=SUCCESS),
        },
        (in_path("key_path", "The key, which may have slashes."),),
    ),
)
