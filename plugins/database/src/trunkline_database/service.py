"""DatabaseService: what all databases have in common, whatever their engine."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import Any, ClassVar

import sqlalchemy as sa
from pydantic import field_validator

from trunkline import Config, Field
from trunkline.call import Call, Caller
from trunkline.revisions import CONFIG
from trunkline.service import Resource, Service
from trunkline_database import extras
from trunkline_database.catalogue import Catalogue
from trunkline_database.model import Table
from trunkline_database.params import Query
from trunkline_database.plan import Target
from trunkline_database.results import Results
from trunkline_database.routine_catalogue import RoutineCatalogue
from trunkline_database.routines import FunctionResource, ProcedureResource, RoutineResource
from trunkline_database.schema import SchemaResource
from trunkline_database.store import Store
from trunkline_database.table import TableResource

DEFAULT_MAX_RECORDS = 1000


class DatabaseConfig(Config):
    """The settings with which every database type ends."""

    allow_upsert: bool = Field(
        default=False,
        title="Allow Upsert",
        description="Let PUT and PATCH create records that do not exist yet.",
    )
    max_records: int | None = Field(
        default=DEFAULT_MAX_RECORDS,
        title="Maximum Records",
        description="Most records in one reply, at least 1; the instance's own maximum stands above it.",
    )
    cache_enabled: bool = Field(
        default=False,
        title="Data Retrieval Caching Enabled",
        description="Keep results of reads for a while.",
    )
    cache_ttl: int = Field(
        default=0,
        title="Cache Time To Live (seconds)",
        description="How long results are kept.",
    )

    @field_validator("max_records", mode="before")
    @classmethod
    def _default_when_useless(cls, value: Any) -> Any:
        """Take what is not a number above zero for the default (database-api 18)."""
        try:
            return value if int(value) > 0 else DEFAULT_MAX_RECORDS
        except (TypeError, ValueError):
            return DEFAULT_MAX_RECORDS

    @classmethod
    def schema_entries(cls) -> list[dict[str, Any]]:
        """Render the fields with these four at the end, where forms have always shown them."""
        tail = DatabaseConfig.model_fields
        return sorted(super().schema_entries(), key=lambda entry: entry["name"] in tail)


class DatabaseService(Service):
    """Tables, records and structure of one database; an engine brings a store."""

    group = "Database"
    resources: ClassVar[tuple[type[Resource], ...]] = (
        SchemaResource,
        TableResource,
        ProcedureResource,
        FunctionResource,
    )
    self_filtering: ClassVar[frozenset[str]] = frozenset({"_schema"})
    config: DatabaseConfig

    def __init_subclass__(cls, **more: Any) -> None:
        """Offer routines only where the type has them."""
        super().__init_subclass__(**more)
        cls.resources = tuple(
            one for one in cls.resources if not (issubclass(one, RoutineResource) and one.ability in cls.lacks)
        )

    @abstractmethod
    def open_store(self) -> Store:
        """Make the store; it connects when first used."""

    @cached_property
    def store(self) -> Store:
        """The store of this service."""
        return self.open_store()

    @cached_property
    def catalogue(self) -> Catalogue:
        """What is known of the structure."""
        return Catalogue(self.store, self.record.id, self._stamp, self._read_extras)

    @cached_property
    def routines(self) -> RoutineCatalogue:
        """What is known of procedures and functions."""
        return RoutineCatalogue(self.store, self._stamp)

    def _stamp(self) -> int:
        return self.app.database.revisions[CONFIG]

    async def _read_extras(self) -> extras.Extras:
        return await self.app.database.aread(lambda connection: extras.load(connection, self.record.id))

    async def structure_changed(self, work: Callable[[sa.Connection], None] = lambda _connection: None) -> None:
        """Tell this worker and all others that tables are not what they were; ``work`` remembers it on the way."""
        await self.app.database.achange(work)
        await self.catalogue.changed()
        if self.config.cache_enabled:
            await self.results.forget()

    @cached_property
    def results(self) -> Results:
        """The results that are kept where ``cache_enabled`` says so."""
        return Results(self)

    @cached_property
    def max_records(self) -> int:
        """Most records in one reply."""
        return min(self.config.max_records or DEFAULT_MAX_RECORDS, self.app.settings.max_records)

    def target(self, call: Call, table: Table, query: Query, verb: str, component: str | None = None) -> Target:
        """Answer a table as a call may see it; the component is that of a related table unless given."""
        return Target(self, call, table, query, verb, f"_table/{table.key.lower()}" if component is None else component)

    async def access_list(self, caller: Caller) -> list[str]:
        """List the components that a role editor may offer (database-api 2)."""
        found: list[str] = []
        kinds = {f"{one.name}/*": one for one in self.resources if issubclass(one, RoutineResource)}
        for component in await super().access_list(caller):
            found.append(component)
            if component in kinds:
                kind = kinds[component]
                names = [f"{kind.name}/{one.key}" for one in await self.routines.names(kind.kind)]
                found += [one for one in names if caller.mask(self.record, one.lower())]
            if component in ("_schema/*", "_table/*"):
                base = component.removesuffix("/*")
                known = await self.catalogue.extras()
                for name in await self.catalogue.names():
                    shown = known.record_name(name.key) if base == "_table" else name.key
                    if caller.mask(self.record, f"{base}/{shown.lower()}"):
                        found += [f"{base}/{shown}/", f"{base}/{shown}/*"]
        return found

    def openapi_stamp(self) -> object:
        """Answer how often the structure was found to be another one."""
        return self.catalogue.generation if "catalogue" in self.__dict__ else 0

    async def explain(self, call: Call) -> dict[str, Any] | None:
        """Answer what a call would begin with, for ``system/explain``; nothing is read or written."""
        from trunkline_database.explaining import explained

        return await explained(self, call)

    async def flush(self) -> None:
        """Forget the structure and the results; called when the service's cache is cleared."""
        await self.catalogue.changed()
        self.routines.forget()
        if self.config.cache_enabled:
            await self.results.forget()

    async def close(self) -> None:
        """Close the store, if it was ever opened."""
        if "store" in self.__dict__:
            await self.store.close()
