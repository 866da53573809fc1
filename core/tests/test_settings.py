from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from trunkline.db.engines import url_of
from trunkline.settings import BadSettings, Settings, load, open_vault


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("APP_KEY", raising=False)


def test_the_names_that_operators_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_CONNECTION", "pgsql")
    monkeypatch.setenv("DB_HOST", "db.internal")
    monkeypatch.setenv("DB_DATABASE", "tl")
    monkeypatch.setenv("DB_USERNAME", "u")
    monkeypatch.setenv("DB_PASSWORD", "canary")
    monkeypatch.setenv("CACHE_DRIVER", "memory")
    monkeypatch.setenv("DF_INSTALL", "Docker")
    settings = load()
    assert (settings.cache_driver, settings.install) == ("memory", "Docker")
    assert url_of(settings).render_as_string() == "postgresql+psycopg://u:***@db.internal/tl"
    assert "canary" not in repr(settings)


def test_a_bad_value_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_CONNECTION", "oracle")
    with pytest.raises(BadSettings, match="DB_CONNECTION"):
        load()


def test_an_env_file_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("APP_NAME=Ours\n")
    assert load().app_name == "Ours"


def test_without_a_key_one_is_made_once_and_only_the_owner_reads_it(tmp_path: Path) -> None:
    settings = Settings(storage=tmp_path / "s")
    with ThreadPoolExecutor(8) as pool:
        vaults = list(pool.map(lambda _n: open_vault(settings), range(8)))
    sealed = vaults[0].encrypt("x")
    assert all(vault.decrypt(sealed) == "x" for vault in vaults)
    assert stat.S_IMODE((tmp_path / "s" / "app.key").stat().st_mode) == 0o600
    assert [one.name for one in (tmp_path / "s").iterdir()] == ["app.key"]


def test_pages_that_mails_link_to_stand_below_our_own_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_URL", "https://api.example/")
    monkeypatch.setenv("DF_CONFIRM_INVITE_URL", "https://www.example/join")
    monkeypatch.setenv("DF_CONFIRM_RESET_URL", "/reset")
    settings = load()
    assert settings.page("reset") == "https://api.example/reset"
    assert settings.page("invite") == "https://www.example/join"
    assert settings.page("register") == "https://api.example/dreamfactory/dist/index.html#/auth/register-confirm"
