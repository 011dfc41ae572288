"""A row that does not fit is kept in the reject file, with its reason, and counted; too many of them end the load."""

import itertools
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest

from tests.loading import (
    LOAD_TABLE,
    alter,
    create_load_table,
    item_table,
    load_table,
    numbers,
    reject_file,
    rejects,
    stored,
    texts_of_red,
)
from wherescape import Column, WhereScape
from wherescape.database import BATCH_ROWS
from wherescape.errors import DatabaseError, DeclarationError, LoadError, TooManyRejects
from wherescape.sandbox.red_server import RedServer
from wherescape.sandbox.scheduler import TaskResult

TABLE = item_table(
    Column("n2", "bigint"),
    Column("a_text", "text"),
    Column("a_numeric", "numeric"),
    Column("a_double", "double"),
    Column("a_timestamp", "timestamp"),
)

SCRIPT = """\
from wherescape import Column, Table, WhereScape

wherescape = WhereScape()
columns = (Column("n", "bigint"), Column("a_text", "text"), Column("a_numeric", "numeric"),
           Column("a_timestamp", "timestamp"))
wherescape.load(Table("item", columns, ("n",), "items api"), {records})
"""


@pytest.fixture
def wherescape(clean_red: RedServer) -> Iterator[WhereScape]:
    with load_table(clean_red, TABLE) as made:
        yield made


def rows(count: int, bad: Sequence[int] = (), **fields: Any) -> Iterator[dict[str, Any]]:
    """Records from 1 to `count`; those in `bad` have the given fields."""
    return ({"n": n} | (fields if n in bad else {}) for n in range(1, count + 1))


def run(red: RedServer, records: str) -> TaskResult:
    create_load_table(red, TABLE)
    script = red.workdir / "load.py"
    script.write_text(SCRIPT.format(records=records), encoding="utf-8")
    return red.run_host_script(script, LOAD_TABLE, timeout=60)


def test_a_row_that_does_not_fit_is_kept_with_all_that_is_known_of_it(wherescape: WhereScape) -> None:
    record = {"n": 2, "a_numeric": "much", "a_text": "é😀\n", "unknown": [1, {"deep": None}]}
    result = wherescape.load(TABLE, [{"n": 1}, record, {"n": 3}])
    [reject] = rejects(wherescape)
    assert (result.inserted, result.rejected) == (2, 1)
    assert set(reject) == {"at", "load_started", "record", "column", "reason", "raw"}
    assert (reject["record"], reject["column"], reject["raw"]) == (2, "a_numeric", record)
    assert datetime.fromisoformat(reject["at"]).tzinfo is not None
    assert reject["reason"]


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        10**5_000,
        b"\xff",
        {1, 2},
        {(1, 2): 3},
        {None: 1},
        object(),
        "\ud800",
        "\0",
        "x" * 1_000_000,
        datetime(2026, 1, 5),
        Decimal("1.10"),
    ],
    ids=lambda value: repr(value)[:20] if not isinstance(value, int) else "int",
)
def test_the_reject_file_takes_any_record(wherescape: WhereScape, clean_red: RedServer, value: Any) -> None:
    wherescape.load(TABLE, [{"n": 1, "a_numeric": "much", "unknown": value}, {"n": 2}])
    [reject] = rejects(wherescape)
    assert (reject["raw"]["n"], reject["column"]) == (1, "a_numeric")
    assert numbers(clean_red) == [2]


@pytest.mark.parametrize("record", [None, "text", 5, [1], [("n", 1)], b"{}"], ids=repr)
def test_what_is_no_record_is_rejected(wherescape: WhereScape, clean_red: RedServer, record: Any) -> None:
    result = wherescape.load(TABLE, [{"n": 1}, record, {"n": 3}])
    [reject] = rejects(wherescape)
    assert (result.inserted, result.rejected, reject["record"], reject["column"]) == (2, 1, 2, None)
    assert reject["reason"]
    assert numbers(clean_red) == [1, 3]


