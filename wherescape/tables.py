"""A load table declared once, for its metadata and its load alike."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from wherescape.column_types import DataType
from wherescape.errors import DeclarationError, UnknownTableKind
from wherescape.helper_functions import (
    LOAD_DATE_COMMENT,
    RECORD_SOURCE_COMMENT,
    create_column_names,
    create_display_names,
    create_legacy_column_names,
)

Mask = Literal["", "fixed", "hash"]
MASKED_TEXT = "[MASKED]"


@dataclass(frozen=True)
class Column:
    """One column of a load table.

    Arguments:
        name: the column's name in the load table.
        data_type: what the values are; rendered per target database when the metadata is written. A `timestamp` is
            stored in UTC without an offset, `json` as the text of a JSON document.
        display_name: the business name in RED; made from `name` when left empty.
        comment: what the column holds, for RED's documentation ("source strategy").
        source: the key in a record, if it is another than `name`.
        mask: for personal data in a text: `fixed` stores `[MASKED]` for every value, `hash` a keyed hash, which is the
            same for equal values and so still joins (HMAC-SHA256 in 64 hexadecimal digits, with the RED parameter
            `mask_key`). NULL stays NULL. The value itself goes nowhere: not to the table, a log or the reject file.
    """

    name: str
    data_type: DataType
    display_name: str = ""
    comment: str = ""
    source: str = ""
    mask: Mask = ""

    def __post_init__(self) -> None:
        if self.mask not in get_args(Mask):
            raise DeclarationError(f"Column {self.name!r} has the mask {self.mask!r}; choose 'fixed' or 'hash'.")
        if self.mask and self.data_type != "text":
            raise DeclarationError(f"Column {self.name!r} is masked and has the type {self.data_type!r}; use 'text'.")
        if self.data_type not in get_args(DataType):
            raise DeclarationError(
                f"Column {self.name!r} has the type {self.data_type!r}; choose one of {', '.join(get_args(DataType))}."
            )
        if not self.source:
            object.__setattr__(self, "source", self.name)
        if not self.display_name:
            object.__setattr__(self, "display_name", create_display_names([self.name])[0])


RECORD_SOURCE_LENGTH = 256
RECORD_SOURCE = Column("dss_record_source", "text", "Record source", RECORD_SOURCE_COMMENT)
LOAD_DATE = Column("dss_load_date", "timestamp", "Load date", LOAD_DATE_COMMENT)


@dataclass(frozen=True)
class Table:
    """A load table: what the metadata script registers and the load fills.

    Arguments:
        kind: what a row is, as it stands in the load table's name: `commit` in `load_gitlab_commit`.
        columns: the columns in order, without `dss_record_source` and `dss_load_date`, which are added.
        key: the names of the columns that identify a row at the source.
        record_source: the text of `dss_record_source`; 256 characters at most.
        mark_column: the timestamp or date column whose largest value is the next load's high-water mark. Left out
            for an API that filters by its own clock: the mark is then the moment at which the extraction started.
        required: further columns that the load table must have. Of those that are neither required nor in the key, it
            may lack some, which are then not loaded.
    """

    kind: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    record_source: str
    mark_column: str = ""
    required: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.record_source) > RECORD_SOURCE_LENGTH:
            raise DeclarationError(
                f"The record source of table {self.kind!r} has {len(self.record_source)} characters;"
                f" {RECORD_SOURCE_LENGTH} fit."
            )
        names = [column.name for column in self.columns]
        lowered = [column.name.lower() for column in self.all_columns]
        twice = sorted({name for name in lowered if lowered.count(name) > 1})
        if twice:
            raise DeclarationError(f"Table {self.kind!r} declares {', '.join(twice)} more than once.")
        missing = [name for name in self.key if name not in names]
        if missing:
            raise DeclarationError(f"The key of table {self.kind!r} names {', '.join(missing)}, which is no column.")

        marks = [column.name for column in self.columns if column.data_type in ("timestamp", "date")]
        if self.mark_column and self.mark_column not in marks:
            raise DeclarationError(
                f"Table {self.kind!r} takes its high-water mark from {self.mark_column!r}, which is no"
                " timestamp or date column of it."
            )

    @property
    def all_columns(self) -> tuple[Column, ...]:
        """The declared columns and the two that every load table ends with."""
        return (*self.columns, RECORD_SOURCE, LOAD_DATE)

    def only(self, columns: Iterable[str]) -> "Table":
        """Return a declaration of some of the columns.

        Arguments:
            columns: their names, in any case and order; those that are not declared are passed over.

        Raises:
            DeclarationError: a column of the key or of the mark, or a required one, is not among them.
        """
        kept = {name.lower() for name in columns}
        needed = [name for name in (*self.key, self.mark_column, *self.required) if name and name.lower() not in kept]
        if needed:
            raise DeclarationError(f"Table {self.kind!r} cannot do without {', '.join(needed)}.")
        return replace(self, columns=tuple(column for column in self.columns if column.name.lower() in kept))


def find_table(load_table: str, tables: Sequence[Table], source: str) -> Table:
    """Return the declaration for a load table, by the longest kind that its name contains as a word, or words.

    `load_gitlab_tags` holds tags, and `load_gitlab_stage` does not.

    Arguments:
        load_table: the load table's name in RED, such as `load_gitlab_commit`.
        tables: the declarations to choose from.
        source: what the source is called, for the error.

    Raises:
        UnknownTableKind: the name contains no kind, and the error lists them, or two of the same length.
    """
    matching = sorted(
        (table for table in tables if re.search(rf"(?<![a-z]){table.kind}(e?s)?(?![a-z])", load_table.lower())),
        key=lambda table: -len(table.kind),
    )
    if not matching:
        raise UnknownTableKind(
            f"The name of load table {load_table!r} does not say what to load from {source}: it must contain one of"
            f" {', '.join(sorted(table.kind for table in tables))}."
        )
    longest, *others = matching
    if others and len(others[0].kind) == len(longest.kind):
        raise UnknownTableKind(
            f"The name of load table {load_table!r} says both {longest.kind} and {others[0].kind}. Name one of them."
        )
    return longest


def with_legacy_names(table: Table) -> Table:
    """Return a declaration with numbered column names (`id_001`), for load tables made by an older library."""
    names = create_legacy_column_names([column.name for column in table.columns])
    renamed = dict(zip((column.name for column in table.columns), names, strict=True))
    return replace(
        table,
        columns=tuple(replace(column, name=renamed[column.name]) for column in table.columns),
        key=tuple(renamed[name] for name in table.key),
        mark_column=renamed.get(table.mark_column, ""),
        required=tuple(renamed[name] for name in table.required),
    )


def named_columns(
    fixed: Sequence[Column], wanted: Sequence[Column], registered: Mapping[str, str]
) -> tuple[Column, ...]:
    """Give names to columns that a person at the source has made, behind those that every load has.

    A column keeps the name that RED knows it by. No other one gets that name, not even once it is gone at the source.

    Arguments:
        fixed: the columns that keep their names.
        wanted: the others; their names are what to make names of.
        registered: the names of the columns that RED knows, by their sources.
    """
    taken = {column.name for column in (*fixed, RECORD_SOURCE, LOAD_DATE)}
    taken |= {name.lower() for name in registered.values()}
    new = [column for column in wanted if column.source not in registered]
    names = create_column_names([*sorted(taken), *(column.name for column in new)])[len(taken) :]
    name_of = {**registered, **{column.source: name for column, name in zip(new, names, strict=True)}}
    return (*fixed, *(replace(column, name=name_of[column.source]) for column in wanted))


def with_hashes(table: Table, suffixes: tuple[str, ...]) -> Table:
    """Return a declaration that stores a keyed hash of the columns whose source ends with one of the suffixes."""
    columns = (
        replace(column, mask="hash") if column.source.endswith(suffixes) else column for column in table.columns
    )
    return replace(table, columns=tuple(columns))


def with_key_only(table: Table) -> Table:
    """Return a declaration of the key's columns alone, for a load of what exists at the source.

    The warehouse compares such a load with what it has, and marks what is gone.
    """
    return replace(table, mark_column="", required=()).only(table.key)
