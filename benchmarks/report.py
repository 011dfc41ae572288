"""The table of all measures, and what they were made on."""

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import pyodbc

from benchmarks.measuring import Measure
from benchmarks.plot import draw
from wherescape.sandbox import RedServer

README = """\
# What a load costs

![Bars of each measure with the line to be reached](benchmarks.svg)

{table}

Made on {day} with {machine}.

`make bench` measures everything again, in about a minute, and writes this page and the plot;
`.venv/bin/python -m benchmarks insert issues` prints some of the measures and writes nothing.

How it is measured:

- All parts are real: PostgreSQL and its ODBC driver, HTTP on loopback, processes of their own for the API server, the
  delaying proxy, and whatever memory or imports are measured of. PostgreSQL listens on a Unix socket and runs with
  `fsync = off`, which spares all sides the waiting for the disk.
- The sides of a comparison take turns, {repetitions} times each; the shortest time of each counts, since it was
  disturbed least. Of the imports the median of {imports} counts; memory is measured once.
- The rows are the same on all sides, and what is stored is compared (but behind 1 ms, where executemany inserts few
  rows). They have texts with accents, quotes, line
  ends and emoji, numbers of all types, dates, moments, JSON and NULLs. Our side begins with dicts and also checks all
  values, writes a run report and asks RED's repository; `executemany` and COPY get tuples that are ready.
- psycopg's COPY is the bound: another driver with a protocol of its own, which encodes in C and which ODBC does not
  have. A dashed line beyond its bar is out of reach for any client on this machine.
- "Bare" fetching is `requests.Session` and `response.json()`, one page after the other, and then a COPY of rows that
  are ready.
- `wherescape status` is timed from outside, as a process of its own with its imports, on a repository in which every
  load table has runs, a mark and a message; two tables in a hundred have failed.
- `DataFrame.to_sql` uses SQLAlchemy's default driver for PostgreSQL, psycopg, and pandas' default method.
"""


def write(measures: Sequence[Measure], folder: Path, machine: str, *, repetitions: int, imports: int) -> None:
    """Write the page and the plot.

    Arguments:
        measures: in the order of the table.
        folder: where to.
        machine: what they were made on.
        repetitions, imports: how often each side was run.
    """
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    page = README.format(table=table(measures), day=today, machine=machine, repetitions=repetitions, imports=imports)
    (folder / "README.md").write_text(page, encoding="utf-8", newline="\n")
    (folder / "benchmarks.svg").write_text(
        draw(measures, f"{machine.partition(';')[0]} · {today}"), "utf-8", newline="\n"
    )


def table(measures: Sequence[Measure]) -> str:
    """Return all goals as a Markdown table."""
    lines = ["| measure | figure | to reach | reached |", "|---|---|---|---|"]
    for goal in (goal for measure in measures for goal in measure.goals):
        lines.append(f"| {goal.name} | {goal.reached} | {goal.bound} | {'yes' if goal.is_reached else '**no**'} |")
    return "\n".join(lines)


def describe_machine(red: RedServer) -> str:
    """Say in one line what the measures are made on."""
    [[postgresql]] = red.query_warehouse("SHOW server_version")
    with_login = f"{red.target_connection_string};UID={red.target_user};PWD={red.target_password}"
    connection = pyodbc.connect(with_login)
    driver = connection.getinfo(pyodbc.SQL_DRIVER_VER)
    connection.close()
    packages = ", ".join(f"{name} {version(name)}" for name in ("pyodbc", "psycopg", "SQLAlchemy", "pandas"))
    return (
        f"{_processor()}; {platform.system()}, Python {platform.python_version()},"
        f" PostgreSQL {postgresql}, psqlODBC {driver}, {packages}"
    )


def _processor() -> str:
    name = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        lines = information.read_text(encoding="utf-8").splitlines()
        name = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), name)
    cores = os.cpu_count() or 1
    return f"{cores} {'core' if cores == 1 else 'cores'} of {name}"
