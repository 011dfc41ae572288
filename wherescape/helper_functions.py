"""Names, metadata, records and types: what most connectors need between an API's answer and a load table."""

import json
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from slugify import slugify

from wherescape import tsql
from wherescape.column_types import DataType
from wherescape.environment import Environment, is_postgresql_metabase
from wherescape.errors import DeclarationError

MAX_NAME_LENGTH = 59

NUMERIC_TYPES = {
    *("int", "integer", "bigint", "smallint", "tinyint", "int2", "int4", "int8"),
    *("numeric", "decimal", "number", "money", "smallmoney"),
    *("double", "double precision", "float", "real", "float4", "float8"),
}

RECORD_SOURCE_COMMENT = "Where the row came from."
LOAD_DATE_COMMENT = "When the load started, UTC."

WIDER_TYPES: dict[DataType, set[DataType]] = {
    "numeric": {"bigint", "numeric"},
    "timestamp": {"date", "timestamp"},
}

ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d")
ISO_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*")


def create_column_names(display_names: Sequence[str]) -> list[str]:
    """Make column names of display names: `Größe (cm)` becomes `grosse_cm`.

    A name is at most 59 characters of `a-z`, `0-9` and `_`, starts with a letter (`2024` becomes `column_2024`), and
    occurs once in the result. A name without any letter or digit becomes `column_NNN`, and a name that occurred before
    gets the suffix `_NNN`; NNN is the column's position, counted from 1, or the next number that is free.

    Arguments:
        display_names: the names in column order.
    """
    slugs = [_slug(name) for name in display_names]
    taken = set(slugs)
    seen: set[str] = set()
    names = []
    for position, slug in enumerate(slugs, start=1):
        name = slug
        if not slug or slug in seen:
            name = next(name for name in _numbered_names(slug, position) if name not in taken)
        seen.add(slug)
        taken.add(name)
        names.append(name)
    return names


def create_legacy_column_names(display_names: Sequence[str]) -> list[str]:
    """Make column names that all end in the column's position: `Name` at the start becomes `name_001`.

    Arguments:
        display_names: the names in column order.
    """
    return [next(_numbered_names(_slug(name), position)) for position, name in enumerate(display_names, start=1)]


def create_display_names(columns: Sequence[str]) -> list[str]:
    """Make display names of column names: `created_at` becomes `Created at`."""
    return [_capitalise(column.replace("_", " ").strip()) for column in columns]


def _capitalise(text: str) -> str:
    return text[:1].upper() + text[1:]


def _slug(name: str) -> str:
    slug = slugify(name or "", separator="_")
    if slug[:1].isdigit():
        slug = f"column_{slug}"
    return slug[:MAX_NAME_LENGTH].rstrip("_")


def _numbered_names(slug: str, position: int) -> Iterator[str]:
    while True:
        suffix = f"_{position:03}"
        yield (slug or "column")[: MAX_NAME_LENGTH - len(suffix)].rstrip("_") + suffix
        position += 1


class _LoadColumn(NamedTuple):
    """What a script declares of one row of ws_load_col."""

    lc_col_name: str
    lc_display_name: str
    lc_data_type: str
    lc_numeric_flag: str
    lc_additive_flag: str
    lc_attribute_flag: str
    lc_src_table: str
    lc_src_column: str
    lc_src_strategy: str
    lc_order: int


def prepare_metadata_query(
    lt_obj_key: int | str,
    src_table_name: str,
    columns: Sequence[str],
    display_names: Sequence[str],
    types: Sequence[str],
    comments: Sequence[str],
    source_columns: Sequence[str],
    *,
    metabase: str | None = None,
    record_source_type: str = "varchar(256)",
    load_date_type: str = "timestamp",
) -> str:
    """Write the statement that registers the columns of a load table in RED's ws_load_col.

    Columns that RED knows by that name, whatever its case, are updated and keep their key, transformations, default
    and nullability; the others are added; columns that are no longer declared stay. `dss_record_source` and
    `dss_load_date` come last. The flags follow the vendor's own scripts: a numeric column is additive, any other is an
    attribute.

    Arguments:
        lt_obj_key: the object key of the load table.
        src_table_name: what the rows come from, for the documentation.
        columns, display_names, types, comments, source_columns: one item per column, in column order; the types in the
            words of the target database.
        metabase: the schema of RED's repository: `red` on PostgreSQL, `dbo` on SQL Server; taken from WSL_META_SCHEMA
            when left out.
        record_source_type: the type of `dss_record_source` in the target database.
        load_date_type: the type of `dss_load_date` in the target database.

    Returns:
        One statement without parameters, all values escaped.

    Raises:
        DeclarationError: no columns, lists of different lengths, a name twice, or a NUL character in a text.
    """
    declared = _declared_columns(src_table_name, columns, display_names, types, comments, source_columns)
    declared += [
        _load_column(
            "dss_record_source", "Record source", record_source_type, "", "", RECORD_SOURCE_COMMENT, 99999991
        ),
        _load_column("dss_load_date", "Load date", load_date_type, "", "", LOAD_DATE_COMMENT, 99999992),
    ]
    _check_unique([column.lc_col_name for column in declared])
    metabase = metabase or Environment(os.environ).metabase
    for text in (value for column in declared for value in column if isinstance(value, str)):
        if "\0" in text:
            raise DeclarationError(f"The text {text!r} holds a NUL character, which no database stores; take it out.")
    load_columns = f"{metabase}.ws_load_col"
    if is_postgresql_metabase(metabase):
        return _postgresql_metadata_query(load_columns, int(lt_obj_key), declared)
    return tsql.merge_load_columns(load_columns, int(lt_obj_key), _LoadColumn._fields, declared)


