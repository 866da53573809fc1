"""pytest fixtures: ``gateway`` (one per test class or module) and ``fresh_gateway`` (one per test)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from trunkline.settings import Settings
from trunkline.testing.gateway import Gateway

# Fixed, so that copies of the template folder can be opened and nothing needs the machine's environment.
_KEY = "base64:dHJ1bmtsaW5lLXRlc3RzLXRydW5rbGluZS10ZXN0cy0="


def settings_for(storage: Path, **more: object) -> Settings:
    """Answer settings for a folder, independent of the environment."""
    return Settings(storage=storage, app_key=_KEY, _env_file=None, **more)  # type: ignore[call-arg, arg-type]  # pydantic fills these


@pytest.fixture(scope="session")
def _template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Migrate and seed once; each gateway starts from a copy."""
    folder = tmp_path_factory.mktemp("template") / "storage"
    with Gateway(settings_for(folder)):
        pass
    return folder


def _copied(template: Path, to: Path) -> Path:
    shutil.copytree(template, to)
    return to


@pytest.fixture(scope="class")
def gateway(_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A started gateway shared by the tests of one class."""
    with Gateway(settings_for(_copied(_template, tmp_path_factory.mktemp("gateway") / "storage"))) as started:
        yield started


@pytest.fixture
def fresh_gateway(_template: Path, tmp_path: Path) -> Iterator[Gateway]:
    """A started gateway for one test."""
    with Gateway(settings_for(_copied(_template, tmp_path / "storage"))) as started:
        yield started
