"""``nox -s bench``: what Trunkline costs beside hand-written services under the same ASGI server, in one run."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import embedded, files, messaging, mongodb, postgresql
from bench.stand import SERVERS


def main() -> int:
    """Run the parts that are named, else all; the exit status says whether every target holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "parts", nargs="*", choices=["sqlite", "postgresql", "files", "messaging", "mongodb", []], default=[]
    )
    parser.add_argument("--server", choices=list(SERVERS), default="hypercorn")
    parser.add_argument("--case", action="append", default=[], help="measure only this case of PostgreSQL")
    given = parser.parse_args()
    results = []
    if "sqlite" in (given.parts or ["sqlite"]):
        results.append(embedded.main(given.server))
    if "postgresql" in (given.parts or ["postgresql"]):
        results.append(postgresql.main(given.server, given.case))
    if "files" in (given.parts or ["files"]):
        results.append(files.main(given.server))
    if "messaging" in (given.parts or ["messaging"]):
        results.append(messaging.main(given.server))
    if "mongodb" in (given.parts or ["mongodb"]):
        results.append(mongodb.main(given.server))
    return int(not all(results))


if __name__ == "__main__":
    sys.exit(main())
