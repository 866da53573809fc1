"""FilesSuite: what every file service promises; subclass it with ``service_type`` and a ``config`` fixture.

``config`` must lead to an empty container of its own, or to one that is made when it is first used.
"""

from __future__ import annotations

import pytest

# So that tests that fail tell the values.
for _part in ("attacking", "base", "guarding", "objects", "reading", "resuming", "streaming", "writing"):
    pytest.register_assert_rewrite(f"{__name__}.{_part}")

from trunkline_files.testing.streaming import StreamingSuite  # noqa: E402
from trunkline_files.testing.suite import FilesSuite  # noqa: E402

__all__ = ["FilesSuite", "StreamingSuite"]
