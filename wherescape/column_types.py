"""What a column can be declared as, and what one of a target holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

DataType = Literal["text", "integer", "bigint", "numeric", "double", "boolean", "date", "timestamp", "json"]
"""What the values of a declared column are; each dialect has its own column type for it."""


Columns = Sequence[Sequence[Any]]
"""A batch of rows, turned on its side: the values of each column."""


@dataclass(frozen=True)
class TableColumn:
    """A column of a table that exists, or that RED knows.

    Arguments:
        name: the column's name.
        data_type: in the words of its database; empty if it does not tell.
        may_be_null: None if it is not known.
    """

    name: str
    data_type: str
    may_be_null: bool | None = None


@dataclass(frozen=True)
class Capacity:
    """What a column of a target holds without changing it.

    Arguments:
        text_length: characters; None for no limit.
        whole_digits: digits of a decimal before the point.
        decimals: digits of a decimal behind the point; -2 for whole hundreds.
        fraction_digits: digits of a second's fraction.
        has_time: whether moments keep their time of day.
        keeps_offset: whether a moment needs its offset to be understood.
        binary_digits: of the significand, where numbers are kept as float; None for decimals and integers.
        not_finite: whether numbers may be NaN or infinite.
        data_type: the column's own type, where it is one of these and the database was asked.
    """

    text_length: int | None = None
    whole_digits: int = 131_072
    decimals: int = 16_383
    fraction_digits: int = 6
    has_time: bool = True
    keeps_offset: bool = False
    binary_digits: int | None = None
    not_finite: bool = True
    data_type: DataType | None = None

    @property
    def limits_digits(self) -> bool:
        """Whether it is a column of decimals with a precision and scale of its own."""
        return (self.whole_digits, self.decimals) != (_ANY.whole_digits, _ANY.decimals)


_ANY = Capacity()
