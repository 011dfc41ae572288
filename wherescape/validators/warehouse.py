"""The target database as a check asks it: by the names that tables really have, and without waiting for ever."""

import logging
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from wherescape import dialects
from wherescape.database import Database
from wherescape.environment import Login
from wherescape.errors import StatementFailed
from wherescape.repository import WarehouseTable

logger = logging.getLogger(__name__)

# In capitals, or SQL Server does not find it where names are compared with case.
_CATALOG = "SELECT TABLE_CATALOG, TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME FROM INFORMATION_SCHEMA.COLUMNS"


class Warehouse:
    """The target database, over a connection of its own.

    Arguments:
        login: where it is.
        lock_seconds: how long a query waits for the locks of others.
    """

    def __init__(self, login: Login, lock_seconds: float) -> None:
        self._database = Database(login)
        self._here = ""
        self._names: dict[str, dict[str, set[str]]] = {}
        self._lock_milliseconds = max(1, round(lock_seconds * 1_000))

    def query(self, sql: str, params: Sequence[object] | None = None) -> list[Any]:
        """Return the rows of a query.

        Raises:
            StatementFailed: it was refused, or waited too long for a lock; the next one begins anew.
            ConnectionFailed
        """
        return self._database.query(self.dialect.lock_limit(self._lock_milliseconds) + sql, params)

    @property
    def dialect(self) -> dialects.Dialect:
        """What differs between databases."""
        return self._database.dialect

    def table(self, table: WarehouseTable) -> str:
        """Return a table's name as it stands in SQL; with its database if that is not the one of the connection."""
        if not table.schema:
            parts = [table.name]
        elif self._is_here(table):
            schema = _closest(table.schema, self._names)
            parts = [schema, _closest(table.name, self._names.get(schema, {}))]
        else:
            parts = [table.database, table.schema, table.name]
        return ".".join(map(self.dialect.quote, parts))

    def column(self, table: WarehouseTable, name: str) -> str:
        """Return the name of a table's column as it stands in SQL."""
        tables = self._names.get(_closest(table.schema, self._names), {}) if self._is_here(table) else {}
        return self.dialect.quote(_closest(name, tables.get(_closest(table.name, tables), ())))

    def learn_names(self, tables: Iterable[WarehouseTable]) -> None:
        """Find out how the database spells the names of tables and columns: it may differ from RED in letter case.

        What it does not show (there is none, or no right to it) keeps RED's spelling.
        """
        schemas = sorted({table.schema.lower() for table in tables if table.schema})
        if not schemas:
            return
        try:
            rows = self.query(f"{_CATALOG} WHERE LOWER(TABLE_SCHEMA) IN ({', '.join('?' * len(schemas))})", schemas)
        except StatementFailed as error:
            logger.info("Names are taken as RED spells them, since the catalog could not be read: %s", error)
            return
        for self._here, schema, table, column in rows:
            self._names.setdefault(schema, {}).setdefault(table, set()).add(column)

    def _is_here(self, table: WarehouseTable) -> bool:
        return not table.database or not self._here or table.database.lower() == self._here.lower()

    def close(self) -> None:
        """Close the connection."""
        self._database.close()


def _closest(name: str, known: Collection[str]) -> str:
    """Return the name itself if it is known, or the only known one that differs in nothing but letter case."""
    if name in known:
        return name
    alike = [each for each in known if each.lower() == name.lower()]
    return alike[0] if len(alike) == 1 else name
