"""query_* and push_*: rows, counts, one transaction, no lock left, and errors that say what to do."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from datetime import time as dt_time
from decimal import Decimal
from uuid import UUID

import pytest

from wherescape import WhereScape, WhereScapeError
from wherescape.errors import ConnectionFailed, StatementFailed
from wherescape.sandbox.red_server import RedServer


@pytest.fixture
def wherescape(clean_red: RedServer) -> Iterator[WhereScape]:
    environment = clean_red.environment("load_item")
    # A source of its own: the warehouse, reached a second time.
    source = {name.replace("TGT", "SRC"): value for name, value in environment.items() if "_TGT_" in name}
    made = WhereScape({**environment, **source})
    made.push_to_target("DROP TABLE IF EXISTS load.item")
    made.push_to_target('CREATE TABLE load.item (id bigint PRIMARY KEY, name text, "order" numeric, at timestamp)')
    yield made
    made.push_to_target("DROP TABLE IF EXISTS load.item")
    made.close()


@pytest.mark.parametrize("name", ["query_meta", "query_target", "query_source"])
def test_a_query_returns_its_rows_as_a_list(wherescape: WhereScape, name: str) -> None:
    rows = getattr(wherescape, name)("SELECT 1 AS one, CAST(? AS text) AS two", ("b",))
    assert isinstance(rows, list)
    assert [tuple(row) for row in rows] == [(1, "b")]
    assert rows[0].two == "b"


@pytest.mark.parametrize("name", ["push_to_meta", "push_to_target", "push_to_source"])
def test_a_push_returns_the_number_of_rows_it_changed(wherescape: WhereScape, name: str) -> None:
    push = getattr(wherescape, name)
    try:
        push("CREATE TABLE public.pushed (id int)")
        assert push("INSERT INTO public.pushed SELECT * FROM generate_series(1, ?)", (5,)) == 5
        assert push("DELETE FROM public.pushed WHERE id > 3") == 2
        assert push("DELETE FROM public.pushed WHERE id > 3") == 0
    finally:
        push("DROP TABLE IF EXISTS public.pushed")


def test_a_query_leaves_no_lock(wherescape: WhereScape, clean_red: RedServer) -> None:
    wherescape.query_target("SELECT * FROM load.item")
    locks = clean_red.query_warehouse(
        "SELECT 1 FROM pg_locks WHERE relation = CAST('load.item' AS regclass) AND pid <> pg_backend_pid()"
    )
    assert locks == []


def test_a_query_that_writes_is_committed(wherescape: WhereScape, clean_red: RedServer) -> None:
    wherescape.query_target("INSERT INTO load.item (id) VALUES (1) RETURNING id")
    assert [tuple(row) for row in clean_red.query_warehouse("SELECT id FROM load.item")] == [(1,)]


def test_a_push_that_fails_half_way_changes_nothing(wherescape: WhereScape) -> None:
    with pytest.raises(StatementFailed, match="nothing was committed"):
        wherescape.push_to_target("INSERT INTO load.item (id) VALUES (1); INSERT INTO load.item (id) VALUES (1)")
    assert wherescape.query_target("SELECT * FROM load.item") == []


def test_the_connection_is_usable_after_an_error(wherescape: WhereScape) -> None:
    with pytest.raises(StatementFailed, match="nowhere"):
        wherescape.query_target("SELECT * FROM load.nowhere")
    assert wherescape.query_target("SELECT 1")[0][0] == 1


def test_one_connection_is_opened_on_first_use_and_reused(clean_red: RedServer) -> None:
    wherescape = WhereScape(clean_red.environment("load_item"))
    try:
        backends = {wherescape.query_target("SELECT pg_backend_pid()")[0][0] for _ in range(3)}
        assert len(backends) == 1
    finally:
        wherescape.close()
    # PostgreSQL ends a session a moment after its client has left.
    deadline = time.monotonic() + 30
    while clean_red.query_warehouse("SELECT 1 FROM pg_stat_activity WHERE pid = ?", tuple(backends)):
        assert time.monotonic() < deadline


def test_a_connection_that_broke_is_opened_again(wherescape: WhereScape, clean_red: RedServer) -> None:
    backend = wherescape.query_target("SELECT pg_backend_pid()")[0][0]
    # The superuser is not needed: a role may end its own sessions.
    WhereScape(clean_red.environment("load_item")).query_target("SELECT pg_terminate_backend(?)", (backend,))
    with pytest.raises(ConnectionFailed, match="the database is up"):
        wherescape.query_target("SELECT 1")
    assert wherescape.query_target("SELECT 1")[0][0] == 1


def test_a_parameter_with_an_offset_is_sent_in_utc(wherescape: WhereScape) -> None:
    moment = datetime(2026, 1, 5, 11, 5, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    wherescape.push_to_target("INSERT INTO load.item (id, at) VALUES (1, ?)", (moment,))
    assert wherescape.query_target("SELECT at FROM load.item")[0][0] == moment.astimezone(UTC).replace(tzinfo=None)


def test_a_text_with_nul_is_refused_and_not_cut(wherescape: WhereScape) -> None:
    with pytest.raises(StatementFailed, match="NUL"):
        wherescape.push_to_target("INSERT INTO load.item (id, name) VALUES (1, ?)", ("a\0b",))


def test_a_single_text_is_one_parameter(wherescape: WhereScape) -> None:
    assert wherescape.query_target("SELECT CAST(? AS text)", "abc")[0][0] == "abc"


def test_numbers_beyond_64_bits_are_sent_whole(wherescape: WhereScape) -> None:
    wherescape.push_to_target('INSERT INTO load.item (id, "order") VALUES (1, ?)', (2**70,))
    assert wherescape.query_target('SELECT "order" FROM load.item')[0][0] == Decimal(2**70)


def test_pushing_many_rows_streams_any_iterable(wherescape: WhereScape) -> None:
    rows = ((number, f"name {number}") for number in range(12_345))
    assert wherescape.push_many_to_target("INSERT INTO load.item (id, name) VALUES (?, ?)", rows) == 12_345
    [counts] = wherescape.query_target("SELECT count(*), count(DISTINCT name) FROM load.item")
    assert tuple(counts) == (12_345, 12_345)


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO load.item (id, name) VALUES (?, ?)",
        'insert into "load"."item" ("id", "name") values (?, ?);',
        "INSERT INTO load.item VALUES (?, ?)",
        "INSERT INTO load.item (id, name) VALUES (?, upper(?))",
    ],
    ids=["plain", "quoted", "without columns", "with an expression"],
)
def test_pushing_many_rows_is_all_or_nothing(wherescape: WhereScape, sql: str) -> None:
    rows = [(number, "x") for number in range(7_000)] + [(0, "a second 0")]
    with pytest.raises(StatementFailed, match="duplicate key"):
        wherescape.push_many_to_target(sql, rows)
    assert wherescape.query_target("SELECT count(*) FROM load.item")[0][0] == 0
    assert wherescape.push_many_to_target(sql, rows[:-1]) == 7_000


def test_pushing_many_takes_any_other_statement(wherescape: WhereScape) -> None:
    wherescape.push_many_to_target("INSERT INTO load.item (id, name) VALUES (?, ?)", [(1, "a"), (2, "b")])
    assert wherescape.push_many_to_target("UPDATE load.item SET name = ? WHERE id = ?", [("c", 1), ("d", 2)]) == 2
    assert [tuple(row) for row in wherescape.query_target("SELECT id, name FROM load.item ORDER BY id")] == [
        (1, "c"),
        (2, "d"),
    ]


def test_pushing_no_rows_is_no_error(wherescape: WhereScape) -> None:
    assert wherescape.push_many_to_target("INSERT INTO load.item (id) VALUES (?)", []) == 0


def test_a_row_of_another_width_is_refused(wherescape: WhereScape) -> None:
    with pytest.raises(StatementFailed, match="3 values for 2 columns"):
        wherescape.push_many_to_target("INSERT INTO load.item (id, name) VALUES (?, ?)", [(1, "a"), (2, "b", "c")])
    assert wherescape.query_target("SELECT * FROM load.item") == []


def test_a_source_that_dies_half_way_leaves_nothing(wherescape: WhereScape) -> None:
    def rows() -> Iterator[tuple[int, str]]:
        yield from ((number, "x") for number in range(6_000))
        raise OSError("the source is gone")

    with pytest.raises(OSError, match="the source is gone"):
        wherescape.push_many_to_target("INSERT INTO load.item (id, name) VALUES (?, ?)", rows())
    assert wherescape.query_target("SELECT * FROM load.item") == []


def test_a_source_that_asks_the_target_does_not_commit_half_of_the_rows(wherescape: WhereScape) -> None:
    def rows() -> Iterator[tuple[int, str]]:
        for number in range(12_000):
            if number % 3_000 == 0:
                [[count]] = wherescape.query_target("SELECT count(*) FROM load.item")
                wherescape.push_to_target("INSERT INTO load.item (id) VALUES (?)", (-1 - number,))
            yield number, str(count)
        raise OSError("the source is gone")

    with pytest.raises(OSError, match="the source is gone"):
        wherescape.push_many_to_target("INSERT INTO load.item (id, name) VALUES (?, ?)", rows())
    assert wherescape.query_target("SELECT * FROM load.item") == []


def test_a_reserved_word_may_be_a_column(wherescape: WhereScape) -> None:
    wherescape.push_many_to_target('INSERT INTO load.item (id, "order") VALUES (?, ?)', [(1, Decimal("1.50"))])
    assert str(wherescape.query_target('SELECT "order" FROM load.item')[0][0]) == "1.50"


@pytest.mark.parametrize("zone", ["UTC", "Europe/Amsterdam", "America/St_Johns"])
def test_a_moment_is_the_same_whatever_the_zone_of_the_session(wherescape: WhereScape, zone: str) -> None:
    moment = datetime(2026, 7, 1, 12, tzinfo=UTC)
    wherescape.push_to_target("CREATE TEMPORARY TABLE moment (with_zone timestamptz, without timestamp)")
    wherescape.push_to_target(f"SET TIME ZONE '{zone}'")
    wherescape.push_to_target("INSERT INTO moment VALUES (?, ?)", (moment, moment))
    wherescape.push_many_to_target("INSERT INTO moment (with_zone, without) VALUES (?, ?)", [(moment, moment)])
    wherescape.push_many_to_target("INSERT INTO moment VALUES (?, ?)", [(moment, moment)])
    rows = wherescape.query_target("SELECT with_zone AT TIME ZONE 'UTC', without FROM moment")
    assert [tuple(row) for row in rows] == [(datetime(2026, 7, 1, 12),) * 2] * 3
    assert wherescape.query_target("SELECT count(*) FROM moment WHERE with_zone = ?", (moment,))[0][0] == 3


@pytest.mark.parametrize("row", ["xy", {"id": 1, "name": "x"}, b"ab"])
@pytest.mark.parametrize(
    "sql", ["INSERT INTO load.item (id, name) VALUES (?, ?)", "INSERT INTO load.item VALUES (?, ?)"]
)
def test_what_is_no_row_is_refused(wherescape: WhereScape, sql: str, row: object) -> None:
    with pytest.raises(StatementFailed, match="must be a list or tuple"):
        wherescape.push_many_to_target(sql, [row])  # type: ignore[list-item]
    assert wherescape.query_target("SELECT * FROM load.item") == []


def test_a_statement_with_nul_is_not_cut(wherescape: WhereScape) -> None:
    wherescape.push_to_target("INSERT INTO load.item (id) VALUES (1), (2)")
    with pytest.raises(StatementFailed, match="NUL"):
        wherescape.push_to_target("UPDATE load.item SET name = 'x' \0 WHERE id = 1")
    assert wherescape.query_target("SELECT count(name) FROM load.item")[0][0] == 0


@pytest.mark.parametrize("push", ["push_to_target", "push_many_to_target"])
@pytest.mark.parametrize("value", ["\ud800", datetime.max.replace(tzinfo=timezone(timedelta(hours=-5)))])
def test_a_value_that_cannot_be_sent_is_an_error_of_its_own(wherescape: WhereScape, push: str, value: object) -> None:
    sql = "INSERT INTO load.item (name) VALUES (?)"
    with pytest.raises(WhereScapeError):
        getattr(wherescape, push)(sql, [value] if push == "push_to_target" else [[value]])


@pytest.mark.parametrize(
    ("column_type", "value"),
    [
        ("text", b"abc"),
        ("text", object()),
        ("text", {1, 2}),
        ("varchar(2)", "abc"),
        ("bit(3)", "1010"),
        ("int", 2**40),
    ],
)
def test_a_value_is_refused_rather_than_altered(wherescape: WhereScape, column_type: str, value: object) -> None:
    wherescape.push_to_target(f"CREATE TEMPORARY TABLE strict (a {column_type})")
    with pytest.raises(WhereScapeError):
        wherescape.push_many_to_target("INSERT INTO strict (a) VALUES (?)", [[value]])
    assert wherescape.query_target("SELECT * FROM strict") == []


@pytest.mark.parametrize(
    ("column_type", "value", "text"),
    [
        ("bytea", memoryview(b"abc"), "\\x616263"),
        ("bit(3)", "101", "101"),
        ("jsonb", True, "true"),
        ("jsonb", [1, "a"], '[1, "a"]'),
        ("uuid", UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ("interval", timedelta(days=-1, seconds=5), "-1 days +00:00:05"),
        ("integer[]", "{1,2}", "{1,2}"),
        ("time", dt_time(10, 0, 0, 1), "10:00:00.000001"),
        ("numeric", Decimal("NaN"), "NaN"),
    ],
)
def test_a_value_of_any_type_is_sent_as_what_it_means(
    wherescape: WhereScape, column_type: str, value: object, text: str
) -> None:
    wherescape.push_to_target(f"CREATE TEMPORARY TABLE typed (a {column_type})")
    wherescape.push_many_to_target("INSERT INTO typed (a) VALUES (?)", [[value], [None]])
    rows = wherescape.query_target("SELECT CAST(a AS text) FROM typed")
    assert [row[0] for row in rows] == [text, None]


def test_odd_identifiers_are_taken_as_the_database_takes_them(wherescape: WhereScape) -> None:
    wherescape.push_to_target(
        'CREATE TEMPORARY TABLE "we,ird?" ("a,b" text, "c""d" text, "g]h" text, "Ä" text, plain text)'
    )
    sql = 'INSERT INTO "we,ird?" ("a,b", "c""d", "g]h", "Ä", PLAIN) VALUES (?, ?, ?, ?, ?)'
    wherescape.push_many_to_target(sql, [list("12345")])
    assert [tuple(row) for row in wherescape.query_target('SELECT * FROM "we,ird?"')] == [tuple("12345")]


def test_a_table_that_is_missing_is_found_out_without_a_row(wherescape: WhereScape) -> None:
    with pytest.raises(StatementFailed, match="load.gone"):
        wherescape.push_many_to_target("INSERT INTO load.gone (id) VALUES (?)", [])


def test_a_user_who_may_only_insert_can_load(wherescape: WhereScape) -> None:
    wherescape.push_to_target("REVOKE SELECT ON load.item FROM CURRENT_USER")
    assert wherescape.push_many_to_target("INSERT INTO load.item (id) VALUES (?)", [(1,)]) == 1
    wherescape.push_to_target("GRANT SELECT ON load.item TO CURRENT_USER")
    assert wherescape.query_target("SELECT count(*) FROM load.item")[0][0] == 1


def test_a_connection_that_was_dropped_while_idle_is_opened_again(
    wherescape: WhereScape, clean_red: RedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = wherescape.query_target("SELECT pg_backend_pid()")[0][0]
    monkeypatch.setattr("wherescape.database.IDLE_SECONDS", 0)
    WhereScape(clean_red.environment("load_item")).query_target("SELECT pg_terminate_backend(?)", (backend,))
    assert wherescape.query_target("SELECT pg_backend_pid()")[0][0] != backend


def test_a_wrong_number_of_parameters_is_told(wherescape: WhereScape) -> None:
    with pytest.raises(StatementFailed, match="2 parameter markers"):
        wherescape.query_target("SELECT CAST(? AS int), CAST(? AS int)", (1,))
