"""WhereScape: the one object that a host script talks to."""

import atexit
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from wherescape import host_script_process, redaction
from wherescape import repository as red
from wherescape.database import Database, Row
from wherescape.environment import Environment
from wherescape.errors import TableNotRegistered
from wherescape.extraction import Extraction
from wherescape.helper_functions import prepare_metadata_query
from wherescape.high_water_mark import HighWaterMark, confirm_high_water_marks, read_high_water_mark
from wherescape.load import RejectLimits
from wherescape.load_task import LoadResult, load_task
from wherescape.logging import Report, report
from wherescape.record_batches import Record
from wherescape.repository import RegisteredTable, Repository
from wherescape.tables import Table

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)


class WhereScape:
    """RED and its databases, as a host script sees them.

    Connections open on first use, one for each database, are reused, and are closed at exit.

    Arguments:
        environ: the WSL_* variables. Left out, they come from `os.environ` and the process becomes a host script: its
            standard output is kept for the status line that RED reads (see `wherescape.logging`). With a mapping of
            your own, nothing outside this object is touched.

    Raises:
        EnvironmentVariableError: from any member that needs a variable which is missing.
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environment = Environment(os.environ if environ is None else environ)
        redaction.add_secrets_of(os.environ if environ is None else environ)
        self._report = Report() if environ is not None else report
        self.run_started = datetime.now(UTC)
        """When this object was made, in UTC: the `dss_load_date` of the rows that it loads."""
        if environ is None:
            workdir = self._environment.get("WSL_WORKDIR")
            host_script_process.take_over(self.workdir if workdir else None)
        atexit.register(self.close)

    # ------------------------------------------------------------------------------------------------ databases

    @cached_property
    def meta(self) -> Database:
        """The connection to RED's metadata repository."""
        return Database(self._environment.login("repository", "WSL_META"))

    @cached_property
    def target(self) -> Database:
        """The connection to the target database, the warehouse."""
        return Database(self._environment.login("target", "WSL_TGT"))

    @cached_property
    def source(self) -> Database:
        """The connection to the source database."""
        return Database(self._environment.login("source", "WSL_SRC"))

    def query_meta(self, sql: str, params: Sequence[object] | None = None) -> list[Any]:
        """Return the rows of a query on the repository; commits, so that no lock is left.

        Arguments:
            sql: one statement or batch with `?` for each parameter; of several row sets the last is returned.
            params: the parameters' values; aware datetimes are sent in UTC.

        Raises:
            ConnectionFailed, StatementFailed
        """
        return self.meta.query(sql, params)

    def query_target(self, sql: str, params: Sequence[object] | None = None) -> list[Any]:
        """Return the rows of a query on the target database; see `query_meta`."""
        return self.target.query(sql, params)

    def query_source(self, sql: str, params: Sequence[object] | None = None) -> list[Any]:
        """Return the rows of a query on the source database; see `query_meta`."""
        return self.source.query(sql, params)

    def push_to_meta(self, sql: str, params: Sequence[object] | None = None) -> int:
        """Run a statement on the repository in one transaction and return how many rows it changed.

        Arguments:
            sql: one statement or batch with `?` for each parameter; the counts of a batch are added up.
            params: the parameters' values; aware datetimes are sent in UTC.

        Raises:
            ConnectionFailed, StatementFailed: the transaction is rolled back.
        """
        return self.meta.execute(sql, params)

    def push_to_target(self, sql: str, params: Sequence[object] | None = None) -> int:
        """Run a statement on the target database; see `push_to_meta`."""
        return self.target.execute(sql, params)

    def push_to_source(self, sql: str, params: Sequence[object] | None = None) -> int:
        """Run a statement on the source database; see `push_to_meta`."""
        return self.source.execute(sql, params)

    def push_many_to_target(self, sql: str, rows: Iterable[Row]) -> int:
        """Run a statement on the target database for every row, all or nothing.

        Arguments:
            sql: a plain `INSERT INTO t (a, b) VALUES (?, ?)` is sent as sets of rows, fast at any distance; any other
                statement goes through the driver's executemany.
            rows: any iterable of rows; it is read as it is sent.

        Returns:
            The number of rows.

        Raises:
            ConnectionFailed, StatementFailed, ValueDoesNotFit: nothing has changed.
        """
        return self.target.execute_many(sql, rows)

    # ------------------------------------------------------------------------------------------- load tables

    def create_metadata(self, table: Table) -> None:
        """Write a declared table's columns into RED's repository, for the load table that this script is attached to.

        Existing columns keep their key and transformations; types are those of the target database.

        Raises:
            TableNotRegistered: RED does not know the load table.
        """
        if self._registered.kind is not red.LOAD_TABLES:
            raise TableNotRegistered(f"{self.table} is a stage table; columns are registered for load tables only.")
        types = self.target.dialect.types
        columns = table.columns
        self.push_to_meta(
            prepare_metadata_query(
                self.object_key,
                table.kind,
                [column.name for column in columns],
                [column.display_name for column in columns],
                [types[column.data_type] for column in columns],
                [column.comment for column in columns],
                [column.source for column in columns],
                metabase=self._repository.metabase,
                load_date_type=types["timestamp"],
            )
        )
        self.main_message = f"{len(table.all_columns)} columns registered"

    def load(
        self,
        table: Table,
        records: "Iterable[Record] | pd.DataFrame",
        *,
        extraction: Extraction | None = None,
        mark: HighWaterMark | None = None,
        allow_skipped: bool = False,
        max_rejected: int = 100,
        max_rejected_share: float = 0.05,
        progress_seconds: float = 60,
        report_page: bool | None = None,
    ) -> LoadResult:
        """Insert records into the load table that this script is attached to.

        All rows are one transaction. What is stored equals what came, or the row goes to
        `{WSL_WORKDIR}/rejects/{table}_{sequence}.jsonl` with its reason, which is a warning. After the commit follow
        the task log, the high-water mark, the main message, and `{WSL_WORKDIR}/runs/{table}_{sequence}.json`, which
        tells the load as data.

        Arguments:
            table: the declaration of the load table.
            records: dicts, from any iterable, read while they are inserted; or a pandas DataFrame, whose missing
                values are NULL.
            extraction: what the API client tells about its reading. Parts of the source that could not be read, or
                fewer rows than it said that it has, hold the mark back; without it nobody knows of them.
            mark: the high-water mark to move, from `high_water_mark`.
            allow_skipped: move it although parts of the source could not be read.
            max_rejected: the load fails with more rejected rows than this,
            max_rejected_share: if they are also more than this share of the rows so far, from 0 to 1.
            progress_seconds: how often RED's audit log is told how far the load is.
            report_page: also draw the report as a page to look at, `{WSL_WORKDIR}/runs/{table}_{sequence}.html`; left
                out, the environment variable WHERESCAPE_REPORT_PAGE (`on` or `off`) decides, and without it, not.

        Raises:
            LoadError, DatabaseError, and whatever the records raise: the mark stays, and nothing was inserted, unless
                the connection broke at the commit (`ConnectionFailed.may_be_committed`).
            MarkNotMoved: the rows are inserted. A task log that cannot be written is only a warning.
        """
        return load_task(
            self,
            table,
            records,
            extraction=extraction,
            mark=mark,
            allow_skipped=allow_skipped,
            limits=RejectLimits(max_rejected, max_rejected_share),
            progress_seconds=progress_seconds,
            report_page=report_page,
        )

    def high_water_mark(
        self, name: str = "", *, lookback: timedelta = timedelta(), staged: bool = False
    ) -> HighWaterMark:
        """Read how far the last load came: read the source from `.since` on, and give the mark to one `load`.

        Arguments:
            name: the RED parameter that keeps it; `HWM_` and the load table's name when left out.
            lookback: how much earlier to start, for sources that change old rows.
            staged: keep the next mark under `{name}_next` until `confirm_high_water_marks` is called at the end of the
                job. A load table is emptied at each start: without it, a step behind the load that fails, or a kill
                between the mark and the end of the task, can lose the rows of this load.

        Raises:
            ParameterTooLong: the name does not fit.
        """
        return read_high_water_mark(self, name, lookback, is_staged=staged)

    def confirm_high_water_marks(self, *names: str) -> list[str]:
        """Make staged high-water marks count; see `wherescape.high_water_mark.confirm_high_water_marks`."""
        return confirm_high_water_marks(*names, wherescape=self)

    def get_columns(self) -> tuple[list[str], list[str]]:
        """Return the names and types of the load or stage table's columns, as RED has them, in column order.

        Raises:
            TableNotRegistered: RED does not know the table.
        """
        return self._repository.columns(self._registered)

    def columns_by_source(self, table: str = "") -> dict[str, str]:
        """Return the names of a table's columns by their source columns, as RED has them; empty without metadata.

        A column that was renamed in RED keeps its source. Of several with the same source it is the first.

        Arguments:
            table: its name without the schema; this script's load or stage table when left out.

        Raises:
            TableNotRegistered: RED does not know the table.
        """
        found = self._repository.find_table(table, self.schema) if table else self._registered
        return self._repository.columns_by_source(found)

    # ------------------------------------------------------------------------------------------------------ RED

    @overload
    def read_parameter(self, name: str, include_comment: Literal[False] = False) -> str: ...

    @overload
    def read_parameter(self, name: str, include_comment: Literal[True]) -> tuple[str, str]: ...

    def read_parameter(self, name: str, include_comment: bool = False) -> str | tuple[str, str]:
        """Return a RED parameter's value, an empty text if it does not exist.

        Arguments:
            name: compared with case.
            include_comment: return the pair of value and comment.
        """
        value, comment = self._repository.read_parameter(name)
        if redaction.is_secret_name(name):
            redaction.add_secret(value)
        return (value, comment) if include_comment else value

    def parameter_names(self) -> list[str]:
        """Return the names of all RED parameters, in order."""
        return self._repository.parameter_names()

    def write_parameter(self, name: str, value: str = "", comment: str | None = None) -> int:
        """Write a RED parameter.

        Arguments:
            name: 64 characters at most.
            value: 2,000 characters at most.
            comment: None leaves the comment as it is.

        Returns:
            1 if the parameter was updated, 2 if it was added (RED: WsParameterWrite).

        Raises:
            ParameterTooLong: before anything is sent.
            RoutineFailed: RED answered with an error.
        """
        return self._repository.write_parameter(name, value, comment)

    def update_task_log(
        self,
        inserted: int = 0,
        updated: int = 0,
        replaced: int = 0,
        deleted: int = 0,
        discarded: int = 0,
        rejected: int = 0,
        errored: int = 0,
    ) -> int:
        """Write row counts into RED's task log.

        Outside a task of a job there is no such log: says so at INFO and does nothing.

        Returns:
            0 for success, -1 for a warning, -3 for an error (RED: WsWrkTask); all but 0 are logged as a warning, since
            the rows themselves are safe.
        """
        counts = (inserted, updated, replaced, deleted, discarded, rejected, errored)
        if not self._environment.is_scheduled_task:
            named = ", ".join(f"{count:,} {name}" for name, count in zip(red.COUNTERS, counts, strict=True) if count)
            logger.info("Not run as a task of a job, so there is no task log to write to: %s.", named or "no rows")
            return 0
        result = self._repository.update_task_log(counts)
        if result != 0:
            logger.warning("RED's routine WsWrkTask answered %s: the task log does not show the row counts.", result)
        return result

    def audit(self, message: str) -> None:
        """Write a message to RED's audit log, 256 characters a row.

        In a run from the RED user interface, or outside RED, it is logged instead.
        """
        self._write_messages(red.WORK_AUDIT, red.WORK_AUDIT_BULK, message)

    def detail(self, message: str) -> None:
        """Write a message to RED's detail (error) log, 256 characters a row; see `audit`."""
        self._write_messages(red.WORK_ERROR, red.WORK_ERROR_BULK, message)

    def job_clear_logs_by_date(self, days_to_retain: int = 90, job_to_clean: str = "%") -> tuple[str, str, int]:
        """Archive the logs of jobs that are older than some days (RED 8 and 9: Ws_Job_Clear_Logs_By_Date).

        Arguments:
            days_to_retain: 0 archives all.
            job_to_clean: a job's name; `%` stands for any text.

        Returns:
            Return code (S, E or F), message, result (1, -2 or -3).

        Raises:
            RoutineMissing: RED 10 does not have the routine.
        """
        return self._repository.clear(red.CLEAR_LOGS_BY_DATE, job_to_clean, days_to_retain)

    def job_clear_archive_by_date(self, days_to_retain: int = 365, job_to_clean: str = "%") -> tuple[str, str, int]:
        """Delete archived logs of jobs that are older than some days (RED 8 and 9: Ws_Job_Clear_Archive).

        See `job_clear_logs_by_date`.
        """
        return self._repository.clear(red.CLEAR_ARCHIVE, str(days_to_retain), job_to_clean, None)

    @property
    def status(self) -> int:
        """What RED would be told if the script ended now: 1 success, -1 warnings, -2 errors, -3 fatal."""
        return self._report.status

    @property
    def main_message(self) -> str:
        """What RED shows as the task's result: the second line of output."""
        return self._report.main_message

    @main_message.setter
    def main_message(self, message: str) -> None:
        self._report.main_message = "" if message is None else str(message)

    # --------------------------------------------------------------------------------------------- environment

    @property
    def workdir(self) -> Path:
        """The work folder (WSL_WORKDIR)."""
        return self._environment.workdir

    @property
    def sequence(self) -> int:
        """The job run's sequence number, 0 outside a job (WSL_SEQUENCE)."""
        return self._environment.number("WSL_SEQUENCE")

    @property
    def job_key(self) -> int:
        """The job's key, 0 outside a job (WSL_JOB_KEY)."""
        return self._environment.number("WSL_JOB_KEY")

    @property
    def job_name(self) -> str:
        """The job's name, `Develop` in the RED user interface (WSL_JOB_NAME)."""
        return self._environment.get("WSL_JOB_NAME")

    @property
    def task_key(self) -> int:
        """The task's key, 0 outside a job (WSL_TASK_KEY)."""
        return self._environment.number("WSL_TASK_KEY")

    @property
    def task_name(self) -> str:
        """The task's name (WSL_TASK_NAME)."""
        return self._environment.get("WSL_TASK_NAME")

    @property
    def table(self) -> str:
        """The load table's name without its schema (WSL_LOAD_TABLE)."""
        return self._environment.require("WSL_LOAD_TABLE")

    @property
    def schema(self) -> str:
        """The load table's schema without a trailing dot (WSL_LOAD_SCHEMA)."""
        return self._environment.load_schema

    @property
    def load_full_name(self) -> str:
        """The load table's schema and name (WSL_LOAD_FULLNAME)."""
        return self._environment.get("WSL_LOAD_FULLNAME") or ".".join(filter(None, (self.schema, self.table)))

    @property
    def object_key(self) -> int:
        """The key of the load or stage table in RED's repository, looked up when first asked for."""
        return self._registered.object_key

    @property
    def file_path(self) -> str:
        """The load table's "Source Directory" in RED, looked up when first asked for."""
        return self._registered.file_path

    @property
    def file_name(self) -> str:
        """The load table's "Source File Name" in RED, looked up when first asked for."""
        return self._registered.file_name

    @property
    def source_base_url(self) -> str:
        """The API's base URL, empty if the connection has none (WSL_SRCCFG_URL)."""
        return self._environment.get("WSL_SRCCFG_URL")

    @property
    def source_user(self) -> str:
        """The API's user, empty if the connection has none (WSL_SRCCFG_USER)."""
        return self._environment.get("WSL_SRCCFG_USER")

    @property
    def source_apikey(self) -> str:
        """The API's access token, empty if the connection has none (WSL_SRCCFG_APIKEY)."""
        return self._environment.get("WSL_SRCCFG_APIKEY")

    @property
    def common_input_parameter_list(self) -> list[int | str]:
        """The inputs that most routines of RED begin with: sequence, job name, task name, job key, task key."""
        return self._environment.common_inputs

    def close(self) -> None:
        """Close the connections; they open again on next use."""
        for name in ("meta", "target", "source"):
            if name in self.__dict__:
                self.__dict__[name].close()

    @cached_property
    def _repository(self) -> Repository:
        return Repository(self.meta, self._environment)

    @cached_property
    def _registered(self) -> RegisteredTable:
        if not self._environment.get("WSL_LOAD_TABLE"):
            raise TableNotRegistered("WSL_LOAD_TABLE is empty: attach the host script to a load table in RED.")
        return self._repository.find_table(self.table, self.schema)

    def _write_messages(self, single: red.Routine, bulk: red.Routine, message: str) -> None:
        if self._environment.is_scheduled_task:
            self._repository.write_messages(single, bulk, [redaction.redact(message)], status="I")
        else:
            logger.info("%s", message)
