"""The T-SQL of the library: its exact text, that a T-SQL parser takes it, and what is bound to it.

There is no SQL Server to run against. The batches are of the form that is known to return values through Microsoft's
ODBC driver and through FreeTDS alike.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from sqlglot import exp

from wherescape import Column, Table, WhereScape, dialects, repository, tsql
from wherescape.errors import RoutineFailed, RoutineMissing
from wherescape.repository import Routine

CALLS = {
    "WsParameterRead": (
        repository.PARAMETER_READ,
        "SET NOCOUNT ON; DECLARE @p_value varchar(max), @p_comment varchar(256);"
        " EXEC dbo.WsParameterRead @p_parameter = ?, @p_value = @p_value OUTPUT, @p_comment = @p_comment OUTPUT;"
        " SELECT @p_value AS p_value, @p_comment AS p_comment;",
    ),
    "WsParameterWrite": (
        repository.PARAMETER_WRITE,
        "SET NOCOUNT ON; DECLARE @rc int;"
        " EXEC @rc = dbo.WsParameterWrite @p_parameter = ?, @p_value = ?, @p_comment = ?;"
        " SELECT @rc AS return_value;",
    ),
    "WsWrkTask": (
        repository.WORK_TASK,
        "SET NOCOUNT ON; DECLARE @rc int;"
        " EXEC @rc = dbo.WsWrkTask @p_job_key = ?, @p_task_key = ?, @p_sequence = ?, @p_inserted = ?, @p_updated = ?,"
        " @p_replaced = ?, @p_deleted = ?, @p_discarded = ?, @p_rejected = ?, @p_errored = ?;"
        " SELECT @rc AS return_value;",
    ),
    "WsWrkAudit": (
        repository.WORK_AUDIT,
        "SET NOCOUNT ON; DECLARE @rc int;"
        " EXEC @rc = dbo.WsWrkAudit @p_status_code = ?, @p_job_name = ?, @p_task_name = ?, @p_sequence = ?,"
        " @p_message = ?, @p_db_code = ?, @p_db_msg = ?, @p_task_key = ?, @p_job_key = ?;"
        " SELECT @rc AS return_value;",
    ),
    "WsWrkErrorBulk": (
        repository.WORK_ERROR_BULK,
        "SET NOCOUNT ON; DECLARE @rc int;"
        " EXEC @rc = dbo.WsWrkErrorBulk @p_status_code = ?, @p_job_name = ?, @p_task_name = ?, @p_sequence = ?,"
        " @p_message = ?, @p_db_code = ?, @p_db_msg = ?, @p_job_key = ?, @p_task_key = ?, @p_msg_type = ?;"
        " SELECT @rc AS return_value;",
    ),
    "Ws_Job_Clear_Logs_By_Date": (
        repository.CLEAR_LOGS_BY_DATE,
        "SET NOCOUNT ON; DECLARE @p_return_code varchar(1), @p_return_msg varchar(256), @p_result int;"
        " EXEC dbo.Ws_Job_Clear_Logs_By_Date ?, ?, ?, ?, ?, ?, ?,"
        " @p_return_code OUTPUT, @p_return_msg OUTPUT, @p_result OUTPUT;"
        " SELECT @p_return_code AS p_return_code, @p_return_msg AS p_return_msg, @p_result AS p_result;",
    ),
    "Ws_Job_Clear_Archive": (
        repository.CLEAR_ARCHIVE,
        "SET NOCOUNT ON; DECLARE @p_return_code varchar(1), @p_return_msg varchar(256), @p_result int;"
        " EXEC dbo.Ws_Job_Clear_Archive ?, ?, ?, ?, ?, ?, ?, ?,"
        " @p_return_code OUTPUT, @p_return_msg OUTPUT, @p_result OUTPUT;"
        " SELECT @p_return_code AS p_return_code, @p_return_msg AS p_return_msg, @p_result AS p_result;",
    ),
}


@pytest.mark.parametrize(("routine", "text"), CALLS.values(), ids=CALLS)
def test_the_text_of_a_call(routine: Routine, text: str) -> None:
    assert tsql.call(routine, "dbo") == text


ROUTINES = [value for value in vars(repository).values() if isinstance(value, Routine)]


@pytest.mark.parametrize("routine", ROUTINES, ids=lambda routine: routine.name)
def test_a_parser_takes_every_call_and_finds_its_parameters(routine: Routine) -> None:
    text = tsql.call(routine, "dbo")
    statements = [parsed for parsed in sqlglot.parse(text, dialect="tsql") if parsed]
    # NOCOUNT, DECLARE, EXEC and SELECT: four statements in one batch.
    assert len(statements) == 4
    assert text.count("?") == len(routine.inputs)


def test_the_text_of_an_insert() -> None:
    text = tsql.open_json_insert("[load].[t]", ["[id]", "[default]"])
    assert text == (
        "SET NOCOUNT ON; INSERT INTO [load].[t] ([id], [default])"
        " SELECT c0, c1 FROM OPENJSON(?) WITH (c0 nvarchar(max) '$[0]', c1 nvarchar(max) '$[1]');"
    )
    statements = [parsed for parsed in sqlglot.parse(text, dialect="tsql") if parsed]
    assert any(isinstance(statement, exp.Insert) for statement in statements)


class RecordingCursor:
    """Stands in for pyodbc's cursor on SQL Server: keeps what is executed, answers what it was given."""

    rowcount = -1

    def __init__(self, answers: list[list[tuple[Any, ...]]]) -> None:
        self.executed: list[tuple[str, list[Any]]] = []
        self.answers = answers
        self.description: object = None

    def execute(self, sql: str, params: Any = ()) -> "RecordingCursor":
        self.executed.append((sql, list(params)))
        self.description = [(column.name,) for column in ITEMS.all_columns]
        return self

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self.answers.pop(0)

    def nextset(self) -> bool:
        return False

    def close(self) -> None: ...


