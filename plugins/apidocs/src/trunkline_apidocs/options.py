"""What requests for documents may say, and how documents go out."""

from __future__ import annotations

import re
from typing import Any

import orjson

from trunkline.call import Call, Reply, truth
from trunkline.describe import query
from trunkline.errors import BadRequest
from trunkline_apidocs import yaml_text

_UNSAFE = re.compile(r"[^\w .()\-]+", re.ASCII)
YAML = "application/yaml"
OPENAPI = query(
    "openapi", {"type": "string", "enum": ["3.0", "3.1"]}, "The version of OpenAPI; 3.0 unless asked otherwise."
)
ROLE = query("role", "string", "Id or name of a role whose document is meant; for administrators.")
FORMAT = query("format", {"type": "string", "enum": ["json", "yaml"]}, "How the document goes out.")
REBUILD = query("refresh", "boolean", "Make the document anew.")
FILE = query("file", "string", "Send it as a download of this name.")


def is_new(call: Call) -> bool:
    """Say whether OpenAPI 3.1 is asked for; raises BadRequest for other versions than 3.0 and 3.1."""
    asked = str(call.option("openapi") or "3.0").strip()
    if asked not in ("3.0", "3.0.0", "3.1", "3.1.0"):
        raise BadRequest("The parameter 'openapi' must be 3.0 or 3.1.")
    return asked.startswith("3.1")


def is_yaml(call: Call) -> bool:
    """Say whether YAML is asked for, in the query or by ``Accept``."""
    asked = call.option("format")
    if asked is not None:
        word = str(asked).strip().lower()
        if word not in ("json", "yaml"):
            raise BadRequest("The parameter 'format' must be json or yaml.")
        return word == "yaml"
    return "yaml" in str(call.params.get("accept") or call.headers.get("accept") or "").lower()


def rendered(content: dict[str, Any], *, yaml: bool, pretty: bool = False) -> bytes:
    """Render a document; blocks."""
    if yaml:
        return yaml_text.dump(content)
    return orjson.dumps(content, option=orjson.OPT_INDENT_2 if pretty else 0)


def reply(call: Call, content: bytes, *, yaml: bool, name: str) -> Reply:
    """Answer a rendered document, as a download where ``file`` asks for one."""
    headers = {"Cache-Control": "no-store"}
    asked = call.params.get("file")
    if asked is not None and str(asked).strip().lower() not in ("false", "0", "no", "off"):
        chosen = f"{name}.{'yaml' if yaml else 'json'}" if truth(asked) else str(asked)
        safe = _UNSAFE.sub("_", chosen).strip(". ") or name
        headers["Content-Disposition"] = f'attachment; filename="{safe}"'
    return Reply(content, 200, headers, YAML if yaml else "application/json")
