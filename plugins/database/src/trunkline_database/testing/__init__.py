"""The conformance suite of database services: subclass DatabaseSuite with ``service_type`` and a ``config`` fixture.

It makes its own tables through ``_schema``. What a type cannot do stands in its ``lacks``, and those tests are skipped.
"""

import pytest

_PARTS = (
    "library",
    "reading",
    "paging",
    "relating",
    "writing",
    "guarding",
    "structure",
    "hostile",
    "remembering",
    "keeping",
    "routines",
    "values",
    "veiling",
)
pytest.register_assert_rewrite(*(f"{__name__}.{part}" for part in _PARTS))

from trunkline_database.testing.suite import DatabaseSuite  # noqa: E402 - rewriting must be asked for first

__all__ = ["DatabaseSuite"]
