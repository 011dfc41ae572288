"""A pandas DataFrame into a load table, against DataFrame.to_sql."""

import json
from functools import partial

import pandas as pd
import psycopg
import sqlalchemy

from benchmarks import items
from benchmarks.measuring import Goal, LoadTable, Measure, Side, Sizes, best_seconds, expect_same
from wherescape.sandbox import RedServer

NULLABLE = {"priority": "Int64", "parent_id": "Int64", "is_confidential": "boolean"}
TYPES = {"price": sqlalchemy.Numeric, "rate": sqlalchemy.Numeric, "labels": sqlalchemy.JSON}


def data_frame(red: RedServer, sizes: Sizes) -> Measure:
    """Load a DataFrame, against pandas with SQLAlchemy's default driver and pandas' default method."""
    table = LoadTable(red, items.TABLE)
    frame = pd.DataFrame(list(items.records(sizes.frame_rows))).astype(NULLABLE)
    with_tail = frame.assign(dss_record_source=table.tail[0], dss_load_date=table.tail[1])
    stored: list[tuple[int, int]] = []

    def note() -> None:
        stored.append(table.contents())

    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(table.url),
        json_serializer=partial(json.dumps, ensure_ascii=False),
    )

    def to_sql() -> None:
        with_tail.to_sql(table.name, engine, schema="load", if_exists="append", index=False, dtype=TYPES)

    with table.open_wherescape() as wherescape:
        ours, theirs = best_seconds(
            sizes.repetitions,
            Side(lambda: wherescape.load(items.TABLE, frame), table.empty, note),
            Side(to_sql, table.empty, note),
        )
    engine.dispose()
    expect_same("DataFrame", *stored)
    speed, their_speed = sizes.frame_rows / ours, sizes.frame_rows / theirs
    return Measure(
        f"Load a DataFrame of {sizes.frame_rows:,} rows and 20 columns",
        "rows/s",
        {"wherescape": speed, "DataFrame.to_sql": their_speed},
        (
            Goal(
                "DataFrame, against `DataFrame.to_sql`",
                speed / their_speed,
                5,
                "times as fast",
                1,
                5 * their_speed,
            ),
        ),
    )
