"""ScmService and its resource ``_repo``: repositories, folders and files, to be read only (connectors 9)."""

from __future__ import annotations

import base64
import binascii
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from trunkline import Config, Resource, Service
from trunkline.call import Call, Caller, Reply, component_in
from trunkline.describe import AS_LIST, FIELDS, Description, Operation, Path, in_path, list_of, query
from trunkline.errors import BadGateway, BadRequest
from trunkline.service import CallPath
from trunkline_scm.provider import Asked, ProviderError

if TYPE_CHECKING:
    from trunkline.app import App
    from trunkline.db.records import ServiceRecord

# Where nobody names a branch; where there is none of this name, the repository's own default is meant.
DEFAULT_REF = "master"
_NOT_FOUND = 404
_MOST_PER_PAGE = 100

_ENTRY = {"type": "object", "properties": {name: {"type": "string"} for name in ("name", "path", "type")}}
_BRANCH = (
    query("branch", "string", "Branch to read; `master`, or else the repository's default, unless given."),
    query("tag", "string", "Tag or commit to read, instead of a branch."),
)
_CONTENT = query("content", "boolean", "Answer the decoded file itself.")
_PATH = query("path", "string", "Path of a folder or file.")
_REPOSITORIES = Operation(
    "List the repositories.",
    "Repositories",
    parameters=(
        AS_LIST, FIELDS, query("page", "integer", "Which page; the first is 1."),
        query("per_page", "integer", "How many on a page."),
    ),
    reply=list_of({"type": "object", "properties": {"name": {"type": "string"}}}),
)  # fmt: skip
_TOP = Operation(
    "List the top folder of a repository, or read what is at a path.",
    "Repository",
    parameters=(*_BRANCH, _PATH, _CONTENT, AS_LIST),
    reply={"anyOf": [list_of(_ENTRY), _ENTRY]},
)
_READ = replace(_TOP, summary="List a folder or read a file.", name="Content", parameters=(*_BRANCH, _CONTENT, AS_LIST))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of a repository is asked for: a path without slashes at its ends, at a branch, tag or commit.

    ``ref`` is None for the repository's own default.
    """

    repo: str
    path: str = ""
    ref: str | None = DEFAULT_REF


@dataclass(frozen=True, slots=True)
class Listing:
    """A folder, in the provider's own words; each entry has a ``name``."""

    entries: Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class File:
    """A file in the provider's own words, its ``content`` in base64."""

    told: dict[str, Any]


class Repositories(Resource):
    """Repositories and what is in them."""

    name = "_repo"
    label = "Repositories"
    description = "Repositories, their folders and files."
    read_only = True
    operations = {"GET": _REPOSITORIES}  # noqa: RUF012 - declared as a ClassVar by the parent

    async def get(self, call: Call, rest: tuple[str, ...]) -> Any:
        """List repositories or a folder, or read a file."""
        service = self.service
        assert isinstance(service, ScmService)  # noqa: S101 - no other service has this resource
        if not rest:
            return await self._repositories(service, call)
        repo, given = _checked(rest[0]), str(call.option("path") or "")
        if len(rest) == 1 and given:
            path = _checked(given)
            # A path in the query needs the right that it needs in the URL.
            call.caller.demand("GET", service.record, component_in((self.name, rest[0], *path.split("/"))))
        else:
            # A segment may have slashes in it.
            path = _checked("/".join(rest[1:]))
        asked = call.option("branch") or call.option("tag")
        found = await service.found(Wanted(repo, path, str(asked) if asked else DEFAULT_REF))
        if call.flag("content"):
            return _content_of(found)
        if isinstance(found, File):
            return found.told
        names = [one.get("name") for one in found.entries]
        return {"resource": names if call.flag("as_list") else list(found.entries)}

    async def _repositories(self, service: ScmService, call: Call) -> Any:
        page, size = _number(call, "page", 1), _number(call, "per_page", 50)
        rows = await service.repositories(page, min(size, _MOST_PER_PAGE))
        if call.flag("as_list"):
            return {"resource": [one.get("name") for one in rows]}
        fields = call.option("fields")
        if fields and fields != "*":
            wanted = str(fields).replace(" ", "").split(",")
            rows = [{name: one[name] for name in wanted if name in one} for one in rows]
        return {"resource": rows}

    async def call_paths(self, caller: Caller) -> list[CallPath]:
        """List the paths of calls."""
        return [
            CallPath(self.path_name, ("GET",)),
            CallPath(f"{self.path_name}/{{repo_name}}", ("GET",)),
            CallPath(f"{self.path_name}/{{repo_name}}/{{path}}", ("GET",)),
        ]

    async def openapi(self, caller: Caller, described: Description, *, expanded: bool = False) -> None:
        """Describe the calls."""
        repo = in_path("repo_name", "Name of the repository.")
        described.paths += [
            Path(self.path_name, {"GET": _REPOSITORIES}),
            Path(f"{self.path_name}/{{repo_name}}", {"GET": _TOP}, (repo,)),
            Path(
                f"{self.path_name}/{{repo_name}}/{{path}}",
                {"GET": _READ},
                (repo, in_path("path", "Path of a folder or file.")),
            ),
        ]


