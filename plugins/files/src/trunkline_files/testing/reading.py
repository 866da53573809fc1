"""Lists, downloads and what is known of files (connectors 4.2 and 4.3)."""

from __future__ import annotations

import base64
import io
import zipfile
from email.utils import parsedate_to_datetime

from trunkline_files.testing.base import Files, FilesTests, error_of


class ReadingTests(FilesTests):
    """GET and HEAD."""

    def test_a_folder_lists_files_and_folders_in_the_recorded_form(self, files: Files) -> None:
        files.put("b.txt", b"12345")
        files.make("a")
        rows = files.ok(files.client.get(files.url()))["resource"]
        assert [row["path"] for row in rows] == [files.path("a/"), files.path("b.txt")]
        folder, file = rows
        assert folder["name"] == "a"
        assert folder["type"] == "folder"
        assert {key: file[key] for key in ("name", "type", "content_type", "content_length")} == {
            "name": "b.txt", "type": "file", "content_type": "text/plain", "content_length": 5,
        }  # fmt: skip
        if "times" not in self.lacks:
            assert file["last_modified"].endswith(" GMT")
            assert parsedate_to_datetime(file["last_modified"]).year > 2020

    def test_listing_takes_every_parameter(self, files: Files) -> None:
        files.put("One.txt")
        files.make("sub")
        files.put("sub/two.txt")
        files.make("sub/one")

        def listed(**params: str) -> list[str]:
            return list(files.ok(files.client.get(files.url(), params={"as_list": "true", **params}))["resource"])

        assert listed() == [files.path("One.txt"), files.path("sub/")]
        assert listed(include_files="false") == [files.path("sub/")]
        assert listed(include_folders="0") == [files.path("One.txt")]
        tree = [files.path(one) for one in ("One.txt", "sub/", "sub/one/", "sub/two.txt")]
        assert listed(full_tree="true") == tree
        assert listed(full_tree="true", search="ONE") == [files.path("One.txt"), files.path("sub/one/")]
        assert listed(id_field="name", full_tree="true")[1:] == ["sub", "sub/one", "sub/two.txt"]
        rows = files.ok(files.client.get(files.url(), params={"fields": "name,type"}))["resource"]
        assert rows == [{"name": "One.txt", "type": "file"}, {"name": "sub", "type": "folder"}]
        rows = files.ok(files.client.get(files.url(), params={"fields": "path,size", "include_properties": "type"}))
        assert rows["resource"] == [{"path": files.path("One.txt")}, {"path": files.path("sub/")}]
        assert "nonsense" in error_of(
            files.client.get(files.url(), params={"id_field": "nonsense", "as_list": "1"}), 400
        )

    def test_lists_stay_wrapped_and_roots_list(self, files: Files) -> None:
        names = [row["name"] for row in files.ok(files.client.get(f"/{files.service}/"))["resource"]]
        assert files.folder in names
        assert files.folder in [row["name"] for row in files.ok(files.client.get(f"/{files.service}"))["resource"]]

    def test_the_access_list_has_every_folder(self, files: Files) -> None:
        files.make("in")
        found = files.ok(files.client.get(f"/{files.service}", params={"as_access_list": "true"}))["resource"]
        assert found[:2] == ["", "*"]
        assert {files.path("in/"), files.path("in/*"), f"{files.folder}/", f"{files.folder}/*"} <= set(found)

    def test_a_folder_tells_its_properties(self, files: Files) -> None:
        files.make("p")
        told = files.ok(files.client.get(files.url("p/"), params={"include_properties": "true"}))
        assert told["name"] == "p"
        assert told["path"] == files.path("p/")
        assert "last_modified" in told

    def test_a_folder_needs_no_slash(self, files: Files) -> None:
        """D19."""
        files.make("plain")
        files.put("plain/x.txt")
        rows = files.ok(files.client.get(files.url("plain")))["resource"]
        assert [row["name"] for row in rows] == ["x.txt"]

    def test_what_is_not_there_is_a_404_with_the_recorded_words(self, files: Files) -> None:
        path = files.path("none")
        assert error_of(files.client.get(files.url("none/")), 404) == f"Folder '{path}/' does not exist in storage."
        told = error_of(files.client.get(files.url("none.txt")), 404)
        assert told == f"The specified file '{files.path('none.txt')}' was not found in storage."

    def test_a_download_has_the_bytes_and_their_description(self, files: Files) -> None:
        data = bytes(range(256)) * 50
        files.put("d.bin", data)
        reply = files.client.get(files.url("d.bin"))
        assert reply.content == data
        assert reply.headers["content-length"] == str(len(data))
        assert reply.headers["accept-ranges"] == "bytes"
        assert reply.headers["x-content-type-options"] == "nosniff"
        head = files.client.request("HEAD", files.url("d.bin"))
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(len(data))

    def test_types_come_from_names(self, files: Files) -> None:
        """Content is not looked at, whatever it seems to be (checklist 23)."""
        for name, wanted in (("a.png", "image/png"), ("a.json", "application/json"), ("a.html", "text/html")):
            files.put(name, b"<script>")
            assert files.client.get(files.url(name)).headers["content-type"].partition(";")[0] == wanted
        files.put("noextension", b"<html>")
        kind = files.client.get(files.url("noextension")).headers["content-type"].partition(";")[0]
        assert kind == self.unknown_media_type

    def test_a_download_can_be_an_attachment_with_a_safe_name(self, files: Files) -> None:
        """Checklist 7 and 23."""
        files.put("n%C3%A4me;%20x.txt")
        reply = files.client.get(files.url("n%C3%A4me;%20x.txt"), params={"download": "true"})
        told = reply.headers["content-disposition"]
        assert told == "attachment; filename=\"n_me; x.txt\"; filename*=UTF-8''n%C3%A4me%3B%20x.txt;"
        files.put("plain.txt")
        told = files.client.get(files.url("plain.txt"), params={"download": "1"}).headers["content-disposition"]
        assert told == 'attachment; filename="plain.txt";'

    def test_a_part_of_a_file(self, files: Files) -> None:
        """Checklist 23: ranges can not exceed what is there."""
        files.put("r.txt", b"0123456789")

        def part(asked: str, **more: str) -> tuple[int, bytes, str | None]:
            reply = files.client.get(files.url("r.txt"), headers={"Range": asked, **more})
            return reply.status_code, reply.content, reply.headers.get("content-range")

        assert part("bytes=2-4") == (206, b"234", "bytes 2-4/10")
        assert part("bytes=7-") == (206, b"789", "bytes 7-9/10")
        assert part("bytes=-3") == (206, b"789", "bytes 7-9/10")
        assert part("bytes=-99") == (206, b"0123456789", "bytes 0-9/10")
        assert part("bytes=8-999") == (206, b"89", "bytes 8-9/10")
        assert part("bytes=10-") == (416, b"", "bytes */10")
        assert part("bytes=-0") == (416, b"", "bytes */10")
        for ignored in ("bytes=4-2", "bytes=a-b", "lines=1-2", "bytes=-", "bytes=1-2,4-5"):
            assert part(ignored) == (200, b"0123456789", None), ignored

    def test_a_client_that_has_it_already_is_told_so(self, files: Files) -> None:
        files.put("c.txt", b"first")
        reply = files.client.get(files.url("c.txt"))
        if "etag" in reply.headers:
            tag = reply.headers["etag"]
            again = files.client.get(files.url("c.txt"), headers={"If-None-Match": f'"x", {tag}'})
            assert (again.status_code, again.content) == (304, b"")
            assert files.client.get(files.url("c.txt"), headers={"If-None-Match": '"other"'}).status_code == 200
            resumed = files.client.get(files.url("c.txt"), headers={"Range": "bytes=1-2", "If-Range": tag})
            assert resumed.status_code == 206
            changed = files.client.get(files.url("c.txt"), headers={"Range": "bytes=1-2", "If-Range": '"other"'})
            assert (changed.status_code, changed.content) == (200, b"first")
        self.needs("times")
        since = reply.headers["last-modified"]
        assert files.client.get(files.url("c.txt"), headers={"If-Modified-Since": since}).status_code == 304
        long_ago = "Mon, 01 Jan 2001 00:00:00 GMT"
        assert files.client.get(files.url("c.txt"), headers={"If-Modified-Since": long_ago}).status_code == 200

    def test_properties_with_content(self, files: Files) -> None:
        files.put("p.txt", "grün".encode())
        params = {"include_properties": "true"}
        told = files.ok(files.client.get(files.url("p.txt"), params=params))
        assert {key: told[key] for key in ("path", "name", "content_type", "content_length")} == {
            "path": files.path("p.txt"), "name": "p.txt", "content_type": "text/plain", "content_length": 5,
        }  # fmt: skip
        assert "content" not in told
        told = files.ok(files.client.get(files.url("p.txt"), params={**params, "content": "true"}))
        assert base64.b64decode(told["content"]) == "grün".encode()
        text = {**params, "content": "true", "is_base64": "false"}
        assert files.ok(files.client.get(files.url("p.txt"), params=text))["content"] == "grün"
        files.put("p.bin", b"\xff\xfe")
        assert "is_base64" in error_of(files.client.get(files.url("p.bin"), params=text), 400)

    def test_a_folder_as_an_archive(self, files: Files) -> None:
        files.make("z")
        files.make("z/empty")
        files.put("z/one.txt", b"1" * 3000)
        files.make("z/in")
        files.put("z/in/two.bin", b"\0\1\2")
        reply = files.client.get(files.url("z/"), params={"zip": "true"})
        assert reply.headers["content-type"] == "application/zip"
        assert reply.headers["content-disposition"] == 'attachment; filename="z.zip";'
        start = files.path("z/") if self.zips_whole_paths else ""
        with zipfile.ZipFile(io.BytesIO(reply.content)) as archive:
            assert archive.testzip() is None
            names = sorted(archive.namelist())
            assert names == sorted(f"{start}{one}" for one in ("empty/", "in/", "in/two.bin", "one.txt"))
            assert archive.read(f"{start}one.txt") == b"1" * 3000

    def test_a_large_folder_lists_completely(self, files: Files) -> None:
        """More than one page of any store would hold, made in one request."""
        entries = [{"type": "file", "name": f"f{number:04}.txt", "content": "x"} for number in range(1200)]
        rows = files.ok(files.client.post(files.url(), json={"resource": entries}), 201)["resource"]
        assert not [row for row in rows if "error" in row][:3]
        assert len(files.ok(files.client.get(files.url()))["resource"]) == 1200
