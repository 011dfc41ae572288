"""The connection of a host script to GitLab, from what RED tells it."""

from typing import Any

from wherescape import WhereScape
from wherescape.connectors.gitlab.gitlab_wrapper import Gitlab
from wherescape.errors import EnvironmentVariableError

ACCESS_TOKEN = "gitlab_access_token"


def connect(wherescape: WhereScape, **options: Any) -> Gitlab:
    """Return the GitLab server of the RED connection.

    Arguments:
        wherescape: gives its address (WSL_SRCCFG_URL) and the access token: WSL_SRCCFG_APIKEY, or else the RED
            parameter `gitlab_access_token`.
        options: of `Gitlab`.

    Raises:
        EnvironmentVariableError: the address or the access token is missing.
    """
    base_url = wherescape.source_base_url
    if not base_url:
        raise EnvironmentVariableError(
            "WSL_SRCCFG_URL is missing or empty: enter the address, such as https://gitlab.example.com, in the RED"
            " connection of the load table."
        )
    token = wherescape.source_apikey or wherescape.read_parameter(ACCESS_TOKEN)
    if not token:
        raise EnvironmentVariableError(
            "There is no access token for GitLab: enter one as the API key of the RED connection (WSL_SRCCFG_APIKEY),"
            f" or in the RED parameter {ACCESS_TOKEN}."
        )
    credential = f"GitLab's access token (WSL_SRCCFG_APIKEY, or the RED parameter {ACCESS_TOKEN})"
    return Gitlab(token, base_url, credential=credential, **options)
