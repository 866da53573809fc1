"""Uploads that can be continued after a break: tus 1.0 with creation, termination and expiration.

Not part of the original. An upload is created by POST on a folder or file with ``Tus-Resumable``, ``Upload-Length`` and
``Upload-Metadata`` (``filename``); its ``Location`` takes HEAD, PATCH and DELETE. What has come so far is kept in the
storage folder of this machine, so workers on other machines do not know it; the file appears when all is there.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import os
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from trunkline import json
from trunkline.call import Call, Reply
from trunkline.errors import BadRequest, MethodNotAllowed, NotFound, TooLarge
from trunkline.threads import in_thread_to_the_end as in_thread
from trunkline_files import content, dates, paths
from trunkline_files.ahead import gathered
from trunkline_files.errors import Locked, WrongOffset, WrongVersion
from trunkline_files.making import stored_type
from trunkline_files.rights import Rights
from trunkline_files.store import CHUNK
from trunkline_files.target import Target

if TYPE_CHECKING:
    from trunkline_files.service import FilesService

VERSION = "1.0.0"
_KEPT_SECONDS = 24 * 3600.0
_PIECE = "application/offset+octet-stream"


def is_asked_for(call: Call) -> bool:
    """Say whether a call speaks the protocol."""
    return "tus-resumable" in call.headers


async def answer(service: FilesService, call: Call, target: Target, rights: Rights) -> Reply:
    """Answer a call of the protocol; raises WrongVersion, NotFound, WrongOffset, Locked, TooLarge, BadRequest."""
    if call.headers["tus-resumable"] != VERSION:
        raise WrongVersion(f"Only version {VERSION} is spoken.", headers={"Tus-Version": VERSION})
    uploads = Uploads(service.app.settings.storage / "uploads" / str(service.record.id))
    number = call.params.get("upload")
    if call.method == "POST" and number is None:
        reply = await _create(service, call, target, rights, uploads)
    else:
        upload = await in_thread(uploads.found, str(number), _whose(call))
        if upload.path != target.path:
            raise NotFound("There is no such upload.")
        rights.demand_write(upload.path)
        reply = await _known(service, call, uploads, upload)
    reply.headers |= {"Tus-Resumable": VERSION, "Cache-Control": "no-store"}
    return reply


async def _create(service: FilesService, call: Call, target: Target, rights: Rights, uploads: Uploads) -> Reply:
    length = _number(call, "upload-length")
    most = service.app.settings.max_upload
    if length > most:
        raise TooLarge(f"The upload is larger than {most} bytes.")
    metadata = _metadata(call)
    path = target.path
    if target.is_folder:
        path = paths.joined(target.path, paths.sanitized(metadata.get("filename", "")))
    rights.demand_write(path)
    folder = paths.parent_of(path)
    if folder and await service.store.folder(folder) is None:
        raise NotFound(f"Folder '{folder}/' does not exist.")
    upload = Upload(secrets.token_urlsafe(24), path, length, metadata.get("filetype", ""), _whose(call))
    await in_thread(uploads.create, upload)
    where = f"{call.base_url}/api/v2/{service.name}/{quote(path)}?upload={upload.number}"
    headers = {"Location": where, "Upload-Offset": "0", "Upload-Expires": dates.written(uploads.ends(upload)) or ""}
    if not length:
        await _finished(service, uploads, upload)
    return Reply(b"", 201, headers, "text/plain")


async def _known(service: FilesService, call: Call, uploads: Uploads, upload: Upload) -> Reply:
    match call.method:
        case "GET":
            offset = await in_thread(uploads.offset, upload)
            headers = {"Upload-Offset": str(offset), "Upload-Length": str(upload.length)}
            return Reply(b"", 200, headers, "text/plain")
        case "PATCH":
            if call.media_type != _PIECE:
                raise BadRequest(f"The content type of a piece must be '{_PIECE}'.")
            offset = await _append(service, call, uploads, upload)
            expires = dates.written(uploads.ends(upload)) or ""
            return Reply(None, 204, {"Upload-Offset": str(offset), "Upload-Expires": expires})
        case "DELETE":
            await in_thread(uploads.remove, upload)
            return Reply(None, 204)
    raise MethodNotAllowed(f"{call.method} is not part of the protocol.")


async def _append(service: FilesService, call: Call, uploads: Uploads, upload: Upload) -> int:
    """Add a piece; what has come counts, also when the client leaves in the middle of it."""
    asked = _number(call, "upload-offset")
    with uploads.locked(upload) as file:
        offset = os.fstat(file).st_size
        if asked != offset:
            raise WrongOffset(f"The upload continues at {offset}.", headers={"Upload-Offset": str(offset)})
        async for pieces in gathered(content.body_of(call), CHUNK):
            piece = b"".join(pieces)
            if offset + len(piece) > upload.length:
                raise TooLarge("The piece is longer than what is left of the upload.")
            await in_thread(_written, file, piece)
            offset += len(piece)
        if offset == upload.length:
            await _finished(service, uploads, upload)
    return offset


def _written(file: int, piece: bytes) -> None:
    view = memoryview(piece)
    while view:
        view = view[os.write(file, view) :]


async def _finished(service: FilesService, uploads: Uploads, upload: Upload) -> None:
    kind = stored_type(service.store, paths.name_of(upload.path), upload.media_type)
    await service.store.write(upload.path, uploads.content(upload), kind, upload.length)
    await in_thread(uploads.remove, upload)


def _number(call: Call, name: str) -> int:
    value = call.headers.get(name, "")
    if not value.isdecimal() or len(value) > 18:
        raise BadRequest(f"'{name.title()}' must be a number of bytes.")
    return int(value)


def _metadata(call: Call) -> dict[str, str]:
    """Read pairs of a name and a base64 value, separated by commas."""
    found = {}
    for pair in filter(None, map(str.strip, call.headers.get("upload-metadata", "").split(","))):
        name, _, value = pair.partition(" ")
        try:
            found[name] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, ValueError):
            raise BadRequest(f"'Upload-Metadata' has a value that is not base64: {name[:50]}.") from None
    return found


def _whose(call: Call) -> str:
    caller = call.caller
    return f"{caller.user.id if caller.user else ''}/{caller.app.id if caller.app else ''}"


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload that is not finished: its unguessable number, where it goes, how many bytes it has, whose it is."""

    number: str
    path: str
    length: int
    media_type: str
    whose: str


