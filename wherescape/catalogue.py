"""The connectors of this library, for the commands that take any of them by its name or by that of a load table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from wherescape.api_source import ApiSource
from wherescape.errors import DeclarationError
from wherescape.tables import Table, find_table
from wherescape.wherescape import WhereScape


@dataclass(frozen=True)
class Connector:
    """A connector.

    Arguments:
        name: its folder's name, which is also in the names of its load tables.
        title: what its API is called.
        tables: its declarations, without what only the API can tell.
        declaration: gives the declaration of the load table of a WhereScape; may ask the API for it.
        connect: gives the API of a WhereScape's RED connection; takes `max_retries` and `max_wait_seconds`.
        asks_for_declaration: whether the API is asked for the columns of some load tables.
    """

    name: str
    title: str
    tables: Sequence[Table]
    declaration: Callable[[WhereScape], Table]
    connect: Callable[..., ApiSource]
    asks_for_declaration: bool = False


def connector_named(name: str) -> Connector:
    """Return a connector by its name.

    Raises:
        DeclarationError: there is none of this name; the error lists them.
    """
    if name not in _CONNECTORS:
        raise DeclarationError(f"There is no connector {name!r}. Choose one of {', '.join(CONNECTOR_NAMES)}.")
    return _CONNECTORS[name]()


def connector_of(load_table: str) -> Connector | None:
    """Return the connector that a load table is named after, as in `load_gitlab_commit`; None if it is none.

    Of several names, as in `load_jira_gitlab_user`, it is the first.
    """
    found = [name for name in CONNECTOR_NAMES if name in load_table.lower()]
    return _CONNECTORS[min(found, key=load_table.lower().index)]() if found else None


# Imported when asked for: who loads from one API need not wait for the others.


def _anythingllm() -> Connector:
    from wherescape.connectors.anythingllm.anythingllm_load_data import connect
    from wherescape.connectors.anythingllm.anythingllm_tables import TABLES, table_for

    return Connector("anythingllm", "AnythingLLM", TABLES, lambda wherescape: table_for(wherescape.table), connect)


def _friday_pulse() -> Connector:
    from wherescape.connectors.friday_pulse.friday_pulse_load_data import connect
    from wherescape.connectors.friday_pulse.friday_pulse_tables import TABLES

    return _declared("friday_pulse", "Friday Pulse", TABLES, connect)


def _gitlab() -> Connector:
    from wherescape.connectors.gitlab.gitlab_connection import connect
    from wherescape.connectors.gitlab.gitlab_tables import TABLES

    return _declared("gitlab", "GitLab", TABLES, connect)


def _hubspot() -> Connector:
    from wherescape.connectors.hubspot.hubspot_create_metadata import declaration_for
    from wherescape.connectors.hubspot.hubspot_tables import TABLES
    from wherescape.connectors.hubspot.utils import connect

    return Connector("hubspot", "HubSpot", TABLES, declaration_for, connect, asks_for_declaration=True)


def _jira() -> Connector:
    from wherescape.connectors.jira.jira_connection import connect
    from wherescape.connectors.jira.jira_tables import TABLES

    return _declared("jira", "Jira", TABLES, connect)


def _notion() -> Connector:
    from wherescape.connectors.notion.notion_connection import connect
    from wherescape.connectors.notion.notion_create_metadata import declaration_for
    from wherescape.connectors.notion.notion_tables import TABLES

    return Connector("notion", "Notion", TABLES, declaration_for, connect, asks_for_declaration=True)


def _declared(name: str, title: str, tables: tuple[Table, ...], connect: Callable[..., Any]) -> Connector:
    return Connector(name, title, tables, lambda wherescape: find_table(wherescape.table, tables, title), connect)


_CONNECTORS: dict[str, Callable[[], Connector]] = {
    "anythingllm": _anythingllm,
    "friday_pulse": _friday_pulse,
    "gitlab": _gitlab,
    "hubspot": _hubspot,
    "jira": _jira,
    "notion": _notion,
}
CONNECTOR_NAMES = tuple(_CONNECTORS)
