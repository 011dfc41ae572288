"""Records from anywhere, cut into batches: an iterable of dicts, or a pandas DataFrame."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

from wherescape.database import BATCH_CHARACTERS, BATCH_ROWS
from wherescape.errors import LoadError

if TYPE_CHECKING:
    import pandas as pd

Record = Mapping[str, Any]

_SIZE_OF_NUMBER = 8


class RecordBatch(Protocol):
    """Some records, to be read by field."""

    @property
    def rows(self) -> int:
        """How many there are."""

    @property
    def fields(self) -> Iterable[Iterable[str]]:
        """The names of the fields of each record."""

    @property
    def no_records(self) -> Mapping[int, Any]:
        """What came in place of a dict, by its row."""

    def columns(self, fields: Sequence[str]) -> Sequence[Sequence[Any]]:
        """Return the values of some fields, field by field; None where a record lacks it."""

    def record(self, row: int) -> Any:
        """Return one record as it came, by its row."""


def batches_of(records: "Iterable[Record] | pd.DataFrame") -> Iterator[RecordBatch]:
    """Cut records into batches that are bounded by rows and by the characters of their texts.

    Raises:
        LoadError: something that is no iterable of records, or two columns of a DataFrame with one name.
    """
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(records, pandas.DataFrame):
        return _batches_of_frame(records)
    return _batches_of_dicts(cast("Iterable[Record]", records))


class _Dicts:
    def __init__(self, records: list[Record], no_records: Mapping[int, Any]) -> None:
        self.fields = records
        self.rows = len(records)
        self.no_records = no_records

    def columns(self, fields: Sequence[str]) -> Sequence[Sequence[Any]]:
        # Record by record, so that each is in the processor's cache when its fields are looked up.
        return list(zip(*(tuple(map(record.get, fields)) for record in self.fields), strict=True))

    def record(self, row: int) -> Any:
        return self.no_records.get(row, self.fields[row])


def _batches_of_dicts(records: Iterable[Record]) -> Iterator[RecordBatch]:
    if isinstance(records, (str, bytes, Mapping)) or not isinstance(records, Iterable):
        raise LoadError(f"The records are a {type(records).__name__}; pass an iterable of dicts, or a DataFrame.")
    batch: list[Record] = []
    no_records: dict[int, Any] = {}
    seen: set[int] = set()
    size = 0
    for record in records:
        if type(record) is not dict and not isinstance(record, Mapping):
            no_records[len(batch)] = record
            record = {}
        elif id(record) in seen:
            raise LoadError(
                "The source yields one dict again and again, so that earlier records have changed; yield a new dict"
                " for each record. Nothing was loaded."
            )
        seen.add(id(record))
        batch.append(record)
        size += _size(record.values())
        if len(batch) >= BATCH_ROWS or size >= BATCH_CHARACTERS:
            yield _Dicts(batch, no_records)
            batch, no_records, seen, size = [], {}, set(), 0
    if batch:
        yield _Dicts(batch, no_records)


def _size(values: Iterable[Any]) -> int:
    """Estimate the characters of some values; numbers count in lists and objects only, where there may be many."""
    size = 0
    for value in values:
        kind = type(value)
        if kind is str or kind is bytes:
            size += len(value)
        elif kind is dict or kind is list:
            size += _size_of_nested(value)
    return size


def _size_of_nested(value: Any) -> int:
    size = 0
    nested = [value]
    # A list that holds itself has no end.
    while nested and size < BATCH_CHARACTERS:
        value = nested.pop()
        if isinstance(value, (str, bytes)):
            size += len(value)
        elif isinstance(value, dict):
            nested += value
            nested += value.values()
        elif isinstance(value, list):
            nested += value
        size += _SIZE_OF_NUMBER
    return size


class _Frame:
    no_records: Mapping[int, Any] = {}

    def __init__(self, frame: "pd.DataFrame") -> None:
        self.rows = len(frame)
        self.fields = [tuple(frame.columns)] * self.rows
        self._columns = {field: _own_values(frame[field]) for field in frame.columns}
        long = [self._columns[field] for field in frame.columns if _may_be_long(frame[field])]
        self.size = sum(map(_size, long))

    def columns(self, fields: Sequence[str]) -> Sequence[Sequence[Any]]:
        return [self._columns.get(field) or [None] * self.rows for field in fields]

    def record(self, row: int) -> Record:
        return {field: values[row] for field, values in self._columns.items()}


def _batches_of_frame(frame: "pd.DataFrame") -> Iterator[RecordBatch]:
    labels = [str(label) for label in frame.columns]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise LoadError(f"The DataFrame has more than one column {', '.join(twice)}. Nothing was loaded.")
    frame = frame.set_axis(labels, axis="columns")
    for first in range(0, len(frame), BATCH_ROWS):
        yield from _bounded(frame.iloc[first : first + BATCH_ROWS])


def _bounded(frame: "pd.DataFrame") -> Iterator[_Frame]:
    batch = _Frame(frame)
    if batch.size < 2 * BATCH_CHARACTERS or batch.rows == 1:
        yield batch
        return
    middle = batch.rows // 2
    del batch
    yield from _bounded(frame.iloc[:middle])
    yield from _bounded(frame.iloc[middle:])


def _may_be_long(series: "pd.Series[Any]") -> bool:
    return series.dtype.kind not in "biufmM"


def _own_values(series: "pd.Series[Any]") -> Sequence[Any]:
    """Return a column's values as Python's own, None for what is missing."""
    kind = str(series.dtype)
    if kind.startswith("datetime64["):
        moments = series.dt.tz_convert("UTC").dt.tz_localize(None) if series.dt.tz is not None else series
        exact = moments.to_numpy()
        microseconds = exact.astype("datetime64[us]")
        if ((microseconds == exact) | series.isna().to_numpy()).all():
            return list(microseconds.tolist())
    missing = series.isna()
    values: list[Any] = series.astype(object).tolist()
    if missing.any():
        values = [None if is_missing else value for value, is_missing in zip(values, missing, strict=True)]
    return values
