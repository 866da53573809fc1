"""Build wheels of some or all packages, the licence placed into each."""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from packages_check import ROOT, packages


def build(target: Path, names: Iterable[str] = ()) -> list[Path]:
    """Build the named packages (all, when none is named) into `target` and answer the wheels.

    It works on copies, so that neither build folders nor sixty copies of the licence stay in the tree.
    """
    wanted = set(names)
    chosen = [package for package in packages() if not wanted or package.name in wanted]
    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryDirectory() as wheels:
        folders = [Path(scratch) / package.name for package in chosen]
        for package, folder in zip(chosen, folders, strict=True):
            shutil.copytree(package.folder, folder, ignore=shutil.ignore_patterns("*.egg-info", "build", "__pycache__"))
            shutil.copy(ROOT / "LICENSE", folder)
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
        subprocess.run([*command, "--wheel-dir", wheels, *map(str, folders)], check=True)
        target.mkdir(parents=True, exist_ok=True)
        return [Path(shutil.copy(wheel, target)) for wheel in sorted(Path(wheels).glob("*.whl"))]


def main() -> None:
    """Build, and print one line a wheel."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path, help="folder for the wheels")
    parser.add_argument("names", nargs="*", help="distributions; all of them when none is named")
    arguments = parser.parse_args()
    for wheel in build(arguments.target, arguments.names):
        print(f"{wheel.stat().st_size:>10,}  {wheel}")


if __name__ == "__main__":
    main()
