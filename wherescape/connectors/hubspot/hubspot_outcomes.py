"""What became of each row that was sent to HubSpot, kept in files of the work directory that survive a kill.

Neither holds a value of a row, but for its id and the value of a unique property that is no personal data.
"""

import json
import os
import re
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from wherescape.connectors.hubspot.hubspot_plan import Row
from wherescape.errors import LoadError


class Outcomes:
    """The outcomes of one run, one line of JSON a row, in the order in which they were settled.

    Arguments:
        path: the file; an older one is replaced.
        with_keys: whether values of the unique property are no personal data, and may tell which row is meant.

    Raises:
        LoadError: the file cannot be written, so that nothing is to be sent.
    """

    def __init__(self, path: Path, *, with_keys: bool) -> None:
        self.path = path
        self._with_keys = with_keys
        self._written: set[int] = set()
        append_lines(path, [], replace=True)

    def write(self, rows: Iterable[Row]) -> None:
        """Add the rows that are settled and not yet in the file."""
        settled = [row for row in rows if row.outcome and row.number not in self._written]
        self._written.update(row.number for row in settled)
        append_lines(
            self.path,
            [
                {
                    "row": row.number,
                    "outcome": row.outcome,
                    "id": row.id or None,
                    **({"key": row.key} if self._with_keys and row.key else {}),
                    "properties": sorted(row.changes),
                    **({"reason": row.reason} if row.reason else {}),
                }
                for row in settled
            ],
        )


class Journal:
    """Which rows were created, and which are being created: without it, a row would be created again after a crash.

    Arguments:
        path: the file, which is kept from run to run.

    Raises:
        LoadError: the file cannot be read or written, so that nothing is to be created.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.created: dict[str, str] = {}
        """The ids of objects, by the fingerprints of rows."""
        self.doubtful: dict[str, datetime] = {}
        """When the run began that sent a row of which nothing more is known, by its fingerprint."""
        for line in _lines(path):
            self.created |= line.get("created", {})
            if "sending" in line:
                self.doubtful |= dict.fromkeys(line["sending"], datetime.fromisoformat(line["at"]))
            for fingerprint in (*line.get("created", {}), *line.get("not_created", ())):
                self.doubtful.pop(fingerprint, None)

    def sending(self, fingerprints: Collection[str], began: datetime) -> None:
        """Note rows that are about to be sent.

        Arguments:
            fingerprints: of the rows.
            began: when this run began, by HubSpot's time.
        """
        append_lines(self._path, [{"sending": [*fingerprints], "at": began.astimezone(UTC).isoformat()}])
        self.doubtful |= dict.fromkeys(fingerprints, began)

    def settle(self, created: Mapping[str, str], not_created: Collection[str]) -> None:
        """Note what became of rows that were sent."""
        if created or not_created:
            append_lines(self._path, [{"created": dict(created), "not_created": [*not_created]}])
        self.created |= created
        for fingerprint in (*created, *not_created):
            self.doubtful.pop(fingerprint, None)


def file_in(folder: Path, *names: object) -> Path:
    """Return a file of a table in the work directory; what Windows forbids in its name is left out."""
    return folder / "hubspot" / ("_".join(re.sub(r"[^\w.-]", "_", str(name)) for name in names) + ".jsonl")


def append_lines(path: Path, lines: Iterable[object], *, replace: bool = False) -> None:
    """Add lines of JSON to a file, and see that they are on the disk.

    Raises:
        LoadError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w" if replace else "a", encoding="utf-8", newline="\n") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)
            file.flush()
            # What is sent next must not be known here later than there.
            os.fsync(file.fileno())
    except OSError as error:
        raise LoadError(f"{path} cannot be written ({error.strerror}), so nothing more is sent to HubSpot.") from None


def _lines(path: Path) -> Iterable[dict[str, Any]]:
    try:
        texts = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    except (OSError, UnicodeDecodeError) as error:
        raise LoadError(f"{path} cannot be read ({error}), so nothing is sent to HubSpot.") from None
    for number, text in enumerate(texts, 1):
        try:
            line = json.loads(text)
        except ValueError:
            if number == len(texts):
                # A kill cut it off before anything was sent.
                return
            raise LoadError(
                f"Line {number} of {path} is damaged, so that it is not known which rows were created. Put the file"
                " right, or move it away to create all rows again."
            ) from None
        yield line
