from typing import Any

import pytest
from servers import Server

from trunkline_files.testing import FilesSuite

pytestmark = pytest.mark.live


class WebdavSuite(FilesSuite):
    __test__ = False
    service_type = "webdav_file"
    unknown_media_type = "text/plain"
    lacks = frozenset({"types", "properties", "containers"})


class TestApache(WebdavSuite):
    __test__ = True

    @pytest.fixture(scope="class")
    @classmethod
    def config(cls, apache_server: Server) -> dict[str, Any]:
        return {**apache_server.new_config(), "auth_type": 1, "encoding": 4}


class TestApacheDigest(WebdavSuite):
    """Login as the server asks; what it gives for that ends after a second."""

    __test__ = True

    @pytest.fixture(scope="class")
    @classmethod
    def config(cls, apache_digest_server: Server) -> dict[str, Any]:
        return apache_digest_server.new_config()


class TestRclone(WebdavSuite):
    __test__ = True

    @pytest.fixture(scope="class")
    @classmethod
    def config(cls, rclone_server: Server) -> dict[str, Any]:
        return rclone_server.new_config()
