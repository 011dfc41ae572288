"""The stand-in RED server: RED 10's metadata repository and a warehouse on an embedded PostgreSQL."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Self

import pyodbc

from wherescape.environment import SOURCE_PREFIX
from wherescape.errors import SandboxError
from wherescape.repository import DATA_STORES, DIMENSIONS, EDW_TABLES, FACT_TABLES, TableKind
from wherescape.sandbox import scheduler
from wherescape.sandbox.postgresql import Login, PostgreSQL, run_sql
from wherescape.sandbox.tcp_proxy import Address

PLACE = "server.json"
WAREHOUSE_SCHEMAS = ("load", "stage", "star")
WAREHOUSE_TABLE_TYPES = {
    FACT_TABLES: "Fact Table",
    DIMENSIONS: "Dimension",
    DATA_STORES: "Data Store",
    EDW_TABLES: "EDW 3NF",
}
RESET_WAREHOUSE = "".join(
    f"DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}; " for schema in WAREHOUSE_SCHEMAS
)
# A test that left a transaction open gets an error instead of a wait without end.
PATIENCE = "SET client_min_messages = warning; SET lock_timeout = '20s';"
RESET_REPOSITORY = f"{PATIENCE} DROP SCHEMA IF EXISTS red CASCADE; "


class RedServer:
    """A stand-in for a RED 10 server, to write, show and test host scripts without RED.

    One embedded PostgreSQL holds the database `red_repository` (schema `red`) and the database `warehouse` (schemas
    `load`, `stage` and `star`). Use it as a context manager, or call `start` and `stop`.

    Arguments:
        folder: where the work folder is; it stays. None: a temporary folder, removed at the end.
        keep: leave the server running at the end; `stop_command` tells how to stop it.
        with_job_routines: also offer the Ws_Job_* routines, which RED 8 and 9 have and RED 10 has not.
    """

    def __init__(self, folder: Path | None = None, *, keep: bool = False, with_job_routines: bool = False) -> None:
        self._repository = Login("red_repository", "red")
        self._warehouse = Login("warehouse", "warehouse")
        self._postgresql = PostgreSQL([self._repository, self._warehouse], keep=keep)
        self._folder = folder
        self._keep = keep
        self._with_job_routines = with_job_routines
        self._is_built = False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._keep:
            self.stop()

    def start(self) -> None:
        """Start the server with an empty repository and warehouse; takes about a second.

        Raises:
            SandboxError: there is no ODBC driver for PostgreSQL, or PostgreSQL does not start.
        """
        self._postgresql.start()
        try:
            self.workdir.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.reset()
            if self._keep and self._folder:
                self._note_place(self._folder)
        except BaseException:
            self.stop()
            raise

    def attach(self) -> bool:
        """Take over the server that an earlier process kept with the same `folder`, with all that is in it.

        Returns:
            Whether there is one; if not, `start` makes one.

        Raises:
            SandboxError: it was stopped since, and does not start, or the note of where it is cannot be read.
        """
        if self._folder is None or not (self._folder / PLACE).is_file():
            return False
        file = self._folder / PLACE
        try:
            place = json.loads(file.read_text(encoding="utf-8"))
            self._repository, self._warehouse = (Login(**login) for login in place["logins"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SandboxError(
                f"{file} does not say where the stand-in server is ({type(error).__name__}). Remove this file, and"
                " wherescape run starts another server."
            ) from error
        self._postgresql = PostgreSQL([self._repository, self._warehouse], keep=True)
        return self._postgresql.attach(Path(place["folder"]))

    def _note_place(self, folder: Path) -> None:
        """Note where the server is and its passwords, which are good on this machine only, for `attach`."""
        logins = [asdict(login) for login in (self._repository, self._warehouse)]
        (folder / ".gitignore").write_text("*\n", encoding="utf-8")
        file = folder / PLACE
        file.touch(mode=0o600)
        file.write_text(json.dumps({"folder": str(self._postgresql.folder), "logins": logins}), encoding="utf-8")

    def stop(self) -> None:
        """Stop the server, also one that is to be kept, and remove its temporary folder."""
        self._postgresql.stop()
        if self._folder:
            (self._folder / PLACE).unlink(missing_ok=True)

    def stop_command(self) -> str:
        """Return the command that stops a kept server, to paste into a terminal."""
        return _command_line([sys.executable, "-m", "wherescape.sandbox", "stop", str(self._postgresql.folder)])

    def psql_command(self, database: str = "warehouse") -> str:
        """Return the command that opens a database in psql, to paste into a terminal.

        Arguments:
            database: `warehouse` or `red_repository`.
        """
        return _command_line(self._postgresql.psql_command(database))

    def stop_database(self) -> None:
        """Stop repository and warehouse at once, as in a crash; `start_database` brings them back."""
        self._postgresql.stop_server()

    def start_database(self) -> None:
        """Start repository and warehouse again after `stop_database`, at the same address.

        Raises:
            SandboxError: PostgreSQL does not start.
        """
        self._postgresql.start_server()

    @property
    def database_address(self) -> Address:
        """Where repository and warehouse listen: the target of a `TcpProxy`."""
        return self._postgresql.address

    def variables_through(self, *, repository_port: int = 0, target_port: int = 0) -> dict[str, str]:
        """Return the variables that lead a host script to its databases through a `TcpProxy`.

            with TcpProxy(red.database_address) as proxy:
                variables = red.variables_through(target_port=proxy.port)
                red.run_host_script(script, table, environment=variables)

        Arguments:
            repository_port: where the proxy of the repository listens; 0: none.
            target_port: where the proxy of the warehouse listens; 0: none.
        """
        connection_string = self._postgresql.connection_string
        return {
            "WSL_META_DSN": connection_string(self._repository.database, repository_port),
            "WSL_TGT_DSN": connection_string(self._warehouse.database, target_port),
        }

    @property
    def workdir(self) -> Path:
        """The work folder of the scheduler, WSL_WORKDIR."""
        return (self._folder or self._postgresql.folder).resolve() / "workdir"

    @property
    def meta_connection_string(self) -> str:
        """A complete ODBC connection string for the repository, but for UID and PWD."""
        return self._postgresql.connection_string(self._repository.database)

    @property
    def meta_user(self) -> str:
        """The user that owns the repository."""
        return self._repository.user

    @property
    def meta_password(self) -> str:
        """The password of `meta_user`, another one for each server."""
        return self._repository.password

    @property
    def target_connection_string(self) -> str:
        """A complete ODBC connection string for the warehouse, but for UID and PWD."""
        return self._postgresql.connection_string(self._warehouse.database)

    @property
    def target_user(self) -> str:
        """The user that owns the warehouse."""
        return self._warehouse.user

    @property
    def target_password(self) -> str:
        """The password of `target_user`, another one for each server."""
        return self._warehouse.password

    def reset(self) -> None:
        """Empty repository, warehouse and work folder, as they are after the start.

        Raises:
            SandboxError: an open transaction holds one of their tables.
        """
        if not (self._is_built and self._is_restored()):
            scripts = ["repository.sql"] + ["repository_red9.sql"] * self._with_job_routines + ["pristine.sql"]
            sql = "\n".join(files("wherescape.sandbox").joinpath(name).read_text("utf-8") for name in scripts)
            self.query_repository(RESET_REPOSITORY + sql)
            self._is_built = True
        self.query_warehouse("SET client_min_messages = warning; SET lock_timeout = '20s'; " + RESET_WAREHOUSE)
        for entry in self.workdir.iterdir() if self._folder is None else ():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()

    def _is_restored(self) -> bool:
        """Put back the rows that the repository began with, which is quicker than to build it anew."""
        [[is_restored]] = self.query_repository(f"{PATIENCE} SELECT pristine.restore()")
        return str(is_restored) == "1"

    def query_repository(self, sql: str, params: Sequence[object] = ()) -> list[pyodbc.Row]:
        """Run a statement in the repository, commit, and return its rows.

        Raises:
            SandboxError: the repository refused the statement.
        """
        return run_sql(self.meta_connection_string, self.meta_user, self.meta_password, sql, params)

    def query_warehouse(self, sql: str, params: Sequence[object] = ()) -> list[pyodbc.Row]:
        """Run a statement in the warehouse, commit, and return its rows.

        Raises:
            SandboxError: the warehouse refused the statement.
        """
        return run_sql(self.target_connection_string, self.target_user, self.target_password, sql, params)

    def read_parameter(self, name: str) -> str | None:
        """Return the value of a RED parameter; None when there is no such parameter."""
        rows = self.query_repository(
            "SELECT dss_parameter_value FROM red.dss_parameter WHERE dss_parameter_name = ?", [name]
        )
        return rows[0][0] if rows else None

    def write_parameter(self, name: str, value: str) -> None:
        """Set a RED parameter, as a user of RED does in its parameter window."""
        self.query_repository("SELECT red.WsParameterWrite(?::varchar, ?::varchar, NULL)", [name, value])

    def register_load_table(
        self, name: str, file_path: str = "", file_name: str = "", *, truncate: bool = True
    ) -> int:
        """Make a load table known to the repository, without columns; update it when it is known already.

        Arguments:
            name: the name of the table.
            file_path: RED's field "Source Directory".
            file_name: RED's field "Source File Name".
            truncate: whether the scheduler empties the table before it runs a script ("Pre-load Action").

        Returns:
            The object key.
        """
        key = self._register_object(name, "Load Table", "load")
        self.query_repository(
            """
            INSERT INTO red.ws_load_tab (lt_obj_key, lt_table_name, lt_type, lt_connect_key, lt_pre_action,
                                         lt_file_path, lt_file_name)
            SELECT ?::integer, ?::varchar, 'S', dc_obj_key, ?::varchar, ?::varchar, ?::varchar
              FROM red.ws_dbc_connect WHERE dc_name = 'API Source'
            ON CONFLICT (lt_obj_key) DO UPDATE
               SET lt_pre_action = excluded.lt_pre_action, lt_file_path = excluded.lt_file_path,
                   lt_file_name = excluded.lt_file_name
            """,
            [key, name, "T" if truncate else "N", file_path, file_name],
        )
        return key

    def register_stage_table(self, name: str) -> int:
        """Make a stage table known to the repository, without columns, and return its object key."""
        key = self._register_object(name, "Stage Table", "stage")
        self.query_repository(
            "INSERT INTO red.ws_stage_tab (st_obj_key, st_table_name) VALUES (?::integer, ?::varchar) "
            "ON CONFLICT DO NOTHING",
            [key, name],
        )
        return key

    def register_warehouse_table(
        self, kind: TableKind, name: str, columns: Iterable[tuple[str, str, str]], target: str = "star"
    ) -> int:
        """Make a fact table, dimension, data store or EDW table known to the repository.

        Arguments:
            kind: of `wherescape.repository`, such as FACT_TABLES.
            name: the name of the table.
            columns: name, type and key type of each; key type 2 is a dimension key, A a business key.
            target: the schema that it is in: load, stage or star.

        Returns:
            The object key.
        """
        key = self._register_object(name, WAREHOUSE_TABLE_TYPES[kind], target)
        tab, col = f"{kind.prefix}t", f"{kind.prefix}c"
        self.query_repository(
            f"INSERT INTO red.{kind.table} ({tab}_obj_key, {tab}_table_name) VALUES (?::integer, ?::varchar)",
            [key, name],
        )
        self.query_repository(
            f"""
            INSERT INTO red.{kind.columns} ({col}_obj_key, {col}_order, {col}_col_name, {col}_data_type,
                                            {col}_key_type)
            SELECT ?::integer, 10 * number, column_of ->> 0, column_of ->> 1, column_of ->> 2
              FROM json_array_elements(?::json) WITH ORDINALITY AS columns (column_of, number)
            """,
            [key, json.dumps(list(columns))],
        )
        return key

    def create_table(self, name: str) -> None:
        """Create a load or stage table from its columns in the repository, as RED's "Create (ReCreate)" does.

        Raises:
            SandboxError: the table is not registered or has no columns, or a column's type is not PostgreSQL's.
        """
        columns = self.query_repository(
            """
            SELECT dt_schema, col_name, data_type, nulls_flag, default_value, src_strategy
              FROM (SELECT lc_obj_key AS obj_key, lc_order AS col_order, lc_col_name AS col_name,
                           lc_data_type AS data_type, lc_nulls_flag AS nulls_flag,
                           lc_default_value AS default_value, lc_src_strategy AS src_strategy
                      FROM red.ws_load_col
                    UNION ALL
                    SELECT sc_obj_key, sc_order, sc_col_name, sc_data_type, sc_nulls_flag, sc_default_value,
                           sc_src_strategy
                      FROM red.ws_stage_col) AS columns
              JOIN red.ws_obj_object ON oo_obj_key = obj_key
              JOIN red.ws_dbc_target ON dt_target_key = oo_target_key
             WHERE oo_name = ?
             ORDER BY col_order, col_name
            """,
            [name],
        )
        if not columns:
            raise SandboxError(
                f"The repository has no columns for table {name!r}; register it and run its metadata script first."
            )
        table = f"{columns[0].dt_schema}.{_quote_name(name)}"
        definitions = ", ".join(_column_definition(column) for column in columns)
        comments = "".join(
            f"; COMMENT ON COLUMN {table}.{_quote_name(column.col_name)} IS {_quote_text(column.src_strategy)}"
            for column in columns
            if column.src_strategy
        )
        self.query_warehouse(
            "SET client_min_messages = warning; SET lock_timeout = '20s'; "
            f"DROP TABLE IF EXISTS {table}; CREATE TABLE {table} ({definitions}){comments}"
        )

    def registered_columns(self, table: str) -> list[str]:
        """Return the names of a load table's columns in the repository, in order."""
        rows = self.query_repository(
            "SELECT lc_col_name FROM red.ws_load_col JOIN red.ws_load_tab ON lt_obj_key = lc_obj_key"
            " WHERE lt_table_name = ? ORDER BY lc_order, lc_col_name",
            [table],
        )
        return [row[0] for row in rows]

    def table_columns(self, table: str, schema: str = "load") -> list[str]:
        """Return the names of a table's columns in the warehouse, in order; none if it is not there."""
        rows = self.query_warehouse(
            "SELECT column_name::text FROM information_schema.columns WHERE table_schema = ? AND table_name = ?"
            " ORDER BY ordinal_position",
            [schema, table],
        )
        return [row[0] for row in rows]

    def environment(
        self,
        table: str = "",
        schema: str = "load",
        *,
        source_config: Mapping[str, str] | None = None,
        **variables: str,
    ) -> dict[str, str]:
        """Return the WSL_* variables that RED gives to a host script which a user starts in RED.

        What does not apply is there but empty, as in RED: without a table, that is all of the load table, its target
        and its source. RED 9: Environment Variables for Script Loads; RED 10.3: Script Output Protocol.

        Arguments:
            table: the load or stage table that the script belongs to.
            schema: the table's schema.
            source_config: the connection's UI configuration fields, such as url and apikey.
            variables: more variables, which replace those of the same name.
        """
        target = {
            "WSL_TGT_DSN": self.target_connection_string,
            "WSL_TGT_DSN_ARCH": "64",
            "WSL_TGT_SERVER": self._postgresql.host,
            "WSL_TGT_DBPORT": str(self._postgresql.port),
            "WSL_TGT_DBID": "",
            "WSL_TGT_USER": self.target_user,
            "WSL_TGT_PWD": self.target_password,
        }
        return {
            "WSL_META_DSN": self.meta_connection_string,
            "WSL_META_DSN_ARCH": "64",
            "WSL_META_SERVER": self._postgresql.host,
            "WSL_META_DBID": "",
            "WSL_META_DB": self._repository.database,
            "WSL_META_SCHEMA": "red.",
            "WSL_META_USER": self.meta_user,
            "WSL_META_PWD": self.meta_password,
            "WSL_BINDIR": "",
            "WSL_WORKDIR": str(self.workdir / "_")[:-1],  # RED's own value ends with a separator
            **scheduler.INTERACTIVE.variables(),
            "WSL_TASK_NAME": table,
            "WSL_LOAD_TABLE": table,
            "WSL_LOAD_SCHEMA": schema if table else "",
            "WSL_LOAD_FULLNAME": f"{schema}.{table}" if table else "",
            "WSL_LOAD_DB": self._warehouse.database if table else "",
            "WSL_TEMP_DB": "",
            **(target if table else dict.fromkeys(target, "") | {"WSL_TGT_DSN_ARCH": "32"}),
            **dict.fromkeys(
                [f"WSL_SRC_{name}" for name in ("DSN", "SERVER", "DBPORT", "DBID", "DB", "SCHEMA", "USER", "PWD")], ""
            ),
            "WSL_SRC_DSN_ARCH": "32",
            **{f"{SOURCE_PREFIX}{name}": value for name, value in (source_config or {}).items()},
            **variables,
        }

    def start_task(self, name: str, job_name: str = "Sandbox") -> dict[str, str]:
        """Start a task of a job without running anything, and return its WSL_* variables.

        Its counters, audit and error lines can then be written with the callable routines, as from a running script.
        """
        return scheduler.start_task(self, name, job_name).variables()

    def run_host_script(
        self,
        script: Path,
        table: str = "",
        *,
        schema: str = "load",
        environment: Mapping[str, str] | None = None,
        source_config: Mapping[str, str] | None = None,
        job_name: str = "Sandbox",
        interactive: bool = False,
        timeout: float = 600,
        is_watched: bool = False,
        python: Path | None = None,
    ) -> scheduler.TaskResult:
        """Run a host script as RED's scheduler does, as a process of its own, and return what it reported.

        RED 9: Script Syntax, Scheduling Host Scripts.

        Arguments:
            script: the file with the script.
            table: the load or stage table that it belongs to; a load table is truncated first, if it is registered so.
            schema: the table's schema.
            environment: more environment variables, which replace those of the same name.
            source_config: the connection's UI configuration fields, such as url and apikey.
            job_name: the job that the task runs in.
            interactive: run it as from RED's own window, outside a job: job "Develop" with key 0, no log rows.
            timeout: seconds after which the script is killed; its status is then -3.
            is_watched: show its error output where this process shows its own, in place of keeping it.
            python: the interpreter, as the language definition in RED names it; None: the one that runs this.

        Raises:
            SandboxError: there is no such script, or the load table cannot be truncated.
        """
        return scheduler.run_host_script(
            self,
            script,
            table,
            schema=schema,
            environment=environment or {},
            source_config=source_config or {},
            job_name=job_name,
            interactive=interactive,
            execution=scheduler.Execution(python or Path(sys.executable), timeout, is_watched),
        )

    @contextmanager
    def renamed_routine(self, name: str, other_name: str) -> Iterator[None]:
        """Offer a callable routine under another name for a while, since releases of RED spell them differently.

        Arguments:
            name: such as WsLoadChange or Ws_Load_Change, as this server has it.
            other_name: the name to have instead.
        """
        self._rename_routine(name, other_name)
        try:
            yield
        finally:
            self._rename_routine(other_name, name)

    def _rename_routine(self, name: str, other_name: str) -> None:
        for routine in (name, other_name):
            if not re.fullmatch(r"\w+", routine, re.ASCII):
                raise SandboxError(f"{routine!r} is not the name of a routine.")
        self.query_repository(f"ALTER ROUTINE red.{name} RENAME TO {other_name}")

    def _register_object(self, name: str, type_description: str, target: str) -> int:
        known = (
            "SELECT oo_obj_key, ot_description FROM red.ws_obj_object "
            "JOIN red.ws_obj_type ON ot_type_key = oo_type_key WHERE oo_name = ?"
        )
        rows = self.query_repository(known, [name])
        if rows and rows[0].ot_description != type_description:
            raise SandboxError(f"{name!r} is a {rows[0].ot_description} already; choose another name.")
        if not rows:
            rows = self.query_repository(
                """
                INSERT INTO red.ws_obj_object (oo_name, oo_type_key, oo_target_key)
                SELECT ?::varchar, ot_type_key, dt_target_key FROM red.ws_obj_type, red.ws_dbc_target
                 WHERE ot_description = ? AND dt_name = ?
                RETURNING oo_obj_key
                """,
                [name, type_description, target],
            )
        return int(rows[0].oo_obj_key)


def _column_definition(column: pyodbc.Row) -> str:
    nulls = "NOT NULL" if column.nulls_flag == "N" else "NULL"
    default = f" DEFAULT {column.default_value}" if column.default_value else ""
    return f"{_quote_name(column.col_name)} {column.data_type}{default} {nulls}"


def _quote_name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _quote_text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _command_line(command: list[str]) -> str:
    return subprocess.list2cmdline(command) if sys.platform == "win32" else shlex.join(command)
