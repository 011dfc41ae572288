"""Notion's load tables: one for each data source, from its properties, and one of users.

A column is tied to a property by the property's id, which RED keeps as the column's source column: a property that is
renamed keeps its column.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from wherescape.connectors.notion.notion_properties import END, Property
from wherescape.errors import DeclarationError
from wherescape.tables import Column, Mask, Table, named_columns

DISPLAY_NAME_LENGTH = 256

PAGES = Table(
    kind="page",
    record_source="Notion api - page",
    key=("page_id",),
    mark_column="page_last_edited_time",
    columns=(
        Column("page_id", "text", comment="Page id; stays when the page is moved or renamed."),
        Column("page_created_time", "timestamp", comment="When the page was made, UTC, to the minute."),
        Column("page_last_edited_time", "timestamp", comment="When the page was last edited, UTC, to the minute."),
        Column("page_created_by", "text", comment="Who made the page: user id."),
        Column("page_last_edited_by", "text", comment="Who last edited the page: user id."),
        Column("page_url", "text", "Page URL", "Address of the page."),
        Column("page_in_trash", "boolean", comment="Whether the page is in the trash."),
        Column("page_parent_id", "text", "Page parent id", "Data source, or page in a wiki, that holds the page: id."),
    ),
)
"""What every data source's load table begins with."""

CONTENT = Column("page_content", "text", comment="Contents of the page, as plain text.")

USERS = Table(
    kind="user",
    record_source="Notion api - user",
    key=("id",),
    columns=(
        Column("id", "text", comment="User id."),
        Column("type", "text", comment="person or bot."),
        Column("name", "text", comment="Name."),
        Column("email", "text", "E-mail address", "E-mail address; null if the token may not read it, or for a bot."),
        Column("avatar_url", "text", "Avatar URL", "Address of the picture."),
    ),
)

TABLES = (PAGES, USERS)

PERSONAL = ("name", "email", "avatar_url")
"""The columns of users that tell who they are."""


def page_table(data_source_id: str) -> Table:
    """Declare what every data source's load table begins with."""
    return replace(PAGES, record_source=f"Notion api - {data_source_id}")


def table_of(
    data_source_id: str,
    properties: Sequence[Property],
    registered: Mapping[str, str],
    *,
    with_content: bool = False,
    mask_persons: bool = False,
) -> Table:
    """Declare the load table of a data source.

    Arguments:
        data_source_id: becomes the record source.
        properties: of the data source.
        registered: the names of the columns that RED knows, by their sources. A property that has a column keeps it;
            no other one gets its name, not even after the property is gone.
        with_content: add a column for the contents of pages.
        mask_persons: hash what is a text about a person.
    """
    wanted = [column for prop in properties for column in _columns_of(prop, mask_persons)]
    # Whether its content is loaded or not, no other column gets its name.
    columns = named_columns((*PAGES.columns, CONTENT), wanted, registered)
    return replace(
        page_table(data_source_id),
        columns=tuple(column for column in columns if with_content or column is not CONTENT),
    )


def with_registered_only(table: Table, registered: Mapping[str, str]) -> Table:
    """Return a declaration of the columns of properties that RED knows, and of those that every page has.

    Arguments:
        table: from `table_of`.
        registered: as for `table_of`.

    Raises:
        DeclarationError: RED knows none of them.
    """
    kept = [column for column in table.columns if column.source in registered]
    if not kept:
        raise DeclarationError(
            "RED knows no column of this load table that is tied to Notion. Run the metadata script and create the"
            " table first."
        )
    return table.only(column.name for column in kept)


def with_masked_users() -> Table:
    """Return the declaration of users that hashes what tells who they are; ids stay."""
    columns = (replace(column, mask="hash") if column.name in PERSONAL else column for column in USERS.columns)
    return replace(USERS, columns=tuple(columns))


def _columns_of(prop: Property, mask_persons: bool) -> list[Column]:
    rendering = prop.rendering
    if rendering.data_type is None:
        return []
    comment = f"Property of type {prop.type}{f': {prop.description}' if prop.description else '.'}"
    parts = {prop.source: prop.name}
    if rendering.has_end:
        parts = {prop.source: f"{prop.name} start", END + prop.source: f"{prop.name} end"}
    mask: Mask = "hash" if mask_persons and rendering.personal else ""
    return [
        Column(label, rendering.data_type, label[:DISPLAY_NAME_LENGTH], comment, source, mask)
        for source, label in parts.items()
    ]
