"""A private server of SQL Server's protocol: it stands for SQL Server, which can not be had."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

from databases import USER, DatabaseServer, settings

TABLES = {
    "shelf": ["id,code,room", "1,A1,north", "2,B2,south", "3,C3,"],
    "book": [
        "id,shelf_id,title,pages,price", "1,1,Dune,412,9.5", "2,1,Emma,320,7.25", "3,2,Ulysses,730,12.75",
        "4,2,Beowulf,,", "5,,100% [sic],100,1.5",
    ],
}  # fmt: skip


class Sqlbridge(DatabaseServer):
    """pysqlbridge, which speaks SQL Server's protocol and answers reads of files; it writes nothing."""

    name = "pysqlbridge"
    programs = ("pysqlbridge",)
    places = (str(Path(sys.executable).parent),)
    account = "root"

    def prepare(self) -> None:
        """Write the files that are its tables, and who may log in."""
        from pysqlbridge.logins import hash_password

        for name, lines in TABLES.items():
            (self.folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
        tables = [{"name": name, "csv": f"{name}.csv"} for name in TABLES]
        logins = [{"user": USER, "password_hash": hash_password(self.password)}]
        (self.folder / "bridge.json").write_text(json.dumps({"tables": tables, "logins": logins}))

    def command(self) -> list[str]:
        """Run in the foreground."""
        folder = str(self.folder / "bridge.json")
        return [self.program("pysqlbridge"), "--host", "127.0.0.1", "--port", str(self.port), "--config", folder]

    def is_ready(self) -> bool:
        """Say whether the port is open: logins work from then on."""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def new_database(self) -> dict[str, Any]:
        """Answer the settings that lead to it; there is just one database, whatever it is called."""
        return settings("sqlsrv", self, "master")

    def _as_account(self) -> dict[str, Any]:
        """Answer how to start a process: as whoever runs the tests, since the interpreter may be theirs alone."""
        return {"cwd": self.folder, "env": {**os.environ, "HOME": str(self.folder)}}
