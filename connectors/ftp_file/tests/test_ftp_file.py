from typing import Any

import pytest
from servers import Server

from trunkline_files.testing import FilesSuite

pytestmark = pytest.mark.live


class FtpSuite(FilesSuite):
    __test__ = False
    service_type = "ftp_file"
    unknown_media_type = "text/plain"
    lacks = frozenset({"types", "properties", "containers"})


class TestProftpd(FtpSuite):
    __test__ = True

    @pytest.fixture(scope="class")
    @classmethod
    def config(cls, proftpd_server: Server) -> dict[str, Any]:
        return proftpd_server.new_config()


class TestEncrypted(FtpSuite):
    __test__ = True

    @pytest.fixture(scope="class")
    @classmethod
    def config(cls, proftpd_server: Server) -> dict[str, Any]:
        return {**proftpd_server.new_config(), "ssl": True}


class TestVsftpd(FtpSuite):
    """No machine-readable lists, no login."""

    __test__ = True

    @pytest.fixture(scope="class")
    @classmethod
    def config(cls, vsftpd_server: Server) -> dict[str, Any]:
        return vsftpd_server.new_config()
