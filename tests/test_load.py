"""wherescape.load: records in, load table out, every value in its column's type."""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, get_args

import pytest

from wherescape import Column, Table, WhereScape
from wherescape.column_types import DataType
from wherescape.database import BATCH_ROWS
from wherescape.errors import DatabaseError, DeclarationError, LoadError, StatementFailed
from wherescape.sandbox.red_server import RedServer

TYPES: tuple[DataType, ...] = get_args(DataType)
ITEMS = Table(
    kind="item",
    columns=(Column("id", "bigint"), *(Column(f"a_{name}", name) for name in TYPES)),
    key=("id",),
    record_source="items api",
)


@pytest.fixture
def wherescape(clean_red: RedServer) -> Iterator[WhereScape]:
    clean_red.register_load_table("load_item")
    made = WhereScape({**clean_red.environment("load_item"), "WSL_JOB_KEY": "0", "WSL_JOB_NAME": "Develop"})
    made.create_metadata(ITEMS)
    clean_red.create_table("load_item")
    yield made
    made.close()


PLUS_TWO = timezone(timedelta(hours=2))
VALUES = [
    ("text", "é😀 'a' \"b\" \\ \n {x} NULL", "é😀 'a' \"b\" \\ \n {x} NULL"),
    ("text", "", ""),
    ("text", None, None),
    ("text", ["a", {"b": 1}], '["a", {"b": 1}]'),
    ("text", 5, "5"),
    ("integer", "7", 7),
    ("integer", 2**31 - 1, 2**31 - 1),
    ("bigint", -(2**63), -(2**63)),
    ("numeric", "12345678901234567890123456789.123456789", Decimal("12345678901234567890123456789.123456789")),
    ("numeric", 0.1, Decimal("0.1")),
    ("double", 1.5e-300, 1.5e-300),
    ("double", float("inf"), float("inf")),
    ("boolean", True, True),
    ("boolean", "false", False),
    ("date", "9999-12-31", date(9999, 12, 31)),
    ("date", date(1, 1, 1), date(1, 1, 1)),
    ("timestamp", "2019-06-20T15:04:58.946Z", datetime(2019, 6, 20, 15, 4, 58, 946000)),
    ("timestamp", "2012-05-28T04:42:42-07:00", datetime(2012, 5, 28, 11, 42, 42)),
    ("timestamp", "2020-06-12T08:13:13.360+0800", datetime(2020, 6, 12, 0, 13, 13, 360000)),
    ("timestamp", datetime(2026, 1, 5, 1, 0, 0, 1, tzinfo=PLUS_TWO), datetime(2026, 1, 4, 23, 0, 0, 1)),
    ("timestamp", "2026-01-05", datetime(2026, 1, 5)),
    ("json", {"a": [1, None, "é"]}, '{"a": [1, null, "é"]}'),
]


@pytest.mark.parametrize(("data_type", "value", "stored"), VALUES)
def test_a_value_is_stored_as_what_it_means(wherescape: WhereScape, data_type: str, value: Any, stored: Any) -> None:
    wherescape.load(ITEMS, [{"id": 1, f"a_{data_type}": value}])
    [row] = wherescape.query_target(f"SELECT a_{data_type} FROM load.load_item")
    # psqlODBC gives booleans as the texts 1 and 0.
    assert (row[0] == "1" if isinstance(stored, bool) else row[0]) == stored


@pytest.mark.parametrize(
    ("data_type", "value"),
    [
        ("integer", "seven"),
        ("integer", 1.5),
        ("integer", True),
        ("numeric", "1,5"),
        ("boolean", "yes"),
        ("boolean", 1),
        ("date", "2026-02-30"),
        ("date", datetime(2026, 1, 1, 12)),
        ("timestamp", "2026-01-05T10:05:00.1234567Z"),
        ("double", 2**53 + 1),
        ("text", "a\0b"),
        ("text", "\ud800"),
        ("timestamp", "tomorrow"),
        ("timestamp", 1767607500),
        ("timestamp", 1712053112345),
        ("text", b"abc"),
        ("json", {"a": {1, 2}}),
        ("bigint", "1e999999"),
        ("bigint", float("nan")),
    ],
)
def test_a_row_with_a_value_that_does_not_fit_is_rejected(wherescape: WhereScape, data_type: str, value: Any) -> None:
    result = wherescape.load(ITEMS, [{"id": 1}, {"id": 2, f"a_{data_type}": value}])
    assert (result.inserted, result.rejected) == (1, 1)
    assert [row[0] for row in wherescape.query_target("SELECT id FROM load.load_item")] == [1]
    [line] = (wherescape.workdir / "rejects" / "load_item_0.jsonl").read_text().splitlines()
    reject = json.loads(line)
    assert (reject["record"], reject["column"], reject["raw"]["id"]) == (2, f"a_{data_type}", 2)


