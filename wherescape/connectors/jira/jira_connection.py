"""The connection of a host script to Jira, from what RED tells it."""

from typing import Any

from wherescape import WhereScape
from wherescape.api_source import required_address, required_key
from wherescape.connectors.jira.jira_wrapper import EXAMPLE, Jira


def connect(wherescape: WhereScape, **options: Any) -> Jira:
    """Return the Jira site of the RED connection.

    Arguments:
        wherescape: gives its address (WSL_SRCCFG_URL), the user (WSL_SRCCFG_USER) and the API token
            (WSL_SRCCFG_APIKEY), which is sent as a bearer token if there is no user.
        options: of `Jira`.

    Raises:
        EnvironmentVariableError: the address or the API token is missing.
    """
    return Jira(
        wherescape.source_user,
        required_key(wherescape, "Jira", "API token"),
        required_address(wherescape, EXAMPLE),
        credential="Jira's user and API token (WSL_SRCCFG_USER, WSL_SRCCFG_APIKEY)",
        **options,
    )
