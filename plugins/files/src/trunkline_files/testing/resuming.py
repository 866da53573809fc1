"""Uploads that are continued after a break (tus 1.0)."""

from __future__ import annotations

import base64
from urllib.parse import urlsplit

from trunkline_files.testing.base import Files, FilesTests, error_of

_HEADERS = {"Tus-Resumable": "1.0.0"}
_PIECE = {**_HEADERS, "Content-Type": "application/offset+octet-stream"}


class ResumingTests(FilesTests):
    """The protocol, as its published clients speak it."""

    @staticmethod
    def _begun(files: Files, length: int, name: str = "r.bin") -> str:
        told = base64.b64encode(name.encode()).decode()
        headers = {**_HEADERS, "Upload-Length": str(length), "Upload-Metadata": f"filename {told},filetype YQ=="}
        reply = files.client.post(files.url(), headers=headers)
        assert reply.status_code == 201, reply.text
        assert reply.headers["tus-resumable"] == "1.0.0"
        parts = urlsplit(reply.headers["location"])
        return f"{parts.path}?{parts.query}"

    def test_pieces_make_a_file_when_all_are_there(self, files: Files) -> None:
        data = bytes(range(256)) * 40
        where = self._begun(files, len(data))
        reply = files.client.patch(where, content=data[:4000], headers={**_PIECE, "Upload-Offset": "0"})
        assert (reply.status_code, reply.headers["upload-offset"]) == (204, "4000")
        assert files.tree() == []
        reply = files.client.request("HEAD", where, headers=_HEADERS)
        assert (reply.headers["upload-offset"], reply.headers["upload-length"]) == ("4000", str(len(data)))
        assert reply.headers["cache-control"] == "no-store"
        again = files.client.patch(where, content=data[:4000], headers={**_PIECE, "Upload-Offset": "0"})
        assert error_of(again, 409)
        reply = files.client.patch(where, content=data[4000:], headers={**_PIECE, "Upload-Offset": "4000"})
        assert (reply.status_code, reply.headers["upload-offset"]) == (204, str(len(data)))
        assert files.bytes("r.bin") == data
        assert files.client.request("HEAD", where, headers=_HEADERS).status_code == 404

    def test_what_breaks_the_protocol_is_refused(self, files: Files) -> None:
        where = self._begun(files, 10)
        reply = files.client.patch(where, content=b"x", headers={**_PIECE, "Tus-Resumable": "0.2.2"})
        assert (reply.status_code, reply.headers["tus-version"]) == (412, "1.0.0")
        reply = files.client.patch(where, content=b"x" * 11, headers={**_PIECE, "Upload-Offset": "0"})
        assert error_of(reply, 413)
        for headers in ({**_PIECE}, {**_PIECE, "Upload-Offset": "-1"}, {**_HEADERS, "Upload-Offset": "0"}):
            assert error_of(files.client.patch(where, content=b"x", headers=headers), 400)
        assert error_of(files.client.post(files.url(), headers=_HEADERS), 400)
        assert files.client.post(files.url(), headers={**_HEADERS, "Upload-Length": str(10**17)}).status_code == 413
        for number in ("..%2f..%2fapp.key", "x", "%00"):
            assert files.client.patch(f"{files.url('r.bin')}?upload={number}", headers=_PIECE).status_code == 404
        assert files.client.delete(where, headers=_HEADERS).status_code == 204
        assert files.client.request("HEAD", where, headers=_HEADERS).status_code == 404
        assert files.tree() == []

    def test_an_upload_is_of_one_caller_and_one_path(self, files: Files) -> None:
        """Checklist 10: who knows the number but is somebody else, or may not write, gets nowhere."""
        where = self._begun(files, 3)
        row = {"service": files.service, "component": "*", "verb_mask": 31}
        other = files.by(files.gateway.key_for([row]))
        assert error_of(other.client.patch(where, content=b"abc", headers={**_PIECE, "Upload-Offset": "0"}), 404)
        elsewhere = where.replace("r.bin", "other.bin")
        assert error_of(files.client.patch(elsewhere, content=b"abc", headers={**_PIECE, "Upload-Offset": "0"}), 404)
        reader = files.by(files.gateway.key_for([{**row, "verb_mask": 1}]))
        assert reader.client.post(reader.url(), headers={**_HEADERS, "Upload-Length": "3"}).status_code == 401
        assert files.tree() == []
