"""A bucket as a store."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncGenerator, Sequence
from typing import Any, ClassVar

from trunkline.errors import Conflict, Forbidden
from trunkline_aws_s3.connection import Connection, code_of, translated
from trunkline_files.errors import FileMissing
from trunkline_files.object_store import ObjectStore, Page, Part, Upload, chunked, in_time
from trunkline_files.store import CHUNK, Entry

_MOST_DELETED = 1000
_DESCRIBING = (
    "ContentType", "CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "StorageClass",
    "WebsiteRedirectLocation", "ServerSideEncryption", "SSEKMSKeyId", "Metadata",
)  # fmt: skip


class S3Store(ObjectStore[Connection]):
    """A bucket."""

    container_name: ClassVar = re.compile(r"[A-Za-z0-9](?!.*\.\.)[A-Za-z0-9._-]{1,253}[A-Za-z0-9]")
    # The server copies what is larger in parts only.
    copied_at_once: ClassVar[int] = 5 << 30
    copied_part: ClassVar[int] = 512 << 20

    async def _ask(self, operation: str, path: str, /, **more: Any) -> Any:
        client = await self.connection.client()
        with translated(path):
            return await getattr(client, operation)(Bucket=self.container, **more)

    async def head(self, key: str) -> Entry:
        """Answer what is known of an object."""
        try:
            found = await self._ask("head_object", key, Key=key)
        except FileMissing:
            raise FileMissing(key) from None
        except Forbidden:
            # Replies to HEAD say no more than the status; those to GET, what is wrong.
            with contextlib.suppress(FileMissing):
                (await self._ask("get_object", key, Key=key, Range="bytes=0-0"))["Body"].close()
            raise
        more = {"metadata": found["Metadata"]} if found.get("Metadata") else {}
        return Entry(
            key,
            size=found["ContentLength"],
            modified=found["LastModified"].timestamp(),
            media_type=found.get("ContentType"),
            etag=found["ETag"].strip('"'),
            more=more,
        )

    async def pages(self, prefix: str, *, deep: bool, most: int | None = None) -> AsyncGenerator[Page, None]:
        """List keys, a thousand with each request."""
        asked: dict[str, Any] = {"Prefix": prefix, "MaxKeys": most or 1000}
        if not deep:
            asked["Delimiter"] = "/"
        while True:
            found = await self._ask("list_objects_v2", prefix, **asked)
            objects = [
                Entry(
                    one["Key"],
                    size=one["Size"],
                    modified=one["LastModified"].timestamp(),
                    etag=one["ETag"].strip('"') if "ETag" in one else None,
                )
                for one in found.get("Contents", ())
            ]
            yield Page(objects, [one["Prefix"] for one in found.get("CommonPrefixes", ())])
            if not found.get("IsTruncated"):
                return
            asked["ContinuationToken"] = found["NextContinuationToken"]

    async def read(self, path: str, start: int = 0, length: int | None = None) -> AsyncGenerator[bytes, None]:
        """Read an object as it comes; what is asked for is one request."""
        if length == 0:
            return
        part = {} if not start and length is None else {"Range": _range(start, length)}
        reply = await self._ask("get_object", path, Key=path, **part)
        with translated(path):
            async with reply["Body"] as body:
                async for piece in body.iter_chunks(CHUNK):
                    yield piece

    async def put(self, key: str, content: Part, media_type: str) -> None:
        """Create or replace an object at once."""
        content.seek(0)
        with translated(key):
            async with in_time(content):
                await self._ask("put_object", key, Key=key, Body=content, ContentType=media_type)

    async def begin(self, key: str, media_type: str) -> Upload:
        """Begin a multipart upload."""
        return await self._begun(key, ContentType=media_type)

    async def _begun(self, key: str, **described: Any) -> _Multipart:
        begun = await self._ask("create_multipart_upload", key, Key=key, **described)
        return _Multipart(self, key, begun["UploadId"])

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove objects, a thousand with each request."""
        # XML can not hold what is not printable.
        singly = keys if len(keys) == 1 else [one for one in keys if not one.isprintable()]
        for key in singly:
            await self._ask("delete_object", key, Key=key)
        if len(keys) == 1:
            return
        for some in chunked([one for one in keys if one.isprintable()], _MOST_DELETED):
            named = {"Objects": [{"Key": one} for one in some], "Quiet": True}
            done = await self._ask("delete_objects", "", Delete=named)
            for failed in done.get("Errors", ()):
                if failed.get("Code") != "NoSuchKey":
                    raise Forbidden("The storage does not permit to remove all of this.")

    async def create_container(self) -> None:
        """Create the bucket in the region of the service."""
        from botocore.exceptions import ClientError

        client, settings = await self.connection.client(), self.connection.settings
        placed = {"CreateBucketConfiguration": {"LocationConstraint": settings.region}}
        placements: list[dict[str, Any]] = [{}] if settings.region in ("", "us-east-1") else [placed]
        if settings.endpoint:
            placements.append({})  # most other servers know no regions, some want none to be named
        with translated(""):
            while placements:
                try:
                    await client.create_bucket(Bucket=self.container, **placements.pop(0))
                    return
                except ClientError as error:
                    if code_of(error) == "BucketAlreadyOwnedByYou":
                        return
                    if "LocationConstraint" not in code_of(error) or not placements:
                        raise

    async def copy(self, source: str, target: str) -> None:
        """Let the server copy an object."""
        await self._copied(source, target, {})

    async def describe(self, key: str, values: dict[str, str]) -> None:
        """Let the server copy an object onto itself, with other metadata."""
        await self._copied(key, key, values)

    async def _copied(self, source: str, target: str, properties: dict[str, str]) -> None:
        found = await self._ask("head_object", source, Key=source)
        place = {"CopySource": {"Bucket": self.container, "Key": source}, "CopySourceIfMatch": found["ETag"]}
        described = {name: found[name] for name in _DESCRIBING if found.get(name)}
        described["Metadata"] = found.get("Metadata", {}) | properties
        size = found["ContentLength"]
        if size <= self.copied_at_once:
            change = {"MetadataDirective": "REPLACE", **described} if properties else {}
            await self._ask("copy_object", source, Key=target, **place, **change)
            return
        upload = await self._begun(target, **described)
        try:
            part = max(self.copied_part, -(-size // self.most_parts))
            for start in range(0, size, part):
                await upload.add_copied({**place, "CopySourceRange": _range(start, min(part, size - start))})
            await upload.complete()
        except BaseException:
            await self.undone(upload.abort)
            raise


class _Multipart(Upload):
    """A multipart upload."""

    def __init__(self, store: S3Store, key: str, number: str) -> None:
        self._store = store
        self._named = {"Key": key, "UploadId": number}
        self._parts: list[dict[str, Any]] = []

    async def _ask(self, operation: str, **more: Any) -> Any:
        return await self._store._ask(operation, self._named["Key"], **self._named, **more)

    async def add(self, number: int, part: Part) -> None:
        with translated(self._named["Key"]):
            async with in_time(part):
                sent = await self._ask("upload_part", PartNumber=number + 1, Body=part)
        self._parts.append({"PartNumber": number + 1, "ETag": sent["ETag"]})

    async def add_copied(self, source: dict[str, Any]) -> None:
        """Let the server take a part from another object."""
        number = len(self._parts) + 1
        sent = await self._ask("upload_part_copy", PartNumber=number, **source)
        self._parts.append({"PartNumber": number, "ETag": sent["CopyPartResult"]["ETag"]})

    async def complete(self) -> None:
        await self._ask("complete_multipart_upload", MultipartUpload={"Parts": self._parts})

    async def abort(self) -> None:
        # A part that was on its way may arrive after the first time; when nothing is left, the server says so.
        with contextlib.suppress(Conflict):
            for _ in range(3):
                await self._ask("abort_multipart_upload")


def _range(start: int, length: int | None) -> str:
    return f"bytes={start}-{'' if length is None else start + length - 1}"