def _declared_columns(
    src_table_name: str,
    columns: Sequence[str],
    display_names: Sequence[str],
    types: Sequence[str],
    comments: Sequence[str],
    source_columns: Sequence[str],
) -> list[_LoadColumn]:
    if not columns:
        raise DeclarationError(f"No columns are declared for {src_table_name!r}; RED needs at least one.")
    lists = {
        "columns": columns,
        "display_names": display_names,
        "types": types,
        "comments": comments,
        "source_columns": source_columns,
    }
    if len({len(values) for values in lists.values()}) > 1:
        lengths = ", ".join(f"{len(values)} {name}" for name, values in lists.items())
        raise DeclarationError(f"The metadata of {src_table_name!r} has {lengths}; give one of each per column.")
    return [
        _load_column(name, display_name, data_type, src_table_name, source_column, comment, 10 * position)
        for position, (name, display_name, data_type, comment, source_column) in enumerate(
            zip(*lists.values(), strict=True), start=1
        )
    ]


def _load_column(
    name: str, display_name: str, data_type: str, source_table: str, source_column: str, comment: str, order: int
) -> _LoadColumn:
    numeric = data_type.partition("(")[0].strip().lower() in NUMERIC_TYPES
    return _LoadColumn(
        lc_col_name=name,
        lc_display_name=display_name,
        lc_data_type=data_type,
        lc_numeric_flag="Y" if numeric else "N",
        lc_additive_flag="Y" if numeric else "N",
        lc_attribute_flag="N" if numeric else "Y",
        lc_src_table=source_table,
        lc_src_column=source_column,
        lc_src_strategy=comment,
        lc_order=order,
    )


def _check_unique(names: Sequence[str]) -> None:
    lowered = [name.lower() for name in names]
    twice = sorted({name for name in lowered if lowered.count(name) > 1})
    if twice:
        raise DeclarationError(
            f"The metadata declares {', '.join(twice)} more than once; upper and lower case are the same to RED, and "
            "dss_record_source and dss_load_date are added to every load table."
        )


def _postgresql_metadata_query(load_columns: str, object_key: int, columns: Sequence[_LoadColumn]) -> str:
    # ws_load_col has no unique constraint for ON CONFLICT, and MERGE came with PostgreSQL 15.
    values = ",\n        ".join(
        f"({', '.join(_literal(value) if isinstance(value, str) else str(value) for value in column)})"
        for column in columns
    )
    updates = ",\n        ".join(f"{field} = d.{field}" for field in _LoadColumn._fields[1:])
    fields = ", ".join(_LoadColumn._fields)
    match = f"c.lc_obj_key = {object_key} AND lower(c.lc_col_name) = lower(d.lc_col_name)"
    return f"""\
WITH declared ({fields}) AS (
    VALUES
        {values}
), updated AS (
    UPDATE {load_columns} AS c SET
        {updates}
    FROM declared AS d
    WHERE {match}
)
INSERT INTO {load_columns} (lc_obj_key, lc_nulls_flag, {fields})
SELECT {object_key}, 'Y', {", ".join(f"d.{field}" for field in _LoadColumn._fields)}
FROM declared AS d
WHERE NOT EXISTS (SELECT 1 FROM {load_columns} AS c WHERE {match})"""


def _literal(text: str) -> str:
    quoted = "'" + text.replace("'", "''") + "'"
    # The E form means the same whatever standard_conforming_strings is set to.
    return "E" + quoted.replace("\\", "\\\\") if "\\" in quoted else quoted


def flatten_json(
    d: Mapping[str, object], name_to_skip: str | None = None, legacy_list_handling: bool = False
) -> dict[str, object]:
    """Turn a nested JSON object into one level: `{"author": {"name": "Ann"}}` becomes `{"author_name": "Ann"}`.

    Lists become text: scalars and the values of equal keys of objects are joined with ", " (`labels_name`: "a, b"),
    anything deeper is JSON. A null, an empty list and an empty object are None under their own name, since the names
    below it are not known then; `fill_out_empty_keys` gives the record the keys that it should have.

    Arguments:
        d: the object, as `json.loads` returns it; left as it is.
        name_to_skip: a key that gives no part of a name, such as the `fields` around all fields of a Jira issue.
        legacy_list_handling: number the items of a list instead: `parent_ids_0`, `parent_ids_1`.

    Raises:
        DeclarationError: two values would get the same name.
    """
    flat: dict[str, object] = {}
    paths: dict[str, str] = {}
    for path, value in _leaves(d, (), legacy_list_handling):
        name = "_".join([key for key in path if key != name_to_skip] or path[-1:])
        if name in flat:
            raise DeclarationError(
                f"{paths[name]!r} and {'.'.join(path)!r} would both be called {name!r}; rename or remove one of them "
                "before the record is flattened."
            )
        flat[name] = value
        paths[name] = ".".join(path)
    return flat


