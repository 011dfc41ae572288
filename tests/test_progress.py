"""A long load shows how far it is: audit lines for RED, a bar for a person at a terminal, nothing else anywhere."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.host_script import host_script_in
from tests.loading import LOAD_TABLE, create_load_table, item_table, load_table, numbers
from wherescape import Column, WhereScape
from wherescape.database import BATCH_ROWS
from wherescape.sandbox.red_server import RedServer

TABLE = item_table(Column("a_integer", "integer"))
LINE = re.compile(r"(?P<rows>[\d,]+) rows(?:, (?P<rejected>\d+) rejected)? so far, [\d.]+ s")

SCRIPT = """\
from wherescape import Column, Table, WhereScape

wherescape = WhereScape()
table = Table("item", (Column("n", "bigint"), Column("a_integer", "integer")), ("n",), "items api")
wherescape.load(table, ({"n": n} for n in range(30_000)))
"""


def messages(red: RedServer) -> list[str]:
    rows = red.query_repository("SELECT wa_message FROM red.ws_wrk_audit_log ORDER BY wa_time_stamp, ctid")
    return [row[0] for row in rows]


def task(red: RedServer) -> WhereScape:
    create_load_table(red, TABLE)
    return WhereScape(red.environment(LOAD_TABLE) | red.start_task(LOAD_TABLE))


def progress_of(red: RedServer) -> list[re.Match[str]]:
    return [line for line in map(LINE.fullmatch, messages(red)) if line]


def wait_for_a_line(red: RedServer, rows: int) -> None:
    wait_until(lambda: any(line["rows"] == f"{rows:,}" for line in progress_of(red)))


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "nothing was told of a load that waits"
        time.sleep(0.01)


def test_the_audit_log_tells_how_far_the_load_is(clean_red: RedServer) -> None:
    wherescape = task(clean_red)

    def records() -> Iterator[dict[str, Any]]:
        for batch in range(2):
            # A slow source: the load is told of while it waits for it.
            wait_for_a_line(clean_red, batch * BATCH_ROWS)
            yield from ({"n": n, "a_integer": "x" if n in (3, 4, 5) else n} for n in range(BATCH_ROWS))
        wait_for_a_line(clean_red, 2 * BATCH_ROWS)

    wherescape.load(TABLE, records(), progress_seconds=0.05)
    wherescape.close()
    lines = progress_of(clean_red)
    counts = [int(line["rows"].replace(",", "")) for line in lines]
    assert counts == sorted(counts)
    assert {line["rejected"] for line in lines} == {None, "3", "6"}


def test_a_short_load_does_not_fill_the_audit_log(clean_red: RedServer) -> None:
    wherescape = task(clean_red)
    wherescape.load(TABLE, ({"n": n} for n in range(12_000)))
    wherescape.close()
    assert [message for message in messages(clean_red) if "so far" in message] == []


def test_outside_a_task_the_log_tells_it(clean_red: RedServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    with load_table(clean_red, TABLE) as wherescape:

        def records() -> Iterator[dict[str, Any]]:
            yield {"n": 1}
            wait_until(lambda: any(LINE.fullmatch(record.getMessage()) for record in caplog.records))

        wherescape.load(TABLE, records(), progress_seconds=0.05)
    assert any(LINE.fullmatch(record.getMessage()) for record in caplog.records)


def test_a_repository_that_is_gone_does_not_end_a_load(clean_red: RedServer, caplog: pytest.LogCaptureFixture) -> None:
    create_load_table(clean_red, TABLE)
    environment = clean_red.environment(LOAD_TABLE) | clean_red.start_task(LOAD_TABLE)
    wherescape = WhereScape(environment | {"WSL_META_PWD": "wrong"})

    def warnings() -> list[str]:
        return [record.getMessage() for record in caplog.records if "progress" in record.getMessage()]

    def records() -> Iterator[dict[str, Any]]:
        yield {"n": 1}
        wait_until(lambda: bool(warnings()))

    assert wherescape.load(TABLE, records(), progress_seconds=0.05).inserted == 1
    wherescape.close()
    assert len(warnings()) == 1


def test_no_bar_where_nobody_watches(clean_red: RedServer) -> None:
    create_load_table(clean_red, TABLE)
    script = clean_red.workdir / "load.py"
    script.write_text(SCRIPT, encoding="utf-8")
    result = clean_red.run_host_script(script, LOAD_TABLE, timeout=60)
    assert (result.status, result.inserted) == (-1, 30_000), result
    assert all("\x1b" not in line and "rows so far" not in line for line in [*result.audit, *result.detail])
    assert result.message.startswith("30,000 rows, ")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals of this kind")
def test_a_bar_on_a_terminal_and_nothing_of_it_on_standard_output(clean_red: RedServer, tmp_path: Path) -> None:
    create_load_table(clean_red, TABLE)
    host_script = host_script_in(tmp_path)
    host_script.write(SCRIPT)
    environment = os.environ | clean_red.environment(LOAD_TABLE) | {"TERM": "xterm-256color", "COLUMNS": "100"}
    stdout, terminal = run_on_a_terminal(host_script.command, environment)
    assert "\x1b[" in terminal
    assert LOAD_TABLE in terminal and re.search(r"[\d,]+ rows", terminal)
    assert "\x1b" not in stdout
    status, message, *_ = stdout.splitlines()
    assert (status, message.startswith("30,000 rows, ")) == ("-1", True)
    assert len(numbers(clean_red)) == 30_000


def run_on_a_terminal(command: list[str], environment: dict[str, str]) -> tuple[str, str]:
    """Run a command whose standard error is a terminal; return its output and what the terminal got."""
    import pty

    ours, theirs = pty.openpty()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 65_536):
                shown += piece
        except OSError:
            # Linux answers so when the other end is closed.
            pass
        finally:
            os.close(ours)
        assert process.stdout
        stdout = process.stdout.read()
    return stdout.decode(), shown.decode("utf-8", "replace")
