"""Reads the surveys of an organisation through the Friday Pulse API; knows nothing of WhereScape."""

import logging
from collections import Counter
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any, Literal
from urllib.parse import quote

from wherescape.api_client import ApiClient
from wherescape.api_response import Record
from wherescape.api_source import ApiSource, checked_address
from wherescape.concurrency import in_parallel
from wherescape.connectors.friday_pulse.friday_pulse_records import flat_entry, flat_group, flat_named, flat_result
from wherescape.errors import ApiAnswerInvalid, ApiUnavailable
from wherescape.paging import Whole
from wherescape.redaction import add_secret

logger = logging.getLogger(__name__)

Subject = Literal["results", "notes", "risk"]
"""What a survey brings; as it stands in the API's paths."""

BASE_URL = "https://app.fridaypulse.com"
MOST_NAMED = 20


@dataclass(frozen=True)
class _Part:
    """What one request gives: a survey, of everybody or of a group."""

    date: str
    group: Record | None

    def __str__(self) -> str:
        return f"{self.group.get('name')} ({self.group['id']}) on {self.date}" if self.group else self.date


class FridayPulse(ApiSource):
    """The surveys of an organisation, as the owner of an access token sees them.

    Every method gives records of one level, named as in the load tables.

    Source: Friday Pulse API v1 (https://api-docs.fridaypulse.com). All lists come whole. A request for a survey names
    its date, since without one it is the newest survey that is meant.

    Arguments:
        token: the access token.
        base_url: the server, with or without `/api/v1`.
        credential: where the token comes from, in words, for the error when Friday Pulse refuses it.
        workers: how many surveys and groups are read at once.
        max_retries: how often a failed request is repeated.
        max_wait_seconds: the longest wait that Friday Pulse may ask for.

    Raises:
        DeclarationError: the address is not http or https, or the token holds what none has.
    """

    smallest_request = "topics"

    def __init__(
        self,
        token: str,
        base_url: str = BASE_URL,
        *,
        credential: str = "the access token",
        workers: int = 4,
        max_retries: int = 3,
        max_wait_seconds: float = 600,
    ) -> None:
        add_secret(token.strip())
        self._workers = workers
        super().__init__(
            ApiClient(
                checked_address("Friday Pulse", base_url, BASE_URL, path="/api/v1", typed=("/api",)),
                {"Authorization": f"Bearer {token.strip()}"},
                credential=credential,
                max_retries=max_retries,
                max_wait_seconds=max_wait_seconds,
            )
        )

    def topics(self) -> Iterator[Record]:
        """Read the topics of questions (`GET /topics`)."""
        yield from map(flat_named, self._list("topics"))

    def group_types(self) -> Iterator[Record]:
        """Read the types of groups (`GET /group-types`)."""
        yield from map(flat_named, self._list("group-types"))

    def groups(self) -> Iterator[Record]:
        """Read the groups, each once, with all of its types (`GET /group-types/{code}/groups`)."""
        groups: dict[str, Record] = {}
        types: dict[str, list[str]] = {}
        for group_type in self._list("group-types"):
            code = _name_in_path(group_type, "code", "type of groups")
            for group in self._list(f"group-types/{quote(code, safe='')}/groups"):
                group_id = _name_in_path(group, "id", "group")
                groups.setdefault(group_id, group)
                types.setdefault(group_id, []).append(code)
        yield from (flat_group(group, types[group_id]) for group_id, group in groups.items())

    def general(self, subject: Subject, since: date | None = None) -> Iterator[Record]:
        """Read surveys of everybody, the oldest first (`GET /results`, `/notes` or `/risk`, with a date).

        Arguments:
            subject: what to read of them.
            since: leave out surveys before this date, but for the newest; all that there are when left out.

        Raises:
            ApiAnswerInvalid: there is no survey, or another one came than was asked for.
            ApiError: they could not be read.
        """
        surveys = self._surveys(since)
        for part, row in self._rows(subject, surveys, [None]):
            yield row | {"question_count": surveys[part.date]} if subject == "results" else row

    def of_groups(
        self, subject: Subject, since: date | None = None, exclude: Collection[str] = ()
    ) -> Iterator[Record]:
        """Read surveys of each group, the oldest first (`GET /groups/{id}/results`, `/notes` or `/risk`, with a date).

        Friday Pulse answers 500 where a group has no data for a date, as it does when it fails. What it answers so is
        asked for again at the end. If it is 500 still, and other groups of that date were answered, it is left out and
        named in a warning and in `extraction.skipped`.

        Arguments:
            subject: what to read of them.
            since: as for `general`.
            exclude: ids of groups to leave out.

        Raises:
            ApiUnavailable: not one group was answered for a date.
            ApiAnswerInvalid: there is no survey or no group, or another survey came than was asked for.
            ApiError: they could not be read.
        """
        surveys = self._surveys(since)
        groups = [group for group in self.groups() if str(group["id"]) not in exclude]
        if not groups:
            raise ApiAnswerInvalid(
                "Friday Pulse lists no group to load from. Check that the access token is the right organisation's,"
                " and exclude_groups."
            )
        for part, row in self._rows(subject, surveys, groups):
            assert part.group
            yield row | {"group_id": part.group["id"]}

    # ------------------------------------------------------------------------------------------------------- surveys

    def _surveys(self, since: date | None) -> Mapping[str, Any]:
        """Return how many questions surveys have, by their dates in order.

        The newest one is always among them: it may have been published later than its date, and after the last load.
        """
        listed = {_date_of(entry): entry.get("question_count") for entry in self._list("info/results-dates")}
        if not listed:
            # A load without rows would move the mark past all that is to come.
            raise ApiAnswerInvalid(
                "Friday Pulse lists no survey. Check that the access token is the right organisation's; before its"
                " first survey there is nothing to load."
            )
        first = min(since.isoformat(), max(listed)) if since else ""
        return {day: listed[day] for day in sorted(listed) if day >= first}

    def _rows(
        self, subject: Subject, dates: Collection[str], groups: Sequence[Record | None]
    ) -> Iterator[tuple[_Part, Record]]:
        unanswered: list[_Part] = []
        of_date: Counter[str] = Counter()
        parts = (_Part(day, group) for day in dates for group in groups)
        with closing(self._answers(subject, parts)) as answers:
            for part, rows in answers:
                if rows is not None:
                    yield from ((part, row) for row in rows)
                    continue
                unanswered.append(part)
                of_date[part.date] += 1
                if of_date[part.date] == len(groups):
                    # Not one answered: in an outage it would be the same for all dates behind this one.
                    last = unanswered[-len(groups) :]
                    del unanswered[-len(groups) :]
                    missing = yield from self._rows_asked_for_again(subject, last)
                    if len(missing) == len(groups):
                        self._fail(subject, part)
                    unanswered += missing

        # By now a short outage is over.
        missing = yield from self._rows_asked_for_again(subject, unanswered)
        self._tell(subject, missing, len(dates) * len(groups))

    def _rows_asked_for_again(
        self, subject: Subject, parts: Sequence[_Part]
    ) -> Generator[tuple[_Part, Record], None, list[_Part]]:
        """Yield the rows of what was answered 500, and return what still is."""
        missing: list[_Part] = []
        with closing(self._answers(subject, parts)) as answers:
            for part, rows in answers:
                if rows is None:
                    missing.append(part)
                else:
                    yield from ((part, row) for row in rows)
        return missing

    def _answers(
        self, subject: Subject, parts: Iterable[_Part]
    ) -> Generator[tuple[_Part, list[Record] | None], None, None]:
        """Yield what was answered in the order of the parts; None for a 500."""
        reading = in_parallel(parts, partial(self._ask, subject), self._workers, on_abandon=self._client.close)
        with closing(reading):
            for part, answer in reading:
                yield part, next(answer)

    def _ask(self, subject: Subject, part: _Part) -> Iterator[list[Record] | None]:
        path = f"groups/{quote(str(part.group['id']), safe='')}/{subject}" if part.group else subject
        try:
            entries = self._list(path, {"date": part.date})
        except ApiUnavailable as error:
            if error.status_code != 500:
                raise
            yield None
            return
        for entry in entries:
            came = entry.get("sample_date")
            if came is not None and str(came)[:10] != part.date:
                raise ApiAnswerInvalid(
                    f"{path} was asked for the survey of {part.date} and answered with one of {str(came)[:10]!r}, so"
                    " that it is not known what its rows are of."
                )
        if subject == "results":
            yield [flat_result(entry, part.date) for entry in entries]
        else:
            yield [flat_entry(entry, part.date, place) for place, entry in enumerate(entries, 1)]

    def _fail(self, subject: Subject, part: _Part) -> None:
        if part.group is None:
            raise ApiUnavailable(
                f"Friday Pulse answered 500 for the {subject} of {part.date}, after all retries. Run the load again"
                " later."
            )
        raise ApiUnavailable(
            f"Friday Pulse answered 500 for the {subject} of every group on {part.date}: it fails, or no group has"
            " data for that date. Run the load again later; if there were no groups yet, load with earliest set to"
            " the first survey that has some."
        )

    def _tell(self, subject: Subject, missing: Sequence[_Part], asked: int) -> None:
        for part in missing:
            self.extraction.skip(str(part), f"500 for its {subject}")
        if missing:
            more = f", and {len(missing) - MOST_NAMED:,} more" if len(missing) > MOST_NAMED else ""
            logger.warning(
                "Friday Pulse answered 500 for the %s of %s of %s groups and dates, twice, as it does where it has no"
                " data; they have no rows: %s%s. If a group never has any, leave it out with exclude_groups.",
                subject,
                f"{len(missing):,}",
                f"{asked:,}",
                ", ".join(map(str, missing[:MOST_NAMED])),
                more,
            )

    # --------------------------------------------------------------------------------------------------------- lists

    def _list(self, path: str, params: Mapping[str, str] | None = None) -> list[Record]:
        [page] = Whole().pages(self._client, path, params)
        return page


def _date_of(entry: Record) -> str:
    try:
        return datetime.strptime(str(entry["date"])[:10], "%Y-%m-%d").date().isoformat()
    except (KeyError, ValueError):
        raise ApiAnswerInvalid("Friday Pulse lists a survey without a date that can be read.") from None


def _name_in_path(record: Record, field: str, what: str) -> str:
    value = record.get(field)
    if isinstance(value, (int, str)) and not isinstance(value, bool) and value != "":
        return str(value)
    raise ApiAnswerInvalid(f"Friday Pulse lists a {what} without its {field}.")
