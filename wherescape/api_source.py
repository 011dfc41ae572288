"""What the classes that read one API have in common, and what RED's connection tells them."""

from typing import ClassVar, Self
from urllib.parse import urlsplit

from wherescape.api_client import ApiClient
from wherescape.errors import DeclarationError, EnvironmentVariableError
from wherescape.extraction import Extraction
from wherescape.wherescape import WhereScape


class ApiSource:
    """An API, as the owner of a login sees it; a subclass knows which.

    Leave its `with` block when all is read: that closes the connections.

    Arguments:
        client: asks the API.
    """

    smallest_request: ClassVar[str] = ""
    """The path of the cheapest request that the API answers to any login, and to nobody without one."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._client.close()

    def check_login(self) -> None:
        """Ask for as little as shows whether address and login are right; `extraction` then tells the API's time.

        Raises:
            ApiError: they are not, or the API cannot be reached.
        """
        self._client.get_json(self.smallest_request)

    @property
    def extraction(self) -> Extraction:
        """What was read so far: the API's time at its first answer, parts left out, requests, waits."""
        return self._client.extraction


def checked_address(api: str, base_url: str, example: str, *, path: str = "", typed: tuple[str, ...] = ()) -> str:
    """Return the address of an API.

    Arguments:
        api: what it is called, for the error.
        base_url: as a person typed it.
        example: what it should look like.
        path: what the address ends with.
        typed: what people add to it, or leave in it, the longest first.

    Raises:
        DeclarationError: it is no http or https address.
    """
    url = base_url.strip().rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        # A login may stand before the last @.
        shown = base_url.rpartition("@")[2]
        raise DeclarationError(f"The base URL of {api}, of {shown!r}, must be an address like {example}.")
    for ending in (path, *typed):
        if ending and url.endswith(ending):
            url = url.removesuffix(ending)
            break
    return url + path


def required_address(wherescape: WhereScape, example: str) -> str:
    """Return the address of the RED connection (WSL_SRCCFG_URL).

    Raises:
        EnvironmentVariableError: it is missing.
    """
    if wherescape.source_base_url:
        return wherescape.source_base_url
    raise EnvironmentVariableError(
        f"WSL_SRCCFG_URL is missing or empty: enter the address, such as {example}, in the RED connection of the load"
        " table."
    )


def required_key(wherescape: WhereScape, api: str, what: str, parameter: str = "") -> str:
    """Return the login of the RED connection (WSL_SRCCFG_APIKEY), or else that of a RED parameter.

    Arguments:
        wherescape: knows both.
        api: what the API is called, for the error.
        what: what its logins are called, such as `access token`.
        parameter: the RED parameter; empty for none.

    Raises:
        EnvironmentVariableError: there is none.
    """
    key = wherescape.source_apikey or (wherescape.read_parameter(parameter) if parameter else "")
    if key:
        return key
    otherwise = f", or in the RED parameter {parameter}" if parameter else ""
    raise EnvironmentVariableError(
        f"There is no {what} for {api}: enter one as the API key of the RED connection (WSL_SRCCFG_APIKEY){otherwise}."
    )
