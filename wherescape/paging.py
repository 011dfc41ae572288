"""How an API pages its lists, said once for a resource; each reads a list whole although it changes meanwhile."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from wherescape.api_client import ApiClient
from wherescape.api_response import ApiResponse, Record
from wherescape.errors import ApiAnswerInvalid

MAX_READINGS = 10

Query = Mapping[str, str | int]


class Paging(Protocol):
    """A way of paging."""

    def pages(self, client: ApiClient, path: str, query: Query | None = None) -> Iterator[list[Record]]:
        """Read a list page by page.

        Arguments:
            client: asks for the pages.
            path: of the list, as for `ApiClient.get_json`.
            query: the query of every page, but for what pages it.

        Raises:
            ApiError: the list could not be read to its end, or it is not known where that is.
        """
        ...


@dataclass(frozen=True)
class Whole:
    """One answer holds the whole list.

    Arguments:
        records: the field of the answer with the records, of the answer's own if it is a list: `data.items`.
        total: a field that tells how many records the list has.
    """

    records: str = ""
    total: str = ""

    def pages(self, client: ApiClient, path: str, query: Query | None = None) -> Iterator[list[Record]]:
        """Read the list; see `Paging`."""
        response, page = _ask(client, path, query or {}, self.records)
        yield page
        client.extraction.end_list(path, len(page), _total(response, self.total, None))


@dataclass(frozen=True)
class Links:
    """The Link header names the next page (RFC 8288); see `ApiClient.follow_links`.

    Arguments:
        size_as: the parameter that says how many records a page is to have; empty for none.
        size: how many.
        paging_header: a header that every page has.
        total_header: a header that tells how many records the list has.
    """

    size_as: str = "per_page"
    size: int = 100
    paging_header: str = ""
    total_header: str = ""

    def pages(self, client: ApiClient, path: str, query: Query | None = None) -> Iterator[list[Record]]:
        """Read the list; see `Paging`."""
        sized = {**(query or {}), **({self.size_as: self.size} if self.size_as else {})}
        return client.follow_links(path, sized, paging_header=self.paging_header, total_header=self.total_header)


@dataclass(frozen=True)
class Cursor:
    """Each answer holds a token for the next page; see `ApiClient.follow_cursor`.

    Arguments:
        records: the field of the answer with the records.
        token: the field with the token.
        sent_as: the parameter that the token is sent in; that of the field when left out.
        size_as: the parameter that says how many records a page is to have; empty for none.
        size: how many.
        more_flag: a field that is false on the last page.
        last_flag: a field that is true on the last page.
        total: a field that tells how many records the list has.
    """

    records: str
    token: str
    sent_as: str = ""
    size_as: str = ""
    size: int = 100
    more_flag: str = ""
    last_flag: str = ""
    total: str = ""

    def pages(self, client: ApiClient, path: str, query: Query | None = None) -> Iterator[list[Record]]:
        """Read the list; see `Paging`."""
        return client.follow_cursor(
            path,
            {**(query or {}), **({self.size_as: self.size} if self.size_as else {})},
            records=self.records,
            token=self.token,
            sent_as=self.sent_as,
            more_flag=self.more_flag,
            last_flag=self.last_flag,
            total=self.total,
        )


@dataclass(frozen=True)
class Offset:
    """A page is asked for by the number of its first record.

    What comes to a list or leaves it while it is read moves the records behind it, and one that moves forward is
    missed. So each page begins with the last record of the page before; if that is no longer there, the list is read
    again, for what was missed. Each record comes once. The end is an empty page, or what the API's own flag says;
    never a short page, and never a total, which may be cut off at a limit.

    Arguments:
        records: the field of the answer with the records; empty if the answer is the list.
        offset_as: the parameter that says where the page begins, from 0.
        size_as: the parameter that says how many records it is to have; empty for none.
        size: how many.
        key: the field of a record that tells it from all others.
        last_flag: a field of the answer that is true on the last page, if it is there.
        total: a field that tells how many records the list has; a list that gives fewer is noted in the extraction.
    """

    records: str = ""
    offset_as: str = "offset"
    size_as: str = "limit"
    size: int = 100
    key: str = "id"
    last_flag: str = ""
    total: str = ""

    def pages(self, client: ApiClient, path: str, query: Query | None = None) -> Iterator[list[Record]]:
        """Read the list; see `Paging`."""
        given: set[object] = set()
        total: int | None = None
        sized = {**(query or {}), **({self.size_as: self.size} if self.size_as else {})}
        for _ in range(MAX_READINGS):
            seen: set[object] = set()
            start, overlap = 0, None
            while True:
                response, page = _ask(client, path, {**sized, self.offset_as: start}, self.records)
                total = _total(response, self.total, total)
                keys = [_key(record, self.key, path) for record in page]
                if overlap is not None and keys[:1] != [overlap]:
                    break
                new = [key for key in keys if key not in seen]
                if overlap is None and page and not new:
                    break
                yield _not_in(given, page, keys)
                seen.update(keys)
                is_last = response.flag(self.last_flag) if self.last_flag else None
                if is_last or (is_last is None and not page):
                    client.extraction.end_list(path, len(given), total)
                    return
                if not page:
                    raise ApiAnswerInvalid(f"{path} gave an empty page after {start:,} records, but promises more.")
                start += len(page)
                # A page of one record leaves no room for the overlap.
                overlap = keys[-1] if len(page) > 1 else None
                start -= overlap is not None
        raise _never_settled(path)


@dataclass(frozen=True)
class PageNumber:
    """A page is asked for by its number.

    A page by number cannot overlap another, so a list of several pages is read again and again until two readings
    agree: a reading that misses a record has read another one that then left the list and is not in the next reading.
    Each record comes once. The end is an empty page, or what the API's own flag says; never a short page.

    Arguments:
        records: the field of the answer with the records; empty if the answer is the list.
        page_as: the parameter that says which page.
        first: the number of the first one.
        size_as: the parameter that says how many records it is to have; empty for none.
        size: how many.
        key: the field of a record that tells it from all others.
        last_flag: a field of the answer that is true on the last page, if it is there.
        total: a field that tells how many records the list has; a list that gives fewer is noted in the extraction.
    """

    records: str = ""
    page_as: str = "page"
    first: int = 1
    size_as: str = "per_page"
    size: int = 100
    key: str = "id"
    last_flag: str = ""
    total: str = ""

    def pages(self, client: ApiClient, path: str, query: Query | None = None) -> Iterator[list[Record]]:
        """Read the list; see `Paging`."""
        sized = {**(query or {}), **({self.size_as: self.size} if self.size_as else {})}
        given: set[object] = set()
        total: int | None = None

        def read() -> Iterator[list[Record] | None]:
            nonlocal total
            number = self.first
            seen: set[object] = set()
            while True:
                response, page = _ask(client, path, {**sized, self.page_as: number}, self.records)
                total = _total(response, self.total, total)
                keys = {_key(record, self.key, path) for record in page}
                if page and keys <= seen:
                    yield None
                    return
                seen |= keys
                yield page
                is_last = response.flag(self.last_flag) if self.last_flag else None
                if is_last or (is_last is None and not page):
                    return
                if not page:
                    raise ApiAnswerInvalid(f"{path} gave page {number:,} empty, but promises more.")
                number += 1

        for page in until_settled(read, path, self.key):
            given.update(_key(record, self.key, path) for record in page)
            yield page
        client.extraction.end_list(path, len(given), total)


def until_settled(
    read: Callable[[], Iterable[list[Record] | None]], path: str, key: str = "id"
) -> Iterator[list[Record]]:
    """Read a list again and again until two readings agree; each record comes once.

    A list of one page is not read twice.

    Arguments:
        read: begins a reading, and gives its pages; None for one that has nothing new, so that the reading is no good.
        path: of the list, for the error.
        key: the field that tells the records apart.

    Raises:
        ApiAnswerInvalid: no two readings agreed.
    """
    given: set[object] = set()
    before: set[object] | None = None
    for _ in range(MAX_READINGS):
        now: set[object] = set()
        count = 0
        is_good = True
        for page in read():
            if page is None:
                is_good = False
                break
            count += 1
            keys = [_key(record, key, path) for record in page]
            now.update(keys)
            yield _not_in(given, page, keys)
        if is_good and (count == 1 or now == before):
            return
        before = now if is_good else None
    raise _never_settled(path)


def _ask(client: ApiClient, path: str, query: Query, records: str) -> tuple[ApiResponse, list[Record]]:
    begin = time.monotonic()
    response = client.get_json(path, query)
    page = response.records(records)
    client.extraction.add_page(begin, time.monotonic() - begin, len(page))
    return response, page


def _not_in(given: set[object], page: list[Record], keys: list[object]) -> list[Record]:
    """Return the records that are new, and note them as given."""
    new = []
    for record, key in zip(page, keys, strict=True):
        if key not in given:
            given.add(key)
            new.append(record)
    return new


def _key(record: Record, key: str, path: str) -> object:
    value: Any = record.get(key)
    if isinstance(value, (str, int)):
        return value
    raise ApiAnswerInvalid(f"{path} gave a record whose {key} is missing, or neither a text nor a whole number.")


def _total(response: ApiResponse, name: str, before: int | None) -> int | None:
    """Return the largest total that was told so far."""
    found = response.whole_number(name) if name else None
    return max((number for number in (before, found) if number is not None), default=None)


def _never_settled(path: str) -> ApiAnswerInvalid:
    return ApiAnswerInvalid(
        f"The list {path} changed each time that it was read, {MAX_READINGS} times. Run the load again at a quieter"
        " time. If that does not help, the API may not know the parameters that page the list."
    )
