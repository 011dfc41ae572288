"""RED's metadata repository: its callable routines and its tables, on SQL Server and on PostgreSQL.

A routine is declared once; how it is called is the matter of two small functions, `postgresql_call` and `tsql.call`.
Signatures: RED 9 and 10, "Callable Routines API".
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from wherescape import tsql
from wherescape.column_types import TableColumn
from wherescape.database import Database
from wherescape.environment import Environment, is_postgresql_metabase
from wherescape.errors import ParameterTooLong, RoutineFailed, RoutineMissing, TableNotRegistered

logger = logging.getLogger(__name__)

PARAMETER_NAME_LENGTH = 64
PARAMETER_VALUE_LENGTH = 2_000
MESSAGE_LENGTH = 256
BULK_LENGTH = 32_000


@dataclass(frozen=True)
class Routine:
    """A callable routine of RED.

    Arguments:
        name: as RED documents it.
        inputs: name and SQL type of each input, in order.
        outputs: likewise; a routine without outputs answers with a return value.
        in_order: whether T-SQL passes the inputs by position, where RED's releases disagree on the names.
        until_red_9: whether RED 10 no longer has it.
    """

    name: str
    inputs: tuple[tuple[str, str], ...]
    outputs: tuple[tuple[str, str], ...] = ()
    in_order: bool = False
    until_red_9: bool = False


_COMMON_INPUTS = (
    ("p_sequence", "integer"),
    ("p_job_name", "varchar(64)"),
    ("p_task_name", "varchar(64)"),
    ("p_job_id", "integer"),
    ("p_task_id", "integer"),
)
_COMMON_OUTPUTS = (("p_return_code", "varchar(1)"), ("p_return_msg", "varchar(256)"), ("p_result", "integer"))
_MESSAGE_INPUTS = (
    ("p_status_code", "varchar(1)"),
    ("p_job_name", "varchar(64)"),
    ("p_task_name", "varchar(64)"),
    ("p_sequence", "integer"),
    ("p_message", "varchar(256)"),
    ("p_db_code", "varchar(10)"),
    ("p_db_msg", "varchar(256)"),
    ("p_task_key", "integer"),
    ("p_job_key", "integer"),
)
# RED documents the bulk routines with the job's key before the task's.
_BULK_MESSAGE_INPUTS = (
    *_MESSAGE_INPUTS[:4],
    ("p_message", "varchar(32767)"),
    *_MESSAGE_INPUTS[5:7],
    ("p_job_key", "integer"),
    ("p_task_key", "integer"),
)
_MESSAGE_TYPE = (("p_msg_type", "varchar(10)"),)
COUNTERS = ("inserted", "updated", "replaced", "deleted", "discarded", "rejected", "errored")

PARAMETER_READ = Routine(
    "WsParameterRead",
    (("p_parameter", "varchar(64)"),),
    (("p_value", "varchar(max)"), ("p_comment", "varchar(256)")),
)
PARAMETER_WRITE = Routine(
    "WsParameterWrite",
    (("p_parameter", "varchar(64)"), ("p_value", "varchar(2000)"), ("p_comment", "varchar(256)")),
)
WORK_TASK = Routine(
    "WsWrkTask",
    tuple((f"p_{name}", "integer") for name in ("job_key", "task_key", "sequence", *COUNTERS)),
)
WORK_AUDIT = Routine("WsWrkAudit", _MESSAGE_INPUTS)
WORK_AUDIT_BULK = Routine("WsWrkAuditBulk", _BULK_MESSAGE_INPUTS)
WORK_ERROR = Routine("WsWrkError", _MESSAGE_INPUTS + _MESSAGE_TYPE)
WORK_ERROR_BULK = Routine("WsWrkErrorBulk", _BULK_MESSAGE_INPUTS + _MESSAGE_TYPE)
CLEAR_LOGS_BY_DATE = Routine(
    "Ws_Job_Clear_Logs_By_Date",
    (*_COMMON_INPUTS, ("p_job_to_clean", "varchar(64)"), ("p_day_count", "integer")),
    _COMMON_OUTPUTS,
    in_order=True,
    until_red_9=True,
)
CLEAR_ARCHIVE = Routine(
    "Ws_Job_Clear_Archive",
    (*_COMMON_INPUTS, ("p_day_count", "varchar(64)"), ("p_job", "varchar(64)"), ("p_options", "varchar(256)")),
    _COMMON_OUTPUTS,
    in_order=True,
    until_red_9=True,
)


def postgresql_call(routine: Routine, metabase: str, spelling: str, is_procedure: bool) -> str:
    """Return the PostgreSQL statement that calls a routine.

    Arguments:
        routine: the routine.
        metabase: the repository's schema.
        spelling: the routine's name in pg_proc; releases of RED differ in underscores and letter case.
        is_procedure: whether it is called with CALL.
    """
    # psqlODBC sends untyped parameters; the casts make the choice between overloads certain.
    inputs = [f"CAST(? AS {'integer' if kind == 'integer' else 'varchar'})" for _, kind in routine.inputs]
    if is_procedure:
        return f'CALL {metabase}."{spelling}"({", ".join(inputs + ["NULL"] * max(len(routine.outputs), 1))})'
    return f'SELECT * FROM {metabase}."{spelling}"({", ".join(inputs)})'


class Repository:
    """RED's metadata repository.

    Arguments:
        database: the connection to it.
        environment: names the repository's schema, and the job and task that messages and counters belong to.
    """

    def __init__(self, database: Database, environment: Environment) -> None:
        self.database = database
        self.environment = environment
        self.metabase = environment.metabase
        self._calls: dict[str, str] = {}

    @property
    def is_postgresql(self) -> bool:
        """Whether this is a repository of RED 10: its schema is `red`."""
        return is_postgresql_metabase(self.metabase)

    def call(self, routine: Routine, values: Sequence[object]) -> Any:
        """Call a routine and return its row of outputs, or of its return value.

        Raises:
            RoutineMissing: this release of RED does not have it.
            DatabaseError: the call was refused.
        """
        if routine.name not in self._calls:
            self._calls[routine.name] = self._statement(routine)
        rows = self.database.query(self._calls[routine.name], values)
        if not rows:
            raise RoutineFailed(f"RED's routine {routine.name} answered nothing.")
        return rows[0]

    def may_execute(self, routine: Routine) -> bool:
        """Tell whether the user of the connection may call a routine.

        Raises:
            RoutineMissing: this release of RED does not have it.
        """
        self._statement(routine)
        if not self.is_postgresql:
            name = f"{self.metabase}.{routine.name}"
            return bool(self.database.query(tsql.HAS_RIGHT, (name, "EXECUTE"))[0][0])
        rows = self.database.query(
            "SELECT CAST(has_function_privilege(p.oid, 'EXECUTE')"
            f" AND has_schema_privilege(p.pronamespace, 'USAGE') AS integer) {_POSTGRESQL_ROUTINE}",
            (self.metabase, _without_underscores(routine.name)),
        )
        return bool(rows[0][0])

    def read_parameter(self, name: str) -> tuple[str, str]:
        """Return a parameter's value and comment, both empty if it does not exist."""
        value, comment = self.call(PARAMETER_READ, (name,))
        return value or "", comment or ""

    def write_parameter(self, name: str, value: str, comment: str | None) -> int:
        """Write a parameter; see `WhereScape.write_parameter`."""
        if len(name) > PARAMETER_NAME_LENGTH:
            raise ParameterTooLong(
                f"The parameter name {name!r} has {len(name)} characters; RED keeps {PARAMETER_NAME_LENGTH}."
            )
        if len(value) > PARAMETER_VALUE_LENGTH:
            raise ParameterTooLong(
                f"The value for parameter {name} has {len(value):,} characters; RED keeps {PARAMETER_VALUE_LENGTH:,}."
            )
        result = int(self.call(PARAMETER_WRITE, (name, value, comment))[0])
        if result < 0:
            raise RoutineFailed(f"RED's routine WsParameterWrite answered {result} for parameter {name}.")
        return result

    def parameter_names(self) -> list[str]:
        """Return the names of all parameters, in order."""
        rows = self.database.query(
            f"SELECT dss_parameter_name FROM {self.metabase}.dss_parameter ORDER BY dss_parameter_name"
        )
        return [row[0] for row in rows]

    def update_task_log(self, counts: Sequence[int]) -> int:
        """Add row counts to the task's log; see `WhereScape.update_task_log`."""
        number = self.environment.number
        keys = (number("WSL_JOB_KEY"), number("WSL_TASK_KEY"), number("WSL_SEQUENCE"))
        return int(self.call(WORK_TASK, (*keys, *counts))[0])

    def write_messages(self, single: Routine, bulk: Routine, messages: Iterable[str], status: str) -> None:
        """Write messages to the audit or the error log, each cut into pieces of 256 characters."""
        pieces = [piece for message in messages for piece in split_message(message)]
        if len(pieces) > 1:
            try:
                for joined in join_pieces(pieces):
                    self._write_message(bulk, joined, status)
                return
            except RoutineMissing:
                logger.debug("RED has no %s; its messages are sent one by one.", bulk.name)
        for piece in pieces:
            self._write_message(single, piece, status)

    def clear(self, routine: Routine, *values: object) -> tuple[str, str, int]:
        """Call a routine with the common inputs and outputs."""
        code, message, result = self.call(routine, [*self.environment.common_inputs, *values])
        return str(code), str(message or ""), int(result)

    def find_table(self, name: str, schema: str) -> "RegisteredTable":
        """Find a load table, or a stage table, by name.

        Arguments:
            name: the table's name without its schema.
            schema: decides between tables of one name in several targets.

        Raises:
            TableNotRegistered: RED knows none.
        """
        for kind in (LOAD_TABLES, STAGE_TABLES):
            key = f"tab.{kind.prefix}t_obj_key"
            rows = self.database.query(
                f"SELECT {key}, {kind.file_columns}"
                f" FROM {self.metabase}.{kind.table} AS tab"
                f" LEFT JOIN {self.metabase}.ws_obj_object AS obj ON obj.oo_obj_key = {key}"
                f" LEFT JOIN {self.metabase}.ws_dbc_target AS target ON target.dt_target_key = obj.oo_target_key"
                f" WHERE LOWER(tab.{kind.prefix}t_table_name) = LOWER(?)"
                f" ORDER BY CASE WHEN LOWER(target.dt_schema) = LOWER(?) THEN 0 ELSE 1 END, {key}",
                (name, schema),
            )
            if rows:
                object_key, file_path, file_name = rows[0]
                return RegisteredTable(int(object_key), file_path or "", file_name or "", kind)
        raise TableNotRegistered(
            f"RED's repository has no load or stage table {name!r}. Create the object in RED, or check WSL_LOAD_TABLE."
        )

    def columns(self, table: "RegisteredTable") -> tuple[list[str], list[str]]:
        """Return the names and types of a table's columns, in column order."""
        rows = self._columns(table, "data_type")
        return [name for name, _ in rows], [data_type for _, data_type in rows]

    def column_definitions(self, table: "RegisteredTable") -> list[TableColumn]:
        """Return a table's columns in order."""
        rows = self._columns(table, "data_type", "nulls_flag")
        return [TableColumn(name, data_type or "", flag != "N") for name, data_type, flag in rows]

    def columns_by_source(self, table: "RegisteredTable") -> dict[str, str]:
        """Return the names of a table's columns by their source columns."""
        names: dict[str, str] = {}
        for name, source in self._columns(table, "src_column"):
            if source:
                names.setdefault(source, name)
        return names

    def warehouse_tables(self, kind: "TableKind") -> "list[WarehouseTable]":
        """Return all tables of a kind with their columns in order, as RED has them; by schema and name."""
        tab, col = f"tab.{kind.prefix}t", f"col.{kind.prefix}c"
        rows = self.database.query(
            f"SELECT {tab}_obj_key, {tab}_table_name, target.dt_schema, target.dt_database,"
            f" {col}_col_name, {col}_data_type, {col}_key_type"
            f" FROM {self.metabase}.{kind.table} AS tab"
            f" LEFT JOIN {self.metabase}.ws_obj_object AS obj ON obj.oo_obj_key = {tab}_obj_key"
            f" LEFT JOIN {self.metabase}.ws_dbc_target AS target ON target.dt_target_key = obj.oo_target_key"
            f" LEFT JOIN {self.metabase}.{kind.columns} AS col ON {col}_obj_key = {tab}_obj_key"
            f" ORDER BY target.dt_schema, {tab}_table_name, {tab}_obj_key, {col}_order, {col}_col_key"
        )
        columns: dict[tuple[Any, ...], list[WarehouseColumn]] = {}
        for row in rows:
            found = columns.setdefault(tuple(row[:4]), [])
            if row[4]:
                found.append(WarehouseColumn(*(str(value or "").strip() for value in row[4:])))
        return [
            WarehouseTable(
                kind, name.strip(), (schema or "").strip().rstrip("."), (database or "").strip(), tuple(its)
            )
            for (_, name, schema, database), its in columns.items()
        ]

    def _columns(self, table: "RegisteredTable", *fields: str) -> list[tuple[str, ...]]:
        """Return the columns' names and some things more, in column order."""
        prefix = table.kind.prefix
        what = ", ".join(f"{prefix}c_{field}" for field in fields)
        rows = self.database.query(
            f"SELECT {prefix}c_col_name, {what} FROM {self.metabase}.{table.kind.columns}"
            f" WHERE {prefix}c_obj_key = ? ORDER BY {prefix}c_order, {prefix}c_col_key",
            (table.object_key,),
        )
        return [tuple(row) for row in rows]

    def _write_message(self, routine: Routine, message: str, status: str) -> None:
        environment = self.environment
        values = {
            "p_status_code": status,
            "p_job_name": environment.get("WSL_JOB_NAME"),
            "p_task_name": environment.get("WSL_TASK_NAME"),
            "p_sequence": environment.number("WSL_SEQUENCE"),
            "p_message": message,
            "p_task_key": environment.number("WSL_TASK_KEY"),
            "p_job_key": environment.number("WSL_JOB_KEY"),
        }
        result = int(self.call(routine, [values.get(name, "") for name, _ in routine.inputs])[0])
        if result < 0:
            raise RoutineFailed(f"RED's routine {routine.name} answered {result}.")

    def _statement(self, routine: Routine) -> str:
        missing = RoutineMissing(
            f"This RED repository ({self.metabase}) has no routine {routine.name}."
            + (" RED 10 moved its jobs to another scheduler and dropped it." if routine.until_red_9 else "")
        )
        if not self.is_postgresql:
            found = self.database.query(tsql.OBJECT_ID, (f"{self.metabase}.{routine.name}",))
            if found[0][0] is None:
                raise missing
            return tsql.call(routine, self.metabase)
        rows = self.database.query(
            f"SELECT p.proname, p.prokind {_POSTGRESQL_ROUTINE}", (self.metabase, _without_underscores(routine.name))
        )
        if not rows:
            raise missing
        return postgresql_call(routine, self.metabase, rows[0][0], rows[0][1] == "p")


