"""`wherescape status` on a large repository: how long it takes, and how large its page is."""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measuring import Goal, Measure, Side, Sizes, best_seconds
from wherescape.sandbox import RedServer

LIMIT_SECONDS = 5
LIMIT_MIB = 4

FILL = """
WITH objects AS (
    INSERT INTO red.ws_obj_object (oo_name, oo_type_key, oo_target_key)
    SELECT 'load_api_' || lpad(number::text, 4, '0'), ot_type_key, dt_target_key
      FROM generate_series(1, {tables}) AS numbers (number), red.ws_obj_type, red.ws_dbc_target
     WHERE ot_description = 'Load Table' AND dt_name = 'load'
    RETURNING oo_obj_key, oo_name)
INSERT INTO red.ws_load_tab (lt_obj_key, lt_table_name) SELECT oo_obj_key, oo_name FROM objects;

INSERT INTO red.dss_parameter
SELECT 'HWM_' || lt_table_name, to_char(localtimestamp - interval '1 hour', 'YYYY-MM-DD"T"HH24:MI:SS') || '+00:00', ''
  FROM red.ws_load_tab;

INSERT INTO red.ws_wrk_task_log (wtl_job_key, wtl_sequence, wtl_task_key, wtl_name, wtl_run_status, wtl_started,
                                 wtl_completed, wtl_return_code, wtl_return_msg, wtl_inserted, wtl_rejected)
SELECT 1, runs.run, task, name, CASE WHEN code < -1 THEN 'F' ELSE 'C' END, moment,
       moment + (5 + (task * 7 + runs.run * 13) % 400) * interval '1 second', code,
       CASE WHEN code < -1 THEN 'The API answered 503 for /items?page=17 after 6 tries.'
            ELSE rows || ' rows, 14 s, mark 2026-01-05T10:05Z -> 2026-01-06T10:05Z' END,
       CASE WHEN code < -1 THEN 0 ELSE rows END, CASE WHEN code = -1 THEN 3 ELSE 0 END
  FROM (SELECT lt_table_name, row_number() OVER (ORDER BY lt_table_name) FROM red.ws_load_tab) AS tasks (name, task),
       generate_series(1, {runs}) AS runs (run),
       LATERAL (SELECT localtimestamp - ({runs} - runs.run + 0.2) * interval '6 hours',
                       CASE WHEN (task * 31 + runs.run * 17) % 50 = 0 THEN -2
                            WHEN (task * 31 + runs.run * 17) % 50 < 3 THEN -1 ELSE 1 END,
                       (task * 977 + runs.run * 131) % 20000) AS what (moment, code, rows);
"""


def command(red: RedServer, sizes: Sizes) -> Measure:
    """Run `wherescape status` for the terminal and as a page."""
    fill(red, sizes)
    with TemporaryDirectory() as folder:
        lines, page = best_seconds(
            sizes.repetitions,
            Side(lambda: run_status(red)),
            Side(lambda: run_status(red, "--html", str(Path(folder) / "status.html"))),
        )
    goal = Goal("`wherescape status --html`", page, LIMIT_SECONDS, "s", 1, LIMIT_SECONDS, at_most=True)
    return Measure(
        f"wherescape status, {sizes.load_tables:,} load tables, {sizes.task_runs:,} task log rows",
        "s",
        {"wherescape": lines, "wherescape --html": page},
        (goal,),
    )


def page(red: RedServer, sizes: Sizes) -> Measure:
    """Write the page of `wherescape status` and see how large it is."""
    fill(red, sizes)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "status.html"
        run_status(red, "--html", str(path))
        size = path.stat().st_size / 2**20
    return Measure(
        f"The page of {sizes.load_tables:,} load tables",
        "MiB",
        {"wherescape": size},
        (Goal("page of `wherescape status`", size, LIMIT_MIB, "MiB", 1, LIMIT_MIB, at_most=True),),
    )


def fill(red: RedServer, sizes: Sizes) -> None:
    """Make a repository of many load tables with many runs each, every six hours up to now, and empty it before."""
    red.reset()
    red.query_repository(FILL.format(tables=sizes.load_tables, runs=sizes.task_runs // sizes.load_tables))


def run_status(red: RedServer, *arguments: str) -> str:
    """Run the command and return what it prints."""
    done = subprocess.run(
        [Path(sys.executable).with_name("wherescape"), "status", *arguments],
        env={**os.environ, **red.environment()},
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        check=True,
    )
    return done.stdout
