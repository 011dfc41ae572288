"""hubspot-api-client over this library's HTTP: it knows the calls, `ApiClient` sends and repeats them.

hubspot-api-client itself repeats nothing, waits for no rate limit, and its models drop fields that they do not know.
"""

from collections.abc import Callable, Iterable
from typing import Any

from wherescape.api_client import ApiClient
from wherescape.api_response import ApiResponse


def hubspot_calls(api: ApiClient, *, is_repeatable: bool = True) -> Any:
    """Return hubspot-api-client's calls, such as `crm.objects.basic_api.get_page`; hand them to `raw`.

    Arguments:
        api: sends them; its errors are those of the calls.
        is_repeatable: whether a call that changes something may be sent again although it may have been carried out.
    """
    from hubspot import HubSpot

    def make(package: Any, name: str, config: object) -> Any:
        # Paths begin with a slash; the host is that of `api`.
        client = package.ApiClient(package.Configuration(host=""))
        client.rest_client = _Sender(api, is_repeatable)
        return getattr(package, name)(api_client=client)

    return HubSpot(api_factory=make)


def raw(call: Callable[..., Any], *arguments: Any, **options: Any) -> ApiResponse:
    """Make a call and return the answer as it came, before any model.

    Raises:
        ApiError: as for `ApiClient.get_json` and `ApiClient.send_json`.
    """
    response: ApiResponse = call(*arguments, _preload_content=False, **options)
    return response


class _Sender:
    """In place of the HTTP client of hubspot-api-client."""

    def __init__(self, api: ApiClient, is_repeatable: bool) -> None:
        self._api = api
        self._is_repeatable = is_repeatable

    def GET(self, url: str, query_params: Any = None, **_: object) -> ApiResponse:  # noqa: N802  its own name
        return self._api.get_json(url, _query(query_params))

    def POST(self, url: str, body: Any = None, query_params: Any = None, **_: object) -> ApiResponse:  # noqa: N802
        return self._api.send_json("POST", url, body, _query(query_params), is_repeatable=self._is_repeatable)

    def PUT(self, url: str, body: Any = None, query_params: Any = None, **_: object) -> ApiResponse:  # noqa: N802
        return self._api.send_json("PUT", url, body, _query(query_params))

    def DELETE(self, url: str, body: Any = None, query_params: Any = None, **_: object) -> ApiResponse:  # noqa: N802
        return self._api.send_json("DELETE", url, body, _query(query_params))


def _query(parameters: Iterable[tuple[str, Any]] | None) -> dict[str, str | int]:
    query: dict[str, list[str]] = {}
    for name, value in parameters or ():
        query.setdefault(name, []).append(_text(value))
    # A list comes as one parameter for each of its items, which makes an address longer than need be.
    return {name: ",".join(values) for name, values in query.items()}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
