"""Registers the columns of a GitLab load table in RED."""

from wherescape import WhereScape
from wherescape.connectors.gitlab.gitlab_tables import TABLES
from wherescape.tables import find_table, with_key_only


def gitlab_create_metadata(wherescape: WhereScape | None = None, *, keys_only: bool = False) -> None:
    """Register the columns of the load table that this script is attached to; its name says which.

    Arguments:
        wherescape: made from the environment when left out.
        keys_only: register the columns of the key alone, for a table of what exists.

    Raises:
        UnknownTableKind: the load table's name contains no kind of data that GitLab has.
        TableNotRegistered: RED does not know the load table.
    """
    wherescape = wherescape or WhereScape()
    table = find_table(wherescape.table, TABLES, "GitLab")
    wherescape.create_metadata(with_key_only(table) if keys_only else table)


gitlab_create_metadata_smart = gitlab_create_metadata
