"""Paths and archives that mean harm (checklist 21 and 22): a 4xx, and nothing changes anywhere."""

from __future__ import annotations

import io
import random
import stat
import zipfile
from typing import Any

import pytest

from trunkline_files.testing.base import Files, FilesTests, error_of

# As they stand in a URL, after the folder of the test. (Clients resolve plain dots themselves.)
PATHS = (
    "%2e%2e/x.txt", "%2E%2e%2fx.txt", "..%2fx.txt", "%252e%252e%252fx.txt", "%25252e%25252e/x.txt", "a/..%5cx.txt",
    "a%5c..%5cx.txt", "%5c%5chost%5cshare", "C:%5cx.txt", "c%3ax.txt", "C:x.txt", "x.txt%00", "%00", "x.txt%00.png",
    "a%0ab.txt", "a%0d%0aSet-Cookie:x.txt", "x.txt.", "x.txt..", "x.txt%20", "%20x.txt", "...", "%2fetc%2fpasswd",
    "a%2fb.txt", ".trunkline-x", ".TRUNKLINE-x", "%2etrunkline-x", "%c0%ae%c0%ae/x.txt", "%ff%fe.txt", "x%7f.txt",
    "n" * 300, "%ed%a0%80.txt",
)  # fmt: skip
# As they stand in bodies and headers.
NAMES = (
    "../x.txt", "..", ".", "a/../x.txt", "a\\..\\x.txt", "/etc/passwd", "\\\\host\\share", "C:\\x.txt", "C:x.txt",
    "x\0.txt", "a\nb", "x.txt.", "x.txt ", "%2e%2e/x", "%2e%2e%2fx", "%252e%252e%252fx", ".trunkline-x", "n" * 300, "",
    " ", 7, None, ["a"], {"a": 1},
)  # fmt: skip


