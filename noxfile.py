"""The project's commands: `nox -s <name>`; `nox --list` says what each does."""

import hashlib
import logging
import os
import sys
from pathlib import Path

import nox

nox.options.sessions = ["lint", "types", "packages", "tests"]
nox.options.reuse_venv = "yes"

ROOT = Path(__file__).parent
PROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
# All packages, editable, in one environment that the sessions below share: nox itself makes one a session.
EVERYTHING = ROOT / ".nox" / "everything"
# What tests need of a package beyond what it needs itself.
EXTRAS = {"metrics": "[otel]"}
BIN = EVERYTHING / ("Scripts" if os.name == "nt" else "bin")


def run(session: nox.Session, program: str, *arguments: str, **options: object) -> None:
    """Run a program of the shared environment, which is brought up to date first."""
    everything(session)
    session.run(str(BIN / program), *arguments, external=True, **options)


def everything(session: nox.Session) -> None:
    """Install all packages and tools, unless no pyproject.toml (nor this file) has changed since the last time."""
    files = [ROOT / "pyproject.toml", ROOT / "core/pyproject.toml"]
    files += sorted([*ROOT.glob("plugins/*/pyproject.toml"), *ROOT.glob("connectors/*/pyproject.toml")])
    seen = [ROOT / "noxfile.py", *files]
    facts = [sys.version, *(f"{file.relative_to(ROOT)}\n{file.read_text()}" for file in seen)]
    state = hashlib.sha256("\n".join(facts).encode()).hexdigest()
    stamp = EVERYTHING / "state"
    if stamp.exists() and stamp.read_text() == state:
        return
    session.log("installing all packages; this takes a minute or two and happens once")
    python = str(BIN / "python")
    session.run(sys.executable, "-m", "venv", "--clear", str(EVERYTHING), external=True, silent=True)
    pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    session.run(*pip, *group("types"), *group("tests"), external=True)
    # setuptools is there by now, so that no package needs a build environment of its own.
    folders = [part for file in files[2:] for part in ("-e", f"{file.parent}{EXTRAS.get(file.parent.name, '')}")]
    core = f"{ROOT / 'core'}[testing,postgresql,mysql]"
    session.run(*pip, "--no-build-isolation", "-e", core, *folders, external=True)
    stamp.write_text(state)


def group(name: str) -> tuple[str, ...]:
    """Answer the requirements of a dependency group."""
    return nox.project.dependency_groups(PROJECT, name)


@nox.session(venv_backend="none", default=False)
def demo(session: nox.Session) -> None:
    """Install everything, then serve real data: address, login, API key and three requests are printed."""
    # Ctrl-C reaches the gateway too; it gets the time to finish what it is answering.
    # Its stderr stays apart (nox would merge the two), because scripts read the one line that --json prints.
    run(session, "trunkline", "demo", *session.posargs, interrupt_timeout=30.0, stderr=sys.stderr)


@nox.session(venv_backend="none")
def tests(session: nox.Session) -> None:
    """Install everything, then test it; arguments after `--` go to pytest."""
    everything(session)
    # Without them their tests are skipped, or fail where CI is true: that is for pytest to tell.
    session.run("bash", "tests/install-servers", external=True, success_codes=range(256))
    # The summary of pytest shall be the last line, whatever it says; the exit status still tells nox.
    logging.getLogger("nox").setLevel(logging.CRITICAL)
    # Each of the two processes takes whole files, and starts the servers that these need.
    run(session, "python", "-m", "pytest", *(session.posargs or ("-n", "2", "--dist", "loadfile")))


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting; `-- --fix` mends what can be mended."""
    session.install(*group("lint"))
    fixing = "--fix" in session.posargs
    session.run("ruff", "check", "--quiet", *(["--fix"] if fixing else []))
    session.run("ruff", "format", "--quiet", *([] if fixing else ["--check"]))


@nox.session(venv_backend="none")
def types(session: nox.Session) -> None:
    """Check types, strictly."""
    run(session, "python", "-m", "mypy", *session.posargs)


@nox.session(venv_backend="none")
def packages(session: nox.Session) -> None:
    """Check the rules that all packages follow; `-- --fix` rewrites each pyproject.toml."""
    session.run(sys.executable, "tests/packages_check.py", *session.posargs, external=True)


@nox.session(venv_backend="none", default=False)
def docs(session: nox.Session) -> None:
    """Render the pages that come from code; `-- --check` only says which are stale."""
    run(session, "python", "tests/docs_render.py", *session.posargs)


@nox.session(venv_backend="none", default=False)
def build(session: nox.Session) -> None:
    """Build wheels of everything, or of the packages named after `--`, into dist/."""
    run(session, "python", "tests/packages_build.py", "dist", *session.posargs)


@nox.session(venv_backend="none", default=False)
def bench(session: nox.Session) -> None:
    """Measure CPU and throughput against hand-written services; `-- --help` says what can be chosen."""
    everything(session)
    session.run(str(BIN / "python"), "-m", "pip", "install", "--quiet", *group("bench"), external=True)
    run(session, "python", "tests/bench/run.py", *session.posargs)


@nox.session(venv_backend="none", default=False)
def version(session: nox.Session) -> None:
    """Move all packages to another version line: `nox -s version -- 0.2`."""
    if len(session.posargs) != 1:
        session.error("say which version line, for instance: nox -s version -- 0.2")
    session.run(sys.executable, "tests/packages_check.py", "--version", session.posargs[0], external=True)
