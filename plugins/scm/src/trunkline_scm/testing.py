"""ScmSuite: what every source control service promises; subclass it with ``service_type`` and a ``config`` fixture.

The configured owner must have what ``known`` says: a repository whose default branch is not ``master``, with a folder
that has a folder and a file in it, a file of bytes, a branch with a slash in its name, and more entries than a page.
"""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from trunkline.testing import Gateway, ServiceSuite
from trunkline.testing.fixtures import _copied, settings_for


@dataclass(frozen=True, slots=True)
class Known:
    """What is in the repositories of the tests."""

    repo: str = "demo"
    other: str = "old"
    folder: str = "src"
    inner: str = "lib"
    file: str = "src/app.py"
    content: bytes = b"print('hi')\n"
    binary: str = "b ä.bin"
    binary_content: bytes = b"\0\1"
    branch: str = "feature/x"
    only_there: str = "new.txt"
    many: str = "many"
    how_many: int = 230


def message(reply: Any, status: int) -> str:
    """Answer the words of an error, whose status must be this one."""
    assert reply.status_code == status, reply.text
    error = reply.json()["error"]
    assert error["status_code"] == status
    return str(error["message"])


class ScmSuite(ServiceSuite):
    """Checks reading, and that nothing else is done."""

    known: ClassVar[Known] = Known()
    #: The field of the configuration with the address of the API.
    address: ClassVar[str] = "base_url"

    @pytest.fixture(scope="class")
    @classmethod
    def gateway(cls, _template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
        """A gateway that may reach this machine."""
        storage = _copied(_template, tmp_path_factory.mktemp("gateway") / "storage")
        with Gateway(settings_for(storage, outgoing_networks="127.0.0.0/8, ::1/128")) as started:
            yield started

    @pytest.fixture
    def at(self, gateway: Gateway, service: str) -> Any:
        """Call below the repository of the tests."""
        return lambda place="", /, **params: gateway.admin.get(
            f"/{service}/_repo/{self.known.repo}{place and '/' + place}", params=params
        )

    def _names(self, reply: Any) -> list[str]:
        assert reply.status_code == 200, reply.text
        return [str(one["name"]).rpartition("/")[2] for one in reply.json()["resource"]]

    def test_the_root_lists_its_resource(self, gateway: Gateway, service: str) -> None:
        assert gateway.admin.get(f"/{service}").json() == {"resource": [{"name": "_repo"}]}

    def test_repositories_are_listed_in_pages(self, gateway: Gateway, service: str) -> None:
        path, wanted = f"/{service}/_repo", sorted([self.known.repo, self.known.other])
        assert self._names(gateway.admin.get(path)) == wanted
        assert gateway.admin.get(f"{path}?as_list=true").json()["resource"] == wanted
        assert gateway.admin.get(f"{path}?per_page=1&page=2&as_list=true").json()["resource"] == wanted[1:]
        assert gateway.admin.get(f"{path}?page=9").json()["resource"] == []
        assert gateway.admin.get(f"{path}?fields=name").json()["resource"][0] == {"name": wanted[0]}
        for bad in ("page=0", "page=x", "per_page=-1"):
            assert gateway.admin.get(f"{path}?{bad}").status_code == 400

    def test_folders_are_listed_from_the_default_branch(self, at: Any) -> None:
        """Nobody has named a branch, and there is no ``master``."""
        known = self.known
        top = self._names(at())
        assert {known.folder, known.many, known.binary} <= set(top)
        assert set(self._names(at(known.folder))) == {known.inner, known.file.rpartition("/")[2]}
        assert set(self._names(at(path=known.folder))) == {known.inner, known.file.rpartition("/")[2]}
        assert at(known.folder, as_list="true").json()["resource"][0] == known.inner

    def test_master_comes_before_the_default_branch(self, gateway: Gateway, service: str) -> None:
        assert self._names(gateway.admin.get(f"/{service}/_repo/{self.known.other}")) == ["old.txt"]

    def test_all_of_a_long_folder_is_listed(self, at: Any) -> None:
        assert len(set(self._names(at(self.known.many)))) == self.known.how_many

    def test_files_are_told_or_handed_out(self, at: Any) -> None:
        known = self.known
        for told in (at(known.file), at(path=known.file)):
            assert told.status_code == 200, told.text
            assert base64.b64decode(told.json()["content"]) == known.content
            assert (told.json()["path"], told.json()["encoding"]) == (known.file, "base64")
        reply = at(known.file, content="true")
        assert reply.content == known.content
        assert reply.headers["content-type"].startswith("text/plain")
        reply = at(known.binary, content="1")
        assert (reply.content, reply.headers["content-type"]) == (known.binary_content, "application/octet-stream")

    @pytest.mark.parametrize("word", ["branch", "tag"])
    def test_branches_and_tags(self, at: Any, word: str) -> None:
        known = self.known
        assert at(known.only_there, content="true", **{word: known.branch}).content == b"new"
        assert known.only_there in self._names(at(**{word: known.branch}))
        assert message(at(known.only_there), 404)

    def test_what_is_not_there_is_a_404_in_the_providers_words(self, gateway: Gateway, service: str, at: Any) -> None:
        assert message(at("no/such/file"), 404)
        assert message(at(branch="no-such-branch"), 404)
        assert message(gateway.admin.get(f"/{service}/_repo/no_such_repo"), 404)

    def test_paths_cannot_lead_out(self, at: Any) -> None:
        for path in ("../x", "a/../../x", ".", "a/./b"):
            assert at(path=path).status_code == 400
        assert at("..%2F..%2Fusers").status_code == 400
        assert at("src%2F..%2Fsrc").status_code == 400

    @pytest.mark.parametrize("verb", ["POST", "PUT", "PATCH", "DELETE"])
    def test_it_is_read_only(self, gateway: Gateway, service: str, verb: str) -> None:
        for path in ("_repo", f"_repo/{self.known.repo}", f"_repo/{self.known.repo}/{self.known.file}"):
            assert "not currently supported" in message(gateway.admin.request(verb, f"/{service}/{path}", json={}), 400)

    def test_roles_bind_paths_whichever_way_they_are_named(self, gateway: Gateway, service: str) -> None:
        known = self.known
        rows = [{"service": service, "component": f"_repo/{known.repo}", "verb_mask": 1}]
        key = gateway.key_for([*rows, {**rows[0], "component": f"_repo/{known.repo}/{known.folder}/*"}])
        base = f"/{service}/_repo"
        assert key.get(f"{base}/{known.repo}/{known.file}").status_code == 200
        assert key.get(f"{base}/{known.repo}?path={known.file}").status_code == 200
        for path in (f"{known.repo}/{known.binary}", f"{known.repo}?path={known.binary}", known.other, ""):
            assert key.get(f"{base}/{path}").status_code in (401, 403), path

    def test_documents_tell_of_it(self, gateway: Gateway, service: str) -> None:
        paths = gateway.admin.get(f"/{service}/_spec").json()["paths"]
        assert {"/_repo", "/_repo/{repo_name}", "/_repo/{repo_name}/{path}"} <= set(paths)
        assert all(set(one) <= {"get", "parameters"} for path, one in paths.items() if path.startswith("/_repo"))

    def test_a_wrong_token_is_the_providers_401(self, gateway: Gateway, config: dict[str, Any]) -> None:
        gateway.create_service(f"{self.service_type}_wrong", self.service_type, {**config, "token": "wrong"})
        told = message(gateway.admin.get(f"/{self.service_type}_wrong/_repo"), 401)
        assert "wrong" not in told

    def test_a_provider_that_is_not_there_or_says_nothing(
        self, gateway: Gateway, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Checklist 34: told in time, without an address."""
        monkeypatch.setattr("trunkline_scm.provider._WAIT", 0.4)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = silent.getsockname()[1]
            for name, status in (("silent", 504), ("gone", 503)):
                here = {**config, self.address: f"http://127.0.0.1:{port}/api"}
                gateway.create_service(f"{self.service_type}_{name}", self.service_type, here)
                if status == 503:
                    silent.close()
                started = time.monotonic()
                told = message(gateway.admin.get(f"/{self.service_type}_{name}/_repo"), status)
                assert time.monotonic() - started < 5
                assert str(port) not in told

    @pytest.mark.parametrize(("status", "content"), [(200, b"<html>"), (200, b""), (404, b"<html>"), (302, b"{}")])
    def test_a_server_that_is_no_such_api_is_told(
        self, gateway: Gateway, config: dict[str, Any], status: int, content: bytes
    ) -> None:
        """A page where JSON is due, as a proxy or a wrong address answers."""
        head = f"HTTP/1.1 {status} x\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n".encode()

        def answer(server: socket.socket) -> None:
            with contextlib.suppress(OSError):
                while True:
                    with server.accept()[0] as one:
                        one.recv(65536)
                        one.sendall(head + content)

        with socket.create_server(("127.0.0.1", 0)) as server:
            thread = threading.Thread(target=answer, args=(server,))
            thread.start()
            name = f"{self.service_type}_page{status}{len(content)}"
            here = {**config, self.address: f"http://127.0.0.1:{server.getsockname()[1]}/api"}
            gateway.create_service(name, self.service_type, here)
            reply = gateway.admin.get(f"/{name}/_repo")
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
        assert reply.status_code == (404 if status == 404 else 502), reply.text
        assert "127.0.0.1" not in reply.text