def test_a_record_may_lack_columns_and_have_others(wherescape: WhereScape) -> None:
    wherescape.load(ITEMS, [{"id": 1, "unknown": "x"}, {"a_text": "only"}])
    rows = wherescape.query_target("SELECT id, a_text FROM load.load_item ORDER BY id")
    assert [tuple(row) for row in rows] == [(1, None), (None, "only")]


def test_a_load_says_what_it_did(wherescape: WhereScape) -> None:
    result = wherescape.load(ITEMS, ({"id": number} for number in range(12_000)))
    assert result.inserted == 12_000
    assert re.fullmatch(r"12,000 rows, \d+\.\d s", wherescape.main_message)


def test_every_row_tells_its_source_and_the_start_of_the_load(wherescape: WhereScape) -> None:
    wherescape.load(ITEMS, [{"id": 1}])
    [row] = wherescape.query_target("SELECT dss_record_source, dss_load_date FROM load.load_item")
    assert tuple(row) == ("items api", wherescape.run_started.astimezone(UTC).replace(tzinfo=None))


def test_a_source_that_dies_half_way_leaves_the_table_as_it_was(wherescape: WhereScape) -> None:
    def records() -> Iterator[dict[str, int]]:
        yield from ({"id": number} for number in range(9_000))
        raise ConnectionError("gone")

    wherescape.load(ITEMS, [{"id": -1}])
    with pytest.raises(ConnectionError):
        wherescape.load(ITEMS, records())
    assert [tuple(row) for row in wherescape.query_target("SELECT id FROM load.load_item")] == [(-1,)]


def test_metadata_written_again_keeps_keys_and_transformations(clean_red: RedServer, wherescape: WhereScape) -> None:
    clean_red.query_repository(
        "UPDATE red.ws_load_col SET lc_transform_code = 'upper(a_text)', lc_data_type = 'varchar(9)'"
        " WHERE lc_col_name = 'a_text' RETURNING 1"
    )
    sql = (
        "SELECT lc_col_key, lc_col_name, lc_transform_code, lc_data_type FROM red.ws_load_col"
        " WHERE lc_obj_key = ? ORDER BY lc_order"
    )
    before = [tuple(row) for row in clean_red.query_repository(sql, (wherescape.object_key,))]
    wherescape.create_metadata(ITEMS)
    after = [tuple(row) for row in clean_red.query_repository(sql, (wherescape.object_key,))]
    assert [row[:3] for row in before] == [row[:3] for row in after]
    assert ("a_text", "upper(a_text)", "text") in [row[1:] for row in after]


@pytest.mark.parametrize(
    ("columns", "key", "match"),
    [
        ((Column("a", "text"), Column("a", "text")), (), "declares a more than once"),
        ((Column("a", "text"), Column("A", "text")), (), "declares a more than once"),
        ((Column("dss_load_date", "timestamp"),), (), "declares dss_load_date more than once"),
        ((Column("a", "text"),), ("b",), "names b"),
    ],
)
def test_a_declaration_that_cannot_work_is_refused(
    columns: tuple[Column, ...], key: tuple[str, ...], match: str
) -> None:
    with pytest.raises(DeclarationError, match=match):
        Table("item", columns, key, "x")


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(DeclarationError, match="'varchar'"):
        Column("a", "varchar")  # type: ignore[arg-type]


