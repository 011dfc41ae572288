"""Reads GitLab's lists whole although they change while they are read page by page.

A page is a part of a list by offset: a record that leaves the list moves those behind it forward, and one of them onto
a page that was read before.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

from wherescape.api_client import ApiClient
from wherescape.api_response import Record
from wherescape.errors import ApiAnswerInvalid
from wherescape.paging import until_settled

PAGE_SIZE = 100
PAGING_HEADER = "X-Next-Page"
# GitLab's answers cut its microseconds off.
MILLISECOND = timedelta(milliseconds=1)

Params = Mapping[str, str | int]


def read_by_update_time(
    client: ApiClient, path: str, *, since: datetime | None = None, until: datetime | None = None
) -> Iterator[Record]:
    """Read a list of issues, merge requests or pipelines in the order of their last change; each comes once.

    Each page is asked for by the moment at which the one before ended, so that what leaves the list moves nothing, and
    no offset grows beyond what GitLab allows. What changes meanwhile moves to the end of the list.

    Arguments:
        client: gives the pages.
        path: of the list.
        since: aware; only what has changed at or after it.
        until: aware; what has changed later is left out, for a reader that comes again: a busy list may have no end.

    Raises:
        ApiError: the list could not be read to its end.
    """
    given: set[int | str] = set()
    after = since
    while True:
        pages = client.follow_links(path, _changed(after=after), paging_header=PAGING_HEADER)
        page = next(pages)
        last = max(_moments(page), default=None)
        yield from _new(page, given, until)
        if until and last and last > until:
            break
        if len(page) < PAGE_SIZE and next(pages, None) is None:
            if after is None:
                return
            break
        if last and (after is None or last - MILLISECOND > after):
            after = last - MILLISECOND
            continue
        # More records of one moment than a page holds.
        before = last + 2 * MILLISECOND if last else None
        yield from _new(read_until_settled(client, path, _changed(after=after, before=before)), given, until)
        if last is None:
            break
        after = last + MILLISECOND
    if since is None:
        yield from _new(_never_updated(client, path), given, until)


def read_until_settled(client: ApiClient, path: str, params: Params, key: str = "id") -> Iterator[Record]:
    """Read a list by page numbers until two readings agree; see `until_settled`."""
    query = {**params, "per_page": PAGE_SIZE}
    for page in until_settled(lambda: client.follow_links(path, query, paging_header=PAGING_HEADER), path, key):
        yield from page


def moment_text(moment: datetime) -> str:
    """Write a moment as GitLab does, in UTC: `2026-01-05T10:05:00.000Z`."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _changed(*, after: datetime | None, before: datetime | None = None) -> Params:
    bounds = {"updated_after": after, "updated_before": before}
    return {
        "order_by": "updated_at",
        "sort": "asc",
        "per_page": PAGE_SIZE,
        **{name: moment_text(moment) for name, moment in bounds.items() if moment},
    }


def _never_updated(client: ApiClient, path: str) -> Iterator[Record]:
    """Read what GitLab has no time of a change of: no bound finds it, but it comes first in descending order."""
    descending = {**_changed(after=None), "sort": "desc"}
    for page in client.follow_links(path, descending, paging_header=PAGING_HEADER):
        yield from (record for record in page if _updated_at(record) is None)
        if _moments(page):
            return


def _new(records: Iterable[Record], given: set[int | str], until: datetime | None = None) -> Iterator[Record]:
    for record in records:
        if record["id"] in given or (until and (moment := _updated_at(record)) and moment > until):
            continue
        given.add(record["id"])
        yield record


def _moments(page: Iterable[Record]) -> list[datetime]:
    return [moment for record in page if (moment := _updated_at(record))]


def _updated_at(record: Record) -> datetime | None:
    text = record.get("updated_at")
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        raise ApiAnswerInvalid(f"GitLab gave {text!r} as the time of a change, which is no ISO 8601 moment.") from None
