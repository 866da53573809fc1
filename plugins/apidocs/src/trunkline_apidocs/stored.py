"""Documents that an operator stored for a service, which replace those made (connectors 11.1, system-api 19.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from trunkline import json
from trunkline.db import tables
from trunkline.describe import Operation, Path, Rights, placeholders
from trunkline.errors import TrunklineError, Unavailable
from trunkline_apidocs import yaml_text
from trunkline_apidocs.frame import VERBS
from trunkline_apidocs.swagger2 import converted
from trunkline_database.model import plural_of

if TYPE_CHECKING:
    from trunkline.app import App
    from trunkline.call import Caller
    from trunkline.db.records import ServiceRecord

_YAML = 1
_PLACEHOLDER = re.compile(r"\{service\.(names?|label|description)\}", re.IGNORECASE)


async def stored(app: App, record: ServiceRecord) -> dict[str, Any] | None:
    """Read the document of a service, in OpenAPI 3 with paths below the service; None when there is none.

    Raises Unavailable for one that cannot be read.
    """
    table = tables.service_doc
    query = sa.select(table.c.format, table.c.content).where(table.c.service_id == record.id)
    row = await app.database.aread(lambda connection: connection.execute(query).first())
    if row is None or not (row.content or "").strip():
        return None
    try:
        return read(row.content, record, is_yaml=row.format == _YAML)
    except (ValueError, TrunklineError) as error:
        raise Unavailable(f"The API Docs stored for service {record.name} can not be read.") from error


def read(text: str, record: ServiceRecord, *, is_yaml: bool) -> dict[str, Any] | None:
    """Read a document; None for one without paths. Raises ValueError or BadRequest."""
    given = yaml_text.load(text) if is_yaml else json.loads(text)
    if not isinstance(given, Mapping):
        raise ValueError("it is no object")
    document: Any = _filled(given, record)
    server = _server_of(document)
    if str(document.get("swagger", "")).startswith("2"):
        document = converted(document)
    paths = document.get("paths")
    if not isinstance(paths, Mapping) or not all(isinstance(item, Mapping) for item in paths.values()):
        return None
    components = document.get("components")
    kept = (
        {kind: one for kind, one in components.items() if isinstance(one, Mapping)}
        if isinstance(components, Mapping)
        else {}
    )
    below = {_below(path, record.name): _verbs_of(item) for path, item in paths.items()}
    placed = {path: _with_placeholders(path, item) for path, item in below.items()}
    return {"paths": placed, "components": kept, "server": server}


def allowed(app: App, caller: Caller, record: ServiceRecord, document: dict[str, Any]) -> dict[str, Any]:
    """Leave out the operations that the caller may not use."""
    paths = []
    for path, item in document["paths"].items():
        operations = {verb.upper(): Operation("") for verb in item if verb in VERBS}
        paths.append(Path(path.strip("/"), operations))
    kept: dict[str, set[str]] = {}
    for one in Rights(app, caller, record, paths).allowed(paths):
        kept.setdefault(f"/{one.path.path}", set()).add(one.verb.lower())
    return {
        **document,
        "paths": {
            path: {key: one for key, one in item.items() if key not in VERBS or key in kept[path]}
            for path, item in document["paths"].items()
            if path in kept
        },
    }


def _server_of(document: Mapping[str, Any]) -> str | None:
    """Answer where a document says that the calls go; None where it names no host."""
    if str(document.get("swagger", "")).startswith("2"):
        if not isinstance(document.get("host"), str) or not document["host"]:
            return None
        schemes = [one for one in document.get("schemes") or [] if one in ("https", "http")]
        scheme = "https" if "https" in schemes or not schemes else schemes[0]
        return f"{scheme}://{document['host']}/{str(document.get('basePath') or '').strip('/')}"
    servers = document.get("servers")
    for one in servers if isinstance(servers, list) else ():
        url = one.get("url") if isinstance(one, Mapping) else None
        if isinstance(url, str) and url.lower().startswith(("https://", "http://")):
            return url
    return None


def _filled(value: Any, record: ServiceRecord) -> Any:
    """Put in what the service is called, wherever it stands; into values, so that it cannot become structure."""
    if isinstance(value, Mapping):
        return {_filled(str(key), record): _filled(one, record) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, record) for one in value]
    return _PLACEHOLDER.sub(lambda found: _word(found[1], record), value) if isinstance(value, str) else value


def _word(asked: str, record: ServiceRecord) -> str:
    """Answer the name as it is, or with a capital, or in the plural, as the placeholder is written."""
    if asked.lower() in ("label", "description"):
        return str(getattr(record, asked.lower()))
    name = record.name[:1].upper() + record.name[1:] if asked[0] == "N" else record.name
    return plural_of(name) if asked.lower() == "names" else name


def _below(path: Any, service: str) -> str:
    """Take away the service's name, with which paths may begin."""
    text = "/" + str(path).strip("/")
    head = f"/{service}"
    if text.lower() == head.lower() or text.lower().startswith(f"{head.lower()}/"):
        text = text[len(head) :]
    return text or "/"


def _verbs_of(item: Mapping[str, Any]) -> dict[str, Any]:
    return {str(key).lower() if str(key).lower() in VERBS else str(key): one for key, one in item.items()}


def _with_placeholders(path: str, item: dict[str, Any]) -> dict[str, Any]:
    """Declare the placeholders of a path that nobody has declared, without which a document is not valid."""
    told = [item, *(one for verb, one in item.items() if verb in VERBS and isinstance(one, Mapping))]
    given = [one for some in told for one in some.get("parameters") or [] if isinstance(one, Mapping)]
    known = {one.get("name") for one in given if one.get("in") == "path"}
    # What is only referred to may be any of them.
    missing = [] if any("$ref" in one for one in given) else [one for one in placeholders(path) if one not in known]
    added = [{"name": one, "in": "path", "required": True, "schema": {"type": "string"}} for one in missing]
    return {**item, "parameters": [*(item.get("parameters") or []), *added]} if added else item
