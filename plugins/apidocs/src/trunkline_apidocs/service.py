"""The service type ``swagger``: documents of all services, or of one (connectors 11, system-api 19.1)."""

from __future__ import annotations

from typing import Any

from trunkline import Open, Service
from trunkline.call import VERBS, Call, Caller, Reply
from trunkline.describe import COMMON, Description, Operation, Path, in_path, query, ref
from trunkline.errors import NotFound
from trunkline.service import dispatch
from trunkline_apidocs.documents import Asked, as_role, documents_of, service_for, visible_services
from trunkline_apidocs.options import FILE, FORMAT, OPENAPI, REBUILD, ROLE, is_new, is_yaml, rendered, reply

_EXPAND = query("expand_schema", "boolean", "A path for each table, with the columns of its records.")
_DOCUMENT = (OPENAPI, ROLE, _EXPAND, FORMAT, REBUILD, FILE)


class Swagger(Service):
    """The API documents; whoever may see little gets a document with little in it."""

    label = "API Docs"
    description = "Tells what can be called here, as OpenAPI documents."
    group = "API Doc"
    singleton = True
    open_paths = (Open("*", VERBS["GET"]),)

    async def handle(self, call: Call) -> Any:
        """Answer the document of all services, or of the one that the path names."""
        if call.method != "GET":
            where = f"for resource '{'/'.join(call.path)}'" if call.path else "without a resource"
            return await dispatch(self, call, (), where)
        if len(call.path) > 1:
            raise NotFound(f"Resource '{call.path[1]}' not found for service '{self.name}'.")
        caller = call.caller
        if call.option("role") is not None:
            caller = as_role(self.app, caller, call.option("role"))
        if not call.path and (call.flag("as_list") or call.flag("as_access_list")):
            return {"resource": [one.name for one in visible_services(self.app, caller)]}
        return await self._document(call, caller)

    async def _document(self, call: Call, caller: Caller) -> Reply:
        record = service_for(self.app, caller, call.path[0]) if call.path else None
        yaml, refresh = is_yaml(call), call.flag("refresh")
        if refresh and record is not None and caller.may("GET", record, ""):
            await self.app.services.of(record, told_why=caller.is_admin).flush()
        asked = Asked(
            record.name.lower() if record is not None else None,
            is_new(call),
            call.flag("expand_schema"),
            form=("yaml" if yaml else "json",),
        )
        content = await documents_of(self.app).answer(
            self.app, caller, asked, lambda document: rendered(document, yaml=yaml), refresh=refresh
        )
        return reply(call, content, yaml=yaml, name=record.name if record is not None else self.name)

    async def openapi(self, caller: Caller, *, expanded: bool = False) -> Description:
        """Describe the two calls."""
        document = {"anyOf": [{"type": "object", "required": ["openapi", "info", "paths"]}, ref("ResourceList")]}
        lists = (
            query("as_list", "boolean", "Answer the names of services only."),
            query("as_access_list", "boolean", "The same."),
        )
        kinds = ("application/json", "application/yaml")
        names = [one.name for one in visible_services(self.app, caller)]
        whole = Operation(
            "Describe all services.", "Documents", "", (*lists, *_DOCUMENT), reply=document, media_types=kinds
        )
        one = Operation("Describe a service.", "Document", "", _DOCUMENT, reply={"type": "object"}, media_types=kinds)
        here = in_path("service_name", "Name of the service.")
        return Description(
            [Path("", {"GET": whole}), Path("{service_name}", {"GET": one}, (here,), {"service_name": names})],
            dict(COMMON),
        )