def _leaves(value: object, path: tuple[str, ...], number_lists: bool) -> Iterator[tuple[tuple[str, ...], object]]:
    if isinstance(value, Mapping):
        children = {str(key): child for key, child in value.items()}
    elif isinstance(value, list) and number_lists:
        children = {str(index): child for index, child in enumerate(value)}
    elif isinstance(value, list) and all(isinstance(item, Mapping) for item in value):
        keys = dict.fromkeys(key for item in value for key in item)
        children = {str(key): ", ".join(_as_text(item.get(key)) for item in value) for key in keys}
    elif isinstance(value, list):
        yield path, _join(value)
        return
    else:
        yield path, value
        return
    if path and not children:
        yield path, None
    for key, child in children.items():
        yield from _leaves(child, (*path, key), number_lists)


def _join(values: list[object]) -> str:
    if any(isinstance(value, (Mapping, list)) for value in values):
        return _as_text(values)
    return ", ".join(_as_text(value) for value in values)


def _as_text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def filter_dict(d: Mapping[str, object], keys: Collection[str]) -> dict[str, object]:
    """Keep the given keys of a record, in the record's order."""
    return {key: value for key, value in d.items() if key in keys}


def fill_out_empty_keys(
    d: Mapping[str, object], keys: Iterable[str], overwrite: Mapping[str, object] | None = None
) -> dict[str, object]:
    """Give a record exactly the given keys, in their order.

    Arguments:
        d: the record.
        keys: the keys of the result.
        overwrite: values for keys that the record lacks or has as None; None without it.
    """
    defaults = overwrite or {}
    return {key: defaults.get(key) if d.get(key) is None else d[key] for key in keys}


def is_date(text: str | None, fuzzy: bool = False) -> bool:
    """Tell whether a text holds a whole date: year, month and day. A plain number is not one.

    Arguments:
        text: the text, in any notation that people use.
        fuzzy: allow other words around the date.
    """
    from dateutil import parser as date_parser

    if not isinstance(text, str) or _is_number(text):
        return False
    # dateutil takes what the text leaves out from the default; a whole date reads the same with either of these two.
    defaults = (datetime(2000, 1, 1), datetime(2004, 2, 2))
    try:
        first, second = (
            date_parser.parse(text, default=default, fuzzy=fuzzy, ignoretz=True).date() for default in defaults
        )
    except (ValueError, OverflowError):
        return False
    return first == second


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def infer_type(values: Iterable[object]) -> DataType:
    """Find the type that fits all values of a column.

    Judged by the values alone. Whole numbers are `bigint`, since a sample says nothing of tomorrow's largest id, and
    `numeric` beyond 63 bits or together with fractions. A text is a date or time only in ISO 8601 with year, month and
    day. None says nothing; a column of nothing else, or of values that have no type in common, is `text`.
    """
    kinds = {_kind(value) for value in values if value is not None}
    if len(kinds) == 1:
        return kinds.pop()
    for wider, narrower in WIDER_TYPES.items():
        if kinds and kinds <= narrower:
            return wider
    return "text"


def _kind(value: object) -> DataType:
    match value:
        case bool():
            return "boolean"
        case int():
            return "bigint" if -(2**63) <= value < 2**63 else "numeric"
        case float() | Decimal():
            return "numeric"
        case datetime():
            return "timestamp"
        case date():
            return "date"
        case dict() | list():
            return "json"
        case str():
            return _kind_of_text(value)
        case _:
            return "text"


def _kind_of_text(text: str) -> DataType:
    try:
        if ISO_DATE.fullmatch(text):
            date.fromisoformat(text)
            return "date"
        if ISO_TIMESTAMP.fullmatch(text):
            datetime.fromisoformat(text)
            return "timestamp"
    except ValueError:
        pass
    return "text"


def get_metadata_from_sample_data(rows: Iterable[Mapping[str, object]]) -> tuple[list[str], list[DataType]]:
    """List the columns of sample rows and their types.

    Arguments:
        rows: flat records; all of them count, and they may have different keys.

    Returns:
        The columns in the order in which they first occur, and the type of each, as `infer_type` finds it.
    """
    values: dict[str, list[object]] = {}
    for row in rows:
        for column, value in row.items():
            values.setdefault(column, []).append(value)
    return list(values), [infer_type(column) for column in values.values()]
