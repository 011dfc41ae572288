"""The connection of a host script to Notion, from what RED tells it: the token, the data source, the columns."""

import re
from typing import Any

from wherescape import WhereScape
from wherescape.api_source import required_key
from wherescape.connectors.notion.notion_tables import USERS
from wherescape.connectors.notion.notion_wrapper import BASE_URL, Notion
from wherescape.errors import DeclarationError
from wherescape.repository import PARAMETER_NAME_LENGTH

KEY_PARAMETER = "notion_key"
DATABASE_PARAMETER = "notion_database_"

_TABLE_OF_USERS = re.compile(r"(^|_)notion_users?$", re.IGNORECASE)


def connect(wherescape: WhereScape, **options: Any) -> Notion:
    """Return the Notion workspace of the RED connection.

    Arguments:
        wherescape: gives the token (WSL_SRCCFG_APIKEY, or else the RED parameter `notion_key`) and, if it is another
            than Notion's own, the address (WSL_SRCCFG_URL).
        options: of `Notion`.

    Raises:
        EnvironmentVariableError: there is no token.
    """
    token = required_key(wherescape, "Notion", "access token", KEY_PARAMETER)
    where = "WSL_SRCCFG_APIKEY" if wherescape.source_apikey else f"RED parameter {KEY_PARAMETER}"
    return Notion(
        token,
        wherescape.source_base_url or BASE_URL,
        credential=f"Notion's access token ({where}) and what its integration may do",
        **options,
    )


def holds_users(wherescape: WhereScape, kind: str, data_source: str) -> bool:
    """Tell whether the load table is one of users: by the argument, or by its name if no data source is given.

    Raises:
        DeclarationError: the kind is neither `page` nor `user`, or a data source is given for users.
    """
    if kind not in ("", "page", USERS.kind):
        raise DeclarationError(f"Notion has no load tables of the kind {kind!r}: choose 'page' or 'user'.")
    if kind == USERS.kind and data_source:
        raise DeclarationError("Users belong to no data source. Leave out `data_source`.")
    return kind == USERS.kind or (not kind and not data_source and bool(_TABLE_OF_USERS.search(wherescape.table)))


def find_data_source(wherescape: WhereScape, data_source: str) -> str:
    """Return the id or address of the load table's data source.

    Arguments:
        wherescape: gives the load table's Source File Name, or the RED parameter `notion_database_{load table}`.
        data_source: goes before both.

    Raises:
        DeclarationError: none is given.
    """
    if found := data_source.strip() or wherescape.file_name.strip():
        return found
    parameter = DATABASE_PARAMETER + wherescape.table
    if len(parameter) <= PARAMETER_NAME_LENGTH and (found := wherescape.read_parameter(parameter).strip()):
        return found
    raise DeclarationError(
        f"Which Notion database {wherescape.table} is loaded from is not said. Enter its address as the load table's"
        f" Source File Name in RED, in the RED parameter {parameter}, or as `data_source` in the host script."
    )
