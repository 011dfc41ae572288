"""The connection of a host script to GitLab, from what RED tells it."""

from typing import Any

from wherescape import WhereScape
from wherescape.api_source import required_address, required_key
from wherescape.connectors.gitlab.gitlab_wrapper import EXAMPLE, Gitlab

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
    credential = f"GitLab's access token (WSL_SRCCFG_APIKEY, or the RED parameter {ACCESS_TOKEN})"
    base_url = required_address(wherescape, EXAMPLE)
    token = required_key(wherescape, "GitLab", "access token", ACCESS_TOKEN)
    return Gitlab(token, base_url, credential=credential, **options)