def test_any_mapping_is_a_record(wherescape: WhereScape, clean_red: RedServer) -> None:
    wherescape.load(TABLE, [MappingProxyType({"n": 1, "a_text": "a"})])
    assert stored(clean_red, "n, a_text") == [(1, "a")]


def test_no_file_without_rejects(wherescape: WhereScape) -> None:
    wherescape.load(TABLE, rows(3))
    assert not reject_file(wherescape).exists()


def test_each_run_of_a_job_has_a_file_of_its_own(clean_red: RedServer) -> None:
    for sequence in ("7", "8"):
        with load_table(clean_red, TABLE, WSL_SEQUENCE=sequence) as wherescape:
            wherescape.load(TABLE, rows(3, [2], a_numeric="much"))
    files = sorted(path.name for path in (clean_red.workdir / "rejects").iterdir())
    assert files == [f"{LOAD_TABLE}_7.jsonl", f"{LOAD_TABLE}_8.jsonl"]


def test_rejects_of_a_later_load_are_added(wherescape: WhereScape) -> None:
    for _ in range(2):
        wherescape.load(TABLE, rows(3, [2], a_numeric="much"))
    assert [reject["record"] for reject in rejects(wherescape)] == [2, 2]


REFUSED_BY_THE_DATABASE: dict[str, tuple[str, dict[str, Any], str | None]] = {
    "varchar": ("ALTER a_text TYPE varchar(3)", {"a_text": "abcd"}, "a_text"),
    "varchar with blanks at the end": ("ALTER a_text TYPE varchar(3)", {"a_text": "abc "}, "a_text"),
    "not null": ("ALTER a_text SET NOT NULL", {"a_text": None}, "a_text"),
    "check": ("ADD CHECK (a_numeric > 0)", {"a_numeric": -1}, None),
    "smallint": ("ALTER a_numeric TYPE smallint", {"a_numeric": 40_000}, "a_numeric"),
    "fraction in a smallint": ("ALTER a_numeric TYPE smallint", {"a_numeric": Decimal("1.5")}, "a_numeric"),
    "digits before the point": ("ALTER a_numeric TYPE numeric(10, 2)", {"a_numeric": 123456789}, "a_numeric"),
    "digits behind the point": ("ALTER a_numeric TYPE numeric(10, 2)", {"a_numeric": Decimal("1.005")}, "a_numeric"),
    "real": ("ALTER a_numeric TYPE real", {"a_numeric": Decimal("16777217")}, "a_numeric"),
    "seconds": ("ALTER a_timestamp TYPE timestamp(0)", {"a_timestamp": "2026-01-05T10:05:13.5Z"}, "a_timestamp"),
    "time of a date": ("ALTER a_timestamp TYPE date", {"a_timestamp": "2026-01-05T10:05:13Z"}, "a_timestamp"),
    "hundreds": ("ALTER a_numeric TYPE numeric(6, -2)", {"a_numeric": 150}, "a_numeric"),
    "a domain of decimals": ("ALTER a_numeric TYPE load.cents", {"a_numeric": Decimal("1.005")}, "a_numeric"),
    "a domain of texts": ("ALTER a_text TYPE load.short", {"a_text": "abc "}, "a_text"),
    "a double behind the point": ("ALTER a_double TYPE numeric(10, 2)", {"a_double": 1.005}, "a_double"),
    "a bigint as real": ("ALTER n2 TYPE real", {"n2": 16777217}, "n2"),
    "json": ("ALTER a_text TYPE jsonb USING NULL", {"a_text": "{not json"}, "a_text"),
}
GOOD: dict[str, Any] = {"a_text": "1", "a_numeric": 100, "a_double": 0.5, "n2": 1, "a_timestamp": "2026-01-05"}


