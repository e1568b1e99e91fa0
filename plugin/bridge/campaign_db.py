"""A campaign's database: a GeoPackage, or a PostgreSQL connection that QGIS knows.

QGIS's `QgsAbstractDatabaseProviderConnection.executeSql` takes neither parameters nor
transactions, so QGIS is asked for the connection and its credentials (also those in its
authentication store), and statements run through the drivers that QGIS itself ships, with bound
parameters. Statements name their parameters `:name` in both.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from qgis.core import QgsDataSourceUri, QgsProviderRegistry

from ..engine.errors import ConcordError

SCHEMA = "concord"
_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]+)")
_WAIT = 20.0  # seconds to wait for another program that is writing to the GeoPackage


@dataclass(frozen=True)
class Address:
    """Where a store is: a file, or libpq's connection text and a schema. Plain values."""

    kind: str  # file or server
    target: str
    schema: str = ""

    def __repr__(self) -> str:  # a password must not reach a log
        shown = self.target if self.kind == "file" else "…"
        return f"Address({self.kind}, {shown}, {self.schema})"


def holds_password(text: str) -> bool:
    """True for a store's text that tells a password, which must not be kept anywhere."""
    return re.search(r"\bpassword\s*=|://[^/@\s]*:[^/@\s]*@", str(text)) is not None


def address(store: str) -> Address:
    """What STORE means; runs on the main thread, because it asks QGIS for the connection.

    `campaign.gpkg` is a file; `NAME` or `NAME/SCHEMA` is a PostgreSQL connection of QGIS;
    `dbname='gis' host=… table="schema".""` is a data source text of QGIS.

    Raises:
        ConcordError: neither a GeoPackage nor a connection that QGIS knows.
    """
    text = str(store or "").strip()
    if not text:
        raise ConcordError("Choose a store: a GeoPackage or a PostgreSQL connection of QGIS.")
    if text.lower().endswith(".gpkg"):
        return Address("file", os.path.abspath(text))
    if re.search(r"\b(dbname|service)=", text):
        uri = QgsDataSourceUri(text)
        return Address("server", uri.connectionInfo(True), uri.schema() or SCHEMA)
    metadata = QgsProviderRegistry.instance().providerMetadata("postgres")
    known = metadata.connections() if metadata is not None else {}
    name, _, schema = text.partition("/")
    if name not in known:
        shown = "that was given" if holds_password(text) else text
        raise ConcordError(
            f"The store {shown} is neither a .gpkg file nor a PostgreSQL connection of QGIS; "
            "choose a GeoPackage or make the connection in the browser panel first."
        )
    uri = QgsDataSourceUri(known[name].uri())
    return Address("server", uri.connectionInfo(True), schema or SCHEMA)


class FileDatabase:
    """A GeoPackage. Every write is one transaction that either happened or did not."""

    kind = "file"

    def __init__(self, path: str, create: bool = False):
        self.path = path
        if not create and not Path(path).is_file():
            raise ConcordError(f"The campaign {path} does not exist; check the path.")
        self._lasting = sqlite3.connect(
            path, timeout=_WAIT, isolation_level=None, check_same_thread=False
        )
        self._depth = 0
        self.run("pragma foreign_keys = on")

    def run(self, sql: str, **values) -> list:
        """Run one statement; its rows as tuples."""
        try:
            return self._lasting.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise self._explained(error) from error

    def many(self, sql: str, rows) -> None:
        """Run one statement for every dictionary of values."""
        try:
            self._lasting.executemany(sql, rows)
        except sqlite3.Error as error:
            raise self._explained(error) from error

    def _explained(self, error: sqlite3.Error) -> ConcordError:
        text = str(error)
        if "readonly" in text or "unable to open" in text:
            return ConcordError(
                f"{self.path} cannot be written because it or its folder is read-only; copy it to "
                "a folder of yours, nothing was lost."
            )
        if "locked" in text:
            return ConcordError(f"{self.path} is in use by another program; try again in a moment.")
        if "no such table" in text or "not a database" in text:
            return ConcordError(f"{self.path} holds no campaign; choose another file.")
        if "full" in text or "disk I/O" in text:
            return ConcordError(f"The disk is full while writing {self.path}; free some space.")
        return ConcordError(f"The campaign store refused the change ({text}).")

    @contextlib.contextmanager
    def transaction(self):
        """All or nothing; the store is locked for other writers from the start."""
        if self._depth:
            yield self
            return
        self.run("begin immediate")
        self._depth = 1
        try:
            yield self
            self.run("commit")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._lasting.execute("rollback")
            raise
        finally:
            self._depth = 0

    def close(self) -> None:
        self._lasting.close()


