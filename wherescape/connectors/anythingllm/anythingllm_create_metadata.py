"""Registers the columns of an AnythingLLM load table in RED."""

from wherescape import WhereScape
from wherescape.connectors.anythingllm.anythingllm_tables import table_for


def anythingllm_create_metadata(kind: str = "", wherescape: WhereScape | None = None) -> None:
    """Register the columns of the load table that this script is attached to; its name says which.

    Arguments:
        kind: what the table holds, such as `chat`, if its name does not say it.
        wherescape: made from the environment when left out.

    Raises:
        UnknownTableKind: the load table's name contains no kind of data that AnythingLLM has.
        TableNotRegistered: RED does not know the load table.
    """
    wherescape = wherescape or WhereScape()
    wherescape.create_metadata(table_for(kind or wherescape.table))
