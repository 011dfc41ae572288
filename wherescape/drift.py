"""What the records hold and the declaration does not, and the other way round."""

import logging
from collections import Counter

from wherescape.record_batches import RecordBatch
from wherescape.tables import Table

logger = logging.getLogger(__name__)

MOST_UNKNOWN_FIELDS = 100
MOST_NAMED_FIELDS = 20
LONGEST_NAME = 60


class Drift:
    """Compares the fields of records with the columns of a table.

    Attributes:
        unknown: fields that no column takes, with the number of records that have them; a hundred at most, since some
            APIs use ids as names.
        missing: fields of columns that no record had so far.
    """

    def __init__(self, table: Table) -> None:
        self._known = frozenset(column.source for column in table.columns)
        self._sources = [column.source for column in table.columns]
        self._unseen = set(self._known)
        self._has_records = False
        self._has_masks = any(column.mask for column in table.columns)
        self._needed = self._known, frozenset(column.source for column in table.columns if column.name in table.key)
        self.unknown: Counter[str] = Counter()

    @property
    def missing(self) -> list[str]:
        """The fields that no record had, in the columns' order; none where there were no records."""
        return [source for source in self._sources if source in self._unseen] if self._has_records else []

    @property
    def is_foreign(self) -> bool:
        """Whether no record has any field that the table declares, or any of its key."""
        return self._has_records and any(fields and fields <= self._unseen for fields in self._needed)

    def observe(self, batch: RecordBatch) -> None:
        """Look at some records."""
        self._has_records = True
        # Records of one API have few different sets of fields.
        for fields, count in Counter(map(tuple, batch.fields)).items():
            self._unseen.difference_update(fields)
            for field in fields:
                if field not in self._known:
                    # A name may be personal data as well.
                    self._count("(names left out)" if self._has_masks else str(field)[:LONGEST_NAME], count)

    def _count(self, field: str, records: int) -> None:
        if field in self.unknown or len(self.unknown) < MOST_UNKNOWN_FIELDS:
            self.unknown[field] += records

    def tell(self) -> None:
        """Log what differs: unknown fields at INFO, missing ones as a warning."""
        if self.unknown:
            named = [f"{field} ({count:,})" for field, count in self.unknown.most_common(MOST_NAMED_FIELDS)]
            if len(self.unknown) > len(named):
                named.append("and more")
            logger.info("Fields that no column takes, with the number of records: %s.", ", ".join(named))
        if self.missing:
            logger.warning(
                "No record has %s; has the API changed? The columns are NULL.", ", ".join(map(str, self.missing))
            )
