from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest
from toys import Toy

from trunkline.errors import Unavailable
from trunkline.registry import GROUP, Registry, package_of


def test_an_unknown_type_names_its_package() -> None:
    with pytest.raises(Unavailable, match="pip install trunkline-drop-box"):
        Registry().load("drop_box")
    assert Registry().find("drop_box") is None
    assert package_of("oauth_microsoft-live") == "trunkline-oauth-microsoft-live"


def test_a_broken_package_breaks_only_itself(caplog: pytest.LogCaptureFixture) -> None:
    registry = Registry()
    registry._points["broken"] = EntryPoint("broken", "no_such_module_here:Thing", GROUP)
    registry.add("toy", Toy)
    with pytest.raises(Unavailable, match="broken"):
        registry.load("broken")
    assert registry.find("broken") is None
    assert "no_such_module_here" in registry.broken["broken"]
    assert registry.load("toy") is Toy
