"""Service and Resource: from verb and path to a method."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, get_type_hints

from trunkline.call import ALL_VERBS, VERBS, Call, Caller, truth, verbs_of
from trunkline.config import Config
from trunkline.describe import COMMON, ROOT, Description, Operation, Path, of_call_paths
from trunkline.errors import BadRequest, NotFound
from trunkline.threads import in_thread

if TYPE_CHECKING:
    from trunkline.app import App
    from trunkline.db.records import ServiceRecord


@dataclass(frozen=True, slots=True)
class Open:
    """A path of a service type that needs no permission, for some verbs; ``*`` is any path (system-api 2.2, D21)."""

    path: str
    verbs: int = ALL_VERBS

    def covers(self, verb: str, component: str) -> bool:
        """Say whether this exception lets ``verb`` on ``component`` pass."""
        return bool(self.verbs & VERBS.get(verb, 0)) and self.path in ("*", component)


@dataclass(frozen=True, slots=True)
class CallPath:
    """A path that calls of a service have, by which events are named (system-api 15).

    ``path`` may have placeholders such as ``{table_name}``; ``names`` are what these can stand for just now.
    """

    path: str
    verbs: tuple[str, ...]
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)


def _verbs(target: Service | Resource) -> tuple[str, ...]:
    return tuple(verb for verb in VERBS if hasattr(target, verb.lower()))


async def dispatch(target: Service | Resource, call: Call, rest: tuple[str, ...], where: str) -> Any:
    """Call the target's method for the verb, a plain one in a worker thread. Raises BadRequest if there is none."""
    method: Callable[[Call, tuple[str, ...]], Any] | None = getattr(target, call.method.lower(), None)
    if method is None:
        raise BadRequest(f"{call.method} requests {where} are not currently supported by the '{call.service}' service.")
    if inspect.iscoroutinefunction(method):
        return await method(call, rest)
    answer = await in_thread(method, call, rest)
    return await answer if isinstance(answer, Awaitable) else answer


