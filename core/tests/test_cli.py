from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from trunkline.cli import cli


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRUNKLINE_STORAGE", str(tmp_path / "storage"))

    def invoke(*arguments: str) -> click.testing.Result:
        return CliRunner().invoke(cli, arguments)

    return invoke


def commands(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name, command in group.commands.items():
        found.append((*path, name))
        if isinstance(command, click.Group):
            found += commands(command, (*path, name))
    return found


def test_every_command_explains_itself_with_an_example(run) -> None:  # type: ignore[no-untyped-def]
    for path in [(), *commands(cli)]:
        shown = run(*path, "--help")
        assert shown.exit_code == 0
        assert "Example:" in shown.output, path


def test_setup_happens_once(run) -> None:  # type: ignore[no-untyped-def]
    """Checklist 30: there is no second first administrator, and no default one."""
    arguments = ("setup", "--admin-email", "me@example.com", "--admin-password", "a long enough password")
    assert run(*arguments).exit_code == 0
    # What the installed types bring to a new instance.
    assert {"files", "db"} <= {line.split()[0] for line in run("service", "list").output.splitlines() if line}
    again = run(*arguments)
    assert again.exit_code == 1
    assert "There is an administrator already" in again.output


def test_setup_refuses_a_weak_password_and_can_be_repeated(run) -> None:  # type: ignore[no-untyped-def]
    weak = run("setup", "--admin-email", "me@example.com", "--admin-password", "short")
    assert weak.exit_code == 1
    assert "at least 16 characters" in weak.output
    assert run("setup", "--admin-email", "me@example.com", "--admin-password", "a long enough password").exit_code == 0


def test_settings_are_listed_and_secrets_masked(run, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("DB_PASSWORD", "canary")
    shown = run("settings")
    assert "DB_CONNECTION" in shown.output
    assert "canary" not in shown.output


def test_plugins_are_listed(run) -> None:  # type: ignore[no-untyped-def]
    assert "trunkline " in run("plugins").output


def test_a_bad_setting_is_one_line(run, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("DF_JWT_TTL", "soon")
    shown = run("settings")
    assert shown.exit_code == 1
    assert "DF_JWT_TTL" in shown.output
    assert "Traceback" not in shown.output


def test_rotating_the_key(run, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    from trunkline.vault import new_key

    old, new = new_key(), new_key()
    monkeypatch.setenv("APP_KEY", old)
    assert run("setup", "--admin-email", "me@example.com", "--admin-password", "a long enough password").exit_code == 0
    monkeypatch.setenv("APP_KEY", new)
    monkeypatch.setenv("APP_PREVIOUS_KEYS", old)
    assert "values encrypted anew" in run("rotate-key").output
