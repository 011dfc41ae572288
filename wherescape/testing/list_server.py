"""A fake API that is one list, paged as a connector says that its API does."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from wherescape.api_response import Record
from wherescape.paging import Cursor, Links, Offset, PageNumber, Paging, Whole
from wherescape.testing.api_server import Answer, ApiServer, Request, json_answer

AFTER = "after"
"""The parameter of a link to the next page."""


class ListServer(ApiServer):
    """One list of records, in the order of their keys.

    It is strict: it knows no parameter that it was not told of, and answers nobody without the login.

    Arguments:
        path: of the list, without a leading slash.
        paging: how it is paged.
        login: the headers that a request must have.
        key: the field that tells a record from all others.
        since: the parameter that asks for what has changed at or after a moment; empty for an API without one.
        changed: reads from a record when it changed last.
        moment: reads the parameter's value.
    """

    def __init__(
        self,
        path: str,
        paging: Paging,
        *,
        login: Mapping[str, str],
        key: str = "id",
        since: str = "",
        changed: Callable[[Record], datetime] | None = None,
        moment: Callable[[str], datetime] = datetime.fromisoformat,
    ) -> None:
        super().__init__()
        self.records: dict[Any, Record] = {}
        """The records by their keys; they may be changed while it serves, with the lock held."""
        self.most = 2
        """How many records a page has at most, however many are asked for."""
        self._path = f"/{path.strip('/')}"
        self._paging = paging
        self._login = login
        self._key = key
        self._since = since
        self._changed = changed
        self._moment = moment

    def put(self, record: Record) -> None:
        """Add a record, or put it in the place of the one with its key."""
        with self.lock:
            self.records[record[self._key]] = record

    def answer(self, request: Request) -> Answer:
        """Answer one request."""
        if request.path != self._path or request.method != "GET":
            raise self.mistake(f"{request.method} {request.path} is not served", json_answer({}, 404))
        if any(request.headers.get(name) != value for name, value in self._login.items()):
            return json_answer({"message": "Unauthorized"}, 401)
        if unknown := request.query.keys() - self._parameters():
            raise self.mistake(f"{', '.join(unknown)} is no parameter", json_answer({"message": "unknown"}, 400))
        try:
            return self._page(request)
        except ValueError as error:
            raise self.mistake(str(error), json_answer({"message": "not a value"}, 400)) from None

    def _parameters(self) -> set[str]:
        paging = self._paging
        names = {self._since}
        if isinstance(paging, Links):
            names |= {paging.size_as, AFTER}
        elif isinstance(paging, Cursor):
            names |= {paging.size_as, paging.sent_as or paging.token}
        elif isinstance(paging, Offset):
            names |= {paging.size_as, paging.offset_as}
        elif isinstance(paging, PageNumber):
            names |= {paging.size_as, paging.page_as}
        return names - {""}

    def _page(self, request: Request) -> Answer:
        found = [self.records[key] for key in sorted(self.records)]
        if self._since and self._changed and self._since in request.query:
            since = self._moment(request.query[self._since])
            found = [record for record in found if self._changed(record) >= since]
        paging, query = self._paging, request.query
        if isinstance(paging, Whole):
            return json_answer(_body({paging.total: len(found)}, paging.records, found))
        size = min(int(query.get(getattr(paging, "size_as", ""), self.most)), self.most)
        start = self._start(found, query, size)
        page = found[start : start + size]
        is_last = start + size >= len(found)
        # A key, so that what comes and goes moves no page.
        following = None if is_last or not page else str(page[-1][self._key])
        if isinstance(paging, Links):
            link = f'<{self.url}{self._path}?{urlencode({**query, AFTER: following})}>; rel="next"'
            headers = {paging.paging_header: following or "", paging.total_header: str(len(found))}
            named = {name: value for name, value in headers.items() if name}
            return json_answer(page, headers=named | ({} if following is None else {"Link": link}))
        fields: dict[str, Any] = {getattr(paging, "total", ""): len(found), getattr(paging, "last_flag", ""): is_last}
        if isinstance(paging, Cursor):
            fields |= {paging.token: following, paging.more_flag: not is_last}
        elif isinstance(paging, Offset):
            fields |= {paging.offset_as: start, paging.size_as: size}
        elif isinstance(paging, PageNumber):
            fields |= {paging.page_as: start // size + paging.first, paging.size_as: size}
        return json_answer(_body(fields, getattr(paging, "records", ""), page))

    def _start(self, found: list[Record], query: Mapping[str, str], size: int) -> int:
        paging = self._paging
        if isinstance(paging, Offset):
            return int(query.get(paging.offset_as, 0))
        if isinstance(paging, PageNumber):
            return (int(query.get(paging.page_as, paging.first)) - paging.first) * size
        token = (paging.sent_as or paging.token) if isinstance(paging, Cursor) else AFTER
        if token not in query:
            return 0
        after = type(found[0][self._key])(query[token]) if found else query[token]
        return sum(record[self._key] <= after for record in found)


def _body(fields: Mapping[str, Any], records: str, page: list[Record]) -> Any:
    """Return an answer with its fields at the places that their names lead to."""
    if not records:
        return page
    body: dict[str, Any] = {}
    for name, value in {**fields, records: page}.items():
        *parents, last = name.split(".")
        inner = body
        for parent in parents:
            inner = inner.setdefault(parent, {})
        if last:
            inner[last] = value
    return body
