"""Types of columns as SQL writes them, of which one has many spellings: `int8` is `bigint`.

Sources: PostgreSQL, "Data Types"; SQL Server, "Data type synonyms" and the pages of the types.
"""

import re
from collections.abc import Mapping

_TYPE = re.compile(r"(?P<name>[^(]+?)\s*(?:\((?P<arguments>[^)]*)\)\s*(?P<rest>.*))?")

_SYNONYMS: Mapping[str, Mapping[str, str]] = {
    "PostgreSQL": {
        "int2": "smallint",
        "int": "integer",
        "int4": "integer",
        "int8": "bigint",
        "decimal": "numeric",
        "float4": "real",
        "float": "double precision",
        "float8": "double precision",
        "bool": "boolean",
        "char": "character",
        "bpchar": "character",
        "varchar": "character varying",
        "varbit": "bit varying",
        "timestamp": "timestamp without time zone",
        "timestamptz": "timestamp with time zone",
        "time": "time without time zone",
        "timetz": "time with time zone",
    },
    "SQL Server": {
        "integer": "int",
        "dec": "decimal",
        "numeric": "decimal",
        "double precision": "float",
        "character": "char",
        "character varying": "varchar",
        "national character": "nchar",
        "national character varying": "nvarchar",
        "binary varying": "varbinary",
        "rowversion": "timestamp",
    },
}
_LEFT_OUT: Mapping[str, Mapping[str, str]] = {
    "PostgreSQL": {
        "character": "1",
        "bit": "1",
        "timestamp without time zone": "6",
        "timestamp with time zone": "6",
        "time without time zone": "6",
        "time with time zone": "6",
    },
    "SQL Server": {
        "decimal": "18,0",
        "float": "53",
        "datetime2": "7",
        "datetimeoffset": "7",
        "time": "7",
        **dict.fromkeys(("char", "varchar", "nchar", "nvarchar", "binary", "varbinary"), "1"),
    },
}
_WITH_LENGTH = re.compile(r"n?(var)?char|character( varying)?|(var)?binary|bit( varying)?", re.IGNORECASE)
_WITH_DIGITS = {"numeric", "decimal"}
_WITH_FRACTION = re.compile(r"(timestamp|time)( with(out)? time zone)?|datetime2|datetimeoffset", re.IGNORECASE)


def is_same_type(one: str, other: str, database: str) -> bool:
    """Tell whether two types of columns are one.

    Arguments:
        one, other: as SQL writes them, in any case; an empty one is not known, and passes for any.
        database: the name of its dialect.
    """
    return not one or not other or _canonical(one, database) == _canonical(other, database)


def type_text(
    name: str, length: int | None, precision: int | None, scale: int | None, fraction_digits: int | None
) -> str:
    """Write a type from the columns of INFORMATION_SCHEMA.COLUMNS.

    Arguments:
        name: DATA_TYPE.
        length: CHARACTER_MAXIMUM_LENGTH; -1 for SQL Server's `max`.
        precision, scale: of decimals, NUMERIC_PRECISION and NUMERIC_SCALE; those of other types are passed over.
        fraction_digits: DATETIME_PRECISION.
    """
    if length is not None and _WITH_LENGTH.fullmatch(name):
        return f"{name}({'max' if length < 0 else length})"
    if precision is not None and name.lower() in _WITH_DIGITS:
        return f"{name}({precision},{scale or 0})"
    if fraction_digits is not None and _WITH_FRACTION.fullmatch(name):
        first, blank, rest = name.partition(" ")
        return f"{first}({fraction_digits}){blank}{rest}"
    return name


def _canonical(data_type: str, database: str) -> tuple[str, str]:
    text = " ".join(data_type.lower().split())
    match = _TYPE.fullmatch(text)
    if match is None:
        return text, ""
    name = " ".join(filter(None, (match["name"], match["rest"])))
    name = _SYNONYMS.get(database, {}).get(name, name)
    arguments = (match["arguments"] or "").replace(" ", "")
    if not arguments:
        arguments = _LEFT_OUT.get(database, {}).get(name, "")
    elif name in _WITH_DIGITS and "," not in arguments:
        arguments += ",0"
    if name == "float" and database == "SQL Server" and arguments.isdecimal():
        # One of 1 to 24 binary digits is a real.
        return ("real", "") if int(arguments) <= 24 else ("float", "")
    return name, arguments
