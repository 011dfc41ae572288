"""Reads a Notion workspace through its API; knows nothing of WhereScape."""

import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from wherescape.api_client import MAX_EMPTY_PAGES, ApiClient
from wherescape.api_response import Json, Record
from wherescape.api_source import ApiSource, checked_address
from wherescape.concurrency import in_parallel
from wherescape.connectors.notion.notion_blocks import text_below
from wherescape.connectors.notion.notion_properties import (
    Property,
    fields_of,
    is_cut,
    plain_text,
    properties_of,
    result_of_formula,
)
from wherescape.errors import ApiAnswerInvalid, ApiRefused, DeclarationError
from wherescape.redaction import add_secret

logger = logging.getLogger(__name__)

BASE_URL = "https://api.notion.com"
NOTION_VERSION = "2025-09-03"
ITEMS_A_PAGE = 100
ROWS_A_QUERY = 10_000
LISTED = 10

_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}(?![0-9a-f])", re.I)


@dataclass(frozen=True)
class DataSource:
    """A data source: a table of pages.

    Arguments:
        id: stays when it is renamed.
        name: as people see it.
        properties: those of its pages, the title first.
    """

    id: str
    name: str
    properties: Sequence[Property]


class Notion(ApiSource):
    """A Notion workspace, as far as it is shared with an integration.

    Source: Notion API 2025-09-03, where a database holds one or more data sources.

    Arguments:
        token: the integration's access token.
        base_url: the API's address, with or without `/v1`.
        credential: where the token comes from, in words, for the error when Notion refuses it.
        max_retries: how often a failed request is repeated.
        max_wait_seconds: the longest wait that Notion's rate limit may ask for.
        workers: how many pages are read at once, where a query does not tell all of them.

    Raises:
        DeclarationError: the address is not http or https, or the token holds what no token has.
    """

    smallest_request = "users/me"

    def __init__(
        self,
        token: str,
        base_url: str = BASE_URL,
        *,
        credential: str = "the access token",
        max_retries: int = 6,
        max_wait_seconds: float = 600,
        workers: int = 3,
    ) -> None:
        # It takes as long to import as all else together.
        from wherescape.connectors.notion.notion_calls import NotionCalls

        token = token.strip()
        add_secret(token)
        self._workers = workers
        super().__init__(
            ApiClient(
                checked_address("Notion", base_url, BASE_URL, path="/v1"),
                {"Authorization": f"Bearer {token}", "Notion-Version": NOTION_VERSION},
                credential=credential,
                max_retries=max_retries,
                max_wait_seconds=max_wait_seconds,
            )
        )
        self._calls: Any = NotionCalls(self._client)

    def data_source(self, identifier: str) -> DataSource:
        """Return a data source with its properties ("Retrieve a data source").

        What a formula results in is not told there, and is seen from some pages.

        Arguments:
            identifier: the id or the address of a data source, or of a database that has one only.

        Raises:
            DeclarationError: there is no id in it, or the database has several data sources; the error lists them.
            ApiRefused: there is none that is shared with the integration.
            ApiError: Notion could not be asked.
        """
        found = self._find(_id_in(identifier))
        schema = found.get("properties")
        if not isinstance(schema, dict) or not all(about.get("id") and about.get("type") for about in schema.values()):
            raise ApiAnswerInvalid(f"Notion gave data source {found.get('id')} without its properties.")
        properties = properties_of(schema)
        source_id = str(found["id"])
        if any(prop.type == "formula" for prop in properties):
            rows = self._some_rows(source_id)
            properties = [_with_result(prop, rows) if prop.type == "formula" else prop for prop in properties]
        return DataSource(source_id, plain_text(found.get("title")), properties)

    def rows(
        self,
        source: DataSource,
        since: datetime | None = None,
        *,
        with_names: bool = True,
        with_content: bool = False,
    ) -> Iterator[Record]:
        """Read the pages of a data source by their creation ("Query a data source"), those in the trash left out.

        Arguments:
            source: which.
            since: only those edited since; aware.
            with_names: False leaves out the names of persons in lists.
            with_content: read the contents of each page too, as text.

        Raises:
            ApiError: they could not be read to the end.
        """
        for pages in self._query(source.id, since):
            yield from self._records(source, pages, with_names=with_names, with_content=with_content)

    def row_ids(self, source: DataSource) -> Iterator[Record]:
        """Read the ids of the pages of a data source that exist.

        Raises:
            ApiError: they could not be read to the end.
        """
        for pages in self._query(source.id, None, filter_properties=["title"]):
            yield from ({"page_id": page.get("id")} for page in pages)

    def users(self) -> Iterator[Record]:
        """Read the members and bots of the workspace ("List all users"); guests are not among them.

        Raises:
            ApiError: they could not be read to the end.
        """
        for body in self._lists(self._calls.users.list):
            for user in body["results"]:
                yield {
                    **{name: user.get(name) for name in ("id", "type", "name", "avatar_url")},
                    "email": (user.get("person") or {}).get("email"),
                }

    # ------------------------------------------------------------------------------------------------------- finding

    def _find(self, wanted: str) -> Json:
        try:
            database = self._calls.databases.retrieve(wanted)
        except ApiRefused as error:
            if error.status_code not in (400, 404):
                raise
            return self._find_data_source(wanted)
        sources = database.get("data_sources")
        if not isinstance(sources, list):
            raise ApiAnswerInvalid(f"Notion gave database {wanted} without its data sources.")
        if len(sources) == 1:
            return self._find_data_source(sources[0]["id"])
        listed = ", ".join(f"{source.get('id')} ({source.get('name')})" for source in sources[:LISTED])
        raise DeclarationError(
            f"The Notion database {wanted} has {len(sources)} data sources: {listed}. Give the id of one of them."
            if sources
            else f"The Notion database {wanted} has no data source that the API shows: is it a linked one? Give the id"
            " of the original."
        )

    def _find_data_source(self, wanted: str) -> Json:
        try:
            found: Json = self._calls.data_sources.retrieve(wanted)
            return found
        except ApiRefused as error:
            if error.status_code not in (400, 404):
                raise
            raise ApiRefused(
                f"{error} Notion shows no database or data source {wanted}: correct the id, or share the database with"
                " the integration (its menu, Connections).",
                error.status_code,
            ) from None

    def _some_rows(self, source_id: str) -> list[dict[str, Record]]:
        pages = next(self._lists(self._calls.data_sources.query, source_id))["results"]
        return [_values(page) for page in pages if page.get("object") == "page"]

    # ------------------------------------------------------------------------------------------------------- reading

    def _query(self, source_id: str, since: datetime | None, **options: Any) -> Iterator[list[Record]]:
        """Read rows by their creation, page by page, by as many queries as it takes: each one ends at 10,000 rows.

        The time of creation never changes and new rows come last, so that no edit moves a row out of the way.
        """
        edited = _on_or_after("last_edited_time", since) if since else None
        begin: datetime | None = None
        known: dict[str, datetime] = {}
        while True:
            created = _on_or_after("created_time", begin) if begin else None
            filters = [condition for condition in (edited, created) if condition]
            arguments = {**options, "filter": {"and": filters}} if filters else options
            count, status = 0, None
            for body in self._lists(self._calls.data_sources.query, source_id, sorts=[_BY_CREATION], **arguments):
                # In a wiki, data sources may stand among the pages.
                pages = [found for found in body["results"] if found.get("object") == "page"]
                count += len(body["results"])
                status = body.get("request_status")
                new = [page for page in pages if page.get("id") not in known]
                known.update((str(page.get("id")), _created(page)) for page in new)
                yield new
            if not _is_incomplete(status, count):
                return
            last = max(known.values(), default=None)
            if last is None or last == begin:
                raise ApiAnswerInvalid(
                    f"Notion ended the query of data source {source_id} after {count:,} rows, all of them created in"
                    f" one minute ({last.isoformat() if last else 'unknown'}), and gives no others. Move some of them"
                    " to another data source."
                )
            logger.info("Notion ended the query after %s rows; it goes on at %s.", f"{count:,}", last.isoformat())
            begin = last
            known = {page_id: moment for page_id, moment in known.items() if moment == last}

    def _records(
        self, source: DataSource, pages: list[Record], *, with_names: bool, with_content: bool
    ) -> Iterator[Record]:
        def read(page: Record) -> list[Record]:
            values = self._complete(source, page)
            record = _page_fields(page)
            for prop in source.properties:
                try:
                    record |= fields_of(prop, values.get(prop.id), with_names=with_names)
                except (AttributeError, KeyError, TypeError):
                    raise ApiAnswerInvalid(
                        f"Notion gave the property {prop.id} of page {page['id']}, of type {prop.type}, in another"
                        " form than it documents."
                    ) from None
            if with_content:
                record["page_content"] = self._content(str(page["id"]))
            return [record]

        needs_more = with_content or any(_cut_properties(source, _values(page)) for page in pages)
        workers = self._workers if needs_more else 1
        with closing(in_parallel(pages, read, workers, on_abandon=self._client.close)) as reading:
            for page, records in reading:
                try:
                    yield from records
                except ApiRefused as error:
                    if error.status_code != 404 or not self._is_gone(str(page.get("id"))):
                        raise
                    logger.info("Page %s was deleted while it was read.", page.get("id"))

    def _complete(self, source: DataSource, page: Record) -> dict[str, Record]:
        """Return the values of a page, with those that the page itself has in part only read to their end."""
        values = _values(page)
        for prop in _cut_properties(source, values):
            values[prop.id] = {"type": prop.type, prop.type: self._whole_value(str(page["id"]), prop)}
        return values

    def _whole_value(self, page_id: str, prop: Property) -> Json:
        """Return all of a value ("Retrieve a page property item")."""
        items: list[Record] = []
        about: Record = {}
        for body in self._lists(self._calls.pages.properties.retrieve, page_id, prop.id):
            items += body["results"]
            about = body.get("property_item") or {}
        if prop.type != "rollup":
            return [item.get(prop.type) for item in items]
        rollup = about.get("rollup") or {}
        if rollup.get("type") == "incomplete":
            raise ApiAnswerInvalid(f"Notion could not sum up the property {prop.id} of page {page_id} to the end.")
        return rollup | {"array": items} if rollup.get("type") == "array" else rollup

    def _content(self, page_id: str) -> str:
        def children(block_id: str) -> Iterator[Record]:
            try:
                for body in self._lists(self._calls.blocks.children.list, block_id):
                    yield from body["results"]
            except ApiRefused as error:
                if block_id == page_id or error.status_code != 404:
                    raise
                logger.info("A block of page %s is not readable any more; its text is left out.", page_id)

        return text_below(page_id, children)

    def _is_gone(self, page_id: str) -> bool:
        try:
            return bool(self._calls.pages.retrieve(page_id).get("in_trash"))
        except ApiRefused as error:
            if error.status_code != 404:
                raise
            return True

    # --------------------------------------------------------------------------------------------------------- calls

    def _lists(self, call: Callable[..., Json], *ids: str, **arguments: Any) -> Iterator[Record]:
        """Give the answers of a call page by page; the end is where Notion says so, never a short page."""
        cursors: set[str] = set()
        empty_pages = 0
        while True:
            begin = time.monotonic()
            body = call(*ids, page_size=ITEMS_A_PAGE, **arguments)
            results = body.get("results")
            if not isinstance(results, list) or not all(isinstance(item, dict) for item in results):
                raise ApiAnswerInvalid(f"Notion answered {_called(ids)} with no list of objects.")
            self.extraction.add_page(begin, time.monotonic() - begin, len(results))
            yield body
            if body.get("has_more") is False:
                return
            cursor = body.get("next_cursor")
            if body.get("has_more") is not True or not isinstance(cursor, str) or not cursor:
                raise ApiAnswerInvalid(f"Notion does not tell where the list {_called(ids)} goes on, or that it ends.")
            empty_pages = 0 if results else empty_pages + 1
            if cursor in cursors or empty_pages >= MAX_EMPTY_PAGES:
                raise ApiAnswerInvalid(f"The list {_called(ids)} of Notion does not come to an end.")
            cursors.add(cursor)
            arguments["start_cursor"] = cursor


