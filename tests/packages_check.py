"""Check that every package's pyproject.toml is a rendering of the shared facts plus the package's own; rewrite it."""

import argparse
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
SIBLING = re.compile(r"(trunkline(?:-[a-z0-9-]+)?)(\[[a-z,]+\])?(?![a-z0-9_-])")


@dataclass(frozen=True)
class Shared:
    """What all packages have in common, said once in the root pyproject.toml."""

    version_line: str
    requires_python: str
    license: str
    author: str

    @classmethod
    def read(cls, root: Path = ROOT) -> "Shared":
        """Read `[tool.trunkline]`."""
        facts = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["trunkline"]
        return cls(**{key.replace("-", "_"): value for key, value in facts.items()})

    @property
    def pin(self) -> str:
        """Say which versions of a sibling go together, as `>=0.1,<0.2`."""
        major, minor = self.version_line.split(".")
        return f">={self.version_line},<{major}.{int(minor) + 1}"


@dataclass(frozen=True)
class Package:
    """One distribution: its folder, and the facts that only it knows."""

    folder: Path
    name: str
    version: str
    description: str
    dependencies: list[str]
    extras: dict[str, list[str]] = field(default_factory=dict)
    scripts: dict[str, str] = field(default_factory=dict)
    entry_points: dict[str, dict[str, str]] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> "Package":
        """Read the package's own facts, ignoring everything that the rendering will add."""
        project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
        return cls(
            folder=folder,
            name=project["name"],
            version=project.get("version", ""),
            description=project["description"],
            dependencies=project.get("dependencies", []),
            extras=project.get("optional-dependencies", {}),
            scripts=project.get("scripts", {}),
            entry_points=project.get("entry-points", {}),
        )

    @property
    def module(self) -> str:
        """Name the Python module that the distribution brings."""
        return self.name.replace("-", "_")

    @property
    def source(self) -> Path | None:
        """Find the module: a folder, or for small connectors a single file."""
        places = (self.folder / "src" / self.module, self.folder / "src" / f"{self.module}.py")
        return next((place for place in places if place.exists()), None)


def packages(root: Path = ROOT) -> list[Package]:
    """List every distribution of the repository: kernel, plugins, connectors."""
    files = [root / "core/pyproject.toml", *sorted(root.glob("plugins/*/pyproject.toml"))]
    files += sorted(root.glob("connectors/*/pyproject.toml"))
    return [Package.read(file.parent) for file in files]


def render(package: Package, shared: Shared) -> str:
    """Write the package's pyproject.toml as it must be."""
    version = package.version if package.version.startswith(f"{shared.version_line}.") else f"{shared.version_line}.0"
    lines = [
        "[build-system]",
        'requires = ["setuptools>=77"]',
        'build-backend = "setuptools.build_meta"',
        "",
        "[project]",
        f"name = {toml(package.name)}",
        f"version = {toml(version)}",
        f"description = {toml(package.description)}",
        'readme = "README.md"',
        f"requires-python = {toml(shared.requires_python)}",
        f"license = {toml(shared.license)}",
        f"authors = [{{ name = {toml(shared.author)} }}]",
        f"dependencies = {toml(pinned(package.dependencies, shared))}",
    ]
    if package.extras:
        lines += table("optional-dependencies", {key: pinned(names, shared) for key, names in package.extras.items()})
    if package.scripts:
        lines += table("scripts", package.scripts)
    for group, points in package.entry_points.items():
        lines += table(f"entry-points.{group if group.isidentifier() else toml(group)}", points)
    return "\n".join(lines) + "\n"


def table(name: str, rows: dict[str, Any]) -> list[str]:
    """Render one sub-table of `[project]`."""
    return ["", f"[project.{name}]", *(f"{key} = {toml(value)}" for key, value in rows.items())]


def toml(value: str | list[str]) -> str:
    """Render a string, or a list of them: on one line while it is short, else one a line."""
    if isinstance(value, str):
        return f"'{value}'" if '"' in value else json.dumps(value)
    line = f"[{', '.join(map(toml, value))}]"
    if len(line) <= 100:
        return line
    return "\n".join(["[", *(f"    {toml(item)}," for item in value), "]"])


def pinned(dependencies: list[str], shared: Shared) -> list[str]:
    """Tie the siblings among the dependencies to the shared version line."""
    matches = [(name, SIBLING.match(name)) for name in dependencies]
    return [f"{match[0]}{shared.pin}" if match else name for name, match in matches]


def problems(package: Package, shared: Shared) -> Iterator[str]:
    """Tell what is wrong with one package; whether `--fix` mends it is said in the sentence."""
    where, shelf = package.folder.name, package.folder.parent.name
    if package.name != ("trunkline" if where == "core" else f"trunkline-{where}".replace("_", "-")):
        yield f"{where}: the distribution is named {package.name}, not after its folder"
    if package.source is None:
        yield f"{where}: there is no module {package.module} under src/"
    elif package.source.is_dir() and not (package.source / "py.typed").exists():
        yield f"{where}: {package.module}/py.typed is missing"
    if not (package.folder / "README.md").exists():
        yield f"{where}: README.md is missing"
    if shelf == "connectors" and list(service_types(package)) != [where]:
        yield f"{where}: a connector registers exactly one service type, named as its folder"
    for group, points in package.entry_points.items():
        for name, target in points.items():
            if group.startswith("trunkline.") and target.partition(":")[0].partition(".")[0] != package.module:
                yield f"{where}: entry point {name} of {group} points outside the package"
    if (package.folder / "pyproject.toml").read_text() != render(package, shared):
        yield f"{where}: pyproject.toml differs from its rendering (nox -s packages -- --fix rewrites it)"


def service_types(package: Package) -> dict[str, str]:
    """Give the service types that the package registers."""
    return package.entry_points.get("trunkline.service_types", {})


def check(root: Path = ROOT) -> list[str]:
    """Give every problem of every package."""
    shared = Shared.read(root)
    return [problem for package in packages(root) for problem in problems(package, shared)]


def fix(root: Path = ROOT) -> None:
    """Rewrite each pyproject.toml to its rendering."""
    shared = Shared.read(root)
    for package in packages(root):
        (package.folder / "pyproject.toml").write_text(render(package, shared))


def move(line: str, root: Path = ROOT) -> None:
    """Move the whole repository to another version line, the third-party example of the tests included."""
    file = root / "pyproject.toml"
    file.write_text(re.sub(r'(?m)^version-line = ".*"$', f'version-line = "{line}"', file.read_text()))
    fix(root)
    pin = Shared.read(root).pin
    for file in root.glob("tests/thirdparty/*/pyproject.toml"):
        file.write_text(re.sub(r'"(trunkline[a-z-]*)>=[^"]*"', rf'"\1{pin}"', file.read_text()))


def main() -> int:
    """Check, after fixing or moving when asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fix", action="store_true", help="rewrite every pyproject.toml")
    parser.add_argument("--version", metavar="MAJOR.MINOR", help="move everything to this version line")
    arguments = parser.parse_args()
    if arguments.version:
        if not re.fullmatch(r"\d+\.\d+", arguments.version):
            parser.error("a version line reads MAJOR.MINOR, for instance 0.2")
        move(arguments.version)
    elif arguments.fix:
        fix()
    found = check()
    print("\n".join(found) or f"{len(packages())} packages, all in order")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