@pytest.mark.parametrize("case", REFUSED_BY_THE_DATABASE)
def test_what_the_load_table_does_not_take_is_rejected(
    wherescape: WhereScape, clean_red: RedServer, case: str
) -> None:
    change, fields, column = REFUSED_BY_THE_DATABASE[case]
    clean_red.query_warehouse("CREATE DOMAIN load.cents AS numeric(10, 2); CREATE DOMAIN load.short AS varchar(3)")
    alter(clean_red, change)
    result = wherescape.load(TABLE, ({**GOOD, **row} for row in rows(9, [1, 4, 5, 9], **fields)))
    kept = rejects(wherescape)
    assert (result.inserted, result.rejected) == (5, 4)
    assert [reject["record"] for reject in kept] == [1, 4, 5, 9]
    assert numbers(clean_red) == [2, 3, 6, 7, 8]
    assert all(reject["reason"] for reject in kept)
    assert {reject["column"] for reject in kept} <= {column, None}


@pytest.mark.parametrize(
    "bad", [[1], [BATCH_ROWS], [1, 2, 777, 2_048, BATCH_ROWS], [BATCH_ROWS + 1, BATCH_ROWS + 20]], ids=str
)
def test_a_row_that_the_database_refuses_is_found_anywhere_in_a_batch(
    wherescape: WhereScape, clean_red: RedServer, bad: list[int]
) -> None:
    alter(clean_red, "ADD CHECK (a_numeric > 0)")
    result = wherescape.load(TABLE, rows(BATCH_ROWS + 20, bad, a_numeric=-1))
    assert (result.inserted, result.rejected) == (BATCH_ROWS + 20 - len(bad), len(bad))
    assert [reject["record"] for reject in rejects(wherescape)] == bad
    assert numbers(clean_red) == [n for n in range(1, BATCH_ROWS + 21) if n not in bad]


def test_of_rows_with_the_same_key_the_first_is_stored(wherescape: WhereScape, clean_red: RedServer) -> None:
    alter(clean_red, "ADD UNIQUE (n)")
    records = [{"n": n % 6_000, "a_text": str(n)} for n in range(6_040)]
    result = wherescape.load(TABLE, records)
    assert (result.inserted, result.rejected) == (6_000, 40)
    assert [reject["record"] for reject in rejects(wherescape)] == list(range(6_001, 6_041))
    assert stored(clean_red, "n, a_text") == [(n, str(n)) for n in range(6_000)]


def test_rows_that_a_trigger_drops_are_not_counted_as_inserted(wherescape: WhereScape, clean_red: RedServer) -> None:
    clean_red.query_warehouse(
        f"""
        CREATE FUNCTION load.drop_two() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN IF NEW.n = 2 THEN RETURN NULL; END IF; RETURN NEW; END $$;
        CREATE TRIGGER drop_two BEFORE INSERT ON load.{LOAD_TABLE} FOR EACH ROW EXECUTE FUNCTION load.drop_two()
        """
    )
    with suppress(DatabaseError, LoadError):
        assert wherescape.load(TABLE, rows(3)).inserted == len(numbers(clean_red)) == 2
    assert numbers(clean_red) in ([], [1, 3])


def test_a_constraint_that_is_looked_at_last_ends_the_load(wherescape: WhereScape, clean_red: RedServer) -> None:
    alter(clean_red, "ADD UNIQUE (n) DEFERRABLE INITIALLY DEFERRED")
    with pytest.raises(DatabaseError, match="nothing was committed"):
        wherescape.load(TABLE, [{"n": 1}, {"n": 1}])
    assert numbers(clean_red) == []
    assert wherescape.main_message == ""


def test_more_refusals_than_may_be_in_one_batch_fail_the_load_whatever_follows(
    wherescape: WhereScape, clean_red: RedServer
) -> None:
    """The rows that were not tried any more must not be taken for inserted ones."""
    alter(clean_red, "ALTER a_text TYPE varchar(3)")
    with pytest.raises(TooManyRejects, match="of the first"):
        wherescape.load(TABLE, rows(3 * BATCH_ROWS, range(1, 201), a_text="abcd"))
    assert numbers(clean_red) == []


@pytest.mark.parametrize(("rows_", "share"), [(-1, 0.05), (100, 5), (100, -0.1), (100, float("nan"))])
def test_limits_that_make_no_sense_are_refused(wherescape: WhereScape, rows_: int, share: float) -> None:
    with pytest.raises(DeclarationError, match="0.05 is 5%"):
        wherescape.load(TABLE, [], max_rejected=rows_, max_rejected_share=share)


