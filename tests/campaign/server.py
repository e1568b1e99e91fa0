"""A throw-away PostgreSQL with PostGIS on loopback, with passwords, from Debian's packages."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from qgis.core import QgsDataSourceUri, QgsProviderRegistry


def password(user: str) -> str:
    """A password that depends on the name but is safe in SQL text."""
    return "secret-" + user.encode().hex()


def programs() -> Path | None:
    """The folder of initdb and pg_ctl; None when PostgreSQL or PostGIS is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    shared = list(Path("/usr/share/postgresql").glob("*/extension/postgis.control"))
    return found[-1].parent if found and shared else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """Starts in two seconds; `stop` leaves nothing."""

    def __init__(self):
        self.bin = programs()
        self._named: list = []
        self.port = _free_port()
        # PostgreSQL refuses to run as root, and its own user must be able to enter the folder.
        self._as_root = os.geteuid() == 0
        self.folder = Path(tempfile.mkdtemp(dir="/tmp", prefix="concord-pg-"))
        if self._as_root:
            shutil.chown(self.folder, "postgres", "postgres")
        secret = self.folder / "password"
        secret.write_text(password("postgres"), encoding="utf-8")
        if self._as_root:
            shutil.chown(secret, "postgres")
        self._do("initdb", "-D", f"{self.folder}/data", "-A", "scram-sha-256", "-U", "postgres",
                 f"--pwfile={secret}", "-E", "UTF8", "--no-sync", "--no-locale")  # fmt: skip
        self.start()
        self.psql("postgres", "create database gis")
        self.psql("gis", "create extension postgis")

    def _do(self, program: str, *arguments: str) -> str:
        command = [str(self.bin / program), *arguments]
        if self._as_root:
            command = ["runuser", "-u", "postgres", "--", *command]
        env = {**os.environ, "PGPASSWORD": password("postgres"), "LC_ALL": "C.UTF-8"}
        # A server that inherits a pipe keeps it open; a file has no end to wait for.
        with tempfile.TemporaryFile("w+") as log:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                  env=env, cwd="/", timeout=90, check=False)  # fmt: skip
            log.seek(0)
            text = log.read()
        assert done.returncode == 0, f"{program}: {text}"
        return text

    def start(self) -> None:
        options = f"-c listen_addresses=127.0.0.1 -p {self.port} -k {self.folder} -c fsync=off"
        self._do("pg_ctl", "-D", f"{self.folder}/data", "-w", "-l", f"{self.folder}/log",
                 "-o", options, "start")  # fmt: skip

    def restart(self) -> None:
        """As an administrator would in the middle of the day: clients are cut off."""
        self._do("pg_ctl", "-D", f"{self.folder}/data", "-w", "-m", "fast", "stop")
        self.start()

    def psql(self, database: str, sql: str) -> str:
        return self._do("psql", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1",
                        "-p", str(self.port), "-U", "postgres", database, "-c", sql)  # fmt: skip

    def uri(self, user: str = "postgres", schema: str = "concord") -> str:
        """QGIS's text for a connection as this role."""
        uri = QgsDataSourceUri()
        uri.setConnection("127.0.0.1", str(self.port), "gis", user, password(user))
        uri.setDataSource(schema, "task", "geom", "", "id")
        return uri.uri()

    def connection(self, name: str, user: str = "postgres") -> str:
        """A connection that QGIS knows by this name, which is returned; it keeps the password."""
        metadata = QgsProviderRegistry.instance().providerMetadata("postgres")
        uri = QgsDataSourceUri()
        uri.setConnection("127.0.0.1", str(self.port), "gis", user, password(user))
        kept = {"saveUsername": True, "savePassword": True}
        metadata.saveConnection(metadata.createConnection(uri.uri(False), kept), name)
        self._named.append(name)
        return name

    def allow(self, *users: str) -> None:
        """Give roles their passwords."""
        for user in users:
            name = user.replace('"', '""')
            self.psql("gis", f"alter role \"{name}\" password '{password(user)}'")

    def stop(self) -> None:
        for name in self._named:
            QgsProviderRegistry.instance().providerMetadata("postgres").deleteConnection(name)
        self._do("pg_ctl", "-D", f"{self.folder}/data", "-m", "immediate", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)
