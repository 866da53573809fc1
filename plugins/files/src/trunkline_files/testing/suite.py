"""The suite, put together of its parts."""

from __future__ import annotations

from trunkline.testing import ServiceSuite
from trunkline_files.testing.attacking import AttackingTests
from trunkline_files.testing.guarding import GuardingTests
from trunkline_files.testing.reading import ReadingTests
from trunkline_files.testing.resuming import ResumingTests
from trunkline_files.testing.writing import WritingTests


class FilesSuite(ReadingTests, WritingTests, AttackingTests, GuardingTests, ResumingTests, ServiceSuite):
    """What every file service promises."""
