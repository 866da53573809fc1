"""What every directory service promises; subclass the suite with fixtures for the directory and who is in it."""

from __future__ import annotations

import pytest

# So that tests that fail tell the values.
for _part in ("failures", "logins", "people"):
    pytest.register_assert_rewrite(f"{__name__}.{_part}")

from trunkline_directory.testing.failures import FailureSuite  # noqa: E402
from trunkline_directory.testing.logins import LoginSuite  # noqa: E402
from trunkline_directory.testing.people import INVALID, People, log_in, message, standing_in  # noqa: E402

__all__ = ["INVALID", "DirectorySuite", "People", "log_in", "message", "standing_in"]


class DirectorySuite(LoginSuite, FailureSuite):
    """Checks who is let in, as whom, with which roles, and what happens when the directory does not do its part."""
