"""What the measures share: what a measure found, a load table to fill, and the best of several times."""

import gc
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pyodbc
from psycopg import sql

from wherescape import Table, WhereScape
from wherescape.database import connection_string
from wherescape.environment import Login
from wherescape.sandbox import RedServer


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Arguments:
        rows: that are inserted at once.
        distant_rows_by_executemany: what executemany inserts of them behind a round trip of a millisecond.
        frame_rows: the rows of the DataFrame.
        issue_pages: pages of a hundred issues.
        parents: lists that are fetched in parallel.
        parent_seconds: how long the server takes for each of them.
        memory_rows: the fewer and the more rows whose peaks of memory are compared.
        repetitions: of each side of a comparison, in turns.
        imports: repetitions of an import.
        load_tables: that RED's repository knows.
        task_runs: the rows of its task log, evenly of all load tables.
    """

    rows: int = 50_000
    distant_rows_by_executemany: int = 500
    frame_rows: int = 100_000
    issue_pages: int = 200
    parents: int = 16
    parent_seconds: float = 0.05
    memory_rows: tuple[int, int] = (20_000, 200_000)
    repetitions: int = 3
    imports: int = 11
    load_tables: int = 500
    task_runs: int = 100_000


@dataclass(frozen=True)
class Goal:
    """A figure and what it is to reach.

    Arguments:
        name: what was measured, as it stands in the table.
        figure: what came out.
        target: what should.
        unit: of both, such as `times as fast`.
        digits: of the figure, behind the point.
        limit: where the target lies on the scale of the measure's bars.
        at_most: the target must not be exceeded; otherwise it must be reached.
    """

    name: str
    figure: float
    target: float
    unit: str
    digits: int
    limit: float
    at_most: bool = False

    @property
    def is_reached(self) -> bool:
        """Whether the figure reaches the target."""
        return self.figure <= self.target if self.at_most else self.figure >= self.target

    @property
    def reached(self) -> str:
        """The figure in words."""
        return f"{self.figure:.{self.digits}f} {self.unit}"

    @property
    def bound(self) -> str:
        """The target in words."""
        return f"at {'most' if self.at_most else 'least'} {self.target:g}"


@dataclass(frozen=True)
class Measure:
    """What was measured, as bars of one scale, and what it was to reach.

    Arguments:
        title: what a reader sees above the bars.
        unit: of the bars: rows/s, s, MiB or ms.
        bars: name and value of each; what this library did is the one called `wherescape…`.
        goals: one or more.
    """

    title: str
    unit: str
    bars: dict[str, float]
    goals: tuple[Goal, ...]


class LoadTable:
    """A load table in the stand-in RED server.

    Arguments:
        red: the server.
        table: the declaration, which gives the table's name.
    """

    def __init__(self, red: RedServer, table: Table) -> None:
        self._red = red
        self.table = table
        self.name = f"load_{table.kind}"
        red.register_load_table(self.name)
        self.variables = red.environment(self.name)
        with closing(WhereScape(self.variables)) as wherescape:
            wherescape.create_metadata(table)
            # What other ways of loading fill in for the two columns that every load table ends with.
            self.tail = (table.record_source, wherescape.run_started.replace(tzinfo=None))
        red.create_table(self.name)

    @contextmanager
    def open_wherescape(self, proxy_port: int = 0) -> Iterator[WhereScape]:
        """Give what a host script that is attached to the table would have."""
        with closing(WhereScape(self.variables | self._red.variables_through(target_port=proxy_port))) as wherescape:
            wherescape.query_target("SELECT 1")
            yield wherescape

    @contextmanager
    def open_odbc(self, proxy_port: int = 0) -> Iterator[pyodbc.Connection]:
        """Give an ODBC connection to the warehouse."""
        dsn = self._red.variables_through(target_port=proxy_port)["WSL_TGT_DSN"]
        login = Login("target", "WSL_TGT", dsn, self.variables["WSL_TGT_USER"], self.variables["WSL_TGT_PWD"])
        with closing(pyodbc.connect(connection_string(login, {}))) as connection:
            yield connection

    @contextmanager
    def open_psycopg(self) -> Iterator[psycopg.Connection]:
        """Give a psycopg connection to the warehouse."""
        with psycopg.connect(self.url) as connection:
            yield connection

    @property
    def url(self) -> str:
        """The address of the warehouse for libpq."""
        variables = self.variables
        return psycopg.conninfo.make_conninfo(
            host=variables["WSL_TGT_SERVER"],
            port=variables["WSL_TGT_DBPORT"],
            dbname=variables["WSL_LOAD_DB"],
            user=variables["WSL_TGT_USER"],
            password=variables["WSL_TGT_PWD"],
            options="-c timezone=UTC",
        )

    @property
    def columns(self) -> list[str]:
        """The names of all columns."""
        return [column.name for column in self.table.all_columns]

    def executemany(self, connection: pyodbc.Connection, rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows as most scripts do, and commit."""
        names = ", ".join(f'"{name}"' for name in self.columns)
        marks = ", ".join("?" * len(self.columns))
        connection.cursor().executemany(f"INSERT INTO load.{self.name} ({names}) VALUES ({marks})", rows)
        connection.commit()

    def copy(self, connection: psycopg.Connection, rows: Iterable[Sequence[Any]]) -> None:
        """Insert rows as fast as PostgreSQL takes them from Python, and commit."""
        statement = sql.SQL("COPY load.{} ({}) FROM STDIN").format(
            sql.Identifier(self.name), sql.SQL(", ").join(map(sql.Identifier, self.columns))
        )
        with connection.cursor().copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
        connection.commit()

    def empty(self) -> None:
        """Remove all rows."""
        self._red.query_warehouse(f"TRUNCATE load.{self.name}")

    def contents(self) -> tuple[int, int]:
        """Return the number of rows, and a number that is the same for the same rows."""
        names = ", ".join(f'"{column.name}"' for column in self.table.columns)
        hashed = f"hashtextextended(CAST(ROW({names}) AS text), 0)"
        [row] = self._red.query_warehouse(f"SELECT count(*), CAST(sum({hashed}) AS text) FROM load.{self.name}")
        return int(row[0]), int(row[1] or 0)


@dataclass(frozen=True)
class Side:
    """One side of a comparison.

    Arguments:
        run: what is timed.
        prepare: what is done before, untimed.
        check: what is done after, untimed.
    """

    run: Callable[[], object]
    prepare: Callable[[], object] = lambda: None
    check: Callable[[], object] = lambda: None


def best_seconds(repetitions: int, *sides: Side) -> list[float]:
    """Run the sides in turns, several times, and return the shortest time of each, the least disturbed one."""
    best = [float("inf")] * len(sides)
    # Or each collection would walk through the rows that only wait for their turn.
    gc.collect()
    gc.freeze()
    for _ in range(repetitions):
        for number, side in enumerate(sides):
            side.prepare()
            gc.collect()
            start = time.perf_counter()
            side.run()
            best[number] = min(best[number], time.perf_counter() - start)
            side.check()
    gc.unfreeze()
    return best


def expect_same(name: str, *contents: tuple[int, int]) -> None:
    """Refuse a comparison of sides that did not store the same rows.

    Raises:
        RuntimeError
    """
    if len(set(contents)) > 1:
        raise RuntimeError(f"{name}: the sides did not store the same rows: {contents}.")
