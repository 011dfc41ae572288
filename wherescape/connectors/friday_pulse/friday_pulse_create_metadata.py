"""Registers the columns of a Friday Pulse load table in RED."""

from wherescape import WhereScape
from wherescape.connectors.friday_pulse.friday_pulse_tables import TABLES
from wherescape.tables import find_table


def friday_pulse_create_metadata(wherescape: WhereScape | None = None) -> None:
    """Register the columns of the load table that this script is attached to; its name says which.

    Arguments:
        wherescape: made from the environment when left out.

    Raises:
        UnknownTableKind: the load table's name contains no kind of data that Friday Pulse has.
        TableNotRegistered: RED does not know the load table.
    """
    wherescape = wherescape or WhereScape()
    wherescape.create_metadata(find_table(wherescape.table, TABLES, "Friday Pulse"))
