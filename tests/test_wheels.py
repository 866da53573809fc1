"""A few wheels in an empty environment are a working gateway."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from processes import answering, clean_environment, free_port, log_in, started

import packages_check as check
from packages_build import build

pytestmark = pytest.mark.slow
FEW = {"trunkline", "trunkline-database", "trunkline-system", "trunkline-user", "trunkline-sqlite"}
EMAIL, PASSWORD = "admin@example.com", "a-long-passphrase-1"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory) -> list[Path]:
    return build(tmp_path_factory.mktemp("wheels"))


@pytest.fixture(scope="module")
def trunkline(tmp_path_factory, wheels) -> Path:
    """Install the few wheels into an empty environment and answer its command."""
    folder = tmp_path_factory.mktemp("environment")
    chosen = [str(wheel) for wheel in wheels if distribution(wheel) in FEW]
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    subprocess.run([scripts / "python", "-m", "pip", "install", "--quiet", *chosen], check=True)
    return scripts / "trunkline"


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> dict[str, str]:
    return clean_environment(TRUNKLINE_STORAGE=str(tmp_path_factory.mktemp("storage")))


@pytest.fixture(scope="module")
def admin(trunkline, environment, tmp_path_factory):
    """Set the gateway up, serve it, log in."""
    folder, port = tmp_path_factory.mktemp("work"), free_port()
    setup = [trunkline, "setup", "--admin-email", EMAIL, "--admin-password", PASSWORD]
    subprocess.run(setup, cwd=folder, env=environment, check=True)
    with (
        started(trunkline, "serve", "--port", str(port), cwd=folder, env=environment),
        answering(f"http://127.0.0.1:{port}") as client,
    ):
        log_in(client, EMAIL, PASSWORD)
        yield client


def distribution(wheel: Path) -> str:
    return wheel.name.partition("-")[0].replace("_", "-")


def say(trunkline: Path, environment: dict[str, str], *arguments: str) -> str:
    """Run a command and answer what it prints."""
    command = [trunkline, *arguments]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


def commands(trunkline: Path, environment: dict[str, str], *path: str) -> list[tuple[str, ...]]:
    """Find every command by reading the help as a person would."""
    _, found, below = say(trunkline, environment, *path, "--help").partition("\nCommands:\n")
    if not found:
        return [path]
    names = re.findall(r"^  (\S+)", below.partition("\n\n")[0], flags=re.MULTILINE)
    return [one for name in names for one in commands(trunkline, environment, *path, name)]


def test_a_wheel_has_every_file_of_its_source_and_the_licence(wheels):
    built = {distribution(wheel): set(zipfile.ZipFile(wheel).namelist()) for wheel in wheels}
    for package in check.packages():
        source = package.folder / "src"
        files = {str(file.relative_to(source)) for file in source.rglob("*") if file.is_file()}
        made = ("__pycache__", ".egg-info", "/.")  # by tools
        ours = {name for name in files if not any(part in name for part in made)}
        assert ours - built[package.name] == set()
        assert any(name.endswith("licenses/LICENSE") for name in built[package.name])


def test_plugins_lists_exactly_what_is_installed(trunkline, environment):
    listed = set(re.findall(r"\btrunkline(?:-[a-z-]+)?\b", say(trunkline, environment, "plugins")))
    assert listed | {"trunkline"} == FEW


def test_every_command_shows_an_example(trunkline, environment):
    found = commands(trunkline, environment)
    assert {("serve",), ("setup",), ("plugins",), ("settings",), ("service", "add")} <= set(found)
    helps = {path: say(trunkline, environment, *path, "--help") for path in found}
    assert [path for path, text in helps.items() if "Example" not in text] == []


def test_a_database_is_served(admin):
    service = {"name": "shop", "label": "Shop", "type": "sqlite", "is_active": True, "config": {"database": "shop.db"}}
    assert admin.post("/api/v2/system/service", json={"resource": [service]}).status_code == 201

    fields = [{"name": "id", "type": "id"}, {"name": "title", "type": "string", "length": 80}]
    table = {"resource": [{"name": "book", "field": fields}]}
    assert admin.post("/api/v2/shop/_schema", json=table).status_code == 200

    reply = admin.post("/api/v2/shop/_table/book", json={"resource": [{"title": "Emma"}]})
    assert (reply.status_code, reply.json()) == (200, {"resource": [{"id": 1}]})
    assert admin.get("/api/v2/shop/_table/book/1").json() == {"id": 1, "title": "Emma"}


def test_a_missing_package_is_named(admin):
    service = {"name": "pg", "label": "PG", "type": "pgsql", "is_active": True, "config": {}}
    reply = admin.post("/api/v2/system/service", json={"resource": [service]})
    assert 400 <= reply.status_code < 500
    assert "pip install trunkline-pgsql" in reply.text
