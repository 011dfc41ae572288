"""Where a load table's declaration, its columns in RED and the table in the target disagree."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from wherescape.column_types import DataType, TableColumn
from wherescape.tables import LOAD_DATE, RECORD_SOURCE, RECORD_SOURCE_LENGTH, Table

DECLARATION, RED, TARGET = "the declaration", "RED", "the target"

Columns = Sequence[TableColumn]


@dataclass(frozen=True)
class Difference:
    """A thing on which two of the three disagree.

    Arguments:
        column: the column's name; empty if it is about the whole table.
        what: in words, such as `missing in RED`.
        mend: what to do about it.
    """

    column: str
    what: str
    mend: str


def declared_columns(table: Table, types: Mapping[DataType, str]) -> list[TableColumn]:
    """Return a declaration's columns as its metadata script registers them.

    Whether one may be null is not declared: a person may have said otherwise of the key and of the two that are always
    filled, and of the others it is so.

    Arguments:
        table: the declaration.
        types: the target's column type for each type that a column can have.
    """
    filled = {*table.key, RECORD_SOURCE.name, LOAD_DATE.name}
    return [
        TableColumn(
            column.name,
            f"varchar({RECORD_SOURCE_LENGTH})" if column is RECORD_SOURCE else types[column.data_type],
            None if column.name in filled else True,
        )
        for column in table.all_columns
    ]


def differences(
    declared: Columns, registered: Columns, existing: Columns | None, is_same_type: Callable[[str, str], bool]
) -> list[Difference]:
    """Compare declaration and RED, then RED and target.

    Arguments:
        declared: from `declared_columns`.
        registered: the columns in RED, in order.
        existing: those of the table in the target, in order; None if there is no table.
        is_same_type: tells of two types whether they are one.
    """
    found = _between(
        (DECLARATION, declared),
        (RED, registered),
        is_same_type,
        to_add="run the metadata script of the load table",
        to_drop="declare it, or delete the column in RED",
        to_change="run the metadata script, or change the declaration",
        # The metadata script keeps the flag that a column has.
        to_allow_null="let it be null in RED: the API may leave it out",
    )
    if existing is None:
        return [*found, Difference("", f"there is no table in {TARGET}", "create it in RED (Create)")]
    return found + _between(
        (RED, registered),
        (TARGET, existing),
        is_same_type,
        to_add="alter or recreate the table in RED",
        to_drop="drop it in the target, or add it in RED",
        to_change="alter or recreate the table in RED",
        to_allow_null="alter or recreate the table in RED",
    )


def _between(
    first: tuple[str, Columns],
    second: tuple[str, Columns],
    is_same_type: Callable[[str, str], bool],
    *,
    to_add: str,
    to_drop: str,
    to_change: str,
    to_allow_null: str,
) -> list[Difference]:
    (here, wanted), (there, actual) = first, second
    by_name = {column.name.lower(): column for column in actual}
    names = {column.name.lower() for column in wanted}
    found: list[Difference] = []
    for column in wanted:
        other = by_name.get(column.name.lower())
        if other is None:
            found.append(Difference(column.name, f"missing in {there}", to_add))
            continue
        if not is_same_type(column.data_type, other.data_type):
            what = f"another type: {column.data_type} in {here}, {other.data_type} in {there}"
            found.append(Difference(column.name, what, to_change))
        flags = column.may_be_null, other.may_be_null
        if None not in flags and flags[0] != flags[1]:
            what = f"another null flag: {_nulls(column)} in {here}, {_nulls(other)} in {there}"
            found.append(Difference(column.name, what, to_allow_null))
    found += [
        Difference(column.name, f"additional in {there}: {here} does not have it", to_drop)
        for column in actual
        if column.name.lower() not in names
    ]
    return found + _order(first, second, to_change)


def _order(first: tuple[str, Columns], second: tuple[str, Columns], mend: str) -> list[Difference]:
    (here, wanted), (there, actual) = first, second
    one, other = ([column.name.lower() for column in columns] for columns in (wanted, actual))
    shared = {*one} & {*other}
    pairs = zip((name for name in one if name in shared), (name for name in other if name in shared), strict=True)
    for before, after in pairs:
        if before != after:
            return [Difference("", f"another order: {before} comes before {after} in {here}, not in {there}", mend)]
    return []


def _nulls(column: TableColumn) -> str:
    return "may be null" if column.may_be_null else "not null"
