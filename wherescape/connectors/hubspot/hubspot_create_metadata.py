"""Registers the columns of a HubSpot load table in RED."""

from collections.abc import Sequence

from wherescape import WhereScape
from wherescape.connectors.hubspot.hubspot_tables import (
    OBJECTS,
    chosen_properties,
    find_kind,
    object_table,
)
from wherescape.connectors.hubspot.utils import connect
from wherescape.tables import Table, with_key_only


def hubspot_create_metadata(
    wherescape: WhereScape | None = None,
    *,
    properties: Sequence[str] = (),
    internal: bool = False,
    keys_only: bool = False,
    portal: str | None = None,
) -> None:
    """Register the columns of the load table that this script is attached to; its name says which.

    A load table of objects gets a column for each property of the portal. Run again, it adds columns for properties
    that have come, and changes the display names of those with a new label; the columns keep their names.

    Arguments:
        wherescape: made from the environment when left out.
        properties: internal names of the properties to have a column for; left out, all but HubSpot's internal ones.
        internal: have columns for those too.
        keys_only: register the columns of the key alone, for a table of what exists.
        portal: the portal to ask, if the load table's name says the wrong one.

    Raises:
        UnknownTableKind: the load table's name contains no kind of data that HubSpot has.
        DeclarationError: there is no such property.
        EnvironmentVariableError: there is no access token.
        TableNotRegistered: RED does not know the load table.
        ApiError: HubSpot could not be asked for its properties.
    """
    wherescape = wherescape or WhereScape()
    if keys_only:
        wherescape.create_metadata(with_key_only(find_kind(wherescape.table)[0]))
        return
    wherescape.create_metadata(declaration_for(wherescape, properties=properties, internal=internal, portal=portal))


def declaration_for(
    wherescape: WhereScape, *, properties: Sequence[str] = (), internal: bool = False, portal: str | None = None
) -> Table:
    """Return the declaration of a load table, of objects with the properties of the portal; see above."""
    table, object_types = find_kind(wherescape.table)
    if table.kind not in OBJECTS:
        return table
    with connect(wherescape, portal=portal) as hubspot:
        definitions = hubspot.property_definitions(object_types[0])
    chosen = chosen_properties(object_types[0], definitions, properties, internal=internal)
    return object_table(object_types[0], chosen, wherescape.columns_by_source())