def archive(*entries: tuple[str, bytes], **more: Any) -> bytes:
    """Make a zip archive; names stand in it as they are given."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in entries:
            info = zipfile.ZipInfo("placeholder")
            info.filename = info.orig_filename = name
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = more.get("attributes", (stat.S_IFREG | 0o644) << 16)
            target.writestr(info, content)
    return made.getvalue()


class AttackingTests(FilesTests):
    """What is refused."""

    def snapshot(self, files: Files) -> Any:
        """Answer all that could be changed by what is tried, also outside of the container where the test knows it."""
        listed = files.gateway.admin.get(f"/{files.service}/", params={"full_tree": "true", "fields": "path"})
        return listed.json()

    def test_paths_that_lead_elsewhere_are_refused(self, files: Files) -> None:
        """Checklist 10 and 21: encoded once, twice and thrice, absolute, drives, NUL, dots at the end."""
        files.make("a")
        before = self.snapshot(files)
        for path in PATHS:
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
                for end in ("", "/"):
                    url = f"/api/v2/{files.service}/{files.folder}/{path}{end}"
                    body = {"resource": [{"type": "file", "name": "x.txt", "content": "x"}]}
                    reply = files.client.request(method, url, json=body)
                    assert 400 <= reply.status_code < 500, (method, path, reply.status_code)
        assert self.snapshot(files) == before

    def test_paths_by_chance_lead_nowhere_else(self, files: Files) -> None:
        """Checklist 21: what is made of dangerous pieces is refused, or names something in this folder."""
        chance, pieces = random.Random(21), (
            "..", ".", "/", "%2e", "%2f", "%5c", "%00", "%25", "%252e", "a", "B", " ", "%20", "C:", "~", "%c3%a9",
            "%c0%af", ";", "@", "$", "'", "%0d%0a", "con", "*", "-", "..;", "%ef%bc%8f", "%e2%80%ae",
        )  # fmt: skip
        before = self.snapshot(files)
        for _ in range(150):
            path = "".join(chance.choices(pieces, k=chance.randint(1, 6))).replace("?", "")
            if ".." in path.split("/") or "." in path.split("/"):
                continue  # clients resolve these themselves
            for method in ("PUT", "GET", "DELETE"):
                reply = files.client.request(method, files.url(f"x{path}"), content=b"x" if method == "PUT" else None)
                assert reply.status_code < 500, (method, path, reply.text)
        files.client.delete(files.url(), params={"content_only": "true"})
        assert self.snapshot(files) == before

    def test_names_in_bodies_and_headers_that_lead_elsewhere_are_refused(self, files: Files) -> None:
        files.put("a.txt")
        before = self.snapshot(files)
        for name in NAMES:
            for entry in (
                {"type": "file", "name": name, "content": "x"},
                {"type": "folder", "name": name},
                {"type": "file", "name": "y.txt", "source_path": name},
                {"type": "folder", "name": "y", "source_path": name},
                {"type": "file", "name": name, "source_path": files.path("a.txt")},
            ):
                if name in ("", None) and entry["name"] == name and "source_path" in entry:
                    continue  # then the name is that of the source
                if name is None and entry["name"] == "y":
                    continue  # then there is no source
                reply = files.client.post(files.url(), json={"resource": [entry]})
                failed = reply.status_code == 400 or "error" in reply.json()["resource"][0]
                assert failed, (entry, reply.text)
                assert reply.status_code < 500
            for entry in ({"type": "file", "path": name}, {"type": "folder", "name": name, "path": None}):
                reply = files.client.request(
                    "DELETE", files.url(), json={"resource": [entry]}, params={"force": "true"}
                )
                assert reply.status_code == 400 or "error" in reply.json()["resource"][0], (entry, reply.text)
            if isinstance(name, str) and name.isprintable() and name.strip() == name and name:
                for header in ("X-File-Name", "X-Folder-Name"):
                    reply = files.client.post(files.url(), content=b"x", headers={header: name})
                    assert reply.status_code == 400, (header, name, reply.text)
        assert self.snapshot(files) == before

    def test_names_of_uploads_are_made_plain(self, files: Files) -> None:
        for name, stored in (("../../up.txt", "up.txt"), ("C:\\d\\w.txt", "w.txt"), ("a;b|c.txt", "a_b_c.txt")):
            boundary = "b"
            body = f'--b\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\nx\r\n--b--\r\n'
            headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
            row = files.ok(files.client.post(files.url(), content=body, headers=headers), 201)["resource"][0]
            assert row["name"] == stored

    def test_an_archive_is_unpacked(self, files: Files) -> None:
        files.put("old.txt", b"old")
        content = archive(("a.txt", b"one"), ("in/deep/b.txt", b"two" * 1000), ("old.txt", b"new"), ("empty/", b""))
        reply = files.client.post(
            files.url(), content=content, headers={"X-File-Name": "a.zip"}, params={"extract": "true"}
        )
        told = files.ok(reply, 201)
        assert told["path"] == f"{files.folder}/"
        assert files.tree() == ["a.txt", "empty/", "in/", "in/deep/", "in/deep/b.txt", "old.txt"]
        assert files.bytes("old.txt") == b"new"
        more = archive(("only.txt", b"1"))
        params = {"extract": "true", "clean": "true"}
        files.ok(files.client.post(files.url("z.zip"), content=more, params=params), 201)
        assert files.tree() == ["only.txt"]
        files.put("kept.zip", more)
        assert files.bytes("kept.zip") == more

    @pytest.mark.parametrize(
        "name",
        ["../x", "a/../../x", "/x", "\\x", "C:\\x", "a\\..\\x", "%2e%2e/x", "..%2fx", "x\0y", "con", "a/NUL.txt", ".",
         "x.", ".trunkline-x", "a//../x"],
    )  # fmt: skip
    def test_archives_with_names_that_lead_elsewhere_are_refused_whole(self, files: Files, name: str) -> None:
        """Checklist 22: nothing of the archive is unpacked, not even what is harmless."""
        before = self.snapshot(files)
        content = archive(("good.txt", b"good"), (name, b"evil"))
        for url, headers in ((files.url(), {"X-File-Name": "a.zip"}), (files.url("a.zip"), {})):
            reply = files.client.post(
                url, content=content, headers=headers, params={"extract": "true", "clean": "true"}
            )
            assert "traversal" in error_of(reply, 400)
        assert self.snapshot(files) == before

    @pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK])
    def test_archives_with_links_and_devices_are_refused(self, files: Files, kind: int) -> None:
        content = archive(("link", b"/etc/passwd"), attributes=(kind | 0o777) << 16)
        reply = files.client.post(files.url("a.zip"), content=content, params={"extract": "true"})
        assert "no file or folder" in error_of(reply, 400)
        assert files.tree() == []

    def test_archives_that_grow_too_much_are_refused(self, files: Files) -> None:
        """Checklist 22: by ratio, by count, and by what they really hold."""
        bomb = archive(*((f"{number}", b"\0" * 4_000_000) for number in range(6)))
        assert files.client.post(files.url("b.zip"), content=bomb, params={"extract": "1"}).status_code == 413
        many = archive(*((f"{number}", b"") for number in range(10_001)))
        assert files.client.post(files.url("m.zip"), content=many, params={"extract": "1"}).status_code == 413
        honest = archive(("a.txt", b"\0" * 100_000))
        liar = honest.replace((100_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
        assert liar != honest
        assert files.client.post(files.url("l.zip"), content=liar, params={"extract": "1"}).status_code == 400
        assert files.bytes("a.txt") is None

    def test_what_is_no_archive_is_refused(self, files: Files) -> None:
        for content in (b"", b"PK\x03\x04", b"not an archive" * 100, archive(("a.txt", b"1" * 500))[:-30]):
            reply = files.client.post(files.url("n.zip"), content=content, params={"extract": "true"})
            assert error_of(reply, 400), content[:20]
        assert files.tree() == []
