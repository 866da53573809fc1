"""A stranger's connector is installed with pip, is there at once, and passes its family's suite."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from processes import TRUNKLINE, clean_environment

from packages_check import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stranger(tmp_path_factory) -> Path:
    """Copy the stranger's folder out of the repository, so that nothing of ours (settings, paths) helps it."""
    folder = tmp_path_factory.mktemp("elsewhere") / "acme_sheets"
    shutil.copytree(ROOT / "tests/thirdparty/acme_sheets", folder)
    return folder


@pytest.fixture(scope="module")
def environment(stranger, tmp_path_factory) -> dict[str, str]:
    """Install it beside the environment of the tests, which it must not change."""
    target = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--target", target, stranger], check=True)
    return clean_environment(PYTHONPATH=str(target))


def test_it_is_listed_without_any_change_to_the_kernel(environment, tmp_path):
    listed = subprocess.run(
        [TRUNKLINE, "plugins"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert "acme_memory" in listed.stdout


def test_it_passes_its_familys_suite(environment, stranger):
    options = ["--import-mode=importlib", "-p", "trunkline.testing.fixtures", "-p", "no:cacheprovider", "-W", "error"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--quiet", *options, "tests"],
        cwd=stranger,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed
    assert int(passed[1]) > 20
