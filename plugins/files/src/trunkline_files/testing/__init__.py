"""FilesSuite: what every file service promises; subclass it with ``service_type`` and a ``config`` fixture.

``config`` must lead to an empty container of its own, or to one that is made when it is first used.
"""

from __future__ import annotations

from trunkline_files.testing.streaming import StreamingSuite
from trunkline_files.testing.suite import FilesSuite

__all__ = ["FilesSuite", "StreamingSuite"]
