"""The queries of the checks on SQL Server, to the letter; there is none to run them."""

from pathlib import Path
from typing import Any

import pytest
import sqlglot

from tests.test_tsql import connect
from wherescape import tsql
from wherescape.validators.current_flag import check_current_flag
from wherescape.validators.fact_dimension_join import check_fact_dimension_join
from wherescape.validators.freshness import check_freshness

REPOSITORY = (
    "SELECT tab.ft_obj_key, tab.ft_table_name, target.dt_schema, target.dt_database,"
    " col.fc_col_name, col.fc_data_type, col.fc_key_type"
    " FROM dbo.ws_fact_tab AS tab"
    " LEFT JOIN dbo.ws_obj_object AS obj ON obj.oo_obj_key = tab.ft_obj_key"
    " LEFT JOIN dbo.ws_dbc_target AS target ON target.dt_target_key = obj.oo_target_key"
    " LEFT JOIN dbo.ws_fact_col AS col ON col.fc_obj_key = tab.ft_obj_key"
    " ORDER BY target.dt_schema, tab.ft_table_name, tab.ft_obj_key, col.fc_order, col.fc_col_key"
)
CATALOG = (
    "SET LOCK_TIMEOUT 60000; SELECT TABLE_CATALOG, TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME"
    " FROM INFORMATION_SCHEMA.COLUMNS WHERE LOWER(TABLE_SCHEMA) IN (?)"
)
Rows = list[tuple[Any, ...]]


def in_catalog(table: str, *columns: str) -> Rows:
    return [("Warehouse", "Star", table, column) for column in columns]


def lines(folder: Path) -> list[str]:
    [path] = folder.glob("*.csv")
    return [line.partition(",")[2] for line in path.read_text(encoding="utf-8").splitlines()[1:]]


def test_fact_tables_are_counted_with_one_query_each(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    facts = [
        (1, "fact_a", "star", "warehouse", "customer_key", "int", "2"),
        (1, "fact_a", "star", "warehouse", "a]b", "int", "2"),
        (1, "fact_a", "star", "warehouse", "amount", "numeric(18,2)", None),
        (2, "fact_b", "star.", "archive", "customer_key", "int", "2"),
    ]
    catalog = in_catalog("FACT_A", "Customer_Key", "a]b", "amount")
    answers = [facts, catalog, [(10, 2, 0, 0, 1)], [(0, None, None)]]
    wherescape, connection = connect(monkeypatch, *answers, WSL_WORKDIR=str(tmp_path))
    check_fact_dimension_join(wherescape=wherescape, max_share=1)
    assert connection.used.executed == [
        (REPOSITORY, []),
        (CATALOG, ["star"]),
        (
            "SET LOCK_TIMEOUT 60000; SELECT COUNT_BIG(*),"
            " SUM(CASE WHEN [Customer_Key] = 0 THEN CAST(1 AS bigint) ELSE 0 END),"
            " SUM(CASE WHEN [Customer_Key] IS NULL THEN CAST(1 AS bigint) ELSE 0 END),"
            " SUM(CASE WHEN [a]]b] = 0 THEN CAST(1 AS bigint) ELSE 0 END),"
            " SUM(CASE WHEN [a]]b] IS NULL THEN CAST(1 AS bigint) ELSE 0 END) FROM [Star].[FACT_A]",
            [],
        ),
        (
            "SET LOCK_TIMEOUT 60000; SELECT COUNT_BIG(*),"
            " SUM(CASE WHEN [customer_key] = 0 THEN CAST(1 AS bigint) ELSE 0 END),"
            " SUM(CASE WHEN [customer_key] IS NULL THEN CAST(1 AS bigint) ELSE 0 END)"
            " FROM [archive].[star].[fact_b]",
            [],
        ),
    ]
    assert lines(tmp_path) == ["fact_a,customer_key,10,2", "fact_a,a]b,10,0", "fact_b,customer_key,0,0"]
    parsed(connection.used.executed)


def test_business_keys_are_counted_in_groups(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stores = [
        (1, "ds_a", "star", None, "code", "varchar(9)", "A"),
        (1, "ds_a", "star", None, "country", "char(2)", "A"),
        (1, "ds_a", "star", None, "dss_current_flag", "char(1)", None),
    ]
    catalog = in_catalog("ds_a", "code", "country", "dss_current_flag")
    answers: list[Rows] = [stores, [], [], catalog, [(5, 3, 1, 0)]]
    wherescape, connection = connect(monkeypatch, *answers, WSL_WORKDIR=str(tmp_path))
    check_current_flag(wherescape=wherescape)
    assert connection.used.executed[-1] == (
        "SET LOCK_TIMEOUT 60000; SELECT SUM(all_rows), SUM(CAST(1 AS bigint)),"
        " SUM(CASE WHEN current_rows = 0 THEN CAST(1 AS bigint) ELSE 0 END),"
        " SUM(CASE WHEN current_rows > 1 THEN CAST(1 AS bigint) ELSE 0 END)"
        " FROM (SELECT COUNT_BIG(*) AS all_rows,"
        " SUM(CASE WHEN [dss_current_flag] = ? THEN 1 ELSE 0 END) AS current_rows"
        " FROM [Star].[ds_a] GROUP BY [code], [country]) AS business_keys",
        ["Y"],
    )
    assert lines(tmp_path) == ["ds_a,5,3,1,0"]
    parsed(connection.used.executed)


def test_ages_are_taken_in_the_clock_of_the_column(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    columns = {"ds_a": "dss_update_time", "ds_b": "dss_load_date", "ds_c": "dss_create_time"}
    types = {"ds_a": "datetime2(7)", "ds_b": "datetime", "ds_c": "datetimeoffset(7)"}
    stores = [(name, name, "star", None, column, types[name], None) for name, column in columns.items()]
    catalog = [row for name, column in columns.items() for row in in_catalog(name, column)]
    newest: list[Rows] = [[("2026-01-05T10:05:00", 3600)] for _ in columns]
    answers: list[Rows] = [[], [], stores, [], catalog, *newest]
    wherescape, connection = connect(monkeypatch, *answers, WSL_WORKDIR=str(tmp_path))
    check_freshness(wherescape=wherescape)
    assert [sql for sql, _ in connection.used.executed[-3:]] == [
        "SET LOCK_TIMEOUT 60000; SELECT CONVERT(varchar(19), MAX([dss_update_time]), 126),"
        " DATEDIFF_BIG(second, MAX([dss_update_time]), SYSDATETIME()) FROM [Star].[ds_a]",
        "SET LOCK_TIMEOUT 60000; SELECT CONVERT(varchar(19), MAX([dss_load_date]), 126),"
        " DATEDIFF_BIG(second, MAX([dss_load_date]), SYSUTCDATETIME()) FROM [Star].[ds_b]",
        "SET LOCK_TIMEOUT 60000; SELECT CONVERT(varchar(19), MAX([dss_create_time]), 126),"
        " DATEDIFF_BIG(second, MAX([dss_create_time]), SYSDATETIMEOFFSET()) FROM [Star].[ds_c]",
    ]
    assert lines(tmp_path)[0] == "ds_a,dss_update_time,2026-01-05T10:05:00,1.0"
    parsed(connection.used.executed)


def parsed(executed: list[tuple[str, list[Any]]]) -> None:
    """Let a T-SQL parser take every batch: one statement of the repository, two of the warehouse."""
    for sql, _ in executed:
        statements = [statement for statement in sqlglot.parse(sql, dialect="tsql") if statement]
        assert len(statements) == 1 + sql.startswith(tsql.lock_limit(60_000))
