from collections.abc import Iterator
from uuid import uuid4

import pyodbc
import pytest
import sqlglot

from wherescape.errors import DeclarationError
from wherescape.helper_functions import prepare_metadata_query
from wherescape.sandbox.red_server import RedServer

TEXTS = [
    "an apostrophe's ''escape''",
    "a \\backslash\\, C:\\temp\\'",
    "?, ? and {fn now()} and {d '2026-01-01'}",
    "100 % of %s and :name and $1 and $$",
    "line one\nline two\r\n\ttabbed",
    "a line that ends in \\\nand goes on",
    "é, 名前, 😀",
    "'); DROP TABLE red.ws_load_col; --",
    '/* -- " [x] ` */',
    "",
]


@pytest.fixture
def object_key(red: RedServer) -> int:
    return red.register_load_table(f"load_{uuid4().hex}")


@pytest.fixture
def repository(red: RedServer) -> Iterator[pyodbc.Cursor]:
    connection = pyodbc.connect(
        red.meta_connection_string, user=red.meta_user, password=red.meta_password, autocommit=True
    )
    yield connection.cursor()
    connection.close()


def metadata_query(
    columns: list[str],
    types: list[str] | None = None,
    comments: list[str] | None = None,
    object_key: int = 7,
    metabase: str | None = "red",
) -> str:
    return prepare_metadata_query(
        object_key,
        "source's table",
        columns,
        [f"The {column}" for column in columns],
        types or ["text"] * len(columns),
        comments or [""] * len(columns),
        [f"source.{column}" for column in columns],
        metabase=metabase,
    )


def test_columns_are_registered_in_order(repository: pyodbc.Cursor, object_key: int) -> None:
    repository.execute(metadata_query(["id", "name"], ["bigint", "varchar(40)"], ["The key.", "A name."], object_key))
    rows = repository.execute(
        """
        SELECT lc_order, lc_col_name, lc_display_name, lc_data_type, lc_nulls_flag, lc_numeric_flag, lc_additive_flag,
            lc_attribute_flag, lc_src_table, lc_src_column, lc_src_strategy
        FROM red.ws_load_col WHERE lc_obj_key = ? ORDER BY lc_order
        """,
        object_key,
    ).fetchall()
    assert [tuple(row) for row in rows] == [
        (10, "id", "The id", "bigint", "Y", "Y", "Y", "N", "source's table", "source.id", "The key."),
        (20, "name", "The name", "varchar(40)", "Y", "N", "N", "Y", "source's table", "source.name", "A name."),
        (
            *(99999991, "dss_record_source", "Record source", "varchar(256)", "Y", "N", "N", "Y"),
            *("", "", "Where the row came from."),
        ),
        (
            *(99999992, "dss_load_date", "Load date", "timestamp", "Y", "N", "N", "Y"),
            *("", "", "When the load started, UTC."),
        ),
    ]


@pytest.mark.parametrize("standard_conforming_strings", ["on", "off"])
def test_texts_arrive_as_they_are(
    repository: pyodbc.Cursor, object_key: int, standard_conforming_strings: str
) -> None:
    repository.execute(f"SET standard_conforming_strings = {standard_conforming_strings}")
    columns = [f"column_{index}" for index in range(len(TEXTS))]
    repository.execute(metadata_query(columns, comments=TEXTS, object_key=object_key))
    rows = repository.execute(
        "SELECT lc_src_strategy FROM red.ws_load_col WHERE lc_obj_key = ? AND lc_order < 99999991 ORDER BY lc_order",
        object_key,
    ).fetchall()
    assert [row.lc_src_strategy for row in rows] == TEXTS


def test_a_second_run_updates_what_is_declared_and_keeps_the_rest(repository: pyodbc.Cursor, object_key: int) -> None:
    def columns() -> dict[str, tuple[object, ...]]:
        rows = repository.execute(
            """
            SELECT lc_col_name, lc_col_key, lc_data_type, lc_nulls_flag, lc_transform_type, lc_transform_code, lc_order
            FROM red.ws_load_col WHERE lc_obj_key = ?
            """,
            object_key,
        ).fetchall()
        assert len({row.lc_col_name for row in rows}) == len(rows)
        return {row.lc_col_name: tuple(row)[1:] for row in rows}

    repository.execute(metadata_query(["id", "old", "name"], object_key=object_key))
    repository.execute(
        """
        UPDATE red.ws_load_col SET lc_transform_type = 'D', lc_transform_code = 'upper(name)', lc_nulls_flag = 'N'
        WHERE lc_obj_key = ? AND lc_col_name = 'name'
        """,
        object_key,
    )
    first = columns()
    repository.execute(metadata_query(["ID", "name", "new"], ["bigint", "varchar(10)", "date"], object_key=object_key))
    second = columns()

    assert second.keys() == first.keys() | {"new"}
    assert all(second[name][0] == first[name][0] for name in first), "the column keys have changed"
    assert second["name"][1:] == ("varchar(10)", "N", "D", "upper(name)", 20)
    assert second["id"][1] == "bigint"
    assert second["old"] == first["old"]