class ServerDatabase:
    """A schema of a PostgreSQL database with PostGIS.

    A statement outside a transaction is tried again once when the connection was lost; the
    statements used so are reads and the acts, which know a repetition by its id.
    """

    kind = "server"

    def __init__(self, target: str, schema: str, patience: float = 0.0):
        try:
            import psycopg2
        except ImportError as error:
            raise ConcordError(
                "PostgreSQL needs the Python package psycopg2; install it or use a GeoPackage."
            ) from error
        self._driver, self._target, self.schema = psycopg2, target, schema
        self._patience = int(1000 * patience)  # ms; 0 waits for ever
        self._lasting = None
        self._depth = 0
        self._connect()

    def _connect(self) -> None:
        try:
            self._lasting = self._driver.connect(
                self._target, connect_timeout=10, tcp_user_timeout=self._patience
            )
        except self._driver.OperationalError as error:
            first = str(error).strip().splitlines()[0]
            raise ConcordError(
                f"The database cannot be reached ({first}); check the connection in QGIS."
            ) from error
        self._lasting.autocommit = True
        self._do("select set_config('search_path', :path, false)", {"path": self._path()})
        if self._patience:
            self._do(
                "select set_config('statement_timeout', :ms, false)", {"ms": str(self._patience)}
            )

    def _path(self) -> str:
        return '"' + self.schema.replace('"', '""') + '", public'

    def identifier(self, name: str) -> str:
        """A name quoted for SQL text, for the few statements that take no parameter there."""
        from psycopg2 import extensions

        return extensions.quote_ident(name, self._lasting)

    def _do(self, sql: str, values: dict) -> list:
        with self._lasting.cursor() as cursor:
            if values:
                cursor.execute(_PARAMETER.sub(r"%(\1)s", sql), values)
            else:
                cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def run(self, sql: str, **values) -> list:
        """Run one statement; its rows as tuples."""
        driver = self._driver
        try:
            return self._do(sql, values)
        except (driver.OperationalError, driver.InterfaceError) as error:
            if self._depth or not self._lost():
                raise self._explained(error) from error
        except driver.Error as error:
            raise self._explained(error) from error
        self._connect()
        try:
            return self._do(sql, values)
        except driver.Error as error:
            raise self._explained(error) from error

    def many(self, sql: str, rows) -> None:
        """Run one statement for every dictionary of values, many in one message."""
        from psycopg2 import extras

        try:
            with self._lasting.cursor() as cursor:
                text = _PARAMETER.sub(r"%(\1)s", sql)
                extras.execute_batch(cursor, text, list(rows), page_size=500)
        except self._driver.Error as error:
            raise self._explained(error) from error

    def _lost(self) -> bool:
        return bool(self._lasting.closed)

    def _explained(self, error) -> ConcordError:
        code = getattr(error, "pgcode", None) or ""
        diagnosis = getattr(error, "diag", None)
        text = (diagnosis.message_primary if diagnosis is not None else None) or str(error).strip()
        if code == "P0001":  # raised by the campaign's own functions: already a sentence
            return ConcordError(text)
        if code == "42501":
            return ConcordError(f"Your database role may not do this ({text}); ask the lead.")
        if code in ("57014", "55P03"):  # given up while somebody else held the rows
            return ConcordError(
                f"The database did not answer within {self._patience / 1000:g} s; nothing was "
                "changed, try again in a moment."
            )
        if code in ("42P01", "42883", "3F000"):  # no such table, function or schema
            return ConcordError(
                f"The schema {self.schema} holds no campaign that you may enter; choose another "
                "connection or schema, or ask the lead."
            )
        if not code:
            return ConcordError(
                "The connection to the database was lost; nothing was lost, try again."
            )
        return ConcordError(f"The database refused the change ({text}).")

    @contextlib.contextmanager
    def transaction(self):
        """All or nothing."""
        if self._depth:
            yield self
            return
        if self._lost():
            self._connect()
        self.run("begin")
        self._depth = 1
        try:
            yield self
            self.run("commit")
        except BaseException:
            with contextlib.suppress(self._driver.Error):
                self._do("rollback", {})
            raise
        finally:
            self._depth = 0

    def close(self) -> None:
        self._lasting.close()


def connect(where: Address, create: bool = False, patience: float = 0.0):
    """Open the database of an address; safe outside the main thread.

    ``patience``: seconds after which a server gives a statement up, 0 for never. A GeoPackage
    that another program writes to is waited for 20 s in any case.
    """
    if where.kind == "file":
        return FileDatabase(where.target, create)
    return ServerDatabase(where.target, where.schema, patience)
