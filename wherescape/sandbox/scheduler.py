"""RED's scheduler: runs a host script as a task of a job, and keeps what it reports."""

import json
import locale
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wherescape.environment import SOURCE_PREFIX
from wherescape.errors import SandboxError
from wherescape.repository import COUNTERS

if TYPE_CHECKING:
    from wherescape.sandbox.red_server import RedServer

# What a process needs of the system: programs, libraries, a folder for temporary files, the ODBC drivers, the time
# zone. A scheduler is a service, so nothing else of the user's session reaches a host script.
SYSTEM_VARIABLES = (
    *("PATH", "PATHEXT", "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PROGRAMDATA", "PROGRAMFILES"),
    *("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "TEMP", "TMP", "TMPDIR", "TZ"),
    *("PYTHONPATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "ODBCSYSINI", "ODBCINI", "ODBCINSTINI"),
)
STATUSES = {"1": 1, "-1": -1, "-2": -2, "-3": -3}
TOKEN = re.compile(r"\$(?:P(?P<parameter>\w+)|WSL_SRCCFG_(?P<field>\w+))\$")


@dataclass(frozen=True)
class Task:
    """One run of one task of a job."""

    name: str
    job_name: str
    sequence: int
    job_key: int
    task_key: int

    def variables(self) -> dict[str, str]:
        """Return the WSL_* variables that tell a script which task it is."""
        return {
            "WSL_SEQUENCE": str(self.sequence),
            "WSL_JOB_KEY": str(self.job_key),
            "WSL_JOB_NAME": self.job_name,
            "WSL_TASK_KEY": str(self.task_key),
            "WSL_TASK_NAME": self.name,
        }


# A script that a user starts in RED itself. RED 10.3: Script Output Protocol.
INTERACTIVE = Task(name="", job_name="Develop", sequence=0, job_key=0, task_key=0)


@dataclass(frozen=True)
class Execution:
    """How the process of a host script is run.

    Arguments:
        python: the interpreter.
        timeout: seconds after which the script is killed; its status is then -3.
        is_watched: show its error output where this process shows its own, in place of keeping it.
    """

    python: Path
    timeout: float
    is_watched: bool = False


@dataclass(frozen=True)
class TaskResult:
    """What a host script reported.

    Attributes:
        task: the name of the task.
        status: 1 success, -1 warning, -2 error, -3 fatal.
        message: the second line of the output.
        audit: the further lines of the output.
        detail: the lines of the error output.
        exit_status: the exit status of the process; None when it was killed after the timeout.
        seconds: how long it ran.
        inserted: a count that the script left with WsWrkTask, as the following are.
    """

    task: str
    status: int
    message: str
    audit: list[str]
    detail: list[str]
    exit_status: int | None
    seconds: float
    inserted: int = 0
    updated: int = 0
    replaced: int = 0
    deleted: int = 0
    discarded: int = 0
    rejected: int = 0
    errored: int = 0


def start_task(red: "RedServer", name: str, job_name: str) -> Task:
    """Allot a sequence and keys to a task, and enter job and task as running."""
    row = red.query_repository(
        """
        WITH job AS (
            INSERT INTO red.ws_wrk_job_ctrl (wjc_name, wjc_status) VALUES (?::varchar, 'R')
            ON CONFLICT (wjc_name) DO UPDATE SET wjc_status = 'R', wjc_started = localtimestamp
            RETURNING wjc_job_key, wjc_name),
        task AS (
            INSERT INTO red.ws_wrk_task_ctrl (wtc_job_key, wtc_name) SELECT wjc_job_key, ?::varchar FROM job
            ON CONFLICT (wtc_job_key, wtc_name) DO UPDATE SET wtc_name = excluded.wtc_name
            RETURNING wtc_task_key, wtc_name),
        job_run AS (
            INSERT INTO red.ws_wrk_job_run (wjr_job_key, wjr_name, wjr_status)
            SELECT wjc_job_key, wjc_name, 'R' FROM job
            RETURNING wjr_job_key, wjr_sequence)
        INSERT INTO red.ws_wrk_task_run (wtr_job_key, wtr_sequence, wtr_task_key, wtr_name, wtr_run_status)
        SELECT wjr_job_key, wjr_sequence, wtc_task_key, wtc_name, 'R' FROM job_run, task
        RETURNING wtr_sequence, wtr_job_key, wtr_task_key
        """,
        [job_name, name],
    )[0]
    return Task(name, job_name, row.wtr_sequence, row.wtr_job_key, row.wtr_task_key)


def run_host_script(
    red: "RedServer",
    script: Path,
    table: str,
    *,
    schema: str,
    environment: Mapping[str, str],
    source_config: Mapping[str, str],
    job_name: str,
    interactive: bool,
    execution: Execution,
) -> TaskResult:
    """Run a host script as a task of a job; see `RedServer.run_host_script`."""
    text = _replace_tokens(_read(script), red.read_parameter, source_config)
    _truncate_load_table(red, table, schema)
    task = INTERACTIVE if interactive else start_task(red, table or script.stem, job_name)
    variables = red.environment(table, schema, source_config=source_config, **task.variables()) | dict(environment)
    # RED gives a task's work files this name; the script's own name is for who reads a traceback.
    work_file = red.workdir / f"wsl{task.sequence}j{task.job_key}t{task.task_key}_{script.name}"
    try:
        result = _run(work_file, text, variables, execution)
    except KeyboardInterrupt:
        if not interactive:
            _end_task(red, task, -3, "Interrupted.", [], [])
        raise
    if not interactive:
        _end_task(red, task, result.status, result.message, result.audit, result.detail)
    return replace(result, task=task.name or table or script.stem, **_read_counters(red, task))


def run_outside(script: Path, variables: Mapping[str, str], execution: Execution) -> TaskResult:
    """Run a host script against a true RED, as from its own window: with the variables, and no task of a job.

    Arguments:
        script: the file with the script.
        variables: the WSL_* variables, WSL_WORKDIR among them, and others that the process is to have.
        execution: how it is run.

    Raises:
        SandboxError: there is no such script.
    """
    from wherescape.wherescape import WhereScape

    environ = {name: value for name, value in variables.items() if name.upper().startswith("WSL_")}
    red = WhereScape(environ)
    config = {
        name[len(SOURCE_PREFIX) :]: value for name, value in environ.items() if name.upper().startswith(SOURCE_PREFIX)
    }
    try:
        text = _replace_tokens(_read(script), lambda name: red.read_parameter(name) or None, config)
    finally:
        red.close()
    red.workdir.mkdir(parents=True, exist_ok=True)
    return _run(red.workdir / f"wsl0j0t0_{script.name}", text, variables, execution)


def _read(script: Path) -> str:
    try:
        return script.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SandboxError(f"The host script {script} cannot be read: {error}.") from error


def _run(work_file: Path, text: str, variables: Mapping[str, str], execution: Execution) -> TaskResult:
    of_the_system = {name: value for name, value in os.environ.items() if name.upper() in SYSTEM_VARIABLES}
    try:
        work_file.touch(mode=0o600)
        work_file.write_bytes(text.encode("utf-8"))
        exit_status, output, errors, seconds = _run_process(work_file, of_the_system | dict(variables), execution)
    finally:
        work_file.unlink(missing_ok=True)
    status, message, audit = _read_protocol(output)
    if exit_status is None:
        status, message, audit = -3, f"Killed after {execution.timeout:g} seconds.", output
    return TaskResult(work_file.stem, status, message, audit, errors, exit_status, seconds)


def _replace_tokens(text: str, read_parameter: Callable[[str], str | None], source_config: Mapping[str, str]) -> str:
    """Replace $PNAME$ and $WSL_SRCCFG_name$ in a script; a token that has no value stays. RED 10.4: Host Scripts.

    A field is found in any case, as its variable is: a person may have set it by hand.
    """
    fields = {name.lower(): value for name, value in source_config.items()}

    def replacement(token: re.Match[str]) -> str:
        name = token["parameter"]
        value = read_parameter(name) if name else fields.get(token["field"].lower())
        return token[0] if value is None else value

    return TOKEN.sub(replacement, text)


def _truncate_load_table(red: "RedServer", table: str, schema: str) -> None:
    """Do the pre-load action "Truncate"; a table that is yet to be created has none."""
    wanted = red.query_repository(
        "SELECT 1 FROM red.ws_load_tab WHERE lt_table_name = ? AND lt_pre_action = 'T'", [table]
    )
    exists = red.query_warehouse("SELECT 1 FROM pg_tables WHERE schemaname = ? AND tablename = ?", [schema, table])
    if wanted and exists:
        quoted = table.replace('"', '""')
        red.query_warehouse(f"SET lock_timeout = '20s'; TRUNCATE {schema}.\"{quoted}\"")


def _run_process(
    script: Path, variables: Mapping[str, str], execution: Execution
) -> tuple[int | None, list[str], list[str], float]:
    # Files, as in RED, rather than pipes: no output is too large, and a process left behind by the script cannot
    # hold up the scheduler by keeping a pipe open.
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        started = time.monotonic()
        exit_status: int | None
        try:
            exit_status = subprocess.run(
                [str(execution.python), str(script)],
                cwd=script.parent,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=None if execution.is_watched else errors,
                timeout=execution.timeout,
            ).returncode
        except subprocess.TimeoutExpired:
            exit_status = None
        seconds = time.monotonic() - started
        output.seek(0)
        errors.seek(0)
        return exit_status, _split_lines(output.read()), _split_lines(errors.read()), seconds


def _split_lines(output: bytes) -> list[str]:
    try:
        text = output.decode("utf-8")
    except UnicodeDecodeError:
        text = output.decode(locale.getencoding(), errors="replace")
    text = text.replace("\r\n", "\n").replace("\0", "\N{REPLACEMENT CHARACTER}")
    return text.removesuffix("\n").split("\n") if text else []


def _read_protocol(output: list[str]) -> tuple[int, str, list[str]]:
    """Return status, message and audit lines of a script's output. RED 9: Script Syntax."""
    first, message, *audit = [*output, "", ""][: max(2, len(output))]
    status = STATUSES.get(first.replace(" ", ""))
    if status is None:
        return -3, f'Invalid return code "{first}". Check the detail log.'[:255], audit
    return status, message, audit


def _end_task(red: "RedServer", task: Task, status: int, message: str, audit: list[str], errors: list[str]) -> None:
    """Enter the end of a task, and one row for each line of its output; a line is cut at the width of its column."""
    who = [task.sequence, task.job_name, task.name, task.task_key, task.job_key]
    for log, prefix, lines in (("audit", "wa", audit), ("error", "wd", errors)):
        red.query_repository(
            f"""
            INSERT INTO red.ws_wrk_{log}_log ({prefix}_sequence, {prefix}_job, {prefix}_task, {prefix}_task_key,
                                              {prefix}_job_key, {prefix}_status, {prefix}_message)
            SELECT ?::integer, ?::varchar, ?::varchar, ?::integer, ?::integer, 'I', left(line, 256)
              FROM json_array_elements_text(?::json) WITH ORDINALITY AS lines (line, number)
             ORDER BY number
            """,
            [*who, json.dumps(lines)],
        )
    red.query_repository(
        """
        WITH task AS (
            UPDATE red.ws_wrk_task_run
               SET wtr_run_status = CASE WHEN ended.status >= -1 THEN 'C' ELSE 'F' END,
                   wtr_completed = localtimestamp, wtr_return_code = ended.status, wtr_return_msg = ended.message,
                   wtr_info_count = wtr_info_count + ended.audit_lines,
                   wtr_detail_count = wtr_detail_count + ended.error_lines
              FROM (SELECT ?::integer AS status, left(?::text, 1024) AS message, ?::integer AS audit_lines,
                           ?::integer AS error_lines) AS ended
             WHERE wtr_sequence = ? AND wtr_job_key = ? AND wtr_task_key = ?
            RETURNING wtr_run_status, ended.*),
        job AS (
            UPDATE red.ws_wrk_job_run
               SET wjr_status = wtr_run_status, wjr_completed = localtimestamp,
                   wjr_okay_count = wjr_okay_count + (task.status = 1)::integer,
                   wjr_warning_count = wjr_warning_count + (task.status = -1)::integer,
                   wjr_error_count = wjr_error_count + (task.status < -1)::integer,
                   wjr_info_count = wjr_info_count + task.audit_lines,
                   wjr_detail_count = wjr_detail_count + task.error_lines
              FROM task WHERE wjr_sequence = ?
            RETURNING wjr_job_key, wjr_status)
        UPDATE red.ws_wrk_job_ctrl
           SET wjc_status = wjr_status, wjc_last_status = wjr_status, wjc_completed = localtimestamp
          FROM job WHERE wjc_job_key = wjr_job_key
        """,
        [status, message, len(audit), len(errors), task.sequence, task.job_key, task.task_key, task.sequence],
    )


def _read_counters(red: "RedServer", task: Task) -> dict[str, Any]:
    rows = red.query_repository(
        f"SELECT {', '.join(f'wtr_{name}' for name in COUNTERS)} FROM red.ws_wrk_task_run "
        "WHERE wtr_sequence = ? AND wtr_job_key = ? AND wtr_task_key = ?",
        [task.sequence, task.job_key, task.task_key],
    )
    return dict(zip(COUNTERS, rows[0], strict=True)) if rows else {}
