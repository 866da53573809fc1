"""The public namespace is exactly what ``__all__`` says."""

from __future__ import annotations

import types

import trunkline


def test_all_is_what_can_be_imported() -> None:
    public = {
        name
        for name, value in vars(trunkline).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType) and name != "annotations"
    }
    assert public == set(trunkline.__all__)
