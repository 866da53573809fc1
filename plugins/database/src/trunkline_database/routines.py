"""``_proc`` and ``_func``: lists of stored procedures and functions, and calls of them (database-api 15, D31)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from trunkline.call import Call, Caller, verbs_of
from trunkline.describe import Description
from trunkline.errors import BadRequest, InternalError, NotFound, TrunklineError
from trunkline.service import CallPath, Resource
from trunkline_database.params import names_in, read_query
from trunkline_database.routine import Outcome, Routine, RoutineKind, RoutineName
from trunkline_database.routine_call import bound, sent
from trunkline_database.routine_shape import Shape, shaped
from trunkline_database.store import StaleSchema

if TYPE_CHECKING:
    from trunkline_database.service import DatabaseService


class RoutineResource(Resource):
    """What ``_proc`` and ``_func`` have in common."""

    kind: ClassVar[RoutineKind]
    # What a type lacks that does not have this resource.
    ability: ClassVar[str]
    service: DatabaseService

    async def get(self, call: Call, rest: tuple[str, ...]) -> Any:
        """List routines, or call one."""
        return await self._call(call, rest) if rest else await self._list(call)

    async def post(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Call a routine."""
        return await self._call(call, rest) if rest else self._refuse(call)

    async def put(self, call: Call, _rest: tuple[str, ...]) -> Any:
        """Refuse: routines are only called."""
        return self._refuse(call)

    async def patch(self, call: Call, _rest: tuple[str, ...]) -> Any:
        """Refuse."""
        return self._refuse(call)

    async def delete(self, call: Call, _rest: tuple[str, ...]) -> Any:
        """Refuse."""
        return self._refuse(call)

    def _refuse(self, call: Call) -> Any:
        raise BadRequest(
            f"{call.method} requests without a resource are not currently supported by the '{self.name}' service."
        )

    async def call_paths(self, caller: Caller) -> list[CallPath]:
        """List the paths, also that of each routine; names are left out while the database is not there."""
        (own,) = await super().call_paths(caller)
        try:
            names = [one.key for one in await self.service.routines.names(self.kind)]
        except TrunklineError:
            names = []
        seen = [one for one in names if caller.mask(self.service.record, f"{self.name}/{one.lower()}")]
        placeholder = f"{self.kind}_name"
        return [own, CallPath(f"{self.name}/{{{placeholder}}}", ("GET", "POST"), {placeholder: seen})]

    async def openapi(self, caller: Caller, described: Description, *, expanded: bool = False) -> None:
        """Describe the calls; expanded, those of each routine with its parameters."""
        from trunkline_database.openapi_routines import add_routines

        await add_routines(self, caller, described, expanded=expanded)

    # Lists.

    async def _list(self, call: Call) -> dict[str, Any]:
        query = read_query(call)
        found = [
            (name, mask)
            for name in await self.service.routines.names(self.kind, refresh=query.refresh)
            if (mask := call.caller.mask(self.service.record, f"{self.name}/{name.key.lower()}"))
        ]
        wanted = {one.lower() for one in names_in(call.option("ids"))}
        prefix = call.params.get("schema")
        if wanted:
            found = [(name, mask) for name, mask in found if name.key.lower() in wanted]
        if isinstance(prefix, str) and prefix:
            found = [(name, mask) for name, mask in found if name.key.lower().startswith(f"{prefix.lower()}.")]
        if query.as_list:
            return {"resource": [name.key for name, _ in found]}
        fields = call.option("fields")
        if wanted:
            entries = [one.describe(mask) for name, mask in found for one in await self._overloads(name)]
        elif fields is None:
            return {"resource": [{"name": name.key} for name, _ in found]}
        else:
            entries = [_entry(name, mask) for name, mask in found]
        if fields not in (None, "*"):
            chosen = names_in(fields)
            entries = [{key: entry[key] for key in chosen if key in entry} for entry in entries]
        return {"resource": entries}

    async def _overloads(self, name: RoutineName) -> list[Routine]:
        """Describe what is listed; it may be gone by now."""
        try:
            return list(await self.service.routines.overloads(self.kind, name.key))
        except NotFound:
            return []

    # Calls.

    async def _call(self, call: Call, rest: tuple[str, ...]) -> Any:
        name, inline = self._split(call, rest)
        shape = Shape.of(call)
        given = sent(call, inline, self.service.app.lookups(call))
        overloads = await self.service.routines.overloads(self.kind, name)
        routine, values = bound(overloads, given)
        try:
            outcome = await self._run(routine, values)
        except StaleSchema as error:
            routine, values = bound(await self._anew(name, overloads, error), given)
            outcome = await self._run(routine, values)
        self._veil(call, routine, outcome)
        return shaped(routine, outcome, shape)

    def _veil(self, call: Call, routine: Routine, outcome: Outcome) -> None:
        """Take out of the result what the caller's role does not let through (D33)."""
        component = f"{self.name}/{routine.identity.key.lower()}"
        found = call.caller.response_filter(self.service.record, component)
        if found is not None:
            outcome.sets = [[found.seen(row, self.app.masker) for row in one] for one in outcome.sets]
            outcome.out = found.seen(outcome.out, self.app.masker)

    async def _run(self, routine: Routine, values: Mapping[int, Any]) -> Outcome:
        try:
            return await self.service.store.call(routine, values)
        finally:
            # Nobody can say which tables a routine writes to, not even after a failure: some commit by themselves.
            if self.service.config.cache_enabled:
                await self.service.results.forget()

    async def _anew(self, name: str, before: Sequence[Routine], error: StaleSchema) -> Sequence[Routine]:
        """Describe a routine that failed anew; raises unless it is another one by now and can be tried again.

        The same one found something else missing, and might have done part of its work for good.
        """
        self.service.routines.forget()
        now = await self.service.routines.overloads(self.kind, name)
        if [one.describe(0) for one in before] == [one.describe(0) for one in now]:
            raise InternalError(f"The {self.kind} failed: the database misses something that it needs.") from error
        return now

    def _split(self, call: Call, rest: tuple[str, ...]) -> tuple[str, str | None]:
        """Take ``name(1,2)`` apart; raises BadRequest unless the brackets end the path.

        The kernel has judged the path without its first pair of brackets, and values may have brackets of their own: so
        the name itself is judged again where that is not what was judged.
        """
        path = "/".join(rest)
        name, bracket, values = path.partition("(")
        if bracket and not values.endswith(")"):
            raise BadRequest("The parameters in the path cannot be understood.")
        if not bracket and len(rest) > 1:
            raise NotFound(f"Resource '{'/'.join(rest[1:])}' not found for {self.kind} '{rest[0]}'.")  # D13
        component = f"{self.name}/{name.lower()}"
        if call.component != component:
            call.caller.demand(call.method, self.service.record, component)
        return name, values[:-1] if bracket else None


class ProcedureResource(RoutineResource):
    """Stored procedures."""

    name = "_proc"
    label = "Stored Procedures"
    description = "Stored procedures, which are called by GET or POST."
    kind = "procedure"
    ability = "procedures"


class FunctionResource(RoutineResource):
    """Stored functions."""

    name = "_func"
    label = "Stored Functions"
    description = "Stored functions, which are called by GET or POST."
    kind = "function"
    ability = "functions"


def _entry(name: RoutineName, mask: int) -> dict[str, Any]:
    """Render the entry of a list, which tells what is known without describing the routine."""
    described = Routine(name, "procedure").describe(mask)
    return {key: described[key] for key in ("alias", "name", "label", "description", "native")} | {
        "access": verbs_of(mask)
    }
