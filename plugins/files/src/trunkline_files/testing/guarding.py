"""Roles on paths hold whichever way a path is named (checklist 9, 10 and 15), and what is public."""

from __future__ import annotations

import io
import random
import zipfile
from typing import Any

from trunkline.testing import Gateway
from trunkline_files.testing.attacking import archive
from trunkline_files.testing.base import Files, FilesTests, error_of
from trunkline_files.testing.writing import form

_GET, _POST, _PUT, _DELETE = 1, 2, 4, 16
_ALL = 31


class GuardingTests(FilesTests):
    """Who may do what."""

    @staticmethod
    def _by(files: Files, **components: int) -> Files:
        """Answer the folder for somebody with rights on parts of it: ``in__x`` is ``in/x``, ``all`` is all below."""
        rows = []
        for name, mask in components.items():
            component = files.path(name.replace("__", "/").replace("all", "*")).rstrip("/")
            rows.append({"service": files.service, "component": component, "verb_mask": mask})
        return files.by(files.gateway.key_for(rows))

    def test_a_role_opens_only_what_it_names(self, files: Files) -> None:
        files.make("open")
        files.make("shut")
        files.put("open/a.txt")
        files.put("shut/b.txt")
        user = self._by(files, open__all=_GET, open=_GET)
        assert user.client.get(user.url("open/a.txt")).status_code == 200
        assert user.client.get(user.url("open/")).status_code == 200
        assert user.client.get(user.url("OPEN/a.txt")).status_code in (200, 404)
        for path in ("shut/b.txt", "shut/", "", "none.txt", "openx/a.txt", "shut%2Fb.txt"):
            assert user.client.get(user.url(path)).status_code in (400, 401), path
        for path in ("open/a.txt", "open/", "open/new.txt"):
            for method in ("POST", "PUT", "PATCH", "DELETE"):
                assert user.client.request(method, user.url(path)).status_code == 401, (method, path)
        assert user.client.post(user.url("open/a.txt"), headers={"X-HTTP-Method": "DELETE"}).status_code == 401

    def test_trees_and_archives_have_only_what_could_be_read(self, files: Files) -> None:
        for name in ("in/open", "in/shut"):
            files.make(name)
            files.put(f"{name}/x.txt")
        user = self._by(files, **{"in": _GET, "in__open": _GET, "in__open__all": _GET})
        params = {"full_tree": "true", "as_list": "true"}
        tree = user.ok(user.client.get(user.url("in/"), params=params))["resource"]
        assert [one for one in tree if "shut/" in one] == [files.path("in/shut/")]
        assert files.path("in/open/x.txt") in tree
        reply = user.client.get(user.url("in/"), params={"zip": "true"})
        with zipfile.ZipFile(io.BytesIO(reply.content)) as packed:
            assert [one for one in packed.namelist() if "shut" in one] == []
            assert [one for one in packed.namelist() if one.endswith("x.txt")] != []

    def test_creating_through_a_folder_needs_the_right_to_create_the_file(self, files: Files) -> None:
        files.make("in")
        user = self._by(files, **{"in": _GET | _POST | _PUT, "in__ok.txt": _POST})
        body, headers = form(("files", "no.txt", b"x"))
        json = {"resource": [{"type": "file", "name": "no.txt", "content": "x"}, {"type": "folder", "name": "no"}]}
        assert user.client.post(user.url("in/"), content=b"x", headers={"X-File-Name": "no.txt"}).status_code == 403
        assert user.client.post(user.url("in/"), headers={"X-Folder-Name": "no"}).status_code == 403
        assert user.client.post(user.url("in/"), content=body, headers=headers).status_code == 403
        rows = user.ok(user.client.post(user.url("in/"), json=json), 201)["resource"]
        assert [row["error"]["code"] for row in rows] == [403, 403]
        packed = archive(("ok.txt", b"x"), ("no.txt", b"x"))
        reply = user.client.post(
            user.url("in/"), content=packed, headers={"X-File-Name": "a.zip"}, params={"extract": "true"}
        )
        assert reply.status_code == 403
        assert files.tree() == ["in/"]
        assert user.client.post(user.url("in/"), content=b"x", headers={"X-File-Name": "ok.txt"}).status_code == 201
        assert files.tree() == ["in/", "in/ok.txt"]

    def test_copying_reads_and_moving_deletes(self, files: Files) -> None:
        files.make("from/sub")
        files.put("from/a.txt", b"secret")
        files.put("from/sub/b.txt", b"secret")
        files.make("to")

        def sent(user: Files, kind: str, source: str, **more: Any) -> int:
            one = {"type": kind, "name": "got", "source_path": files.path(source), **more}
            row = user.ok(user.client.post(user.url("to/"), json={"resource": [one]}), 201)["resource"][0]
            return int(row["error"]["code"]) if "error" in row else 200

        writer = self._by(files, to=_POST, to__all=_POST)
        assert sent(writer, "file", "from/a.txt") == 403
        assert sent(writer, "file", "from/none.txt") == 403
        assert sent(writer, "folder", "from/") == 403
        reader = self._by(files, to=_POST, to__all=_POST, **{"from": _GET, "from__a.txt": _GET})
        assert sent(reader, "folder", "from/") == 403
        assert sent(reader, "file", "from/a.txt", delete_source=True) == 403
        assert files.tree() == ["from/", "from/a.txt", "from/sub/", "from/sub/b.txt", "to/"]
        assert sent(reader, "file", "from/a.txt") == 200
        assert files.bytes("to/got") == b"secret"

    def test_deleting_a_folder_needs_the_right_to_delete_all_in_it(self, files: Files) -> None:
        files.make("in/shut")
        files.put("in/shut/x.txt")
        files.put("in/y.txt")
        user = self._by(files, **{"in": _DELETE, "in__y.txt": _DELETE})
        for params in ({"force": "true"}, {"content_only": "true"}):
            assert user.client.delete(user.url("in/"), params=params).status_code == 403
        entries = {
            "resource": [{"type": "file", "name": "shut/x.txt"}, {"type": "folder", "path": files.path("in/shut")}]
        }
        reply = user.client.request("DELETE", user.url("in/"), json=entries, params={"force": "true"})
        assert [row["error"]["code"] for row in user.ok(reply)["resource"]] == [403, 403]
        assert files.tree() == ["in/", "in/shut/", "in/shut/x.txt", "in/y.txt"]

    def test_random_roles_never_reach_more_than_their_rows_say(self, files: Files) -> None:
        """Checklist 9: every way to read is tried for every file and compared with the plain one."""
        chance = random.Random(20261124)
        paths = [f"{top}/{low}/f.txt" for top in "ab" for low in "cd"]
        for top in "ab":
            for low in "cd":
                files.make(f"{top}/{low}")
        for path in paths:
            files.put(path, path.encode())
        places = ["", "*", "a", "a/*", "b", "b/*", "a/c", "a/c/*", "a/d/f.txt", "b/d", "b/d/*", "b/c/f.txt"]
        for _ in range(25):
            rows = [
                {
                    "service": files.service,
                    "component": files.path(place).rstrip("/"),
                    "verb_mask": chance.choice((0, 1, 3)),
                }
                for place in chance.sample(places, 3)
            ]
            user = files.by(files.gateway.key_for(rows))
            readable = {path for path in paths if user.client.get(user.url(path)).status_code == 200}
            for folder in ("", "a/", "b/", "a/c/", "b/d/"):
                reply = user.client.get(user.url(folder), params={"zip": "true"})
                if reply.status_code == 200:
                    with zipfile.ZipFile(io.BytesIO(reply.content)) as packed:
                        found = {packed.read(one).decode() for one in packed.namelist() if not one.endswith("/")}
                    assert found <= readable, rows
            for path in paths:
                one = {"type": "file", "name": "stolen", "source_path": files.path(path)}
                reply = user.client.post(user.url(), json={"resource": [one]})
                if reply.status_code == 201 and "error" not in reply.json()["resource"][0]:
                    assert path in readable
                    files.client.delete(files.url("stolen"))

    def test_public_folders_are_for_everybody_and_nothing_else_is(
        self, gateway: Gateway, files: Files, config: dict[str, Any]
    ) -> None:
        """Connectors 4.11."""
        files.make("pub/in")
        files.make("public")
        for name in ("pub/a.html", "pub/in/b.txt", "public/c.txt", "d.txt"):
            files.put(name, b"0123456789")
        name = f"{files.service}_public"
        if name not in gateway.app.directory.snapshot.services:
            gateway.create_service(name, self.service_type, {**config, "public_path": [f"/{files.folder}/pub/", ""]})
        service = gateway.app.directory.snapshot.services.get(name)
        place = f"/{name}/{files.folder}"
        http = gateway.anonymous._http
        assert service is None or service.is_active
        reply = http.get(f"{place}/pub/a.html")
        assert (reply.status_code, reply.content) == (200, b"0123456789")
        assert http.get(f"{place}/pub/in/b.txt", headers={"Range": "bytes=1-2"}).content == b"12"
        for path in ("public/c.txt", "d.txt", "pub/..%2fd.txt", "", "pub%2Fa.html"):
            reply = http.get(f"{place}/{path}")
            assert reply.status_code in (400, 403), path
            assert reply.headers["content-type"].startswith("text/html")
            assert b"012345" not in reply.content
        assert http.get(f"{place}/d.txt").text == "Access denied, please contact your system administrator."
        assert http.get(f"{place}/pub/none.txt").status_code == 404
        assert http.get(f"{place}/pub/in/").status_code == 404
        assert http.get("/no_such_service/x.txt").status_code == 404
        assert http.get("/system/user").status_code == 400
        assert http.post(f"{place}/pub/a.html", content=b"x").status_code in (404, 405)

    def test_a_reply_shows_no_secret_and_no_place(self, files: Files, config: dict[str, Any]) -> None:
        """Checklist 27 and 28."""
        secrets = [str(value) for value in config.values() if isinstance(value, str) and len(value) > 5]
        container = str(config.get("container") or "")
        replies = [
            files.client.get(files.url("none")),
            files.client.post(files.url("none/x"), content=b"x"),
            files.client.delete(files.url("none")),
            files.client.get(f"/{files.service}/{'x' * 200}"),
        ]
        for reply in replies:
            assert error_of(reply, reply.status_code)
            assert not [one for one in secrets if one in reply.text and one != container]
            assert "/" not in container or container not in reply.text
            assert "Traceback" not in reply.text
