"""Measures everything and writes README.md and the plot; with names, measures those and prints only."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks import fetching, frames, imports, inserts, memory, report, statuses
from benchmarks.measuring import Measure, Sizes
from wherescape.sandbox import RedServer

MEASURES: Mapping[str, Callable[[RedServer, Sizes], Measure]] = {
    "insert": inserts.same_host,
    "distance": inserts.one_millisecond_away,
    "issues": fetching.gitlab_issues,
    "parents": fetching.parallel_parents,
    "memory": memory.peak_memory,
    "import": imports.load_function,
    "frame": frames.data_frame,
    "status": statuses.command,
    "page": statuses.page,
}


def main(names: list[str], sizes: Sizes, folder: Path) -> None:
    """Measure, print the table, and write it where everything was measured.

    Arguments:
        names: of MEASURES; all when empty.
        sizes: how much to measure.
        folder: where README.md and the plot are written.
    """
    unknown = [name for name in names if name not in MEASURES]
    if unknown:
        sys.exit(f"There is no measure {', '.join(unknown)}; choose of {', '.join(MEASURES)}.")
    measures = []
    with RedServer() as red:
        machine = report.describe_machine(red)
        for name in names or MEASURES:
            print(f"Measuring {name} ...", file=sys.stderr, flush=True)
            measures.append(MEASURES[name](red, sizes))
    for measure in measures:
        bars = ", ".join(f"{name} {value:,.2f}" for name, value in measure.bars.items())
        print(f"{measure.title}, {measure.unit}: {bars}")
    print(report.table(measures))
    if not names:
        report.write(measures, folder, machine, repetitions=sizes.repetitions, imports=sizes.imports)


if __name__ == "__main__":
    main(sys.argv[1:], Sizes(), Path(__file__).parent)
