"""The CSV files of a check: one for each day and job, and what the earlier ones say."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from wherescape.text_file import write_whole

MOST_EARLIER = 30


def result_path(folder: Path, job_key: int, check: str, day: date) -> Path:
    """Return where the result of a check is: `{job_key}_{check}_result_{yymmdd}.csv`."""
    return folder / f"{job_key}_{check}_result_{day:%y%m%d}.csv"


def write_result(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a result, whole or not at all: UTF-8, commas, quotes where they are needed.

    Raises:
        OSError: it cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_whole(path, text.getvalue())


@dataclass(frozen=True)
class EarlierResult:
    """The result of an earlier day, by table and attribute; the attribute is empty where a check has none."""

    day: date
    rows: dict[tuple[str, str], dict[str, str]]

    def numbers(self, table: str, attribute: str, fields: Sequence[str]) -> tuple[float, ...] | None:
        """Return numbers of a line; None if there is no such line, or one of them is no number."""
        try:
            return tuple(float(self.rows[table, attribute][field]) for field in fields)
        except (KeyError, TypeError, ValueError):
            return None


@dataclass(frozen=True)
class Before:
    """What earlier days found of one table."""

    table: str
    results: Sequence[EarlierResult]

    def all(self, attribute: str, *fields: str) -> list[tuple[date, tuple[float, ...]]]:
        """Return the day and some numbers of each earlier result that has them, the newest first."""
        found = ((result.day, result.numbers(self.table, attribute, fields)) for result in self.results)
        return [(day, numbers) for day, numbers in found if numbers is not None]

    def last(self, attribute: str, *fields: str) -> tuple[date, tuple[float, ...]] | None:
        """Return the day and some numbers of the newest earlier result that has them."""
        return next(iter(self.all(attribute, *fields)), None)


def earlier_results(folder: Path, check: str, today: date) -> list[EarlierResult]:
    """Return the results of earlier days, the newest first, of any job; of several on one day the one written last.

    A result of today is not an earlier one: a run that is repeated compares with what the first compared with.
    """
    name = re.compile(rf"-?\d+_{re.escape(check)}_result_(\d{{6}})\.csv")
    by_day: dict[date, Path] = {}
    for path in sorted(folder.glob(f"*_{check}_result_*.csv"), key=lambda path: (path.stat().st_mtime, path.name)):
        match = name.fullmatch(path.name)
        day = _day(match[1]) if match else None
        if day and day < today:
            by_day[day] = path
    results = (EarlierResult(day, _rows(by_day[day])) for day in sorted(by_day, reverse=True)[:MOST_EARLIER])
    return [result for result in results if result.rows]


def _day(yymmdd: str) -> date | None:
    try:
        return datetime.strptime(yymmdd, "%y%m%d").date()
    except ValueError:
        return None


def _rows(path: Path) -> dict[tuple[str, str], dict[str, str]]:
    """Return the lines of a file; none of one that is no such result."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return {(row["table"], row.get("attribute") or ""): row for row in csv.DictReader(file)}
    except (OSError, ValueError, KeyError, csv.Error):
        return {}