class RecordingConnection:
    """Stands in for pyodbc's connection."""

    def __init__(self, answers: list[list[tuple[Any, ...]]]) -> None:
        self.used = RecordingCursor(answers)
        self.commits = 0

    def cursor(self) -> RecordingCursor:
        return self.used

    def getinfo(self, what: int) -> str:
        return "Microsoft SQL Server"

    def commit(self) -> None:
        self.commits += 1

    def rollback(self) -> None: ...

    def close(self) -> None: ...


ENVIRONMENT = {
    "WSL_META_DSN": "red",
    "WSL_META_SCHEMA": "dbo.",
    "WSL_TGT_DSN": "warehouse",
    "WSL_SEQUENCE": "12",
    "WSL_JOB_KEY": "3",
    "WSL_JOB_NAME": "Nightly",
    "WSL_TASK_KEY": "4",
    "WSL_TASK_NAME": "load_item",
    "WSL_LOAD_TABLE": "load_item",
    "WSL_LOAD_SCHEMA": "load.",
}


def connect(
    monkeypatch: pytest.MonkeyPatch, *answers: list[tuple[Any, ...]], **variables: str
) -> tuple[WhereScape, RecordingConnection]:
    connection = RecordingConnection(list(answers))
    monkeypatch.setattr("pyodbc.connect", lambda *arguments, **options: connection)
    return WhereScape(ENVIRONMENT | variables), connection


KNOWN = [(4711,)]


def test_reading_a_parameter_binds_its_name_and_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    wherescape, connection = connect(monkeypatch, KNOWN, [("2026", None)])
    assert wherescape.read_parameter("HWM_x") == "2026"
    assert connection.used.executed == [
        ("SELECT OBJECT_ID(?)", ["dbo.WsParameterRead"]),
        (CALLS["WsParameterRead"][1], ["HWM_x"]),
    ]
    assert connection.commits == 2


def test_an_unknown_parameter_reads_as_an_empty_text(monkeypatch: pytest.MonkeyPatch) -> None:
    wherescape, _ = connect(monkeypatch, KNOWN, [(None, None)])
    assert wherescape.read_parameter("nope", include_comment=True) == ("", "")