_POSTGRESQL_ROUTINE = (
    "FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace"
    " WHERE LOWER(n.nspname) = LOWER(?) AND LOWER(REPLACE(p.proname, '_', '')) = ?"
)


def _without_underscores(name: str) -> str:
    return name.replace("_", "").lower()


@dataclass(frozen=True)
class TableKind:
    """Where RED keeps tables of one kind: `lt_` and `lc_` columns for load tables, `st_` and `sc_` for stage."""

    table: str
    columns: str
    prefix: str
    file_columns: str = "NULL, NULL"


LOAD_TABLES = TableKind("ws_load_tab", "ws_load_col", "l", "tab.lt_file_path, tab.lt_file_name")
STAGE_TABLES = TableKind("ws_stage_tab", "ws_stage_col", "s")
FACT_TABLES = TableKind("ws_fact_tab", "ws_fact_col", "f")
DIMENSIONS = TableKind("ws_dim_tab", "ws_dim_col", "d")
DATA_STORES = TableKind("ws_ods_tab", "ws_ods_col", "o")
EDW_TABLES = TableKind("ws_normal_tab", "ws_normal_col", "n")


@dataclass(frozen=True)
class RegisteredTable:
    """A table as RED knows it; file path and name are its "Source Directory" and "Source File Name"."""

    object_key: int
    file_path: str
    file_name: str
    kind: TableKind


