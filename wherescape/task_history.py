"""What RED's repository keeps of the runs of load tables: its task log, or its audit log where that lacks a column.

RED keeps the runs of tasks in two tables: `ws_wrk_task_run` (`wtr_` columns) and `ws_wrk_task_log` (`wtl_` columns),
the history; its view `ws_admin_v_task` is over both. Of the first, RED's published scripts show the job's and the
task's key, sequence, name, run status and return message; the names of its other columns, and all of the history's,
are not published. They are taken to be those of `COLUMNS`, with the prefix. A repository that has other names is found
out before anything is read; then the runs are taken from `ws_wrk_audit_log`, whose columns are known (RED 9:
"WsWrkAudit").

Times are those of the repository's own clock, without a zone.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from wherescape import tsql
from wherescape.errors import StatementFailed, TableNotRegistered
from wherescape.high_water_mark import PREFIX as MARK_PREFIX
from wherescape.repository import Repository

MOST_RUNS = 30
MOST_SEQUENCES = 100
MESSAGE_LENGTH = 300
COLUMNS = ("name", "sequence", "run_status", "started", "completed", "inserted", "rejected")
OPTIONAL_COLUMNS = ("return_code", "return_msg")
RUN_TABLES = (("ws_wrk_task_run", "wtr_"), ("ws_wrk_task_log", "wtl_"))
UNFINISHED = ("running", "waiting", "held")
"""Outcomes of runs that have not ended."""
POSTGRESQL_NOW = "SELECT LOCALTIMESTAMP"

# What a load of this library leaves in the audit log as its last word.
_LOAD_LINE = re.compile(r"(?P<rows>[\d,]+) rows?(?:, (?P<rejected>[\d,]+) rejected)?, (?:\d|mark)", re.ASCII)


@dataclass(frozen=True)
class TaskRun:
    """A run of a task.

    Arguments:
        task: its name, which for a load is that of the load table.
        sequence: of the job's run.
        outcome: `loaded`, `warnings`, `failed`, `running`, `waiting`, `held`, or `unknown`.
        started, completed: by the repository's clock; None if it has not.
        inserted, rejected: rows; None if unknown.
        message: what the task reported, cut; it may be empty.
    """

    task: str
    sequence: int
    outcome: str
    started: datetime
    completed: datetime | None
    inserted: int | None
    rejected: int | None
    message: str

    @property
    def seconds(self) -> float | None:
        """How long it took; None if it has not ended."""
        return max(0.0, (self.completed - self.started).total_seconds()) if self.completed else None


@dataclass(frozen=True)
class TaskHistory:
    """The last runs of load tables.

    Arguments:
        runs: of each table at most 30, the newest first, by the table's name in lower case.
        source: which log they are from.
        remark: what that log lacks; empty if nothing.
    """

    runs: dict[str, list[TaskRun]]
    source: str
    remark: str = ""


def read_now(repository: Repository) -> datetime:
    """Return the time of the repository's clock, to which the times of runs are compared; without a zone."""
    moment: datetime = repository.database.query(POSTGRESQL_NOW if repository.is_postgresql else tsql.NOW)[0][0]
    return moment


def read_load_tables(repository: Repository, name: str = "") -> list[tuple[str, str]]:
    """Return schema and name of the load tables, in the names' order.

    Arguments:
        repository: RED's.
        name: of the only one to return, in any case; empty for all.

    Raises:
        TableNotRegistered: there is none of that name.
    """
    metabase = repository.metabase
    rows = repository.database.query(
        f"SELECT target.dt_schema, tab.lt_table_name FROM {metabase}.ws_load_tab AS tab"
        f" LEFT JOIN {metabase}.ws_obj_object AS obj ON obj.oo_obj_key = tab.lt_obj_key"
        f" LEFT JOIN {metabase}.ws_dbc_target AS target ON target.dt_target_key = obj.oo_target_key"
        + (" WHERE LOWER(tab.lt_table_name) = LOWER(?)" if name else "")
        + " ORDER BY tab.lt_table_name",
        (name,) if name else None,
    )
    if name and not rows:
        raise TableNotRegistered(f"RED's repository has no load table {name!r}. Check its name in RED.")
    return [(schema or "", table) for schema, table in rows]


def read_marks(repository: Repository) -> dict[str, str]:
    """Return the parameters of high-water marks that hold something: their values by their names in lower case."""
    rows = repository.database.query(
        f"SELECT dss_parameter_name, dss_parameter_value FROM {repository.metabase}.dss_parameter"
        f" WHERE dss_parameter_name LIKE '{MARK_PREFIX.rstrip('_')}%'"
    )
    return {name.lower(): value.strip() for name, value in rows if value and value.strip()}