def test_other_tables_are_left_alone(red: RedServer, repository: pyodbc.Cursor, object_key: int) -> None:
    other = red.register_load_table("load_other_table")
    repository.execute(metadata_query(["id"], ["bigint"], object_key=other))
    repository.execute(metadata_query(["id"], ["text"], object_key=object_key))
    row = repository.execute(
        "SELECT lc_data_type FROM red.ws_load_col WHERE lc_obj_key = ? AND lc_col_name = 'id'", other
    ).fetchone()
    assert row is not None and row.lc_data_type == "bigint"


def test_the_statement_for_sql_server() -> None:
    assert metadata_query(["id"], ["bigint"], ["It's é\\\nnext"], metabase="dbo") == (
        "MERGE INTO dbo.ws_load_col WITH (HOLDLOCK) AS c\n"
        "USING (VALUES\n"
        "    (N'id', N'The id', N'bigint', N'Y', N'Y', N'N', N'source''s table', N'source.id', "
        "N'It''s é\\' + N'\nnext', 10),\n"
        "    (N'dss_record_source', N'Record source', N'varchar(256)', N'N', N'N', N'Y', N'', N'', "
        "N'Where the row came from.', 99999991),\n"
        "    (N'dss_load_date', N'Load date', N'timestamp', N'N', N'N', N'Y', N'', N'', "
        "N'When the load started, UTC.', 99999992)\n"
        ") AS d (lc_col_name, lc_display_name, lc_data_type, lc_numeric_flag, lc_additive_flag, lc_attribute_flag, "
        "lc_src_table, lc_src_column, lc_src_strategy, lc_order)\n"
        "ON c.lc_obj_key = 7 AND LOWER(c.lc_col_name) = LOWER(d.lc_col_name)\n"
        "WHEN MATCHED THEN UPDATE SET\n"
        "    lc_display_name = d.lc_display_name,\n"
        "    lc_data_type = d.lc_data_type,\n"
        "    lc_numeric_flag = d.lc_numeric_flag,\n"
        "    lc_additive_flag = d.lc_additive_flag,\n"
        "    lc_attribute_flag = d.lc_attribute_flag,\n"
        "    lc_src_table = d.lc_src_table,\n"
        "    lc_src_column = d.lc_src_column,\n"
        "    lc_src_strategy = d.lc_src_strategy,\n"
        "    lc_order = d.lc_order\n"
        "WHEN NOT MATCHED BY TARGET THEN\n"
        "    INSERT (lc_obj_key, lc_nulls_flag, lc_col_name, lc_display_name, lc_data_type, lc_numeric_flag, "
        "lc_additive_flag, lc_attribute_flag, lc_src_table, lc_src_column, lc_src_strategy, lc_order)\n"
        "    VALUES (7, 'Y', d.lc_col_name, d.lc_display_name, d.lc_data_type, d.lc_numeric_flag, "
        "d.lc_additive_flag, d.lc_attribute_flag, d.lc_src_table, d.lc_src_column, d.lc_src_strategy, d.lc_order);"
    )


def test_a_tsql_parser_reads_the_texts_as_they_are() -> None:
    texts = [text for text in TEXTS if "\\\n" not in text]
    query = metadata_query([f"column_{index}" for index in range(len(texts))], comments=texts, metabase="dbo")
    (statement,) = sqlglot.parse(query, dialect="tsql")
    assert isinstance(statement, sqlglot.exp.Merge)
    assert {literal.this for literal in statement.find_all(sqlglot.exp.National)} >= set(texts)


@pytest.mark.parametrize(
    ("meta_schema", "table"),
    [
        ("red.", "INTO red.ws_load_col"),
        ("RED", "INTO RED.ws_load_col"),
        ("dbo.", "INTO dbo.ws_load_col"),
        ("", "INTO dbo.ws_load_col"),
        (None, "INTO dbo.ws_load_col"),
    ],
)
def test_the_repository_follows_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, meta_schema: str | None, table: str
) -> None:
    if meta_schema is None:
        monkeypatch.delenv("WSL_META_SCHEMA", raising=False)
    else:
        monkeypatch.setenv("WSL_META_SCHEMA", meta_schema)
    assert table in metadata_query(["id"], metabase=None)


def test_the_types_of_the_added_columns_follow_the_target() -> None:
    query = prepare_metadata_query(
        *(7, "source", ["id"], ["Id"], ["bigint"], [""], ["id"]),
        metabase="dbo",
        record_source_type="nvarchar(256)",
        load_date_type="datetime2(6)",
    )
    assert "N'Record source', N'nvarchar(256)'" in query
    assert "N'Load date', N'datetime2(6)'" in query


@pytest.mark.parametrize(
    ("columns", "types", "comments", "message"),
    [
        ([], [], [], 'No columns are declared for "source\'s table"'),
        (["a", "b"], ["text"], ["", ""], "2 columns, 2 display_names, 1 types, 2 comments, 2 source_columns"),
        (["a", "A"], ["text", "text"], ["", ""], "declares a more than once"),
        (["dss_load_date"], ["text"], [""], "declares dss_load_date more than once"),
        (["a"], ["text"], ["a\0b"], "NUL"),
    ],
)
def test_an_unusable_declaration_is_an_error(
    columns: list[str], types: list[str], comments: list[str], message: str
) -> None:
    with pytest.raises(DeclarationError, match=message):
        metadata_query(columns, types, comments)