@pytest.mark.parametrize("code", [1, 2])
def test_writing_a_parameter_returns_the_routines_code(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    wherescape, connection = connect(monkeypatch, KNOWN, [(code,)])
    assert wherescape.write_parameter("p", "v") == code
    assert connection.used.executed[-1] == (CALLS["WsParameterWrite"][1], ["p", "v", None])


def test_a_parameter_that_red_refuses_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    wherescape, _ = connect(monkeypatch, KNOWN, [(-3,)])
    with pytest.raises(RoutineFailed, match="WsParameterWrite answered -3"):
        wherescape.write_parameter("p", "v")


def test_the_task_log_binds_keys_first_and_then_the_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    wherescape, connection = connect(monkeypatch, KNOWN, [(0,)])
    assert wherescape.update_task_log(inserted=5, rejected=2) == 0
    assert connection.used.executed[-1] == (CALLS["WsWrkTask"][1], [3, 4, 12, 5, 0, 0, 0, 0, 2, 0])


def test_an_audit_message_goes_with_job_and_task(monkeypatch: pytest.MonkeyPatch) -> None:
    wherescape, connection = connect(monkeypatch, KNOWN, [(1,)])
    wherescape.audit("half way")
    assert connection.used.executed[-1] == (
        CALLS["WsWrkAudit"][1],
        ["I", "Nightly", "load_item", 12, "half way", "", "", 4, 3],
    )


def test_clearing_logs_returns_code_message_and_result(monkeypatch: pytest.MonkeyPatch) -> None:
    wherescape, connection = connect(monkeypatch, KNOWN, [("S", "3 jobs archived", 1)])
    assert wherescape.job_clear_logs_by_date(30, "Nightly%") == ("S", "3 jobs archived", 1)
    assert connection.used.executed[-1] == (
        CALLS["Ws_Job_Clear_Logs_By_Date"][1],
        [12, "Nightly", "load_item", 3, 4, "Nightly%", 30],
    )


def test_clearing_the_archive_passes_the_days_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    wherescape, connection = connect(monkeypatch, KNOWN, [("S", "", 1)])
    wherescape.job_clear_archive_by_date()
    assert connection.used.executed[-1][1] == [12, "Nightly", "load_item", 3, 4, "365", "%", None]


def test_a_routine_that_the_repository_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    wherescape, _ = connect(monkeypatch, [(None,)])
    with pytest.raises(RoutineMissing, match="Ws_Job_Clear_Archive"):
        wherescape.job_clear_archive_by_date()


def test_rows_travel_as_one_json_document_of_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    wherescape, connection = connect(monkeypatch, [])
    count = wherescape.push_many_to_target("INSERT INTO [load].[t] ([id], [flag]) VALUES (?, ?)", iter(VALUES))
    assert count == 3
    [(first, _), (sql, [document])] = connection.used.executed
    assert first == "SELECT TOP (0) [id], [flag] FROM [load].[t]"
    assert sql == tsql.open_json_insert("[load].[t]", ["[id]", "[flag]"])
    assert json.loads(document) == [["1", "1"], ["é😀", None], ["0.10", "2026-01-05T10:05:00.000001"]]


ITEMS = Table(
    "item",
    (
        Column("default", "text"),
        Column("amount", "numeric"),
        Column("ratio", "double"),
        Column("flag", "boolean"),
        Column("at", "timestamp"),
    ),
    (),
    "items api",
)
GOOD: dict[str, Any] = {
    "default": "a\nb",
    "amount": "0.10",
    "ratio": 0.5,
    "flag": False,
    "at": "2026-01-05T11:05:00+01:00",
}
BAD: list[dict[str, Any]] = [
    {"amount": "0.12345678901"},
    {"amount": 10**28},
    {"ratio": float("inf")},
    {"amount": float("nan")},
]


def test_a_load_keeps_to_what_sql_server_can_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wherescape, connection = connect(monkeypatch, [], KNOWN, [(0,)], WSL_WORKDIR=str(tmp_path))
    result = wherescape.load(ITEMS, [GOOD, *BAD])
    assert (result.inserted, result.rejected) == (1, 4)
    (names, _), (first, _), (save, _), (insert, [document]) = connection.used.executed[:4]
    assert names == "SELECT * FROM load.load_item WHERE 1 = 0"
    assert first.startswith("SELECT TOP (0) [default], [amount],")
    assert save == "IF @@TRANCOUNT > 0 SAVE TRANSACTION wherescape_batch"
    assert insert.startswith("SET NOCOUNT ON; INSERT INTO load.load_item ([default], [amount],")
    [row] = json.loads(document)
    assert row[:6] == ["a\nb", "0.10", "0.5", "0", "2026-01-05T10:05:00", "items api"]
    lines = (tmp_path / "rejects" / "load_item_12.jsonl").read_text().splitlines()
    assert [json.loads(line)["column"] for line in lines] == ["amount", "amount", "ratio", "amount"]


def test_types_of_a_declaration_are_those_of_sql_server() -> None:
    types = dialects.SQL_SERVER.types
    assert (types["text"], types["timestamp"], types["boolean"]) == ("nvarchar(max)", "datetime2", "bit")


@pytest.mark.parametrize("text", [tsql.SAVE_BATCH, tsql.UNDO_BATCH, tsql.no_rows("[load].[t]", ["[a]", "[b]"])])
def test_a_parser_takes_what_surrounds_an_insert(text: str) -> None:
    assert [parsed for parsed in sqlglot.parse(text, dialect="tsql") if parsed]


def _values() -> Iterator[tuple[Any, ...]]:
    from datetime import datetime, timedelta, timezone
    from decimal import Decimal

    yield 1, True
    yield "é😀", None
    yield Decimal("0.10"), datetime(2026, 1, 5, 11, 5, 0, 1, tzinfo=timezone(timedelta(hours=1)))


VALUES = list(_values())


def test_identifiers_are_quoted_in_brackets() -> None:
    assert dialects.of("Microsoft SQL Server").quote("a]b") == "[a]]b]"
