"""notion-client over this library's HTTP: it knows the calls, `ApiClient` sends and repeats them.

notion-client itself waits a minute at most, does not repeat a 529, nor a query that met a 500, and tells nobody how it
fared.
"""

import logging
from typing import Any
from urllib.parse import urlencode

import httpx
from notion_client.client import BaseClient, ClientOptions

from wherescape.api_client import ApiClient
from wherescape.api_response import Json
from wherescape.errors import ApiAnswerInvalid


class NotionCalls(BaseClient):
    """The calls of notion-client, such as `data_sources.query`.

    Arguments:
        api: sends them; its errors are those of the calls.
    """

    def __init__(self, api: ApiClient) -> None:
        # Nothing is sent through it, so that it needs no transport, whose certificates take long to read.
        unused = httpx.Client(transport=httpx.BaseTransport())
        super().__init__(unused, ClientOptions(logger=logging.getLogger(__name__)))
        self._api = api

    def request(
        self,
        path: str,
        method: str,
        query: dict[Any, Any] | None = None,
        body: dict[Any, Any] | None = None,
        form_data: dict[Any, Any] | None = None,
        auth: str | dict[str, str] | None = None,
    ) -> Json:
        """Send one call; notion-client's calls all come through here.

        Raises:
            ApiError: as for `ApiClient.get_json`.
        """
        if query:
            path = f"{path}?{urlencode(query, doseq=True)}"
        answer = self._api.post_json(path, body or {}) if method == "POST" else self._api.get_json(path)
        kind = answer.body.get("object") if isinstance(answer.body, dict) else None
        if kind in (None, "error"):
            raise ApiAnswerInvalid(f"Notion answered 200 for {path.partition('?')[0]}, but with no object of its own.")
        return answer.body
