"""Creating, replacing, copying, moving and deleting (connectors 4.4 to 4.10)."""

from __future__ import annotations

import base64

from trunkline_files.testing.base import Files, FilesTests, error_of


def form(*parts: tuple[str, str | None, bytes], boundary: str = "b0undary") -> tuple[bytes, dict[str, str]]:
    """Make a multipart body of fields, file names (None for a plain field) and content, with its headers."""
    body = b""
    for field, name, content in parts:
        told = f'form-data; name="{field}"' + (f'; filename="{name}"' if name is not None else "")
        body += f"--{boundary}\r\nContent-Disposition: {told}\r\n".encode()
        body += (b"Content-Type: text/plain\r\n\r\n" if name is not None else b"\r\n") + content + b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), {"Content-Type": f"multipart/form-data; boundary={boundary}"}


class WritingTests(FilesTests):
    """POST, PUT, PATCH and DELETE."""

    def test_a_file_is_created_and_replaced(self, files: Files) -> None:
        told = files.ok(files.client.post(files.url("a.txt"), content=b"one"), 201)
        assert told == {"name": "a.txt", "path": files.path("a.txt"), "type": "file"}
        assert files.ok(files.client.put(files.url("a.txt"), content=b"two"), 201) == told
        assert files.bytes("a.txt") == b"two"
        files.put("empty.txt", b"")
        assert files.bytes("empty.txt") == b""

    def test_a_body_is_the_file_whatever_its_type(self, files: Files) -> None:
        for kind in ("application/json", "text/xml", "application/x-www-form-urlencoded"):
            files.put("raw", b'{"a": not json', headers={"Content-Type": kind})
            assert files.bytes("raw") == b'{"a": not json'

    def test_an_existing_file_can_be_kept(self, files: Files) -> None:
        files.put("k.txt", b"old")
        reply = files.client.post(files.url("k.txt"), content=b"new", params={"check_exist": "true"})
        assert error_of(reply, 400) == f"File '{files.path('k.txt')}' already exists."
        assert files.bytes("k.txt") == b"old"

    def test_a_file_needs_its_folder(self, files: Files) -> None:
        told = error_of(files.client.post(files.url("no/a.txt"), content=b"x"), 404)
        assert told == f"Folder '{files.path('no/')}' does not exist."

    def test_headers_name_what_is_made_in_a_folder(self, files: Files) -> None:
        reply = files.client.post(files.url(), content=b"x", headers={"X-File-Name": "h.txt"})
        assert files.ok(reply, 201) == {"name": "h.txt", "path": files.path("h.txt"), "type": "file"}
        reply = files.client.post(files.url(), headers={"X-Folder-Name": "hf"})
        assert files.ok(reply, 201) == {"name": "hf", "path": files.path("hf")}
        reply = files.client.post(
            files.url(), content=b"u", headers={"X-File-Name": "ü.txt".encode().decode("latin-1")}
        )
        assert files.ok(reply, 201)["name"] == "ü.txt"
        assert files.tree() == ["h.txt", "hf/", "ü.txt"]

    def test_folders_are_made_with_those_above_and_only_once(self, files: Files) -> None:
        told = files.ok(files.client.post(files.url("x/y/z/")), 201)
        assert told == {"name": "z", "path": files.path("x/y/z/")}
        assert "x/y/z/" in files.tree()
        assert error_of(files.client.post(files.url("x/y/z/")), 400).endswith("x/y/z/' already exists.")

    def test_a_form_stores_its_files(self, files: Files) -> None:
        body, headers = form(("note", None, b"n"), ("files[]", "a b.txt", b"one"), ("files[]", "../../c.txt", b"two"))
        rows = files.ok(files.client.post(files.url(), content=body, headers=headers), 201)["resource"]
        assert [row["name"] for row in rows] == ["a_b.txt", "c.txt"]
        assert (files.bytes("a_b.txt"), files.bytes("c.txt")) == (b"one", b"two")
        body, headers = form(("files", "other.txt", b"3" * 3_000_000))
        told = files.ok(files.client.post(files.url("named.bin"), content=body, headers=headers), 201)
        assert told["name"] == "named.bin"
        assert files.bytes("named.bin") == b"3" * 3_000_000

    def test_a_form_for_one_file_has_one(self, files: Files) -> None:
        files.put("one.txt", b"before")
        body, headers = form(("files[]", "a.txt", b"1"), ("files[]", "b.txt", b"2"))
        reply = files.client.post(files.url("one.txt"), content=body, headers=headers)
        assert error_of(reply, 400).startswith("Multiple files uploaded to a single REST resource")
        body, headers = form(("note", None, b"1"))
        assert "no file" in error_of(files.client.post(files.url("one.txt"), content=body, headers=headers), 400)
        assert "no file" in error_of(files.client.post(files.url(), content=body, headers=headers), 400)
        assert files.bytes("one.txt") == b"before"

    def test_a_broken_form_leaves_nothing(self, files: Files) -> None:
        body, headers = form(("files", "a.txt", b"1" * 2_000_000))
        reply = files.client.post(files.url("cut.txt"), content=body[:-40], headers=headers)
        assert reply.status_code == 400
        reply = files.client.post(files.url("cut.txt"), content=b"x", headers={"Content-Type": "multipart/form-data"})
        assert reply.status_code == 400
        assert files.tree() == []

    def test_json_makes_files_and_folders(self, files: Files) -> None:
        entries = [
            {"type": "folder", "name": "new"},
            {"type": "file", "name": "a.txt", "content": "plain"},
            {"type": "file", "name": "b.bin", "content": base64.b64encode(b"\0\1").decode(), "is_base64": True},
            {"type": "folder", "name": "new"},
            {"type": "file", "name": "c.txt"},
            {"type": "thing", "name": "d"},
            {"type": "file", "name": "e.txt", "content": "%%%", "is_base64": True},
        ]
        rows = files.ok(files.client.post(files.url(), json={"resource": entries}), 201)["resource"]
        assert rows[0] == {"name": "new", "path": files.path("new/"), "type": "folder"}
        assert rows[1] == {"name": "a.txt", "path": files.path("a.txt"), "type": "file"}
        assert ["error" in row for row in rows] == [False, False, False, True, True, True, True]
        assert rows[3]["error"]["message"] == f"Folder '{files.path('new/')}' already exists."
        assert (files.bytes("a.txt"), files.bytes("b.bin")) == (b"plain", b"\0\1")
        assert files.tree() == ["a.txt", "b.bin", "new/"]
        single = files.client.post(files.url(), json={"type": "file", "name": "s.txt", "content": ""})
        assert files.ok(single, 201)["resource"][0]["name"] == "s.txt"
        assert error_of(files.client.post(files.url(), json={"resource": ["x"]}), 400)
        assert error_of(files.client.post(files.url(), json={"other": 1}), 400)

    def test_files_are_copied_and_moved(self, files: Files) -> None:
        files.put("a.txt", b"one")
        files.make("in")
        source = {"type": "file", "source_path": files.path("a.txt")}

        def sent(folder: str, **entry: object) -> dict[str, object]:
            rows = files.ok(files.client.post(files.url(folder), json={"resource": [{**source, **entry}]}), 201)
            row: dict[str, object] = rows["resource"][0]
            return row

        assert "error" not in sent("in/")
        assert "error" not in sent("", name="b.txt")
        assert (files.bytes("in/a.txt"), files.bytes("b.txt")) == (b"one", b"one")
        row = sent("in/")
        assert row["error"] == {"message": f"File '{files.path('in/a.txt')}' already exists.", "code": 400}
        row = sent("in/", name="m.txt", delete_source=True)
        assert "error" not in row
        assert (files.bytes("in/m.txt"), files.bytes("a.txt")) == (b"one", None)
        row = sent("in/", name="n.txt")
        assert row["error"] == {"message": f"File '{files.path('a.txt')}' does not exist.", "code": 404}
        assert files.tree() == ["b.txt", "in/", "in/a.txt", "in/m.txt"]

    def test_folders_are_copied_and_moved(self, files: Files) -> None:
        files.make("from/deep/er")
        files.put("from/a.txt", b"1")
        files.put("from/deep/b.txt", b"2")

        def sent(name: str, **entry: object) -> dict[str, object]:
            one = {"type": "folder", "name": name, "source_path": files.path("from/"), **entry}
            row: dict[str, object] = files.ok(files.client.post(files.url(), json={"resource": [one]}), 201)[
                "resource"
            ][0]
            return row

        tree = ["a.txt", "deep/", "deep/b.txt", "deep/er/"]
        assert "error" not in sent("copy")
        assert "error" in sent("copy")
        assert "error" not in sent("moved", delete_source=True)
        assert "error" in sent("again")
        wanted = [f"{folder}/{one}" for folder in ("copy", "moved") for one in ("", *tree)]
        assert files.tree() == wanted
        assert files.bytes("moved/deep/b.txt") == b"2"
        one = {"type": "folder", "name": "inside", "source_path": files.path("copy")}
        row = files.ok(files.client.post(files.url("copy/"), json={"resource": [one]}), 201)["resource"][0]
        assert "into itself" in row["error"]["message"]

    def test_files_are_deleted(self, files: Files) -> None:
        files.put("d.txt")
        told = files.ok(files.client.delete(files.url("d.txt")))
        assert told == {"name": "d.txt", "path": files.path("d.txt")}
        message = error_of(files.client.delete(files.url("d.txt")), 404)
        assert message == f"File '{files.path('d.txt')}' was not found."
        assert files.ok(files.client.delete(files.url("d.txt"), params={"no_check": "true"})) == told

    def test_folders_are_deleted_with_force(self, files: Files) -> None:
        """D19."""
        files.make("f")
        files.put("f/x.txt")
        files.make("f/g/h")
        told = error_of(files.client.delete(files.url("f/")), 400)
        assert "not empty" in told
        reply = files.client.delete(files.url("f"), params={"content_only": "true"})
        assert files.ok(reply) == {"name": "f", "path": files.path("f/")}
        assert files.tree() == ["f/"]
        assert files.ok(files.client.delete(files.url("f"))) == {"name": "f", "path": files.path("f/")}
        assert files.tree() == []
        assert error_of(files.client.delete(files.url("f/")), 404)
        files.make("g")
        files.put("g/y.txt")
        files.ok(files.client.delete(files.url("g/"), params={"force": "true"}))
        assert files.tree() == []

    def test_lists_are_deleted(self, files: Files) -> None:
        files.make("l")
        for name in ("l/1.txt", "l/2.txt", "3.txt"):
            files.put(name)
        entries = [
            {"type": "file", "name": "1.txt"},
            {"type": "file", "path": files.path("3.txt")},
            {"type": "file", "name": "none.txt"},
        ]
        rows = files.ok(files.client.request("DELETE", files.url("l/"), json={"resource": entries}))["resource"]
        assert ["error" in row for row in rows] == [False, False, True]
        assert files.tree() == ["l/", "l/2.txt"]
        assert error_of(files.client.request("DELETE", files.url("l/"), json={"resource": [{"type": "file"}]}), 400)
        assert files.tree() == ["l/", "l/2.txt"]
        assert error_of(files.client.delete(f"/{files.service}/"), 400) == "No resources given for delete."

    def test_properties_are_kept_or_plainly_not(self, files: Files) -> None:
        files.put("p.txt")
        reply = files.client.patch(files.url("p.txt"), json={"colour": "red"})
        if "properties" in self.lacks:
            assert error_of(reply, 501).startswith("Updating file properties is not implemented")
        else:
            assert files.ok(reply) == {"success": True}
            assert files.bytes("p.txt") == b"hello"
        assert error_of(files.client.patch(files.url("none.txt"), json={"a": "b"}), 404)
        assert error_of(files.client.patch(files.url("p.txt"), json=["a"]), 400)

    def test_another_container_is_for_administrators(self, files: Files) -> None:
        one = {"type": "file", "name": "x.txt", "source_path": "x.txt", "source_container": "elsewhere"}
        user = files.by(files.gateway.key_for([{"service": files.service, "component": "*", "verb_mask": 31}]))
        row = user.ok(user.client.post(user.url(), json={"resource": [one]}), 201)["resource"][0]
        assert row["error"]["code"] == 403
