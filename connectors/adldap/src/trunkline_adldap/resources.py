"""What can be read of a domain: ``computer``, ``group`` and ``user`` (system-api 21.4)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from trunkline import Resource
from trunkline.call import Call, Caller
from trunkline.describe import AS_LIST, FIELDS, Description, Operation, Path, in_path, list_of, query
from trunkline.errors import BadRequest, InternalError, NotFound
from trunkline.service import CallPath
from trunkline_adldap import values
from trunkline_directory import DirectoryService, Entry
from trunkline_directory.connection import Directory
from trunkline_directory.entries import Found
from trunkline_directory.filters import SECRET, all_of, any_of, of_client, same

if TYPE_CHECKING:
    from collections.abc import Sequence

_FIELD = re.compile(r"\*|[A-Za-z][A-Za-z0-9-]{0,99}")
_USUAL = 1000
_FILTER = query("filter", "string", "Filter of the directory, such as `(mail=a*)`.")
_LIMIT = query("limit", "integer", f"How many at most; {_USUAL} unless given.")
_ENTRY = {"type": "object", "required": ["dn"], "properties": {"dn": {"type": "string"}}}


class _Entries(Resource):
    """Entries of one kind."""

    read_only = True
    # Which entries these are, by what they are named, and what is told of them.
    kind: ClassVar[str]
    naming: ClassVar[tuple[str, ...]]
    usual: ClassVar[tuple[str, ...]]
    # Parameter of the query that narrows the list.
    narrowing: ClassVar[tuple[str, str]]

    async def get(self, call: Call, rest: tuple[str, ...]) -> Any:
        """List entries, or answer one by its name."""
        if len(rest) > 1:
            raise NotFound("There is nothing below an entry.")
        service = self.service
        assert isinstance(service, DirectoryService)  # noqa: S101 - no other service has this resource
        if service.account is None:
            raise InternalError("This service has no username and password with which the directory could be read.")
        fields = _fields(call, self.usual)
        read = ["*"] if "*" in fields else [*fields, *self.naming]
        most = _number(call, min(_USUAL, self.app.settings.max_records), self.app.settings.max_records)
        wanted = [self.kind, *([of_client(str(call.option("filter")))] if call.option("filter") else [])]

        def read_entries(directory: Directory) -> Found | None:
            service.log_in(directory)
            narrowed = self.narrowed(service, directory, call)
            if narrowed is None:
                return Found(())
            named = [any_of(*(same(one, rest[0]) for one in self.naming))] if rest else []
            return directory.search(
                service.config.base_dn, all_of(*wanted, *narrowed, *named), read, 1 if rest else most
            )

        found = await service.talk(read_entries)
        entries: Sequence[Entry] = found.entries if found is not None else ()
        if rest:
            if not entries:
                raise NotFound(f"There is no {self.name} '{rest[0]}'.")
            return values.shown(entries[0], fields)
        if call.flag("as_list"):
            return {"resource": [one.text(*self.naming) or one.name for one in entries]}
        content: dict[str, Any] = {"resource": [values.shown(one, fields) for one in entries]}
        if found is not None and not found.is_complete:
            content["meta"] = {"count": len(entries), "is_complete": False}
        return content

    def narrowed(self, service: DirectoryService, directory: Directory, call: Call) -> list[str] | None:
        """Answer filters of the parameter that narrows the list; None where nothing is left."""
        name = call.option(self.narrowing[0])
        return [any_of(*(same(one, str(name)) for one in self.naming))] if name else []

    async def call_paths(self, caller: Caller) -> list[CallPath]:
        """List the paths of calls."""
        return [CallPath(self.path_name, ("GET",)), CallPath(f"{self.path_name}/{{name}}", ("GET",))]

    async def openapi(self, caller: Caller, described: Description, *, expanded: bool = False) -> None:
        """Describe the calls."""
        name, words = self.narrowing
        parameters = (FIELDS, _FILTER, _LIMIT, AS_LIST, query(name, "string", words))
        listed = Operation(f"List {self.name}s.", f"{self.label}s", parameters=parameters, reply=list_of(_ENTRY))
        one = Operation(f"Read a {self.name}.", self.label, parameters=(FIELDS,), reply=_ENTRY)
        described.paths += [
            Path(self.path_name, {"GET": listed}),
            Path(f"{self.path_name}/{{name}}", {"GET": one}, (in_path("name", f"Name of the {self.name}."),)),
        ]


class Computers(_Entries):
    """Machines of the domain."""

    name = "computer"
    label = "Computer"
    description = "Machines of the domain."
    kind = same("objectCategory", "computer")
    naming = ("cn", "sAMAccountName", "dNSHostName")
    usual = ("cn", "sAMAccountName", "dNSHostName", "operatingSystem", "description")
    narrowing = ("computer", "Name of a computer.")


class Groups(_Entries):
    """Groups of the domain."""

    name = "group"
    label = "Group"
    description = "Groups of the domain."
    kind = same("objectCategory", "group")
    naming = ("sAMAccountName", "cn")
    usual = ("cn", "sAMAccountName", "description", "memberOf")
    narrowing = ("user", "Account name of a user, whose groups are listed.")

    def narrowed(self, service: DirectoryService, directory: Directory, call: Call) -> list[str] | None:
        """Leave the groups of a user, as a login tells them."""
        name = call.option("user")
        if not name:
            return []
        wanted = all_of(Users.kind, same("sAMAccountName", str(name)))
        entries = directory.search(service.config.base_dn, wanted, service.attributes, 1).entries
        names = service.groups(directory, entries[0]) if entries else []
        return [any_of(*(same("distinguishedName", one) for one in names))] if names else None


class Users(_Entries):
    """People of the domain."""

    name = "user"
    label = "User"
    description = "People of the domain."
    kind = same("sAMAccountType", "805306368")
    naming = ("sAMAccountName", "userPrincipalName")
    usual = ("cn", "sAMAccountName", "userPrincipalName", "givenName", "sn", "displayName", "mail", "memberOf")
    narrowing = ("username", "Account name of a user.")


def _fields(call: Call, usual: Sequence[str]) -> list[str]:
    wanted = call.option("fields")
    if not wanted:
        return list(usual)
    names = [one for one in str(wanted).replace(" ", "").split(",") if one]
    for one in names:
        if not _FIELD.fullmatch(one):
            raise BadRequest("The fields must be names of attributes, comma separated.")
        if one.lower() in SECRET:
            raise BadRequest(f"The field '{one}' is secret.")
    return names


def _number(call: Call, usual: int, most: int) -> int:
    value = call.option("limit")
    if value in (None, ""):
        return usual
    if not re.fullmatch(r"\d{1,9}", str(value)) or not int(str(value)):
        raise BadRequest("'limit' must be a number above 0.")
    return min(int(str(value)), most)
