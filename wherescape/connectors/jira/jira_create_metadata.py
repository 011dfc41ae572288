"""Registers the columns of a Jira load table in RED."""

from collections.abc import Sequence

from wherescape import WhereScape
from wherescape.connectors.jira.jira_connection import connect
from wherescape.connectors.jira.jira_tables import ISSUES, PROJECTS, TABLES, extended
from wherescape.tables import find_table, with_key_only


def jira_create_metadata(
    title: str = "",
    wherescape: WhereScape | None = None,
    *,
    custom_fields: Sequence[str] = (),
    with_adf: bool = False,
    keys_only: bool = False,
) -> None:
    """Register the columns of the load table that this script is attached to; its name says which.

    Arguments:
        title: what the table holds, such as `issue`, if its name does not say it.
        wherescape: made from the environment when left out.
        custom_fields: names or ids of fields of issues to add a column for; the same as for the load. Their types are
            asked from Jira.
        with_adf: add columns for the documents behind rich texts; the same as for the load.
        keys_only: register the columns of the key alone, for a table of what exists.

    Raises:
        UnknownTableKind: the load table's name contains no kind of data that Jira has.
        DeclarationError: an argument does not go with the table, or Jira has no such field.
        TableNotRegistered: RED does not know the load table.
        ApiError: Jira could not be asked for its fields.
    """
    wherescape = wherescape or WhereScape()
    table = find_table(title or wherescape.table, TABLES, "Jira")
    if keys_only:
        wherescape.create_metadata(with_key_only(table))
        return
    if custom_fields:
        with connect(wherescape) as jira:
            wherescape.create_metadata(extended(table, jira.fields(custom_fields), with_adf=with_adf))
    else:
        wherescape.create_metadata(extended(table, with_adf=with_adf))


def jira_create_metadata_project() -> None:
    """Register the columns of a load table of projects, whatever its name."""
    jira_create_metadata(PROJECTS.kind)


def jira_create_metadata_issue(*, custom_fields: Sequence[str] = (), with_adf: bool = False) -> None:
    """Register the columns of a load table of issues, whatever its name.

    Arguments:
        custom_fields: as for `jira_create_metadata`.
        with_adf: as for `jira_create_metadata`.
    """
    jira_create_metadata(ISSUES.kind, custom_fields=custom_fields, with_adf=with_adf)
