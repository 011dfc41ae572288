"""What a load has done so far."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from wherescape.drift import Drift
from wherescape.extraction import Timeline


@dataclass
class Tally:
    """What a load has done so far.

    Attributes:
        read: records that came.
        lacking: the declared columns that the table does not have.
        inserted: rows in the table, once the transaction is committed.
        rejected: rows in the reject file.
        nulls: NULLs of the inserted rows, by column.
        rejected_by_column: rejected rows by the column that they do not fit; under an empty name if that is unknown.
        largest_mark: the largest value of the table's `mark_column` among the inserted rows, in UTC.
        batches: when batches were inserted.
        drift: how the records differ from the declaration.
    """

    drift: Drift
    lacking: list[str] = field(default_factory=list)
    read: int = 0
    inserted: int = 0
    rejected: int = 0
    nulls: Counter[str] = field(default_factory=Counter)
    rejected_by_column: Counter[str] = field(default_factory=Counter)
    largest_mark: datetime | None = None
    batches: Timeline = field(default_factory=Timeline)


def by_column(tally: Tally) -> str:
    """Say how many rows were rejected for which column."""
    return ", ".join(
        f"{f'column {name}' if name else 'as a whole'} {count:,}"
        for name, count in tally.rejected_by_column.most_common()
    )