def test_json_is_stored_readable(wherescape: WhereScape) -> None:
    wherescape.load(ITEMS, [{"id": 1, "a_json": {"at": datetime(2026, 1, 1)}}])
    [row] = wherescape.query_target("SELECT a_json FROM load.load_item")
    assert json.loads(row[0]) == {"at": "2026-01-01 00:00:00"}


def test_a_task_log_that_cannot_be_written_does_not_undo_a_load(
    clean_red: RedServer, caplog: pytest.LogCaptureFixture
) -> None:
    clean_red.register_load_table("load_item")
    WhereScape(clean_red.environment("load_item")).create_metadata(ITEMS)
    clean_red.create_table("load_item")
    task = {"WSL_SEQUENCE": "1", "WSL_JOB_KEY": "1", "WSL_TASK_KEY": "1"}
    wherescape = WhereScape({**clean_red.environment("load_item"), **task, "WSL_META_PWD": "wrong"})
    assert wherescape.load(ITEMS, [{"id": 1}]).inserted == 1
    assert "The rows are loaded, but RED's task log does not show them." in caplog.text
    assert clean_red.query_warehouse("SELECT count(*) FROM load.load_item")[0][0] == 1


def test_a_record_source_that_does_not_fit_is_refused() -> None:
    with pytest.raises(DeclarationError, match="257 characters; 256 fit"):
        Table("item", (Column("a", "text"),), (), "x" * 257)


@pytest.mark.parametrize("statement", ["COMMIT", "ROLLBACK"])
def test_a_source_that_ends_the_transaction_fails_the_load(wherescape: WhereScape, statement: str) -> None:
    def records() -> Iterator[dict[str, int]]:
        yield from ({"id": number} for number in range(2 * BATCH_ROWS))
        wherescape.push_to_target(statement)
        yield {"id": -1}

    with pytest.raises(DatabaseError):
        wherescape.load(ITEMS, records())


def test_a_source_that_asks_the_target_in_threads_of_its_own_is_refused(wherescape: WhereScape) -> None:
    def records() -> Iterator[dict[str, int]]:
        yield {"id": 1}
        with ThreadPoolExecutor(1) as pool:
            pool.submit(wherescape.query_target, "SELECT 1").result()

    with pytest.raises(StatementFailed, match="in the thread that loads"):
        wherescape.load(ITEMS, records())


def test_a_load_inside_a_load_is_refused(wherescape: WhereScape) -> None:
    def records() -> Iterator[dict[str, int]]:
        wherescape.load(ITEMS, [{"id": 1}])
        yield {"id": 2}

    with pytest.raises(LoadError, match="another of the same"):
        wherescape.load(ITEMS, records())
    assert wherescape.query_target("SELECT * FROM load.load_item") == []


@pytest.mark.parametrize(
    ("records", "match"),
    [
        ([[{"id": 1}], [{"id": 2}]], "chain.from_iterable"),
        ([(1, "a")], "type tuple"),
        ([{"data": {"id": 1}}] * 1, "No record has any field"),
        ([{"a_text": "x"}, {"a_text": "y"}], "or any of its key"),
    ],
)
def test_records_that_are_none_of_this_table_fail_the_load(
    wherescape: WhereScape, records: list[Any], match: str
) -> None:
    with pytest.raises(LoadError, match=match):
        wherescape.load(ITEMS, records)
    assert wherescape.query_target("SELECT * FROM load.load_item") == []


def test_two_dicts_that_are_filled_by_turns_are_refused(wherescape: WhereScape) -> None:
    def records() -> Iterator[dict[str, int]]:
        first, second = {"id": 0}, {"id": 0}
        for number in range(4):
            record = (first, second)[number % 2]
            record["id"] = number
            yield record

    with pytest.raises(LoadError, match="again and again"):
        wherescape.load(ITEMS, records())


@pytest.mark.parametrize("options", [{"extraction": object()}, {"mark": "HWM_load_item"}])
def test_options_of_another_type_are_refused_before_anything_is_read(
    wherescape: WhereScape, options: dict[str, Any]
) -> None:
    with pytest.raises(DeclarationError, match="high_water_mark"):
        wherescape.load(ITEMS, iter([{"id": 1}]), **options)
    assert wherescape.query_target("SELECT * FROM load.load_item") == []
