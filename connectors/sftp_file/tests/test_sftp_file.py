from typing import Any

import pytest
from servers import Server

from trunkline_files.testing import FilesSuite

pytestmark = pytest.mark.live


class SftpSuite(FilesSuite):
    __test__ = False
    service_type = "sftp_file"
    unknown_media_type = "text/plain"
    lacks = frozenset({"types", "properties", "containers"})


class TestOpenSsh(SftpSuite):
    """A login by key, whose password is that of the service."""

    __test__ = True

    @pytest.fixture(scope="class")
    @classmethod
    def config(cls, sshd_server: Server) -> dict[str, Any]:
        return {**sshd_server.new_config(), "host_fingerprint": sshd_server.fingerprint("sha256")}


class TestProftpd(SftpSuite):
    """A login by password."""

    __test__ = True

    @pytest.fixture(scope="class")
    @classmethod
    def config(cls, proftpd_sftp_server: Server) -> dict[str, Any]:
        return proftpd_sftp_server.new_config()