@dataclass(frozen=True)
class WarehouseColumn:
    """A column of a table in the warehouse.

    Arguments:
        name: its name.
        data_type: its type, as RED writes it into the table's definition.
        key_type: 2 for a dimension key of a fact table, A for a business key; RED's documentation does not list the
            letters, they are inferred from repositories in use.
    """

    name: str
    data_type: str
    key_type: str


@dataclass(frozen=True)
class WarehouseTable:
    """A table in the warehouse; without a target in RED it has neither schema nor database."""

    kind: TableKind
    name: str
    schema: str
    database: str
    columns: tuple[WarehouseColumn, ...]


def split_message(message: str) -> list[str]:
    """Cut a message into lines, and lines into pieces of at most 256 characters."""
    lines = [line for line in message.splitlines() if line.strip()] or [""]
    return [line[at : at + MESSAGE_LENGTH] for line in lines for at in range(0, max(len(line), 1), MESSAGE_LENGTH)]


def join_pieces(pieces: Iterable[str]) -> list[str]:
    """Join messages for the bulk routines, which cut at a line feed or a `~` and take 32,767 bytes at a time."""
    joined: list[str] = []
    for piece in pieces:
        harmless = piece.replace("~", "-")
        if joined and len(joined[-1].encode()) + len(harmless.encode()) < BULK_LENGTH:
            joined[-1] += "\n" + harmless
        else:
            joined.append(harmless)
    return joined
