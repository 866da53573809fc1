"""What only a server shows: links, clients that leave, a server that goes away, keys, large files."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from file_stories import StoreStories, listed, names_in, once, whole
from servers import serving
from transfer_servers import ProftpdSftp, ProftpdSftpWithoutReplacing, Sshd

from trunkline.errors import BadGateway, BadRequest
from trunkline_files.store import Store
from trunkline_sftp_file import SftpFileConfig
from trunkline_sftp_file.connection import Settings, fingerprint
from trunkline_sftp_file.store import SftpStore

pytestmark = pytest.mark.live


def opened(config: dict[str, Any]) -> SftpStore:
    key, known = config.get("private_key", ""), config.get("host_fingerprint", "")
    return SftpStore(
        Settings(
            "127.0.0.1", config["port"], config["username"], config["password"], key, known and fingerprint(known),
            20.0, config["container"],
        )
    )  # fmt: skip


class TestOpenSsh(StoreStories):
    kind = Sshd
    opener = (__name__, "opened")


class TestProftpd(StoreStories):
    kind = ProftpdSftp
    opener = (__name__, "opened")


class TestWithoutReplacing:
    def test_a_file_is_replaced_where_the_server_does_not_rename_over_it(self) -> None:
        async def story(store: Store, place: Path) -> None:
            for content in (b"one", b"two", b"three"):
                await store.write("a.txt", once(content), "x")
                assert await whole(store, "a.txt") == content
            assert names_in(place) == ["a.txt"]
            assert await listed(store) == ["a.txt"]
            await store.close()

        with serving(ProftpdSftpWithoutReplacing) as server:
            config = server.new_config()
            asyncio.run(story(opened(config), server.place(config)))


class TestIdentities:
    @pytest.fixture(scope="class")
    @classmethod
    def server(cls) -> Iterator[Any]:
        with serving(Sshd) as server:
            yield server

    @staticmethod
    def tried(config: dict[str, Any]) -> None:
        async def story() -> None:
            store = opened(config)
            try:
                assert await listed(store) == []
            finally:
                await store.close()

        asyncio.run(story())

    def test_the_server_must_be_the_one_that_is_meant(self, server: Any) -> None:
        config = server.new_config()
        for kind in ("md5", "sha256"):
            right = server.fingerprint(kind)
            self.tried({**config, "host_fingerprint": right})
            bare = right.partition(":")[2]
            self.tried({**config, "host_fingerprint": bare.upper() if kind == "md5" else bare})
            last = "1" if right[-1] != "1" else "2"
            with pytest.raises(BadGateway, match="fingerprint"):
                self.tried({**config, "host_fingerprint": right[:-1] + last})

    def test_a_key_may_be_text_or_a_file_and_have_a_password(self, server: Any, tmp_path: Path) -> None:
        config = server.new_config()
        path = server.folder / "login_key"
        self.tried({**config, "private_key": str(path)})
        plain = tmp_path / "plain"
        plain.write_text(config["private_key"])
        plain.chmod(0o600)
        server.run("ssh-keygen", "-q", "-p", "-P", server.password, "-N", "", "-f", str(plain))
        self.tried({**config, "private_key": plain.read_text(), "password": ""})
        self.tried({**config, "private_key": plain.read_text()})
        for wrong in (str(tmp_path / "none"), "not\na key\n", config["private_key"][:100] + "\n"):
            with pytest.raises(BadGateway, match="private key") as told:
                self.tried({**config, "private_key": wrong})
            assert str(tmp_path) not in told.value.message
        stranger = tmp_path / "stranger"
        server.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(stranger))
        with pytest.raises(BadGateway, match="login"):
            self.tried({**config, "private_key": stranger.read_text()})


class TestConfiguration:
    def test_what_cannot_work_is_refused(self) -> None:
        right = {"host": "h", "container": "/x"}
        assert SftpFileConfig.check(right).port == 22
        for wrong in ({"container": ""}, {"container": "a\0b"}, {"port": 0}, {"host_fingerprint": "12:34"}):
            with pytest.raises(BadRequest):
                SftpFileConfig.check({**right, **wrong})
        with pytest.raises(BadRequest):
            SftpFileConfig.check({"host": "h"})

    def test_the_form_has_the_recorded_fields_in_their_order(self) -> None:
        entries = {entry["name"]: entry for entry in SftpFileConfig.schema_entries()}
        assert list(entries) == [
            "host", "port", "username", "password", "timeout", "host_fingerprint", "private_key", "public_path",
            "container",
        ]  # fmt: skip
        assert [entry["required"] for entry in entries.values()] == [True, *[False] * 8]
        assert (entries["timeout"]["default"], entries["port"]["default"]) == (90, 22)
