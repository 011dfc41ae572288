"""All T-SQL of the library. There is no SQL Server to test against: the texts are tested to the letter, and parsed."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wherescape.repository import Routine

OBJECT_ID = "SELECT OBJECT_ID(?)"
HAS_RIGHT = "SELECT HAS_PERMS_BY_NAME(?, 'OBJECT', ?)"
FACTS = (
    "SELECT CAST(SERVERPROPERTY('ProductVersion') AS varchar(128)),"
    " CAST(DATABASEPROPERTYEX(DB_NAME(), 'Collation') AS varchar(128)), SYSUTCDATETIME()"
)
NOW = "SELECT CURRENT_TIMESTAMP"
# Only a statement that reads a table begins a transaction by itself; outside one, SAVE is an error.
SAVE_BATCH = "IF @@TRANCOUNT > 0 SAVE TRANSACTION wherescape_batch"
UNDO_BATCH = "ROLLBACK TRANSACTION wherescape_batch"
# COUNT(*) is an int, and more rows than it holds are an error.
ROW_COUNT = "COUNT_BIG(*)"


def call(routine: "Routine", metabase: str) -> str:
    """Return the T-SQL batch that calls a routine and selects what it answers.

    DECLARE, EXEC and SELECT in one batch with NOCOUNT is the only form in which pyodbc gets values back, with
    Microsoft's driver as with FreeTDS; the ODBC escape `{CALL …}` returns nothing.
    """
    inputs = ["?" if routine.in_order else f"@{name} = ?" for name, _ in routine.inputs]
    if not routine.outputs:
        return (
            f"SET NOCOUNT ON; DECLARE @rc int; EXEC @rc = {metabase}.{routine.name} {', '.join(inputs)};"
            " SELECT @rc AS return_value;"
        )
    declared = ", ".join(f"@{name} {'int' if kind == 'integer' else kind}" for name, kind in routine.outputs)
    outputs = [f"@{name} OUTPUT" if routine.in_order else f"@{name} = @{name} OUTPUT" for name, _ in routine.outputs]
    selected = ", ".join(f"@{name} AS {name}" for name, _ in routine.outputs)
    return (
        f"SET NOCOUNT ON; DECLARE {declared}; EXEC {metabase}.{routine.name} {', '.join(inputs + outputs)};"
        f" SELECT {selected};"
    )


def no_rows(table: str, columns: Sequence[str]) -> str:
    """Return a query that finds out whether a table has some columns; it begins the transaction of an insert."""
    return f"SELECT TOP (0) {', '.join(columns)} FROM {table}"


def open_json_insert(table: str, columns: Sequence[str]) -> str:
    """Return SQL Server's set-based insert of a JSON array of rows, each an array of texts."""
    parsed = ", ".join(f"c{number} nvarchar(max) '$[{number}]'" for number in range(len(columns)))
    selected = ", ".join(f"c{number}" for number in range(len(columns)))
    return (
        f"SET NOCOUNT ON; INSERT INTO {table} ({', '.join(columns)})"
        f" SELECT {selected} FROM OPENJSON(?) WITH ({parsed});"
    )


def lock_limit(milliseconds: int) -> str:
    """Return what goes before a query that shall not wait longer for the locks of others; it holds for the session."""
    return f"SET LOCK_TIMEOUT {milliseconds}; "


def newest_row(table: str, column: str, data_type: str, is_utc: bool) -> str:
    """Return the query of a column's newest value and its age in seconds; see `Dialect.newest_row`."""
    now = "SYSUTCDATETIME()" if is_utc else "SYSDATETIME()"
    if "offset" in data_type.lower():
        now = "SYSDATETIMEOFFSET()"
    return f"SELECT CONVERT(varchar(19), MAX({column}), 126), DATEDIFF_BIG(second, MAX({column}), {now}) FROM {table}"


def merge_load_columns(
    load_columns: str, object_key: int, fields: Sequence[str], rows: Sequence[Sequence[str | int]]
) -> str:
    """Return the statement that updates and adds rows of ws_load_col.

    Arguments:
        load_columns: the name of ws_load_col with its schema.
        object_key: the load table's key.
        fields: the names of the fields; the first is the column's name, by which a row is found.
        rows: the values of the fields.
    """
    values = ",\n    ".join(
        f"({', '.join(literal(value) if isinstance(value, str) else str(value) for value in row)})" for row in rows
    )
    updates = ",\n    ".join(f"{field} = d.{field}" for field in fields[1:])
    names = ", ".join(fields)
    return f"""\
MERGE INTO {load_columns} WITH (HOLDLOCK) AS c
USING (VALUES
    {values}
) AS d ({names})
ON c.lc_obj_key = {object_key} AND LOWER(c.{fields[0]}) = LOWER(d.{fields[0]})
WHEN MATCHED THEN UPDATE SET
    {updates}
WHEN NOT MATCHED BY TARGET THEN
    INSERT (lc_obj_key, lc_nulls_flag, {names})
    VALUES ({object_key}, 'Y', {", ".join(f"d.{field}" for field in fields)});"""


def literal(text: str) -> str:
    """Quote a text."""
    quoted = "N'" + text.replace("'", "''") + "'"
    # T-SQL drops a backslash and the line end after it, inside a string as well.
    return re.sub(r"\\(?=\r?\n)", r"\\' + N'", quoted)
