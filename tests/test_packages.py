"""Every package follows the rules, and the checker sees when one does not."""

import re
import shutil
from pathlib import Path

import pytest

import packages_check as check

ACME = """
[project]
name = "trunkline-acme-db"
description = "Acme"
dependencies = ["trunkline-database", "acme>=2"]

[project.entry-points."trunkline.service_types"]
acme_db = "trunkline_acme_db:Acme"
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Make a small repository with one sound connector."""
    (tmp_path / "core").mkdir()
    shutil.copy(check.ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "core/pyproject.toml").write_text((check.ROOT / "core/pyproject.toml").read_text())
    (tmp_path / "core/README.md").write_text("# Trunkline")
    (tmp_path / "core/src/trunkline").mkdir(parents=True)
    (tmp_path / "core/src/trunkline/py.typed").touch()
    folder = tmp_path / "connectors/acme_db"
    (folder / "src").mkdir(parents=True)
    (folder / "README.md").write_text("# Acme")
    (folder / "src/trunkline_acme_db.py").touch()
    (folder / "pyproject.toml").write_text(ACME)
    check.fix(tmp_path)
    assert check.check(tmp_path) == []
    return tmp_path


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_every_package_follows_the_rules():
    assert check.check() == []


def test_siblings_are_tied_to_the_version_line_and_others_are_not(tree):
    text = (tree / "connectors/acme_db/pyproject.toml").read_text()
    assert 'dependencies = ["trunkline-database>=0.1,<0.2", "acme>=2"]' in text


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('name = "trunkline-acme-db"', 'name = "trunkline-acme"', "not after its folder"),
        ("acme_db = ", "acme = ", "exactly one service type"),
        ('"trunkline_acme_db:Acme"', '"other:Acme"', "points outside the package"),
        (">=0.1,<0.2", ">=0.1", "differs from its rendering"),
        ('license = "Apache-2.0"', 'license = "MIT"', "differs from its rendering"),
    ],
)
def test_a_wrong_pyproject_is_told(tree, old, new, complaint):
    edit(tree / "connectors/acme_db/pyproject.toml", old, new)
    assert any(complaint in problem for problem in check.check(tree))


@pytest.mark.parametrize(
    ("file", "complaint"),
    [
        ("connectors/acme_db/README.md", "README.md is missing"),
        ("connectors/acme_db/src/trunkline_acme_db.py", "no module trunkline_acme_db"),
        ("core/src/trunkline/py.typed", "py.typed is missing"),
    ],
)
def test_a_missing_file_is_told(tree, file, complaint):
    (tree / file).unlink()
    assert any(complaint in problem for problem in check.check(tree))


def test_fixing_rewrites_what_is_derived_and_keeps_what_is_the_packages_own(tree):
    file = tree / "connectors/acme_db/pyproject.toml"
    sound = file.read_text()
    edit(file, 'requires-python = ">=3.11"', 'requires-python = ">=3.9"')
    check.fix(tree)
    assert file.read_text() == sound


def test_a_patch_version_is_the_packages_own(tree):
    file = tree / "connectors/acme_db/pyproject.toml"
    edit(file, 'version = "0.1.0"', 'version = "0.1.7"')
    assert check.check(tree) == []


def test_moving_to_another_version_line_edits_every_file(tree):
    check.move("0.2", tree)
    text = (tree / "connectors/acme_db/pyproject.toml").read_text()
    assert 'version = "0.2.0"' in text
    assert '"trunkline-database>=0.2,<0.3"' in text
    assert check.check(tree) == []


def test_the_readme_shows_the_two_commands_that_ci_uses():
    readme = (check.ROOT / "README.md").read_text()
    assert [line.split(" -s ")[1] for line in readme.splitlines() if line.startswith("python3 -m venv")] == [
        "demo",
        "tests",
    ]


PAGES = [*check.ROOT.glob("*.md"), *check.ROOT.glob("docs/**/*.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(check.ROOT)))
def test_every_link_leads_somewhere(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []
