"""What a first answer of an API says about it: where its records are, how it is paged, columns and their types."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from wherescape.api_response import Json, Record
from wherescape.column_types import DataType
from wherescape.flat_records import flat_record
from wherescape.helper_functions import create_column_names, infer_type
from wherescape.paging import Cursor, Links, Offset, PageNumber, Paging, Whole
from wherescape.tables import LOAD_DATE, RECORD_SOURCE, Mask

KEYS = ("id", "uuid", "guid", "key", "code")
CHANGED = re.compile(r"(updated|modified|changed|last_?edited)", re.IGNORECASE)
MOMENT = re.compile(r"(_at|_on|at|date|time|timestamp|created|updated|modified|changed)$", re.IGNORECASE)
CURSORS = ("next_cursor", "nextCursor", "next_page_token", "nextPageToken", "next_token", "cursor", "next", "after")
NEXT = re.compile(r"(.*\.)?next(_?(link|url|page(_?url)?))?(\.(href|url|link))?", re.IGNORECASE)
TOTALS = ("total", "total_count", "totalCount", "count")
MORE_FLAGS = ("has_more", "hasMore", "more")
LAST_FLAGS = ("isLast", "is_last", "last")
# From 2001 to 2065.
SECONDS = range(1_000_000_000, 3_000_000_000)


@dataclass(frozen=True)
class ProposedColumn:
    """A column, as the values of a page propose it.

    Arguments:
        name: of the column.
        source: the field, by the path that leads to it.
        data_type: what the values are.
        per_second: for a number that is a moment since 1970, how many make a second; else 0.
        mask: how it is masked.
    """

    name: str
    source: str
    data_type: DataType
    per_second: int = 0
    mask: Mask = ""


def find_records(body: Json) -> str:
    """Return the field that holds the records, the longest list of objects; empty if the answer itself is the list."""
    if isinstance(body, list):
        return ""
    found = list(_lists_of_objects(body, ""))
    return max(found, key=lambda pair: len(pair[1]))[0] if found else ""


def propose_paging(body: Json, headers: Mapping[str, str], records: str) -> Paging:
    """Return how a list seems to be paged, by the names in its first answer; `Whole` if nothing says so."""
    if 'rel="next"' in headers.get("Link", "") or "rel=next" in headers.get("Link", ""):
        return Links()
    if not isinstance(body, dict):
        return Whole()
    fields = dict(_fields(body, "", records))
    total = _first(fields, TOTALS)
    last_flag = _first(fields, LAST_FLAGS)
    if (token := _first(fields, CURSORS)) and not _is_address(fields[token]):
        more_flag = _first(fields, MORE_FLAGS)
        return Cursor(records, token, sent_as=_asked_by(token), more_flag=more_flag, last_flag=last_flag, total=total)
    asked = _query(next_address(body, records))
    known = asked or fields
    for name in ("offset", "startAt", "start", "skip", "$skip"):
        if place := _first(known, (name,)):
            size_as = _last(_first(known, ("limit", "maxResults", "size", "count", "$top")))
            return Offset(
                records, _last(place), size_as or ("" if asked else "limit"), last_flag=last_flag, total=total
            )
    for name in ("page", "page_number", "pageNumber", "current_page", "currentPage"):
        if place := _first(known, (name,)):
            size_as = _last(_first(known, ("per_page", "page_size", "pageSize", "limit", "size")))
            return PageNumber(
                records,
                # An answer speaks of its current page, a request of the page.
                "page" if _last(place).startswith("current") else _last(place),
                first=0 if known[place] == ("1" if asked else 0) else 1,
                size_as=size_as or ("" if asked else "per_page"),
                last_flag=last_flag,
                total=total,
            )
    return Whole(records, total)


def _asked_by(token: str) -> str:
    """Return the parameter that a token is most often sent in: an answer's `next_page_token` as `page_token`."""
    name = _last(token)
    bare = re.sub(r"^next_?(?=.)", "", name)
    return bare[0].lower() + bare[1:]


def next_address(body: Json, records: str) -> str:
    """Return the address that an answer names for its next page, as in `links.next`; empty if it has none."""
    fields = dict(_fields(body, "", records)) if isinstance(body, dict) else {}
    return next((value for place, value in fields.items() if NEXT.fullmatch(place) and _is_address(value)), "")


def propose_columns(records: Sequence[Record]) -> list[ProposedColumn]:
    """Return a column for each field of a page's records, all of which count; see `infer_type`.

    A number that would be a moment of this century, in a field that is called like one, is a timestamp.
    """
    values: dict[str, list[object]] = {}
    for record in records:
        for source, value in flat_record(record).items():
            values.setdefault(source, []).append(value)
    # An object that is null in some records only is no column of its own.
    sources = [source for source in values if not any(other.startswith(f"{source}.") for other in values)]
    # The names that every load table has come first, so that a field of such a name gets another.
    taken = [RECORD_SOURCE.name, LOAD_DATE.name]
    wanted = [re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", source) for source in sources]
    names = create_column_names(taken + wanted)[len(taken) :]
    columns = []
    for name, source in zip(names, sources, strict=True):
        per_second = _per_second(source, values[source])
        data_type = "timestamp" if per_second else infer_type(values[source])
        columns.append(ProposedColumn(name, source, data_type, per_second))
    return columns


def propose_key(columns: Sequence[ProposedColumn]) -> str:
    """Return the field that seems to identify a record; the first one if none does."""
    sources = [column.source for column in columns]
    return next((name for name in KEYS if name in sources), sources[0] if sources else "id")


def propose_changed(columns: Sequence[ProposedColumn]) -> str:
    """Return the field that seems to tell when a record changed last; empty if none does."""
    moments = [column.source for column in columns if column.data_type in ("timestamp", "date")]
    return next((source for source in moments if CHANGED.search(source)), "")


def _per_second(source: str, values: Sequence[object]) -> int:
    numbers = [value for value in values if value is not None]
    if not (numbers and MOMENT.search(source) and all(type(value) is int for value in numbers)):
        return 0
    for per_second in (1, 1_000, 1_000_000):
        if all(isinstance(value, int) and value // per_second in SECONDS for value in numbers):
            return per_second
    return 0


def _lists_of_objects(value: Any, path: str) -> Iterator[tuple[str, list[Any]]]:
    for name, inner in value.items() if isinstance(value, dict) else ():
        place = f"{path}{name}"
        if isinstance(inner, list) and all(isinstance(item, dict) for item in inner):
            yield place, inner
        yield from _lists_of_objects(inner, f"{place}.")


def _fields(value: Mapping[str, Any], path: str, records: str) -> Iterator[tuple[str, Any]]:
    for name, inner in value.items():
        place = f"{path}{name}"
        if place == records:
            continue
        if isinstance(inner, dict):
            yield from _fields(inner, f"{place}.", records)
        else:
            yield place, inner


def _is_address(value: object) -> bool:
    return isinstance(value, str) and ("://" in value or "?" in value)


def _query(address: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def _last(place: str) -> str:
    return place.rpartition(".")[2]


def _first(fields: Mapping[str, Any], names: Sequence[str]) -> str:
    return next((place for name in names for place in fields if place.rpartition(".")[2] == name), "")