def test_the_limit_is_met_to_the_row(wherescape: WhereScape) -> None:
    records = rows(100, range(29), a_numeric="x")
    assert wherescape.load(TABLE, records, max_rejected=0, max_rejected_share=0.29).rejected == 28
    with pytest.raises(TooManyRejects):
        wherescape.load(TABLE, rows(100, range(31), a_numeric="x"), max_rejected=0, max_rejected_share=0.29)


@pytest.mark.parametrize(
    ("change", "field", "value", "expected"),
    [
        ("ALTER a_text TYPE timestamp USING NULL", "a_text", "2026-01-05T10:11:12+05:00", "2026-01-05 05:11:12"),
        ("ALTER a_text TYPE timestamptz USING NULL", "a_text", "2026-01-05T10:11:12", "2026-01-05 10:11:12+00"),
        ("ALTER a_text TYPE timestamp USING NULL", "a_text", "2026-01-05T10:11:12.1234567Z", None),
        ("ALTER a_text TYPE date USING NULL", "a_text", "2026-01-05T23:59:59Z", None),
        ("ALTER a_text TYPE numeric(5,2) USING NULL", "a_text", "1.239", None),
        ("ALTER a_text TYPE numeric(5,2) USING NULL", "a_text", "1.20", "1.20"),
        ("ALTER a_text TYPE real USING NULL", "a_text", "16777217", None),
        ("ALTER a_text TYPE double precision USING NULL", "a_text", "9007199254740993", None),
        ("ALTER a_numeric TYPE bigint", "a_numeric", 3.0, "3"),
        ("ALTER a_double TYPE bigint", "a_double", 1.0, "1"),
        ("ALTER a_text TYPE name", "a_text", "x" * 64, None),
    ],
)
def test_a_column_of_another_type_than_declared_stores_what_came_or_nothing(
    wherescape: WhereScape, clean_red: RedServer, change: str, field: str, value: Any, expected: str | None
) -> None:
    alter(clean_red, change)
    wherescape.load(TABLE, [{"n": 1, field: value}])
    found = clean_red.query_warehouse(
        f"SELECT set_config('timezone', 'UTC', true), CAST({field} AS text) FROM load.{LOAD_TABLE}"
    )
    assert [row[1] for row in found] == ([] if expected is None else [expected])


def test_rows_refused_here_and_there_are_numbered_as_they_came(wherescape: WhereScape, clean_red: RedServer) -> None:
    alter(clean_red, "ALTER a_text TYPE varchar(3)")
    border = BATCH_ROWS
    too_long, no_number = {10, border - 1, border, 2 * border - 9}, {11, border + 1, 2 * border - 1, 2 * border + 1}
    records = (
        {"n": n, "a_text": "abcd" if n in too_long else "a", "a_numeric": "x" if n in no_number else n}
        for n in range(1, 2 * border + 2)
    )
    result = wherescape.load(TABLE, records)
    columns = {reject["record"]: reject["column"] for reject in rejects(wherescape)}
    assert result.rejected == 8
    assert set(columns) == too_long | no_number
    assert {columns[n] for n in no_number} == {"a_numeric"}
    assert all(reject["raw"]["n"] == reject["record"] for reject in rejects(wherescape))


@pytest.mark.parametrize(
    "change",
    ["DROP COLUMN n", "ADD COLUMN needed integer NOT NULL", "RENAME TO load_other"],
)
def test_a_table_that_takes_no_row_at_all_is_an_error(
    wherescape: WhereScape, clean_red: RedServer, change: str
) -> None:
    alter(clean_red, change)
    with pytest.raises((DatabaseError, LoadError)):
        wherescape.load(TABLE, rows(BATCH_ROWS + 1))


