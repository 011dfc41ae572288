"""The pages of the stand-in GitLab: by offset with X- headers, and by keyset with a Link header alone.

Sources: GitLab documentation, "REST API", "Pagination"; GitLab's own `offset_header_builder.rb`,
`pagination_strategies.rb`, `gitaly_keyset_pager.rb` and, for the pages of commits, `commits.rb`.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlencode

from wherescape.sandbox.git_repository import Ref
from wherescape.sandbox.gitlab_parameters import Parameters, not_available
from wherescape.testing.api_server import Answer, Refused, json_answer

Item = TypeVar("Item")
Entity = Callable[[Item], dict[str, Any]]

NO_KEYSET = "Keyset pagination is not yet available for this type of request"


def offset_page(
    url: str,
    parameters: Parameters,
    items: Sequence[Item],
    entity: Entity[Item],
    *,
    total_limit: int = 10_000,
    promises_more: Callable[[int, int], bool] | None = None,
    total_pages: int | None = None,
) -> Answer:
    """Return a page by its number.

    Arguments:
        url: of the endpoint, without a query.
        parameters: `page` and `per_page`, and what the links carry on.
        items: the whole list.
        entity: describes one of them.
        total_limit: above how many records the totals are left out; -1: always.
        promises_more: tells from the page's number and its length whether a next page is named; left out, there is
            one if there are more records.
        total_pages: what X-Total-Pages says; left out, how many there are.
    """
    page, per_page = parameters.page, parameters.per_page
    start = (page - 1) * per_page
    shown = items[start : start + per_page]
    has_next = promises_more(page, len(shown)) if promises_more else start + per_page < len(items)
    headers = {
        "X-Page": str(page),
        "X-Per-Page": str(per_page),
        "X-Next-Page": str(page + 1) if has_next else "",
        "X-Prev-Page": str(page - 1) if page > 1 else "",
    }
    links = {"prev": page - 1 if page > 1 else 0, "next": page + 1 if has_next else 0, "first": 1}
    if len(items) <= total_limit:
        last = total_pages or max(1, -(-len(items) // per_page))
        headers |= {"X-Total": str(len(items)), "X-Total-Pages": str(last)}
        links["last"] = last
    headers["Link"] = ", ".join(
        _link(url, {**parameters.query, "page": str(number), "per_page": str(per_page)}, relation)
        for relation, number in links.items()
        if number
    )
    return json_answer([entity(item) for item in shown], headers=headers)


def gitaly_page(url: str, parameters: Parameters, items: Sequence[Item], entity: Entity[Item]) -> Answer:
    """Return a page of branches or tags by its number: the first one names a second, whatever there is."""
    length = len(items)
    return offset_page(
        url,
        parameters,
        items,
        entity,
        promises_more=lambda page, shown: page == 1 or page * parameters.per_page < length,
        total_pages=length // parameters.per_page + 1,
    )


def commits_page(url: str, parameters: Parameters, items: Sequence[Item], entity: Entity[Item]) -> Answer:
    """Return a page of commits by its number: without totals, and a full page names a next one that may be empty."""
    return offset_page(
        url, parameters, items, entity, total_limit=-1, promises_more=lambda page, shown: shown == parameters.per_page
    )


def refuse_deep_offset(parameters: Parameters, limit: int, kind: str) -> None:
    """Refuse an offset that GitLab leaves to keyset paging.

    Raises:
        Refused: 405.
    """
    if parameters.page * parameters.per_page > limit:
        raise not_available(
            f"Offset pagination has a maximum allowed offset of {limit} for requests that return objects of type"
            f" {kind}. Remaining records can be retrieved using keyset pagination."
        )


def id_page(
    url: str, parameters: Parameters, items: Sequence[Item], entity: Entity[Item], key: Callable[[Item], int]
) -> Answer:
    """Return a page by the id that it follows; the items are in the order of their ids, up or down."""
    bound = "id_after" if parameters.text("sort", "desc") == "asc" else "id_before"
    page = items[: parameters.per_page]
    return _keyset_answer(url, parameters, page, entity, {bound: str(key(page[-1]))} if page != items else {})


def token_page(url: str, parameters: Parameters, items: Sequence[Ref], entity: Entity[Ref]) -> Answer:
    """Return a page of branches or tags behind the one that `page_token` names; a full page names a next one.

    Raises:
        Refused: 422, if that one is gone.
    """
    token = parameters.text("page_token")
    start = 0
    if token:
        names = [ref.name for ref in items]
        if token not in names:
            raise Refused(json_answer({"message": f"Invalid page token: {token}"}, 422))
        start = names.index(token) + 1
    page = items[start : start + parameters.per_page]
    is_full = len(page) == parameters.per_page
    return _keyset_answer(url, parameters, page, entity, {"page_token": page[-1].name} if is_full else {})


def cursor_page(
    url: str,
    parameters: Parameters,
    items: Sequence[Item],
    entity: Entity[Item],
    key: Callable[[Item], tuple[datetime | str | None, int]],
    *,
    is_descending: bool,
) -> Answer:
    """Return a page behind a cursor.

    Arguments:
        url: of the endpoint, without a query.
        parameters: `cursor` and `per_page`, and what the link carries on.
        items: the whole list in its order; by falling id where the values are equal.
        entity: describes one of them.
        key: gives the value that the list is ordered by, and the id.
        is_descending: whether the values fall.
    """
    cursor = parameters.text("cursor")
    if cursor:
        value, last_id = _read_cursor(cursor)

        def is_behind(item: Item) -> bool:
            mine, my_id = _sortable(key(item)[0]), key(item)[1]
            if mine == value:
                return my_id < last_id
            return mine < value if is_descending else mine > value

        items = [item for item in items if is_behind(item)]
    page = items[: parameters.per_page]
    return _keyset_answer(
        url, parameters, page, entity, {"cursor": _write_cursor(*key(page[-1]))} if page != items else {}
    )


def _keyset_answer(
    url: str, parameters: Parameters, page: Sequence[Item], entity: Entity[Item], following: dict[str, str]
) -> Answer:
    query = {**parameters.query, "per_page": str(parameters.per_page), **following}
    headers = {"Link": _link(url, query, "next")} if following else {}
    return json_answer([entity(item) for item in page], headers=headers)


def _link(url: str, query: dict[str, str], relation: str) -> str:
    return f'<{url}?{urlencode(query)}>; rel="{relation}"'


def _sortable(value: datetime | str | None) -> tuple[bool, str]:
    """Return a value as the database orders it, null last."""
    return value is None, value.isoformat(timespec="microseconds") if isinstance(value, datetime) else value or ""


def _write_cursor(value: datetime | str | None, last_id: int) -> str:
    return urlsafe_b64encode(json.dumps([*_sortable(value), last_id]).encode()).decode()


def _read_cursor(cursor: str) -> tuple[tuple[bool, str], int]:
    is_null, text, last_id = json.loads(urlsafe_b64decode(cursor))
    return (is_null, text), last_id
