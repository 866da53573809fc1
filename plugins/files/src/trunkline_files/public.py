"""``GET /{service}/{path}``: files for everybody, from folders that a service names as public (connectors 4.11)."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from trunkline.call import Call
from trunkline.errors import InternalError, TrunklineError
from trunkline.http import split_path
from trunkline_files.service import FilesService

if TYPE_CHECKING:
    from trunkline.app import App

log = logging.getLogger(__name__)
_REFUSED = "Access denied, please contact your system administrator."


def endpoint(app: App):  # type: ignore[no-untyped-def]
    """Make the endpoint of the route."""

    async def download(request: Request) -> Response:
        try:
            return await _answer(app, request)
        except TrunklineError as error:
            return _told(error.message, error.status)
        except HTTPException:
            raise
        except Exception:
            log.exception("public download failed")
            return _told(InternalError("Internal server error.").message, 500)

    return download


async def _answer(app: App, request: Request) -> Response:
    await app.directory.fresh()
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    name, *path = split_path(raw.partition(b"?")[0])
    call = Call("GET", name.lower(), tuple(path), headers=dict(request.headers))
    record = app.directory.snapshot.services.get(call.service)
    if record is None or not record.is_active:
        raise HTTPException(404)  # as for any path that nothing serves
    service = app.services.of(record, told_why=False)
    if not isinstance(service, FilesService):
        return _told("Service requested is not a file storage service.", 400)
    reply = await service.public(call)
    if reply is None:
        return _told(_REFUSED, 403)
    headers = dict(reply.headers)
    if isinstance(reply.content, bytes):
        return Response(reply.content, reply.status, headers, reply.media_type)
    content: AsyncGenerator[bytes, None] = reply.content
    if request.method == "HEAD":
        await content.aclose()
        return Response(None, reply.status, headers, reply.media_type)
    return StreamingResponse(content, reply.status, headers, reply.media_type)


def _told(message: str, status: int) -> Response:
    return Response(message, status, media_type="text/html", headers={"X-Content-Type-Options": "nosniff"})
