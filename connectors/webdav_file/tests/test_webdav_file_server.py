"""What only a server shows: clients that leave, a server that goes away, logins, large files, answers that are none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from file_stories import StoreStories, once, whole
from processes import free_port
from web_servers import Apache, ApacheDigest, Rclone

from trunkline.errors import BadRequest, Unavailable
from trunkline_webdav_file import WebdavFileConfig
from trunkline_webdav_file.answers import rows_of
from trunkline_webdav_file.client import Settings
from trunkline_webdav_file.store import WebdavStore

pytestmark = pytest.mark.live


def opened(config: dict[str, Any]) -> WebdavStore:
    return WebdavStore(
        Settings(
            config["base_uri"], config["container"], config["username"], config["password"], config.get("auth_type"),
            config.get("encoding", ""), config.get("proxy"),
        )
    )  # fmt: skip


class WebdavStories(StoreStories):
    opener = (__name__, "opened")
    # The protocol has no word for links: the server follows them or does not.
    test_links_lead_nowhere = None

    def elsewhere(self, config: dict[str, Any]) -> dict[str, Any]:
        return {"base_uri": f"http://127.0.0.1:{free_port()}"}


class TestApache(WebdavStories):
    kind = Apache

    def test_files_may_come_packed(self, server: Any) -> None:
        """Where the server packs nothing, nothing changes."""
        config = {**server.new_config(), "encoding": "gzip", "auth_type": 1}

        async def story(store: WebdavStore) -> None:
            await store.write("a.txt", once(b"a" * 100_000), "text/plain")
            assert await whole(store, "a.txt") == b"a" * 100_000
            assert await whole(store, "a.txt", 5, 10) == b"a" * 10

        self.run(config, story)

    def test_a_proxy_is_used(self, server: Any) -> None:
        config = {**server.new_config(), "proxy": f"http://127.0.0.1:{free_port()}"}

        async def story(store: WebdavStore) -> None:
            with pytest.raises(Unavailable):
                await store.file("a.txt")

        self.run(config, story)


class TestApacheDigest(WebdavStories):
    kind = ApacheDigest

    def test_a_login_may_end_between_requests(self, server: Any) -> None:
        for kind in (None, 2):
            config = {**server.new_config(), "auth_type": kind}

            async def story(store: WebdavStore) -> None:
                for number in range(3):
                    await store.write("a.txt", once(b"%d" % number), "text/plain")
                    await asyncio.sleep(1.1)
                    assert await whole(store, "a.txt") == b"%d" % number

            self.run(config, story)


class TestRclone(WebdavStories):
    kind = Rclone


class TestAnswers:
    @staticmethod
    def read(*pieces: bytes) -> Any:
        async def sent() -> AsyncIterator[bytes]:
            for piece in pieces:
                yield piece

        return asyncio.run(rows_of(sent()))

    def test_answers_are_read_whatever_their_prefixes_and_pieces(self) -> None:
        text = (
            b'<?xml version="1.0"?><x:multistatus xmlns:x="DAV:"><x:response><x:href>http://h/a%20b/</x:href><x:propstat>'
            b"<x:prop><x:resourcetype><x:collection/></x:resourcetype></x:prop></x:propstat></x:response><x:response>"
            b"<x:href>/a%20b/%C3%A4.txt</x:href><x:propstat><x:prop><x:resourcetype/><x:getcontentlength>7"
            b"</x:getcontentlength><x:getlastmodified>Tue, 04 Mar 2025 10:11:12 GMT</x:getlastmodified><x:getetag>"
            b'W/"1-2"</x:getetag></x:prop></x:propstat></x:response></x:multistatus>'
        )
        folder, file = self.read(*(text[start : start + 3] for start in range(0, len(text), 3)))
        assert (folder.path, folder.is_folder) == ("/a b", True)
        assert (file.path, file.is_folder, file.size, file.etag) == ("/a b/ä.txt", False, 7, "1-2")
        assert file.modified == 1741083072.0

    def test_what_is_no_answer_is_an_error(self) -> None:
        bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>'
        outside = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>'
        for wrong in (b"", b"<html>", b"not xml", bomb, outside):
            with pytest.raises(Unavailable):
                self.read(wrong)


class TestConfiguration:
    def test_what_cannot_work_is_refused(self) -> None:
        right = {"base_uri": "https://h", "container": "/x"}
        assert WebdavFileConfig.check({**right, "auth_type": "2", "encoding": ""}).auth_type == 2
        for wrong in (
            {"base_uri": "ftp://h"}, {"base_uri": "h"}, {"base_uri": "https://h?a=b"}, {"container": ""},
            {"container": "a/../b"}, {"auth_type": 4}, {"auth_type": 3}, {"encoding": 9}, {"proxy": "socks://h"},
        ):  # fmt: skip
            with pytest.raises(BadRequest):
                WebdavFileConfig.check({**right, **wrong})

    def test_the_form_has_the_recorded_fields_in_their_order(self) -> None:
        entries = {entry["name"]: entry for entry in WebdavFileConfig.schema_entries()}
        assert list(entries) == [
            "base_uri", "username", "password", "auth_type", "encoding", "proxy", "public_path", "container",
        ]  # fmt: skip
        assert [entry["required"] for entry in entries.values()] == [True, *[False] * 7]
        assert entries["auth_type"]["type"] == "picklist"
        assert [one["name"] for one in entries["auth_type"]["values"]] == [None, 1, 2, 4]
