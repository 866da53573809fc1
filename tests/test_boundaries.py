"""Who may import whom, what the kernel must not know, and how long a module may grow."""

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import packages_check as check
from packages_check import ROOT, Package

LONGEST = 420
PACKAGES = {package.name: package for package in check.packages()}
CORE = PACKAGES["trunkline"]
CONNECTORS = [package for package in PACKAGES.values() if package.folder.parent.name == "connectors"]
PLUGINS = [package for package in PACKAGES.values() if package.folder.parent.name == "plugins"]


def files(folder: Path) -> list[Path]:
    """List the modules of a folder that people write."""
    parts = {"build", "dist", "node_modules", "__pycache__"}
    return sorted(file for file in folder.rglob("*.py") if not parts & set(file.relative_to(ROOT).parts))


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


def imports(package: Package) -> Iterator[tuple[str, str]]:
    """Yield each file and top-level module that the package's source imports, wherever in the file."""
    for file in files(package.folder / "src"):
        for node in ast.walk(tree(file)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names = [node.module]
            for name in names:
                yield str(file.relative_to(ROOT)), name.partition(".")[0]


def strings(file: Path) -> Iterator[str]:
    """Yield every string literal of a file."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def normal(requirement: str) -> str:
    """Take the bare, normalised distribution name out of a requirement."""
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match
    return re.sub(r"[._-]+", "-", match[0]).lower()


def declared(package: Package) -> set[str]:
    """Collect the package's dependencies, and those of the siblings it depends on: a family vouches for its own."""
    found, fresh = {package.name}, [package]
    while fresh:
        one = fresh.pop()
        names = {
            normal(name) for name in [*one.dependencies, *(name for names in one.extras.values() for name in names)]
        }
        fresh += [PACKAGES[name] for name in names - found if name in PACKAGES]
        found |= names
    return found


def undeclared(package: Package) -> set[tuple[str, str]]:
    """Find the imports that nothing in the package's dependencies brings."""
    allowed, brings = declared(package), packages_distributions()
    known = {PACKAGES[name].module for name in allowed if name in PACKAGES}
    return {
        (file, module)
        for file, module in imports(package)
        if module not in known | sys.stdlib_module_names
        and not any(normal(distribution) in allowed for distribution in brings.get(module, []))
    }


def test_the_kernel_imports_no_plugin_and_no_connector():
    assert {(file, module) for file, module in imports(CORE) if module.startswith("trunkline_")} == set()
    named = re.compile(r"trunkline_\w+([.:]\S*)?")
    loaded = [(file, text) for file in files(CORE.folder / "src") for text in strings(file) if named.fullmatch(text)]
    assert loaded == []


def test_the_kernel_names_no_service_type():
    names = {name for connector in CONNECTORS for name in check.service_types(connector)}
    own_engines = CORE.folder / "src/trunkline/db"  # of the system database
    found = {
        (str(file.relative_to(ROOT)), text)
        for file in files(CORE.folder / "src")
        if not file.is_relative_to(own_engines)
        for text in strings(file)
        if text in names
    }
    assert found == set()


@pytest.mark.parametrize("package", PACKAGES.values(), ids=lambda package: package.name)
def test_a_package_imports_only_what_it_depends_on(package):
    assert undeclared(package) == set()


@pytest.mark.parametrize("package", [*CONNECTORS, *PLUGINS], ids=lambda package: package.name)
def test_only_bundles_depend_on_connectors(package):
    if package.name in {"trunkline-standard", "trunkline-demo"}:
        return
    others = {connector.name for connector in CONNECTORS} - {package.name}
    assert declared(package) & others == set()


@pytest.mark.parametrize("folder", ["core", "plugins", "connectors", "tests"])
def test_no_module_grows_too_long(folder):
    lengths = {str(file.relative_to(ROOT)): len(file.read_text().splitlines()) for file in files(ROOT / folder)}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


@pytest.mark.parametrize("package", PACKAGES.values(), ids=lambda package: package.name)
def test_every_module_says_what_it_is(package):
    modules = files(package.folder / "src")
    assert [str(file.relative_to(ROOT)) for file in modules if not ast.get_docstring(tree(file))] == []
