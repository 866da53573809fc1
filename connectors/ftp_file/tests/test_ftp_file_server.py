"""What only a server shows: links, clients that leave, a server that goes away, large files."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from file_stories import StoreStories, listed, names_in, once, whole
from servers import serving
from transfer_servers import Proftpd, ProftpdWithoutReplacing, Vsftpd

from trunkline.errors import BadRequest
from trunkline_files.store import Store
from trunkline_ftp_file import FtpFileConfig
from trunkline_ftp_file.session import Settings
from trunkline_ftp_file.store import FtpStore

pytestmark = pytest.mark.live


def opened(config: dict[str, Any]) -> FtpStore:
    name, password = config.get("username", "anonymous"), config.get("password", "x")
    is_encrypted = config.get("ssl", False)
    return FtpStore(
        Settings("127.0.0.1", config["port"], name, password, is_encrypted, 20.0, config["container"]),
    )


def encrypted(config: dict[str, Any]) -> FtpStore:
    return opened({**config, "ssl": True})


class TestProftpd(StoreStories):
    kind = Proftpd
    opener = (__name__, "opened")
    untold = frozenset({"absolute"})


class TestEncrypted(StoreStories):
    kind = Proftpd
    opener = (__name__, "encrypted")
    untold = frozenset({"absolute"})


class TestVsftpd(StoreStories):
    kind = Vsftpd
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

        with serving(ProftpdWithoutReplacing) as server:
            config = server.new_config()
            asyncio.run(story(encrypted(config), server.place(config)))


class TestConfiguration:
    def test_what_cannot_work_is_refused(self) -> None:
        right = {"host": "h", "container": "/x"}
        assert FtpFileConfig.check(right).port == 21
        for wrong in (
            {"passive": False}, {"container": ""}, {"container": "a\r\nDELE b"}, {"username": "u\nx"}, {"host": "h\n"},
            {"port": 0}, {"timeout": 0},
        ):  # fmt: skip
            with pytest.raises(BadRequest):
                FtpFileConfig.check({**right, **wrong})
        with pytest.raises(BadRequest):
            FtpFileConfig.check({"host": "h"})

    def test_the_form_has_the_recorded_fields_in_their_order(self) -> None:
        entries = {entry["name"]: entry for entry in FtpFileConfig.schema_entries()}
        assert list(entries) == [
            "host", "port", "username", "password", "ssl", "timeout", "passive", "public_path", "container",
        ]  # fmt: skip
        assert [entry["required"] for entry in entries.values()] == [True, *[False] * 8]
        assert (entries["timeout"]["default"], entries["passive"]["default"]) == (90, True)