def read_history(repository: Repository, since: datetime, table: str = "") -> TaskHistory:
    """Return the last runs of the load tables.

    Arguments:
        repository: RED's.
        since: how far back to look, by the repository's clock.
        table: the only load table to look for, in any case; empty for all.

    Raises:
        DatabaseError: neither log can be read.
    """
    present = {log: _columns(repository, log) for log, _ in RUN_TABLES}
    lacking = [
        f"{log}: {', '.join(missing)}"
        for log, prefix in RUN_TABLES
        if (missing := [f"{prefix}{name}" for name in COLUMNS if f"{prefix}{name}" not in present[log]])
    ]
    usable = [
        (log, prefix) for log, prefix in RUN_TABLES if all(f"{prefix}{name}" in present[log] for name in COLUMNS)
    ]
    if not usable:
        rows = _query(repository, audit_log_query(repository.metabase, bool(table)), since, table)
        remark = (
            f"This repository's task log has other columns than are known of it ({'; '.join(lacking)}), so the runs"
            " are from the audit log. It knows rows only of loads by this library."
        )
        return TaskHistory(_by_table([_run_of_audit_log(*row) for row in rows]), "audit log", remark)
    logs = [
        (log, prefix, [name for name in OPTIONAL_COLUMNS if prefix + name in present[log]]) for log, prefix in usable
    ]
    rows = _query(repository, task_log_query(repository.metabase, logs, bool(table)), since, table, times=len(logs))
    remark = (
        f"Runs in a table without some of the known columns are left out ({'; '.join(lacking)})." if lacking else ""
    )
    return TaskHistory(_by_table([_run_of_task_log(*row) for row in rows]), "task log", remark)


def with_progress(repository: Repository, history: TaskHistory) -> TaskHistory:
    """Return the history with the last audit line of each run that is under way as its message."""
    running = [runs[0] for runs in history.runs.values() if runs[0].outcome == "running"]
    sequences = sorted({run.sequence for run in running})[-MOST_SEQUENCES:]
    if not sequences:
        return history
    rows = repository.database.query(progress_query(repository.metabase, len(sequences)), sequences)
    messages = {(task.lower(), int(sequence)): message or "" for task, sequence, message in rows if task}
    runs = dict(history.runs)
    for run in running:
        message = messages.get((run.task.lower(), run.sequence), "")
        key = run.task.lower()
        runs[key] = [replace(run, message=message), *runs[key][1:]]
    return replace(history, runs=runs)


def progress_query(metabase: str, sequences: int) -> str:
    """Return the query for the last audit line of each task in some runs of jobs; the databases as below.

    Arguments:
        metabase: the repository's schema.
        sequences: how many runs of jobs: each is a parameter.
    """
    return (
        "SELECT wa_task, wa_sequence, wa_message FROM (SELECT wa_task, wa_sequence, wa_message,"
        " ROW_NUMBER() OVER (PARTITION BY LOWER(wa_task), wa_sequence ORDER BY wa_time_stamp DESC) AS line_age"
        f" FROM {metabase}.ws_wrk_audit_log WHERE wa_sequence IN ({', '.join('?' * sequences)})) AS lines"
        " WHERE line_age = 1"
    )


def _columns(repository: Repository, log: str) -> set[str]:
    try:
        return {name.lower() for name in repository.database.column_names(f"{repository.metabase}.{log}")}
    except StatementFailed:
        return set()


def _query(repository: Repository, sql: str, since: datetime, table: str, times: int = 1) -> list[Any]:
    one = (since, table) if table else (since,)
    return repository.database.query(sql, one * times)


def task_log_query(metabase: str, logs: Sequence[tuple[str, str, Sequence[str]]], is_one_table: bool) -> str:
    """Return the query for the last runs of load tables; PostgreSQL and SQL Server take the same.

    Its parameters, once for each table of runs: the moment since when, and the load table's name if it is one.

    Arguments:
        metabase: the repository's schema.
        logs: tables of runs: name, prefix of its columns, and which of the optional columns it has.
        is_one_table: whether a single load table is looked for.
    """
    parts = []
    for log, prefix, optional in logs:
        return_code = f"{prefix}return_code" if "return_code" in optional else "NULL"
        return_message = f"LEFT({prefix}return_msg, {MESSAGE_LENGTH})" if "return_msg" in optional else "NULL"
        parts.append(
            f"SELECT {prefix}name AS run_task, {prefix}sequence AS run_sequence, {prefix}run_status AS run_status,"
            f" {return_code} AS run_code, {prefix}started AS run_started, {prefix}completed AS run_completed,"
            f" {prefix}inserted AS run_inserted, {prefix}rejected AS run_rejected, {return_message} AS run_message"
            f" FROM {metabase}.{log} WHERE {prefix}started >= ?"
            + (f" AND LOWER({prefix}name) = LOWER(?)" if is_one_table else "")
        )
    return _last_runs(
        metabase,
        " UNION ALL ".join(parts),
        "run_task, run_sequence, run_status, run_code, run_started, run_completed, run_inserted, run_rejected,"
        " run_message",
    )


