"""High-water marks: moments with an offset in a RED parameter."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest

from wherescape import WhereScape
from wherescape.high_water_mark import HighWaterMark, read_high_water_mark, write_high_water_mark
from wherescape.sandbox.red_server import RedServer

MOMENT = datetime(2026, 1, 5, 10, 5, tzinfo=UTC)
MARK = HighWaterMark("mark", None, None)


@pytest.fixture
def wherescape(clean_red: RedServer) -> Iterator[WhereScape]:
    made = WhereScape(clean_red.environment("load_item"))
    yield made
    made.close()


def test_a_mark_is_kept_with_its_offset(wherescape: WhereScape) -> None:
    write_high_water_mark(wherescape, MARK, MOMENT.astimezone(timezone(timedelta(hours=2))))
    assert wherescape.read_parameter("mark") == "2026-01-05T10:05:00+00:00"
    assert read_high_water_mark(wherescape, "mark").since == MOMENT


def test_a_lookback_is_subtracted_when_reading_only(wherescape: WhereScape) -> None:
    write_high_water_mark(wherescape, MARK, MOMENT)
    mark = read_high_water_mark(wherescape, "mark", timedelta(days=3))
    assert (mark.before, mark.since) == (MOMENT, MOMENT - timedelta(days=3))
    assert read_high_water_mark(wherescape, "mark").since == MOMENT


@pytest.mark.parametrize("value", [None, "", "  ", "yesterday", "2026-01-05 10:05:00", "2026-13-05"])
def test_a_mark_that_is_missing_or_unreadable_means_a_full_load(
    wherescape: WhereScape, caplog: pytest.LogCaptureFixture, value: str | None
) -> None:
    caplog.set_level(logging.INFO)
    if value is not None:
        wherescape.write_parameter("mark", value)
    assert read_high_water_mark(wherescape, "mark").since is None
    assert "full load" in caplog.text


@pytest.mark.parametrize("text", ["2026-01-05T12:05:00+02:00", "2026-01-05T10:05:00Z"])
def test_a_mark_may_be_set_by_hand_in_any_offset(wherescape: WhereScape, text: str) -> None:
    wherescape.write_parameter("mark", text)
    assert read_high_water_mark(wherescape, "mark").since == MOMENT


def test_a_mark_is_named_after_its_load_table(wherescape: WhereScape) -> None:
    assert wherescape.high_water_mark().name == "HWM_load_item"
