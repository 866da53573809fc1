"""Rights: which paths a caller may use, beyond the one in the URL that the kernel has judged."""

from __future__ import annotations

from trunkline.call import Call, Caller
from trunkline.db.records import ServiceRecord
from trunkline.errors import Forbidden


class Rights:
    """What a role says of paths. What is finally touched counts, whichever way a request names it (checklist 10).

    So a file that is created through its folder needs the right to create that file, and an archive of a folder has
    only what the caller could have read one by one.
    """

    def __init__(self, caller: Caller, service: ServiceRecord) -> None:
        """Remember who asks for what."""
        self._caller = caller
        self._service = service

    def may(self, verb: str, path: str) -> bool:
        """Say whether the caller may use a verb on a path; components have lower case (system-api 11.1)."""
        return self._caller.may(verb, self._service, _component(path))

    def demand(self, verb: str, path: str) -> None:
        """Raise Forbidden unless the caller may use a verb on a path."""
        self._caller.demand(verb, self._service, _component(path))

    def demand_write(self, path: str) -> None:
        """Raise Forbidden unless the caller may create or replace what is there, by POST or by PUT."""
        if not self.may("PUT", path):
            self.demand("POST", path)

    def sees(self, path: str) -> bool:
        """Say whether the caller may do anything with a path, for lists of components."""
        return bool(self._caller.mask(self._service, _component(path)))

    def demand_all(self) -> None:
        """Raise Forbidden unless the caller is bound by no role, for what roles have no word for."""
        if not self._caller.is_admin:
            raise Forbidden("Only an administrator may name another container.")


def _component(path: str) -> str:
    """Say how role rows name a path: as ``Call.component`` does, so that both doors judge alike."""
    return Call("GET", "", tuple(path.split("/")) if path else ()).component
