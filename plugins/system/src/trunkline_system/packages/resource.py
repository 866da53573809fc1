"""``system/package``: a manifest of what can be exported, export to a zip, import of one (system-api 20.1)."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from trunkline.authorize import authorize
from trunkline.call import Call, Reply
from trunkline.errors import BadRequest, Forbidden, NotFound
from trunkline.events import RecordChanged
from trunkline.render import accept_of
from trunkline.service import Resource
from trunkline.threads import in_thread
from trunkline.vault import Vault
from trunkline_system import openapi
from trunkline_system.model import Work
from trunkline_system.packages import archive, manifest
from trunkline_system.packages.content import Content
from trunkline_system.packages.export import Exporter
from trunkline_system.packages.load import Loader, Log, Options
from trunkline_system.stored import StoredResource
from trunkline_system.uploaded import Source, source_of

_MEDIA_TYPE = "application/zip"
_STORAGE, _FOLDER = "files", "__EXPORTS"


class PackageResource(Resource):
    """What packages of both kinds share: which resources there are, and loading in one transaction."""

    def exportable(self) -> dict[str, StoredResource]:
        """Answer the resources whose records can be part of a package."""
        return manifest.exportable(self.service.all_resources())

    def work_of(self, connection: sa.Connection, call: Call) -> Work:
        """Make the unit of work for a caller; options of the request are not meant for the records."""
        own = Call("POST", call.service, (self.name,), caller=call.caller, request_id=call.request_id)
        return Work(self.app, connection, own)

    async def load(self, call: Call, records: dict[str, list[Any]], options: Options) -> Log:
        """Write records in one transaction, and tell who wants to know."""
        models = {name: one.model for name, one in self.exportable().items()}

        def run(connection: sa.Connection) -> Log:
            return Loader(self.work_of(connection, call), models, options).load(records)

        log: Log = await in_thread(self.app.database.change, run)
        user = call.caller.user.id if call.caller.user else None
        for resource, action, key in log.changes:
            changed = RecordChanged(resource, action, key, user, request_id=call.request_id)
            self.app.events.publish(changed)
        return log


class Package(PackageResource):
    """Packages as zip files."""

    name = "package"
    label = "Packages"
    description = "Exports parts of the configuration, and imports them."
    operations = openapi.PACKAGE

    async def get(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Answer the manifest of what could be exported."""
        self._nothing_below(rest)
        resources = self.exportable()
        listed = await self.app.database.aread(
            lambda connection: manifest.of_system(Work(self.app, connection, call), resources)
        )
        others = {} if call.flag("system_only") else await manifest.of_services(self.app, call)
        return {**manifest.head(), "service": {manifest.SYSTEM: listed, **others}}

    async def post(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Import the package that was uploaded or that a URL names; else export what the manifest says."""
        self._nothing_below(rest)
        source = await source_of(self.app, call)
        if source is not None:
            return await self._import(call, source)
        return await self._export(call)

    def _nothing_below(self, rest: tuple[str, ...]) -> None:
        if rest:
            raise NotFound(f"Resource '{'/'.join((self.name, *rest))}' not found.")

    # Export.

    async def _export(self, call: Call) -> Reply:
        given = call.body
        system, others = manifest.chosen(given)
        password = call.option("password")
        secured = bool(password) or call.flag("secured")
        if secured and not call.caller.is_admin:
            raise Forbidden("Only administrators can export secrets.")
        content, most = Content(self.app, call.caller), self.app.settings.max_records
        documents: dict[str, Any] = {}
        for name, items in others.items():
            if tables := items.get("_schema"):
                documents[f"{name}/_schema.json"] = {"resource": await content.schema(name, tables)}
            if tables := items.get("_table"):
                documents[f"{name}/_table.json"] = await content.records(name, tables, most)
        packed = await in_thread(self._packed, call, system, others, documents, password if secured else None, secured)
        return await self._handed_over(call, packed)

    def _packed(
        self,
        call: Call,
        system: dict[str, list[Any]],
        others: Any,
        documents: dict[str, Any],
        password: Any,
        secured: bool,
    ) -> bytes:
        head = manifest.head(secured=secured)
        sealing: Vault | None = None
        if secured:
            sealing, head["seal"] = archive.seal(password)
        if isinstance(description := call.body.get("description"), str):
            head["description"] = description
        resources = self.exportable()

        def read(connection: sa.Connection) -> None:
            work = self.work_of(connection, call)
            exporter = Exporter(work, sealing)
            for name, wanted in system.items():
                if name not in resources:
                    raise BadRequest(f"There is no resource '{str(name)[:64]}' to export.")
                work.demand("GET", resources[name].model)
                documents[f"system/{name}.json"] = {"resource": exporter.records(resources[name], wanted)}

        self.app.database.read(read)
        head["service"] = {manifest.SYSTEM: system, **others}
        return archive.write({archive.MANIFEST: head, **documents})

    async def _handed_over(self, call: Call, packed: bytes) -> Reply:
        """Answer the file itself when it is asked for or there is no place to keep it; else keep it and say where."""
        storage = call.body.get("storage")
        if storage is not None and not isinstance(storage, dict):
            raise BadRequest("The storage must be an object.")
        asked = call.params.get("file") is not None or _MEDIA_TYPE in str(call.headers.get("accept"))
        moment = datetime.now(UTC).strftime("%Y-%m-%d_%H.%M.%S")
        named = storage or {}
        name = str(named.get("filename") or named.get("file") or f"{platform.node()}_{moment}.zip")
        service = self._storage_name(storage or {})
        if storage is None and (asked or self.app.directory.snapshot.services.get(service) is None):
            headers = {"Content-Disposition": f'attachment; filename="{_safe(name)}"'}
            return Reply(packed, 200, headers, _MEDIA_TYPE)
        self.app.formats.choose(accept_of(self.app, call))
        folder = str(named.get("folder") or named.get("path") or _FOLDER).strip("/")
        parts = [part for part in (*folder.split("/"), name) if part]
        if any(part in (".", "..") for part in parts) or "/" in name:
            raise BadRequest("The storage must name a folder and a file.")
        kept = Call(
            "POST", service, tuple(parts), raw=packed, media_type=_MEDIA_TYPE, caller=call.caller,
            headers={"content-type": _MEDIA_TYPE}, request_id=call.request_id,
        )  # fmt: skip
        await self.app.directory.fresh()
        await authorize(self.app, kept).handle(kept)
        path = "/".join((call.base_url, service, *parts))
        return Reply({"success": True, "path": path, "is_public": False})

    def _storage_name(self, storage: dict[str, Any]) -> str:
        found = storage.get("name")
        if found is None and isinstance(key := storage.get("id"), int):
            record = self.app.directory.snapshot.services_by_id.get(key)
            if record is None:
                raise BadRequest(f"There is no storage service with id {key}.")
            found = record.name
        return str(found or _STORAGE).lower()

    # Import.

    async def _import(self, call: Call, source: Source) -> Reply:
        if source.extension != "zip":
            raise BadRequest("Only packages that are zip files can be imported.")
        # What came of it is told in words.
        self.app.formats.choose(accept_of(self.app, call))
        documents, opening = await in_thread(self._opened, source, call.option("password"))
        head = documents.pop(archive.MANIFEST)
        system: dict[str, list[Any]] = {}
        others: dict[str, dict[str, Any]] = {}
        for name, content in documents.items():
            service, _, resource = name.removesuffix(".json").partition("/")
            if service == manifest.SYSTEM:
                system[resource] = _records(content)
            elif resource in ("_schema", "_table"):
                others.setdefault(service, {})[resource] = content
        if not system and not others:
            raise BadRequest("No items found in package manifest.")
        options = Options(call.flag("overwrite"), opening, head.get("product") == "trunkline")
        log = await self.load(call, system, options)
        made = len(log.changes) + await self._load_content(call, others, log)
        told = {"notice": log.notices, "warning": log.warnings}
        return Reply({"success": bool(made), "log": told}, 201 if made else 200)

    def _opened(self, source: Source, password: Any) -> tuple[dict[str, Any], Vault | None]:
        documents = archive.read(source.content, self.app.settings.max_body)
        return documents, archive.unseal(documents[archive.MANIFEST], password)

    async def _load_content(self, call: Call, others: dict[str, dict[str, Any]], log: Log) -> int:
        """Create tables and their records after the services are there; what fails is a warning."""
        content = Content(self.app, call.caller)
        services = (await self.app.directory.fresh()).services
        made_in_all = 0
        for service, items in others.items():
            if service.lower() not in services:
                log.warnings.append(f"Tables of service '{service}' are left out, as it is not here.")
                continue
            made, known, told = await content.create_tables(service, _records(items.get("_schema", [])))
            log.notices += [
                f"Table '{name}' of service '{service}' exists already and stays as it is." for name in known
            ]
            log.warnings += told
            tables = items.get("_table") or {}
            if not isinstance(tables, dict):
                raise BadRequest("Invalid package supplied.")
            # Records go into tables that are new, since nobody can say which of those in others are the same.
            fresh = {name: some for name, some in tables.items() if name in made or call.flag("overwrite")}
            log.notices += [
                f"Records of table '{name}' of service '{service}' are left out."
                for name in tables
                if name not in fresh
            ]
            log.warnings += await content.create_records(service, fresh, made)
            made_in_all += len(made)
        return made_in_all


def _records(content: Any) -> list[Any]:
    found = content.get("resource") if isinstance(content, dict) else content
    if not isinstance(found, list):
        raise BadRequest("Invalid package supplied.")
    return found


def _safe(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "._- " else "_" for letter in name if letter.isascii())