_BY_CREATION = {"timestamp": "created_time", "direction": "ascending"}


def _on_or_after(name: str, moment: datetime) -> Record:
    return {"timestamp": name, name: {"on_or_after": moment.astimezone(UTC).isoformat()}}


def _is_incomplete(status: object, count: int) -> bool:
    """Tell whether a query ended although there are more rows; one that does not say so may have been cut."""
    if isinstance(status, Mapping) and status.get("type"):
        return bool(status["type"] != "complete")
    return count >= ROWS_A_QUERY


def _created(page: Record) -> datetime:
    try:
        if isinstance(page["properties"], dict):
            return datetime.fromisoformat(page["created_time"])
    except (KeyError, TypeError, ValueError):
        pass
    raise ApiAnswerInvalid(
        f"Notion gave page {page.get('id')} without its properties or the time of its creation: may the integration"
        " read it?"
    )


def _values(page: Record) -> dict[str, Record]:
    """Return the values of a page by the properties' ids, since names change."""
    return {str(value.get("id")): value for value in page["properties"].values()}


def _cut_properties(source: DataSource, values: Mapping[str, Any]) -> list[Property]:
    return [prop for prop in source.properties if is_cut(prop, values)]


def _with_result(formula: Property, rows: Sequence[Mapping[str, Any]]) -> Property:
    return replace(
        formula, result=result_of_formula([(row.get(formula.id) or {}).get("formula") or {} for row in rows])
    )


def _page_fields(page: Record) -> Record:
    """Return what Notion tells of every page, whatever its properties."""
    parent = page.get("parent") or {}
    return {
        "page_id": page.get("id"),
        "page_created_time": page.get("created_time"),
        "page_last_edited_time": page.get("last_edited_time"),
        "page_created_by": (page.get("created_by") or {}).get("id"),
        "page_last_edited_by": (page.get("last_edited_by") or {}).get("id"),
        "page_url": page.get("url"),
        "page_in_trash": page.get("in_trash"),
        "page_parent_id": parent.get(parent.get("type")),
    }


def _id_in(text: str) -> str:
    """Return the id in an address or text; not that of a view, which stands in the query.

    Raises:
        DeclarationError: there is none.
    """
    found = _ID.findall(text.partition("?")[0])
    if not found:
        raise DeclarationError(
            f"{text!r} holds no id of a Notion database or data source, which has 32 hexadecimal digits. Copy the"
            " database's address (its menu, Copy link)."
        )
    return str(UUID(found[-1]))


def _called(ids: Sequence[str]) -> str:
    return f"of {' '.join(ids)}" if ids else "of users"
