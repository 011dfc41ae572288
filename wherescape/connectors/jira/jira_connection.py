"""The connection of a host script to Jira, from what RED tells it."""

from typing import Any

from wherescape import WhereScape
from wherescape.connectors.jira.jira_wrapper import Jira
from wherescape.errors import EnvironmentVariableError


def connect(wherescape: WhereScape, **options: Any) -> Jira:
    """Return the Jira site of the RED connection.

    Arguments:
        wherescape: gives its address (WSL_SRCCFG_URL), the user (WSL_SRCCFG_USER) and the API token
            (WSL_SRCCFG_APIKEY), which is sent as a bearer token if there is no user.
        options: of `Jira`.

    Raises:
        EnvironmentVariableError: the address or the API token is missing.
    """
    if not wherescape.source_base_url:
        raise EnvironmentVariableError(
            "WSL_SRCCFG_URL is missing or empty: enter the address, such as https://example.atlassian.net, in the RED"
            " connection of the load table."
        )
    if not wherescape.source_apikey:
        raise EnvironmentVariableError(
            "There is no API token for Jira: enter one as the API key of the RED connection (WSL_SRCCFG_APIKEY)."
        )
    return Jira(
        wherescape.source_user,
        wherescape.source_apikey,
        wherescape.source_base_url,
        credential="Jira's user and API token (WSL_SRCCFG_USER, WSL_SRCCFG_APIKEY)",
        **options,
    )
