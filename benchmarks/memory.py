"""The most memory that a load takes, for few rows and for many."""

import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from benchmarks import items
from benchmarks.measuring import Goal, LoadTable, Measure, Sizes
from wherescape import WhereScape
from wherescape.sandbox import RedServer

LIMIT_MIB = 20


def peak_memory(red: RedServer, sizes: Sizes) -> Measure:
    """Load rows from a generator, in a process of their own for each number of rows."""
    table = LoadTable(red, items.TABLE)
    peaks = []
    for rows in sizes.memory_rows:
        table.empty()
        peaks.append(peak_of_load(rows, table.variables))
    fewer, more = peaks
    few, many = sizes.memory_rows
    return Measure(
        "Peak memory of a load from a generator",
        "MiB",
        {f"wherescape, {few:,} rows": fewer, f"wherescape, {many:,} rows": more},
        (
            Goal(
                f"peak memory, {many:,} rows against {few:,}",
                more - fewer,
                LIMIT_MIB,
                "MiB more",
                1,
                fewer + LIMIT_MIB,
                at_most=True,
            ),
        ),
    )


def peak_of_load(rows: int, variables: Mapping[str, str]) -> float:
    """Load in a process of its own and return its peak of resident memory in MiB."""
    command = [sys.executable, "-m", "benchmarks.memory", str(rows)]
    # Not as its environment: wherescape would take the process for a host script.
    done = subprocess.run(command, input=json.dumps(dict(variables)), stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout)


def peak_of_this_process() -> float:
    """Return the peak of resident memory in MiB, as Linux tells it.

    Not `ru_maxrss`, which a child begins with its parent's.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    with closing(WhereScape(json.load(sys.stdin))) as wherescape:
        wherescape.load(items.TABLE, items.records(int(sys.argv[1])))
    print(peak_of_this_process())
