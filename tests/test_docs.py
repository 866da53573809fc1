"""What is rendered from code is fresh."""

from __future__ import annotations

import docs_render
import pytest


@pytest.mark.parametrize("path", docs_render.pages(), ids=lambda path: str(path.relative_to(docs_render.ROOT)))
def test_a_rendered_page_is_fresh(path: docs_render.Path) -> None:
    assert path.read_text() == docs_render.pages()[path], "run: nox -s docs"
