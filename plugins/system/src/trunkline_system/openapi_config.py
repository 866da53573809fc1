"""The configurations of installed service types as schemas: what ``config`` of a service may be (connectors 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trunkline.describe import Description, ref
from trunkline.threads import in_thread
from trunkline_system.openapi import words_of

if TYPE_CHECKING:
    from trunkline.app import App

_TEMPLATE = "#/components/schemas/{model}"


async def add_configs(app: App, described: Description, *names: str) -> None:
    """Add a schema for each type, and refer to them where the schemas called ``names`` have a ``config``."""
    # Types that nobody has used yet are imported, and their drivers with them.
    found = await in_thread(_schemas, app)
    described.schemas.update(found)
    kinds = [ref(name) for name in found if name.endswith("Config")]
    config = {"anyOf": [*kinds, {"type": "object"}, {"type": "null"}], "description": "What the type asks for."}
    for name in names:
        schema: dict[str, Any] = {**described.schemas[name]}
        schema["properties"] = {**schema["properties"], "config": config}
        described.schemas[name] = schema


def _schemas(app: App) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in app.registry.names():
        kind = app.registry.find(name)
        if kind is None:
            continue
        word = f"{words_of(name.replace('-', '_'))}Config"
        schema = kind.config_class().model_json_schema(ref_template=_TEMPLATE)
        parts = schema.pop("$defs", {})
        renamed = {f"#/components/schemas/{part}": f"#/components/schemas/{word}{part}" for part in parts}
        found |= {f"{word}{part}": _renamed(one, renamed) for part, one in parts.items()}
        found[word] = _renamed(schema, renamed)
    return found


def _renamed(value: Any, renamed: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {
            key: renamed.get(one, one) if key == "$ref" and isinstance(one, str) else _renamed(one, renamed)
            for key, one in value.items()
        }
    return [_renamed(one, renamed) for one in value] if isinstance(value, list) else value
