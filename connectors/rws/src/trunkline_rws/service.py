"""Rws: calls of any verb and path, handed on to a remote server and its answers handed back (connectors 10.1)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from trunkline import Service
from trunkline.call import Call, Caller
from trunkline.describe import AS_ACCESS_LIST, Description, Operation, Path, in_path, told_by_operator
from trunkline.errors import InternalError
from trunkline.remote import Remote
from trunkline.service import CallPath
from trunkline.threads import in_thread
from trunkline_rws.config import RwsConfig
from trunkline_rws.inbound import refusal_of, reply_of
from trunkline_rws.kept import Kept
from trunkline_rws.options import dialling, login, tls, user_agent
from trunkline_rws.outbound import request_of

if TYPE_CHECKING:
    from trunkline.app import App
    from trunkline.db.records import ServiceRecord

_VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_WORDS = {
    "GET": "Read from the remote API.",
    "POST": "Send to the remote API.",
    "PUT": "Replace in the remote API.",
    "PATCH": "Change in the remote API.",
    "DELETE": "Delete from the remote API.",
}


class Rws(Service):
    """A remote HTTP API."""

    label = "HTTP Service"
    description = "Hands calls on to a remote HTTP API, and its answers back."
    group = "Remote Service"
    takes_streams = True
    config: RwsConfig

    def __init__(self, app: App, record: ServiceRecord, config: RwsConfig) -> None:
        """Connect to nothing yet."""
        super().__init__(app, record, config)
        options = config.options or {}
        self._login, self._agent = login(options), user_agent(options)
        self._remote: Remote | None = None
        self._kept = Kept(app, record.id, config)

    async def handle(self, call: Call) -> Any:
        """Hand a call on, unless its answer is kept."""
        if call.method == "GET" and call.flag("as_access_list") and not self.config.implements_access_list:
            return {"resource": await self.access_list(call.caller)}
        lookups = self.app.lookups(call)
        key = self._kept.key(call, lookups)
        if key is not None and (kept := await self._kept.get(key, call)) is not None:
            return kept
        base = str(lookups.fill(await self._base(), private=True))
        request = await request_of(self.config, base, call, lookups, self._login, self._agent)
        answer = await (await self._connected()).send(request)
        if answer.status >= 300:
            return await refusal_of(answer)
        links = await self._links(call) if self.config.replace_link else None
        reply = await reply_of(call, answer, links, self.app.settings.max_body)
        return reply if key is None else await self._kept.keeping(key, answer, reply)

    async def _connected(self) -> Remote:
        if self._remote is None:
            options = self.config.options or {}
            made = replace(dialling(options), tls=await in_thread(tls, options))
            # Another call may have come first meanwhile.
            self._remote = self._remote or Remote(self.app.outgoing, made)
        return self._remote

    async def _base(self) -> str:
        """Answer the root of the remote API; raises InternalError where nobody has named it."""
        if self.config.base_url:
            return self.config.base_url
        told = await told_by_operator(self.app, self.record)
        if told is None or not told.server:
            raise InternalError("Remote Web Service base url can not be empty.")
        return told.server

    async def _links(self, call: Call) -> dict[str, str]:
        """Answer which addresses of remote services are which of this server."""
        found = {}
        for record in self.app.directory.snapshot.services.values():
            if record.type != self.record.type or not record.is_active:
                continue
            one = self.app.services.of(record)
            if isinstance(one, Rws) and one.config.base_url:
                base = one.config.base_url.partition("?")[0].rstrip("/")
                found[base] = f"{call.base_url}/api/v2/{record.name}"
        return found

    async def access_list(self, caller: Caller) -> list[str]:
        """List the components that the operator's document tells of."""
        found = ["", "*"] if caller.mask(self.record, "") else []
        told = await told_by_operator(self.app, self.record)
        for one in told.paths if told is not None else ():
            path = one.path.split("{", 1)[0].strip("/")
            if path and caller.mask(self.record, path):
                found += [f"{path}/", f"{path}/*"]
        return list(dict.fromkeys(found))

    async def call_paths(self, caller: Caller) -> list[CallPath]:
        """List the paths that the operator's document tells of."""
        told = await told_by_operator(self.app, self.record)
        if told is None:
            return [CallPath("", _VERBS)]
        return [CallPath("", _VERBS), *(CallPath(one.path, tuple(one.operations)) for one in told.paths if one.path)]

    async def openapi(self, caller: Caller, *, expanded: bool = False) -> Description:
        """Describe calls of any path, as long as no operator knows better."""
        operations = {
            verb: Operation(
                _WORDS[verb],
                parameters=(AS_ACCESS_LIST,) if verb == "GET" else (),
                body={} if verb in ("POST", "PUT", "PATCH") else None,
                body_is_needed=False,
                status="2XX",
            )
            for verb in _VERBS
        }
        paths = [Path("", operations), Path("{path}", operations, (in_path("path", "Path below the remote root."),))]
        return Description(paths=paths)

    async def flush(self) -> None:
        """Forget the answers that are kept."""
        await self._kept.clear()

    async def close(self) -> None:
        """Close the connections."""
        if self._remote is not None:
            await self._remote.close()