class Resource:
    """One path below a service; verbs are methods ``get(call, rest)`` and so on, async or plain.

    ``rest`` are the path segments below this resource. Plain methods run in a worker thread.
    """

    name: ClassVar[str]
    label: ClassVar[str] = ""
    description: ClassVar[str] = ""
    read_only: ClassVar[bool] = False
    # Resources one path segment further down, such as ``session`` under ``admin``.
    children: ClassVar[tuple[type[Resource], ...]] = ()
    # What the verbs do on the resource itself, where more is to be said than their docstrings do.
    operations: ClassVar[Mapping[str, Operation]] = {}
    # Paths further down that are no resources, from here.
    paths_below: ClassVar[tuple[Path, ...]] = ()
    # What is told beside the calls, named behind the resource's own path: ``{id}.exceeded``.
    named_events: ClassVar[tuple[str, ...]] = ()

    def __init__(self, service: Service, parent: Resource | None = None) -> None:
        """Bind the resource to its service; it lives as long as that does and must not keep state of a call."""
        self.service = service
        self.app = service.app
        self.path_name: str = f"{parent.path_name}/{self.name}" if parent else self.name
        self._children = {child.name: child(service, self) for child in self.children}

    async def handle(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Answer a call on this resource or one below it."""
        if rest and (child := self._children.get(rest[0])):
            return await child.handle(call, rest[1:])
        where = "/".join((self.path_name, *rest))
        return await dispatch(self, call, rest, f"for resource '{where}'")

    async def call_paths(self, caller: Caller) -> list[CallPath]:
        """List the paths of calls here and below; names as far as the caller may see them."""
        found = [CallPath(self.path_name, _verbs(self))]
        for child in self._children.values():
            found += await child.call_paths(caller)
        return found

    async def openapi(self, caller: Caller, described: Description, *, expanded: bool = False) -> None:
        """Add to ``described`` what calls there are here and below, by default as far as ``call_paths`` tells.

        All of them, whoever asks, with names as far as the caller may see them: what the caller may not do is left out
        by others (``describe.Rights``). ``expanded`` asks for a path of its own for each thing that the target has.
        """
        found = [one for one in await self.call_paths(caller) if one.path == self.path_name]
        for path in of_call_paths(self, found):
            described.paths.append(Path(path.path, {**path.operations, **self.operations}))
        described.paths += [replace(one, path=f"{self.path_name}/{one.path}") for one in self.paths_below]
        for child in self._children.values():
            await child.openapi(caller, described, expanded=expanded)

    def describe(self) -> dict[str, Any]:
        """Describe the resource as service roots list it."""
        return {
            "name": self.name,
            "label": self.label or self.name.replace("_", " ").title(),
            "description": self.description or None,
            "read_only": self.read_only,
        }


class Service:
    """A configured service; class attributes describe its type, an instance serves a row of ``system/service``."""

    label: ClassVar[str]
    description: ClassVar[str] = ""
    group: ClassVar[str] = "Custom"
    singleton: ClassVar[bool] = False
    # What of this type `trunkline setup` creates (system-api 6.1): names, each with label and configuration.
    at_setup: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    lacks: ClassVar[set[str]] = set()
    open_paths: ClassVar[tuple[Open, ...]] = ()
    # Where POST logs in (a token sent is ignored) and PUT refreshes (the handler judges the token; system-api 2.1).
    session_paths: ClassVar[frozenset[str]] = frozenset()
    # Lists that filter themselves: GET passes for a role with any GET row on the service (system-api 2.4).
    self_filtering: ClassVar[frozenset[str]] = frozenset()
    # What writes may answer beside the formats, by path: such as a zip where one is asked for.
    own_media_types: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    # Whether calls come with their body as a stream, ``call.incoming``, not yet read.
    takes_streams: ClassVar[bool] = False
    resources: ClassVar[tuple[type[Resource], ...]] = ()
    # What the verbs do on the root, where more is to be said than their docstrings do.
    operations: ClassVar[Mapping[str, Operation]] = {}
    config: Config

    def __init__(self, app: App, record: ServiceRecord, config: Config) -> None:
        """Keep what the service needs; connect to nothing yet."""
        self.app = app
        self.record = record
        self.config = config
        self._added = {kind.name: kind(self) for kind in app.extra_resources(record.type)}
        self._resources: dict[str, Resource] = {kind.name: kind(self) for kind in self.resources} | self._added

    @classmethod
    def config_class(cls) -> type[Config]:
        """Answer the pydantic model of this type's configuration, from the annotation of ``config``."""
        found = get_type_hints(cls).get("config", Config)
        return found if isinstance(found, type) and issubclass(found, Config) else Config

    @property
    def name(self) -> str:
        """The name below ``/api/v2``."""
        return self.record.name

    def all_resources(self) -> Mapping[str, Resource]:
        """Answer the resources by their names, those of plugins too."""
        return self._resources

    def respond(self, call: Call) -> Awaitable[Any]:
        """Answer a call that the kernel has let through; resources that plugins added come before ``handle``."""
        added = self._added.get(call.path[0].lower()) if call.path and self._added else None
        return self.handle(call) if added is None else added.handle(call, call.path[1:])

    async def handle(self, call: Call) -> Any:
        """Answer a call; override this where paths are not resources."""
        if not call.path:
            return await dispatch(self, call, (), "without a resource")
        found = self._resources.get(call.path[0].lower())
        if found is None:
            raise NotFound(f"Resource '{call.path[0]}' not found for service '{self.name}'.")
        return await found.handle(call, call.path[1:])

    async def get(self, call: Call, _rest: tuple[str, ...]) -> Any:
        """List the resources that the caller may touch (system-api 1.4)."""
        if call.flag("refresh"):
            await self.flush()
        if call.flag("as_access_list"):
            return {"resource": await self.access_list(call.caller)}
        allowed = [
            one
            for name, one in self._resources.items()
            if not name.startswith("_spec") and self._visible(call.caller, name)
        ]
        if call.flag("as_list"):
            return {"resource": [one.name for one in allowed]}
        return {"resource": [self._listed(call, one) for one in allowed]}

    def describe(self, resource: Resource) -> dict[str, Any]:
        """Describe a resource as the root lists it."""
        return resource.describe()

    def _visible(self, caller: Caller, name: str) -> bool:
        return caller.is_admin or any(caller.mask(self.record, part) for part in (name, f"{name}/*"))

    def _listed(self, call: Call, resource: Resource) -> dict[str, Any]:
        wanted = call.option("fields")
        full = self.describe(resource)
        if wanted is None:
            return {"name": full["name"]}
        if truth(call.option("include_access")):
            full["access"] = verbs_of(call.caller.mask(self.record, resource.name))
        if wanted == "*":
            return full
        return {key: full[key] for key in str(wanted).replace(" ", "").split(",") if key in full}

    async def access_list(self, caller: Caller) -> list[str]:
        """List the components that a role editor may offer, as far as the caller may see them (system-api 11.7)."""
        found = ["", "*"] if caller.mask(self.record, "") else []
        for name in self._resources:
            if not name.startswith("_spec") and caller.mask(self.record, name):
                found += [f"{name}/", f"{name}/*"]
        return found

    async def call_paths(self, caller: Caller) -> list[CallPath]:
        """List the paths of calls; those of the resources as they say."""
        found = [CallPath("", _verbs(self))]
        for name, resource in self._resources.items():
            if not name.startswith("_spec"):
                found += await resource.call_paths(caller)
        return found

    async def openapi(self, caller: Caller, *, expanded: bool = False) -> Description:
        """Describe the calls of this service; those of the resources as they say (connectors 11.2)."""
        described = Description(schemas=dict(COMMON))
        (own, *_) = of_call_paths(self, [CallPath("", _verbs(self))])
        shown = {"GET": ROOT} if type(self).get is Service.get else {}
        described.paths.append(Path("", {**own.operations, **shown, **self.operations}))
        for name, resource in self._resources.items():
            if not name.startswith("_spec"):
                await resource.openapi(caller, described, expanded=expanded)
        return described

    def openapi_stamp(self) -> object:
        """Answer what is another as soon as ``openapi`` would be, though no record of the system has changed."""
        return None

    def named_events(self) -> list[str]:
        """List what is told beside the calls, behind the name of the service."""
        return [f"{name}.{event}" for name, one in self._resources.items() for event in one.named_events]

    async def flush(self) -> None:
        """Forget what was cached of the target; called by ``DELETE /system/cache/{service}``."""

    async def close(self) -> None:
        """Let go of connections; called when the row changed or the process ends."""
