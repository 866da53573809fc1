from typing import Any

import pytest

from trunkline_files.testing import FilesSuite, StreamingSuite


class TestLocalFile(FilesSuite):
    service_type = "local_file"
    lacks = frozenset({"types", "properties"})

    @pytest.fixture
    def config(self) -> dict[str, Any]:
        return {"container": "suite"}


class TestStreaming(StreamingSuite):
    service_type = "local_file"
    every_way = True

    @pytest.fixture
    def config(self) -> dict[str, Any]:
        return {"container": "suite"}
