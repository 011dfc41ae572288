"""Registers the columns of a Notion load table in RED."""

from wherescape import WhereScape
from wherescape.connectors.notion.notion_connection import (
    connect,
    find_data_source,
    holds_users,
)
from wherescape.connectors.notion.notion_tables import PAGES, USERS, table_of
from wherescape.tables import Table, with_key_only


def notion_create_metadata(
    data_source: str = "",
    wherescape: WhereScape | None = None,
    *,
    kind: str = "",
    with_content: bool = False,
    keys_only: bool = False,
) -> None:
    """Register the columns of the load table that this script is attached to, from the properties of its data source.

    Run again, it adds columns for properties that have come, and changes the display names of those that were renamed;
    the columns keep their names.

    Arguments:
        data_source: the id or address of the data source, or of a database that has one only; left out, it is the load
            table's Source File Name or the RED parameter `notion_database_{load table}`.
        wherescape: made from the environment when left out.
        kind: `page` or `user`, if the load table's name says the wrong one.
        with_content: add a column for the contents of pages, as text; the load then reads them, page by page.
        keys_only: register the column of the key alone, for a table of what exists.

    Raises:
        DeclarationError: no data source is given, or a database that has several.
        EnvironmentVariableError: there is no token.
        TableNotRegistered: RED does not know the load table.
        ApiError: Notion could not be asked for the properties.
    """
    wherescape = wherescape or WhereScape()
    if keys_only:
        wherescape.create_metadata(with_key_only(USERS if holds_users(wherescape, kind, data_source) else PAGES))
        return
    wherescape.create_metadata(declaration_for(wherescape, data_source, kind=kind, with_content=with_content))


def declaration_for(
    wherescape: WhereScape, data_source: str = "", *, kind: str = "", with_content: bool = False
) -> Table:
    """Return the declaration of a load table, of pages with the properties of its data source; see above."""
    if holds_users(wherescape, kind, data_source):
        return USERS
    wanted = find_data_source(wherescape, data_source)
    with connect(wherescape) as notion:
        source = notion.data_source(wanted)
    return table_of(source.id, source.properties, wherescape.columns_by_source(), with_content=with_content)


def notion_create_metadata_user(wherescape: WhereScape | None = None, *, keys_only: bool = False) -> None:
    """Register the columns of a load table of users, whatever its name.

    Arguments:
        wherescape: made from the environment when left out.
        keys_only: as for `notion_create_metadata`.
    """
    notion_create_metadata(wherescape=wherescape, kind=USERS.kind, keys_only=keys_only)