class Uploads:
    """What has come so far, two files for each upload: what is known of it, and its bytes."""

    def __init__(self, folder: Path) -> None:
        """Keep them in a folder, made when first needed."""
        self._folder = folder

    def create(self, upload: Upload) -> None:
        """Begin an upload; those that nobody continued in time are removed."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for old in self._folder.iterdir():
            with suppress(FileNotFoundError):
                if time.time() - old.stat().st_mtime > _KEPT_SECONDS:
                    old.unlink()
        self._bytes(upload.number).touch(mode=0o600)
        self._facts(upload.number).write_bytes(json.dumps(asdict(upload)))

    def found(self, number: str, whose: str) -> Upload:
        """Answer an upload of somebody; raises NotFound, also when it is another's."""
        plain = number.replace("-", "").replace("_", "")
        with suppress(OSError):
            if plain.isascii() and plain.isalnum() and len(number) < 100:
                upload = Upload(**json.loads(self._facts(number).read_bytes()))
                if secrets.compare_digest(upload.whose.encode(), whose.encode()):
                    return upload
        raise NotFound("There is no such upload.")

    def offset(self, upload: Upload) -> int:
        """Answer how many bytes have come."""
        return self._bytes(upload.number).stat().st_size

    def ends(self, upload: Upload) -> float:
        """Answer when an upload is given up, in epoch seconds."""
        with suppress(FileNotFoundError):
            return self._bytes(upload.number).stat().st_mtime + _KEPT_SECONDS
        return time.time()

    @contextmanager
    def locked(self, upload: Upload) -> Iterator[int]:
        """Open the bytes to add to them; raises Locked when another request is doing so."""
        try:
            file = os.open(self._bytes(upload.number), os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        except FileNotFoundError:
            raise NotFound("There is no such upload.") from None
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Locked("Another request is continuing this upload.") from None
            yield file
        finally:
            os.close(file)

    async def content(self, upload: Upload) -> AsyncIterator[bytes]:
        """Read what has come."""
        with self._bytes(upload.number).open("rb") as source:
            while piece := await in_thread(source.read, CHUNK):
                yield piece

    def remove(self, upload: Upload) -> None:
        """Forget an upload."""
        self._facts(upload.number).unlink(missing_ok=True)
        self._bytes(upload.number).unlink(missing_ok=True)

    def _bytes(self, number: str) -> Path:
        return self._folder / f"{number}.bytes"

    def _facts(self, number: str) -> Path:
        return self._folder / f"{number}.json"