@pytest.mark.parametrize(
    ("count", "bad", "max_rejected", "max_share", "fails"),
    [
        (1_000, 100, 100, 0.05, False),  # no more than 100 rows
        (2_020, 101, 100, 0.05, False),  # no more than 5%
        (2_000, 101, 100, 0.05, True),
        (101, 101, 100, 0.05, True),
        (10, 10, 100, 0.05, False),
        (10, 1, 0, 0.0, True),
        (10, 0, 0, 0.0, False),
        (10, 10, 0, 1.0, False),
        (10_000, 400, 100, 0.05, False),
    ],
)
def test_more_than_a_number_and_a_share_of_rejects_end_the_load(
    wherescape: WhereScape,
    clean_red: RedServer,
    count: int,
    bad: int,
    max_rejected: int,
    max_share: float,
    fails: bool,
) -> None:
    records = rows(count, range(count - bad + 1, count + 1), a_numeric="much")
    wherescape.push_to_target(f"INSERT INTO load.{LOAD_TABLE} (n) VALUES (0)")
    if not fails:
        result = wherescape.load(TABLE, records, max_rejected=max_rejected, max_rejected_share=max_share)
        assert (result.inserted, result.rejected) == (count - bad, bad)
        assert len(numbers(clean_red)) == count - bad + 1
        return
    with pytest.raises(TooManyRejects, match="a_numeric"):
        wherescape.load(TABLE, records, max_rejected=max_rejected, max_rejected_share=max_share)
    assert numbers(clean_red) == [0]
    assert max_rejected < len(rejects(wherescape)) <= bad


def test_rows_that_the_database_refuses_count_towards_too_many(wherescape: WhereScape, clean_red: RedServer) -> None:
    alter(clean_red, "ALTER a_text TYPE varchar(3)")
    with pytest.raises(TooManyRejects):
        wherescape.load(TABLE, rows(1_000, range(1, 151), a_text="abcd"))
    assert numbers(clean_red) == []


def test_too_many_are_noticed_before_the_source_is_read_to_its_end(wherescape: WhereScape) -> None:
    numbers = itertools.count()
    with pytest.raises(TooManyRejects):
        wherescape.load(TABLE, ({"n": "x", "a_text": str(number)} for number in numbers))
    assert next(numbers) <= 2 * BATCH_ROWS


def test_a_reject_file_that_cannot_be_written_ends_the_load(wherescape: WhereScape, clean_red: RedServer) -> None:
    reject_file(wherescape).mkdir(parents=True)
    with pytest.raises(LoadError, match="reject"):
        wherescape.load(TABLE, rows(3, [2], a_numeric="much"))
    assert numbers(clean_red) == []


def test_rejects_turn_the_status_to_a_warning(clean_red: RedServer) -> None:
    result = run(clean_red, "[{'n': n, 'a_numeric': 'x' if n == 2 else n} for n in range(5)]")
    assert (result.status, result.inserted, result.rejected) == (-1, 4, 1), result
    assert result.message.startswith("4 rows, 1 rejected, ")
    assert numbers(clean_red) == [0, 1, 3, 4]
    [file] = (clean_red.workdir / "rejects").iterdir()
    assert json.loads(file.read_text(encoding="utf-8"))["record"] == 3


def test_too_many_rejects_are_an_error_and_nothing_is_loaded(clean_red: RedServer) -> None:
    result = run(clean_red, "({'n': n, 'a_numeric': 'x'} for n in range(200))")
    assert (result.status, result.inserted) == (-2, 0), result
    assert numbers(clean_red) == []


def test_no_secret_is_kept_with_a_reject(clean_red: RedServer) -> None:
    secret = clean_red.target_password
    records = f"[{{'n': 'x', 'a_text': 'see {secret}'}}, {{'n': 1, 'a_text': '{secret}', 'a_numeric': '{secret}'}}]"
    result = run(clean_red, records)
    assert (result.status, result.rejected) == (-1, 2), result
    written_script = clean_red.workdir / "load.py"
    leaks = [name for name, text in texts_of_red(clean_red).items() if secret in text and name != str(written_script)]
    assert leaks == []
    assert secret not in "\n".join([result.message, *result.audit, *result.detail])
