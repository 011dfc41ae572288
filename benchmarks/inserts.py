"""The insert step: rows in memory into a table, near and far, against executemany and psycopg COPY."""

from contextlib import ExitStack

from benchmarks import items
from benchmarks.measuring import Goal, LoadTable, Measure, Side, Sizes, best_seconds, expect_same
from wherescape.sandbox import RedServer
from wherescape.sandbox.tcp_proxy import proxy_process


def same_host(red: RedServer, sizes: Sizes) -> Measure:
    """Insert rows into a database on the same machine."""
    table = LoadTable(red, items.TABLE)
    records = list(items.records(sizes.rows))
    rows = [(*items.row(record), *table.tail) for record in records]
    stored: list[tuple[int, int]] = []

    def note() -> None:
        stored.append(table.contents())

    with ExitStack() as stack:
        wherescape = stack.enter_context(table.open_wherescape())
        odbc = stack.enter_context(table.open_odbc())
        psycopg = stack.enter_context(table.open_psycopg())
        ours, copy, one_by_one = best_seconds(
            sizes.repetitions,
            Side(lambda: wherescape.load(items.TABLE, records), table.empty, note),
            Side(lambda: table.copy(psycopg, rows), table.empty, note),
            Side(lambda: table.executemany(odbc, rows), table.empty, note),
        )
    expect_same("insert", *stored)
    speed, copy_speed, slow_speed = len(rows) / ours, len(rows) / copy, len(rows) / one_by_one
    return Measure(
        f"Insert {sizes.rows:,} rows of 20 columns, same host",
        "rows/s",
        {"psycopg COPY": copy_speed, "wherescape": speed, "executemany": slow_speed},
        (
            Goal("insert, against `executemany`", speed / slow_speed, 8, "times as fast", 1, 8 * slow_speed),
            Goal("insert, against psycopg COPY", speed / copy_speed, 0.6, "of its speed", 2, 0.6 * copy_speed),
        ),
    )


def one_millisecond_away(red: RedServer, sizes: Sizes) -> Measure:
    """Insert rows into a database behind a proxy that adds a round trip of a millisecond."""
    table = LoadTable(red, items.TABLE)
    records = list(items.records(sizes.rows))
    few = [(*items.row(record), *table.tail) for record in records[: sizes.distant_rows_by_executemany]]
    with ExitStack() as stack:
        port = stack.enter_context(proxy_process(red.database_address, delay_seconds=0.0005))
        wherescape = stack.enter_context(table.open_wherescape(port))
        odbc = stack.enter_context(table.open_odbc(port))
        ours, one_by_one = best_seconds(
            sizes.repetitions,
            Side(lambda: wherescape.load(items.TABLE, records), table.empty),
            Side(lambda: table.executemany(odbc, few), table.empty),
        )
    speed, slow_speed = len(records) / ours, len(few) / one_by_one
    return Measure(
        "The same, 1 ms away",
        "rows/s",
        {"wherescape": speed, "executemany": slow_speed},
        (Goal("1 ms away, against `executemany`", speed / slow_speed, 100, "times as fast", 0, 100 * slow_speed),),
    )
