"""Loads a Notion load table."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from wherescape import WhereScape
from wherescape.connectors.notion.notion_connection import (
    connect,
    find_data_source,
    holds_users,
)
from wherescape.connectors.notion.notion_properties import Property, is_of_property
from wherescape.connectors.notion.notion_tables import (
    CONTENT,
    USERS,
    page_table,
    table_of,
    with_masked_users,
    with_registered_only,
)
from wherescape.connectors.notion.notion_wrapper import Notion
from wherescape.load_task import LoadResult
from wherescape.tables import Table, with_key_only

logger = logging.getLogger(__name__)

OVERLAP_MINUTES = 5
MOST_NAMED = 20


def notion_load_data(
    data_source: str = "",
    wherescape: WhereScape | None = None,
    *,
    kind: str = "",
    full: bool = False,
    keys_only: bool = False,
    mask_persons: bool = False,
    overlap_minutes: float = OVERLAP_MINUTES,
    high_water_mark: str = "",
    staged_mark: bool = False,
    workers: int = 3,
    max_retries: int = 6,
    max_wait_seconds: float = 600,
) -> LoadResult:
    """Load the Notion load table that this script is attached to.

    Pages that have come or were edited since the load table's high-water mark are loaded; the mark then moves, or
    stays where it is if anything went wrong. Users are loaded in full.

    The token is WSL_SRCCFG_APIKEY, or else the RED parameter `notion_key`.

    Arguments:
        data_source: the id or address of the data source, or of a database that has one only; left out, it is the load
            table's Source File Name or the RED parameter `notion_database_{load table}`.
        wherescape: made from the environment when left out.
        kind: `page` or `user`, if the load table's name says the wrong one.
        full: load all pages that exist, whatever the mark.
        keys_only: load the keys of all that exists, for the warehouse to find out what is gone; moves no mark.
        mask_persons: store a hash of e-mail addresses, phone numbers and names of users, and leave names out of lists.
        overlap_minutes: how much further back than the mark to look, since Notion's times are to the minute.
        high_water_mark: the RED parameter that keeps the mark; `HWM_` and the load table's name when left out.
        staged_mark: keep the next mark under `{name}_next` until a last task of the job calls
            `confirm_high_water_marks`.
        workers: how many pages are read at once, where a query does not tell all of them.
        max_retries: how often a failed request is repeated.
        max_wait_seconds: the longest wait that Notion's rate limit may ask for.

    Raises:
        DeclarationError: no data source is given or a database that has several, or the metadata script has not run.
        EnvironmentVariableError: there is no token.
        ApiError: Notion could not be read to the end; the load table is as it was.
        LoadError, DatabaseError: as from `WhereScape.load`.
    """
    wherescape = wherescape or WhereScape()
    is_users = holds_users(wherescape, kind, data_source)
    wanted = "" if is_users else find_data_source(wherescape, data_source)
    with connect(wherescape, workers=workers, max_retries=max_retries, max_wait_seconds=max_wait_seconds) as notion:
        if is_users:
            return _load_users(wherescape, notion, keys_only=keys_only, mask_persons=mask_persons)
        source = notion.data_source(wanted)
        if keys_only:
            keys = with_key_only(page_table(source.id))
            return wherescape.load(keys, notion.row_ids(source), extraction=notion.extraction)
        registered = wherescape.columns_by_source()
        with_content = CONTENT.source in registered
        declared = table_of(
            source.id, source.properties, registered, with_content=with_content, mask_persons=mask_persons
        )
        table = with_registered_only(declared, registered)
        _tell_what_differs(source.properties, declared, registered)
        mark = wherescape.high_water_mark(
            high_water_mark, lookback=timedelta(minutes=overlap_minutes), staged=staged_mark
        )
        loaded = replace(source, properties=[prop for prop in source.properties if prop.source in registered])
        records = notion.rows(
            loaded, None if full else mark.since, with_names=not mask_persons, with_content=with_content
        )
        return wherescape.load(table, records, extraction=notion.extraction, mark=mark)


def notion_load_data_user(wherescape: WhereScape | None = None, **options: Any) -> LoadResult:
    """Load users, whatever the load table's name.

    Arguments:
        wherescape: made from the environment when left out.
        options: as for `notion_load_data`.
    """
    return notion_load_data(wherescape=wherescape, kind=USERS.kind, **options)


def _load_users(wherescape: WhereScape, notion: Notion, *, keys_only: bool, mask_persons: bool) -> LoadResult:
    if keys_only:
        keys = ({"id": user["id"]} for user in notion.users())
        return wherescape.load(with_key_only(USERS), keys, extraction=notion.extraction)
    table = with_masked_users() if mask_persons else USERS
    return wherescape.load(table, notion.users(), extraction=notion.extraction)


def _tell_what_differs(properties: Sequence[Property], declared: Table, registered: Mapping[str, str]) -> None:
    """Log the properties without a column, and the columns whose property is gone."""
    if new := [prop.name for prop in properties if prop.rendering.data_type and prop.source not in registered]:
        logger.info("Notion's properties %s have no column yet. To have one, run the metadata script.", _listed(new))
    known = {column.source for column in declared.columns}
    gone = [name for source, name in registered.items() if is_of_property(source) and source not in known]
    if gone:
        logger.warning(
            "The columns %s are NULL: Notion has no property for them any more. Remove them in RED if that is meant.",
            _listed(gone),
        )


def _listed(names: Sequence[str]) -> str:
    more = [f"and {len(names) - MOST_NAMED} more"] if len(names) > MOST_NAMED else []
    return ", ".join([*names[:MOST_NAMED], *more])
