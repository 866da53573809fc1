"""``_spec`` below every service: its document, also short, or as a model of its data (connectors 11.3)."""

from __future__ import annotations

from typing import Any

from trunkline import Resource
from trunkline.call import Call
from trunkline.errors import NotFound
from trunkline.threads import in_thread
from trunkline_apidocs.datamodel import data_model
from trunkline_apidocs.documents import Asked, as_role, documents_of
from trunkline_apidocs.options import is_new, is_yaml, rendered, reply
from trunkline_apidocs.references import pruned
from trunkline_apidocs.usage import USAGE

_RESOURCES, _RELATIONS = "x-dreamfactory-resources", "x-dreamfactory-relationships"


class Spec(Resource):
    """The document of the service, as far as the caller may use it."""

    name = "_spec"
    label = "API Specification"
    description = "The OpenAPI document of the service."
    read_only = True

    async def get(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Answer the document of the service."""
        if rest:
            raise NotFound(f"Resource '{'/'.join(('_spec', *rest))}' not found for service '{self.service.name}'.")
        caller, service = call.caller, self.service
        if call.option("role") is not None:
            caller = as_role(self.app, caller, call.option("role"))
        yaml, refresh = is_yaml(call), call.flag("refresh")
        if refresh and caller.may("GET", service.record, ""):
            await service.flush()
        if call.flag("model"):
            model = await data_model(service, caller, stock=call.flag("stock"))
            content = await in_thread(lambda: rendered(model, yaml=yaml, pretty=True))
            return reply(call, content, yaml=yaml, name=f"{service.name}_model")
        name, tables, compact = str(call.option("resource_name") or ""), call.flag("tables"), call.flag("compact")

        def render(document: dict[str, Any]) -> bytes:
            told = {**document, "x-dreamfactory-usage": USAGE}
            if name:
                told = pruned({**told, "paths": _only(told["paths"], name)})
            if _RESOURCES in told and not tables:
                told[_RESOURCES] = [one["name"] for one in told[_RESOURCES]]
            return rendered(compacted(told) if compact else told, yaml=yaml, pretty=True)

        form = ("yaml" if yaml else "json", name, tables, compact)
        asked = Asked(service.name.lower(), is_new(call), expanded=True, is_spec=True, form=form)
        content = await documents_of(self.app).answer(self.app, caller, asked, render, refresh=refresh)
        return reply(call, content, yaml=yaml, name=service.name)


def _only(paths: dict[str, Any], name: str) -> dict[str, Any]:
    """Keep the paths that have a resource among their parts, whatever its case."""
    wanted = name.strip("/").lower()
    return {path: item for path, item in paths.items() if f"/{wanted}/" in f"{path.lower()}/"}


def compacted(document: dict[str, Any]) -> dict[str, Any]:
    """Cut a document down to its paths and their parameters."""
    kept = ("openapi", "info", "servers", "security", "x-dreamfactory-usage", _RELATIONS, _RESOURCES)
    shared = document["components"].get("parameters", {})
    endpoints = [
        {
            "path": path,
            "method": verb.upper(),
            "summary": operation.get("summary", ""),
            "operationId": operation.get("operationId", ""),
            "parameters": [_told(one, shared) for one in operation.get("parameters", ())],
            "has_request_body": "requestBody" in operation,
        }
        for path, item in document["paths"].items()
        for verb, operation in item.items()
        if isinstance(operation, dict)
    ]
    told = {name: document[name] for name in kept if name in document}
    return {**told, "endpoints": endpoints, "endpoint_count": len(endpoints)}


def _told(parameter: dict[str, Any], shared: dict[str, Any]) -> str:
    found = shared.get(str(parameter.get("$ref", "")).rpartition("/")[2], parameter)
    kind = found.get("schema", {}).get("type", "string")
    return f"{found.get('name')} ({found.get('in')}, {kind})"