def audit_log_query(metabase: str, is_one_table: bool) -> str:
    """Return the query for the last runs as the audit log shows them; parameters and databases as above."""
    return _last_runs(
        metabase,
        "SELECT wa_task AS run_task, wa_sequence AS run_sequence,"
        " MAX(CASE WHEN wa_status IN ('E', 'F') THEN 2 WHEN wa_status = 'W' THEN 1 ELSE 0 END) AS run_severity,"
        " MIN(wa_time_stamp) AS run_started, MAX(wa_time_stamp) AS run_completed,"
        " MAX(CASE WHEN wa_message LIKE '% rows, %' OR wa_message LIKE '1 row, %' THEN wa_message END) AS run_message"
        f" FROM {metabase}.ws_wrk_audit_log WHERE wa_time_stamp >= ?"
        + (" AND LOWER(wa_task) = LOWER(?)" if is_one_table else "")
        + " GROUP BY wa_task, wa_job_key, wa_sequence",
        "run_task, run_sequence, run_severity, run_started, run_completed, run_message",
    )


def _last_runs(metabase: str, runs: str, columns: str) -> str:
    return (
        f"SELECT {columns} FROM ("
        "SELECT runs.*, ROW_NUMBER() OVER (PARTITION BY LOWER(run_task) ORDER BY run_started DESC, run_sequence DESC)"
        f" AS run_age FROM ({runs}) AS runs"
        f" WHERE LOWER(run_task) IN (SELECT LOWER(lt_table_name) FROM {metabase}.ws_load_tab)) AS numbered"
        f" WHERE run_age <= {MOST_RUNS} ORDER BY run_task, run_age"
    )


def _by_table(runs: Sequence[TaskRun]) -> dict[str, list[TaskRun]]:
    found: dict[str, list[TaskRun]] = {}
    seen: set[tuple[str, int]] = set()
    for run in runs:
        key = run.task.lower(), run.sequence
        # A run may be in both tables while RED moves it.
        if key not in seen:
            seen.add(key)
            found.setdefault(key[0], []).append(run)
    return found


def _run_of_task_log(
    task: str,
    sequence: int,
    status: str | None,
    code: int | None,
    started: datetime,
    completed: datetime | None,
    inserted: int | None,
    rejected: int | None,
    message: str | None,
) -> TaskRun:
    outcome = outcome_of(status or "", code, rejected or 0)
    if outcome in UNFINISHED:
        inserted = None
    return TaskRun(task, int(sequence), outcome, started, completed, inserted, rejected, message or "")


def outcome_of(status: str, code: int | None, rejected: int) -> str:
    """Tell how a run ended.

    Arguments:
        status: RED's letter. C completed, F failed, R running, W waiting, A aborted and H on hold are seen of jobs;
            those of tasks are taken to be the same.
        code: what the script reported: 1, -1, -2 or -3; None if it is not kept.
        rejected: rows; they make a run that completed one with warnings.
    """
    outcomes = {"F": "failed", "A": "failed", "R": "running", "W": "waiting", "H": "held"}
    if status in outcomes:
        return outcomes[status]
    if code is not None and code < 0:
        return "warnings" if code == -1 else "failed"
    if status == "C" or code == 1:
        return "warnings" if rejected else "loaded"
    return "unknown"


def _run_of_audit_log(
    task: str, sequence: int, severity: int, started: datetime, completed: datetime, message: str | None
) -> TaskRun:
    line = _LOAD_LINE.match(message or "")
    inserted = _number(line["rows"]) if line else None
    rejected = _number(line["rejected"] or "0") if line else None
    outcome = "failed" if severity == 2 else "warnings" if severity or rejected else "loaded" if line else "unknown"
    return TaskRun(task, int(sequence), outcome, started, completed, inserted, rejected, message or "")


def _number(text: str) -> int:
    return int(text.replace(",", ""))


def days_before(now: datetime, days: int) -> datetime:
    """Return the moment some days before, in whole seconds."""
    return (now - timedelta(days=days)).replace(microsecond=0)
