"""Rows that do not fit a load table, kept in a file for whoever mends them."""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from io import BufferedRandom
from pathlib import Path
from typing import Any

from wherescape.errors import RejectsNotKept
from wherescape.redaction import redact, redact_json
from wherescape.tables import MASKED_TEXT, Table


class RejectFile:
    """The reject file of a load: JSON lines, added to what an earlier load of the same job run left there.

    The file is made with the first row.

    Arguments:
        path: where it is.
        table: whose rows they are; values of its masked columns are left out.
    """

    def __init__(self, path: Path | None, table: Table) -> None:
        self.path = path
        self._load_started = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._masked = {column.source for column in table.columns if column.mask}
        self._known = {column.source for column in table.columns}
        self._file: BufferedRandom | None = None

    def add(self, number: int, column: str | None, reason: str, record: Any) -> None:
        """Write a row.

        Arguments:
            number: the record's number, from 1.
            column: the column that it does not fit, if one is known.
            reason: in words.
            record: as it came: a dict, or what came in place of one.

        Raises:
            RejectsNotKept: the file cannot be written.
        """
        line = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "load_started": self._load_started,
            "record": number,
            "column": column,
            "reason": redact(reason),
            "raw": self._raw(record),
        }
        try:
            file = self._opened()
            file.write(json.dumps(line).encode() + b"\n")
            file.flush()
        except OSError as error:
            raise self._not_kept(error) from error

    def sync(self) -> None:
        """Make sure that the rows survive a power cut.

        Raises:
            RejectsNotKept: they would not.
        """
        if self._file is not None:
            try:
                os.fsync(self._file.fileno())
            except OSError as error:
                raise self._not_kept(error) from error

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            # Every line was flushed; what could not be written then was an error then.
            file, self._file = self._file, None
            try:
                file.close()
            except OSError:
                file.raw.close()

    def _raw(self, record: Any) -> Any:
        if not self._masked:
            return redact_json(record)
        if not isinstance(record, Mapping):
            return MASKED_TEXT
        # A field that no column takes may repeat what is masked.
        return redact_json(
            {
                field: MASKED_TEXT if field in self._masked and value is not None else value
                for field, value in record.items()
                if field in self._known
            }
        )

    def _opened(self) -> BufferedRandom:
        if self._file is None:
            if self.path is None:
                raise RejectsNotKept(
                    "A row does not fit, and there is no folder to keep it in: WSL_WORKDIR is missing. Nothing was"
                    " loaded."
                )
            self.path.parent.mkdir(exist_ok=True)
            file = self.path.open("a+b")
            if file.tell() and _last_byte(file) != b"\n":
                file.write(b"\n")
            self._file = file
        return self._file

    def _not_kept(self, error: OSError) -> RejectsNotKept:
        return RejectsNotKept(
            f"A row does not fit, and {self.path} cannot be written ({error.strerror or error}), so nothing was"
            " loaded. Make room or mend the folder's rights, and run again."
        )


def _last_byte(file: BufferedRandom) -> bytes:
    file.seek(-1, os.SEEK_END)
    return file.read(1)