class ScmService(Service):
    """Reads from a provider; subclasses say how."""

    group = "Source Control"
    resources = (Repositories,)
    config: Config

    def __init__(self, app: App, record: ServiceRecord, config: Config) -> None:
        """Connect to nothing yet."""
        super().__init__(app, record, config)
        self._provider: Asked | None = None

    @property
    def provider(self) -> Asked:
        """The provider's API; raises InternalError where the configuration lacks something."""
        if self._provider is None:
            self._provider = self.connected()
        return self._provider

    @abstractmethod
    def connected(self) -> Asked:
        """Answer the provider's API as configured; raises InternalError."""

    @abstractmethod
    async def repositories(self, page: int, per_page: int) -> list[dict[str, Any]]:
        """List a page of repositories, in the provider's own words; each has a ``name``."""

    @abstractmethod
    async def read(self, wanted: Wanted) -> Listing | File:
        """Read a folder or file; raises ProviderError with 404 for what is not there."""

    async def found(self, wanted: Wanted) -> Listing | File:
        """Read what is wanted; where nobody named a branch and the usual one is not there, from the default one."""
        try:
            return await self.read(wanted)
        except ProviderError as error:
            if error.status != _NOT_FOUND or wanted.ref != DEFAULT_REF:
                raise
        return await self.read(replace(wanted, ref=None))

    async def close(self) -> None:
        """Close the connections."""
        if self._provider is not None:
            await self._provider.close()


def _checked(path: str) -> str:
    """Answer a path of the query in its plain form; raises BadRequest for what could mean another place."""
    segments = [one for one in path.split("/") if one]
    if any(one in (".", "..") or "\0" in one for one in segments):
        raise BadRequest("The path has a segment that is not allowed.")
    return "/".join(segments)


def _content_of(found: Listing | File) -> Reply:
    if isinstance(found, Listing):
        text = "\n".join(str(one.get("name")) for one in found.entries).encode()
        return Reply(text, media_type="text/plain; charset=utf-8")
    try:
        content = base64.b64decode(str(found.told.get("content") or ""))
    except binascii.Error as error:
        raise BadGateway("The provider answered with content that can not be read.") from error
    kind = "text/plain; charset=utf-8" if b"\0" not in content[:8000] else "application/octet-stream"
    return Reply(content, headers={"X-Content-Type-Options": "nosniff"}, media_type=kind)


def _number(call: Call, name: str, usual: int) -> int:
    value = call.option(name)
    if value in (None, ""):
        return usual
    try:
        found = int(str(value))
    except ValueError:
        found = 0
    if found < 1:
        raise BadRequest(f"'{name}' must be a number above 0.")
    return found
