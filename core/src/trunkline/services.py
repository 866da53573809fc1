"""Configured service instances: built when first called, dropped when their row changes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from trunkline import json
from trunkline.errors import BadRequest, InternalError, Unavailable
from trunkline.lookups import Lookups
from trunkline.service import Service

if TYPE_CHECKING:
    from trunkline.app import App
    from trunkline.db.records import ServiceRecord


class Services:
    """Keeps one instance per configured service."""

    def __init__(self, app: App) -> None:
        """Build nothing yet."""
        self._app = app
        self._built: dict[int, Service] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def of(self, record: ServiceRecord, *, told_why: bool = False) -> Service:
        """Answer the instance for a row; raises Unavailable when its type or configuration cannot be used.

        Only who is ``told_why`` (administrators) reads the reason.
        """
        known = self._built.get(record.id)
        if known is not None:
            # A new snapshot has new record objects; equal content means that the row did not change.
            if known.record is record or known.record == record:
                return known
            self._drop(known)
        try:
            service = self._build(record)
        except (Unavailable, InternalError, BadRequest) as error:
            reason = error.message if told_why else f"Service {record.name} is not available."
            raise Unavailable(reason) from error
        self._built[record.id] = service
        return service

    async def get(self, service_id: int) -> Service | None:
        """Answer the instance of a service by its id, or None when there is no such active service."""
        record = (await self._app.directory.fresh()).services_by_id.get(service_id)
        return self.of(record) if record is not None and record.is_active else None

    async def named(self, name: str) -> Service | None:
        """Answer the instance of a service by its name, or None when there is no such active service."""
        record = (await self._app.directory.fresh()).services.get(name.lower())
        return self.of(record) if record is not None and record.is_active else None

    def built(self, service_id: int) -> Service | None:
        """Answer the instance for a row if there is one already."""
        return self._built.get(service_id)

    def _build(self, record: ServiceRecord) -> Service:
        kind = self._app.registry.load(record.type)
        model = kind.config_class()
        opened = model.opened(json.loads(record.config), self._app.vault)
        return kind(self._app, record, model.check(self.system_lookups().fill(opened, private=True)))

    def system_lookups(self) -> Lookups:
        """Answer the lookups that configuration may use: the system's, private ones too (system-api 12)."""
        return Lookups({}, self._app.directory.snapshot.lookups_of("system", None))

    def prune(self) -> None:
        """Drop the instances of rows that are gone."""
        rows = self._app.directory.snapshot.services_by_id
        for service_id in [one for one in self._built if one not in rows]:
            self._drop(self._built[service_id])

    def _drop(self, service: Service) -> None:
        del self._built[service.record.id]
        task = asyncio.ensure_future(service.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Close every instance."""
        for service in list(self._built.values()):
            self._drop(service)
        if self._closing:
            await asyncio.gather(*self._closing, return_exceptions=True)
