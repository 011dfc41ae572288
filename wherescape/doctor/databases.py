"""Examines RED's repository, the target, and the load table in both; only asks."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

from wherescape import dialects, repository
from wherescape.column_types import TableColumn
from wherescape.database import Database
from wherescape.doctor.findings import Finding
from wherescape.errors import DeclarationError, RoutineMissing, StatementFailed
from wherescape.high_water_mark import CLOCKS_MAY_DIFFER
from wherescape.metadata_diff import declared_columns, differences
from wherescape.repository import Repository
from wherescape.sql_types import is_same_type
from wherescape.tables import Table

ROUTINES = (
    repository.PARAMETER_READ,
    repository.PARAMETER_WRITE,
    repository.WORK_TASK,
    repository.WORK_AUDIT,
    repository.WORK_AUDIT_BULK,
    repository.WORK_ERROR,
    repository.WORK_ERROR_BULK,
)
OPTIONAL = (repository.WORK_AUDIT_BULK, repository.WORK_ERROR_BULK)
READ_BY_LOADS = ("dss_parameter", "ws_load_tab", "ws_load_col", "ws_obj_object", "ws_dbc_target")
WRITTEN_BY_METADATA = "ws_load_col"
PRECISION = 2
"""Seconds: an API tells its time in whole ones, and it is read a moment later."""
UNICODE = ("UTF8", "UNICODE")


def check_database(database: Database) -> Iterator[Finding]:
    """Look at whether a database is reached, what it is, and what it has for a clock.

    Raises:
        ConnectionFailed: it is not; the message says what to do.
    """
    topic, dialect = database.login.role, database.dialect
    facts = database.facts()
    if facts is None:
        yield Finding(topic, "ok", "reached; neither PostgreSQL nor SQL Server, so its version is not asked for")
        return
    found = f"{dialect.name} {facts.version}, {facts.encoding}"
    if dialect is dialects.POSTGRESQL and facts.encoding.upper() not in UNICODE:
        yield Finding(
            topic,
            "warning",
            f"{found}: texts with other characters are refused.",
            "Let the warehouse have the encoding UTF8: it is chosen when a database is made.",
        )
    else:
        yield Finding(topic, "ok", found)
    yield check_clock(f"the {topic} database", facts.clock)


def check_clock(whose: str, moment: datetime) -> Finding:
    """Compare a clock with that of this machine.

    Arguments:
        whose: in words.
        moment: what it shows, aware.
    """
    ahead = moment - datetime.now(UTC)
    seconds = round(abs(ahead).total_seconds())
    if seconds <= PRECISION:
        return Finding("clock", "ok", f"{whose} has the time of this machine")
    found = f"{whose} is {seconds:,} seconds {'ahead of' if ahead > timedelta() else 'behind'} this machine"
    if abs(ahead) <= CLOCKS_MAY_DIFFER:
        return Finding("clock", "ok", found)
    return Finding(
        "clock",
        "warning",
        f"{found}.",
        "Let both take their time from the network (Windows: w32tm /resync); high-water marks depend on it.",
    )


def check_repository(red: Repository) -> Iterator[Finding]:
    """Look at whether the database is a repository of RED, of the kind that WSL_META_SCHEMA says."""
    yield from check_database(red.database)
    kind = dialects.POSTGRESQL if red.is_postgresql else dialects.SQL_SERVER
    if red.database.dialect is not kind:
        yield Finding(
            "repository",
            "error",
            f"WSL_META_SCHEMA is {red.metabase}, as of a repository on {kind.name}, and the database is"
            f" {red.database.dialect.name}.",
            "Set WSL_META_SCHEMA to 'red.' for PostgreSQL, to 'dbo.' for SQL Server, or correct WSL_META_DSN.",
        )
        return
    for name in READ_BY_LOADS:
        if not _may(red.database, table := f"{red.metabase}.{name}", "SELECT"):
            yield Finding(
                "repository",
                "error",
                f"There is no {table} that the user may read.",
                "Check that WSL_META_DSN leads to RED's repository and WSL_META_SCHEMA is right, or grant the user"
                f" SELECT on {table}.",
            )
            return
    written = f"{red.metabase}.{WRITTEN_BY_METADATA}"
    if not all(_may(red.database, written, right) for right in ("INSERT", "UPDATE")):
        yield Finding(
            "repository",
            "warning",
            f"The user may not change {written}, as metadata scripts do.",
            f"Grant the user INSERT and UPDATE on {written}.",
        )


def check_routines(red: Repository) -> Iterator[Finding]:
    """Look at whether RED's callable routines are there and may be called."""
    called: list[str] = []
    for routine in ROUTINES:
        try:
            may = red.may_execute(routine)
        except RoutineMissing as error:
            if routine in OPTIONAL:
                yield Finding("routines", "ok", f"there is no {routine.name}: messages are sent one by one")
                continue
            yield Finding(
                "routines",
                "error",
                str(error),
                "Check that WSL_META_DSN and WSL_META_SCHEMA lead to RED's repository; if so, repair it with RED's"
                " administrator (Metadata, Validate).",
            )
            continue
        if may:
            called.append(routine.name)
            continue
        yield Finding(
            "routines",
            "error",
            f"The user may not execute {red.metabase}.{routine.name}.",
            f"Grant EXECUTE on {red.metabase}.{routine.name} to the user in WSL_META_USER.",
        )
    if called:
        yield Finding("routines", "ok", f"may call {', '.join(called)}")


