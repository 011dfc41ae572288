"""What a host script pays for before it does anything."""

import statistics
import subprocess
import sys

from benchmarks.measuring import Goal, Measure, Sizes
from wherescape.sandbox import RedServer

LIMIT_MS = 150
PROGRAM = """
import time
import pyodbc, requests
start = time.perf_counter()
from wherescape.connectors.gitlab.gitlab_load_data import gitlab_load_data
print((time.perf_counter() - start) * 1000)
"""


def load_function(red: RedServer, sizes: Sizes) -> Measure:
    """Import a load function in processes of their own; the median counts, the first is left out."""
    times = [
        float(subprocess.run([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True, check=True).stdout)
        for _ in range(sizes.imports + 1)
    ]
    milliseconds = statistics.median(times[1:])
    return Measure(
        "Import a load function, beyond pyodbc and requests",
        "ms",
        {"wherescape": milliseconds},
        (Goal("import of a load function", milliseconds, LIMIT_MS, "ms", 0, LIMIT_MS, at_most=True),),
    )