def check_load_table(red: Repository, target: Database, schema: str, table: str, full_name: str) -> Iterator[Finding]:
    """Look at whether RED knows the load table, and whether rows can be inserted into it.

    Raises:
        TableNotRegistered: RED does not know it.
    """
    topic = "load table"
    registered = red.column_definitions(red.find_table(table, schema))
    if not registered:
        yield Finding(
            topic, "error", f"RED has no columns of {table}.", "Run its metadata script, then create it in RED."
        )
        return
    existing = target.table_columns(schema, table)
    if not existing:
        yield Finding(
            topic,
            "error",
            f"The target has no table {full_name} that the user may see.",
            "Create it in RED (Create), or check WSL_TGT_DSN and WSL_LOAD_SCHEMA.",
        )
        return
    if _may(target, full_name, "INSERT") is False:
        yield Finding(
            topic,
            "error",
            f"The user may not insert into {full_name}.",
            f"Grant INSERT and SELECT on {full_name} to the user in WSL_TGT_USER.",
        )
        return
    yield Finding(topic, "ok", f"{full_name} has {len(existing)} columns, and rows can be inserted")


def check_declaration(
    declaration: Table | None, red: Repository, target: Database, schema: str, table: str
) -> Iterator[Finding]:
    """Compare a load table with its declaration, and with RED.

    Arguments:
        declaration: None if it is not known: RED and the target are compared.
        red: has the columns.
        target: has the table.
        schema: of the table.
        table: its name.
    """
    topic = "columns"
    registered = red.column_definitions(red.find_table(table, schema))
    existing = target.table_columns(schema, table)
    dialect = target.dialect
    declared: list[TableColumn] = declared_columns(declaration, dialect.types) if declaration else registered
    found = differences(declared, registered, existing, partial(is_same_type, database=dialect.name))
    more = f"wherescape metadata diff {table} shows all of it."
    try:
        if declaration:
            declaration.only(column.name for column in existing)
    except DeclarationError as error:
        yield Finding(
            topic, "error", f"{table} lacks columns: {error}", f"Run its metadata script and recreate it. {more}"
        )
        return
    if found:
        first = " ".join(filter(None, (found[0].column, found[0].what)))
        count = f"{len(found)} differences, the first" if len(found) > 1 else "1 difference"
        yield Finding(
            topic, "warning", f"{count}: {first}.", f"{found[0].mend[:1].upper()}{found[0].mend[1:]}. {more}"
        )
        return
    yield Finding(topic, "ok", "declaration, RED and target agree" if declaration else "RED and target agree")


def _may(database: Database, table: str, right: str) -> bool | None:
    try:
        return database.has_right(table, right)
    except StatementFailed:
        # Who may not look into a schema may not ask about its tables.
        return False
