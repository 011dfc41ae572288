"""A JSON answer of an API, and what is found in it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from wherescape.errors import ApiAnswerInvalid
from wherescape.redaction import redact

Json = Any
Record = dict[str, Any]

MESSAGE_KEYS = ("message", "error", "error_description", "errors", "errorMessages")
ERROR_KEYS = ("error", "errors", "errorMessages")


@dataclass(frozen=True)
class ApiResponse:
    """An answer of an API.

    The names of fields may lead inwards: `paging.next.after`.

    Arguments:
        body: the parsed JSON; None for an answer without content.
        headers: the headers; names are found in any case.
        url: the URL that was asked, with its query.
        status_code: below 300.
    """

    body: Json
    headers: Mapping[str, str]
    url: str
    status_code: int = 200

    def records(self, name: str = "") -> list[Record]:
        """Return the records in a field, or those that the answer is.

        Raises:
            ApiAnswerInvalid: it is no list of objects, or the answer holds an error.
        """
        body = self.body
        if isinstance(body, dict) and any(body.get(key) for key in ERROR_KEYS):
            raise ApiAnswerInvalid(f"{place_of(self.url)} answered 200, but with an error: {message_of(body)}.")
        found = self.find(name) if name else body
        if isinstance(found, list) and all(isinstance(record, dict) for record in found):
            return found
        problem = message_of(body) or f"JSON of another kind ({type(found).__name__})"
        raise ApiAnswerInvalid(f"{place_of(self.url)} answered 200, but with no list of records: {problem}.")

    def find(self, name: str) -> Json:
        """Return a field; None if it, or one of those that lead to it, is missing or null.

        Raises:
            ApiAnswerInvalid: what should hold it is no object.
        """
        value = self.body
        for part in name.split("."):
            if value is None:
                return None
            if not isinstance(value, dict):
                raise ApiAnswerInvalid(
                    f"{place_of(self.url)} answered 200, but {name} is not to be found in JSON of another kind"
                    f" ({type(value).__name__})."
                )
            value = value.get(part)
        return value

    def flag(self, name: str) -> bool | None:
        """Return a field that is true or false; None if it is missing or null.

        Raises:
            ApiAnswerInvalid: it is neither.
        """
        value = self.find(name)
        if value is None or isinstance(value, bool):
            return value
        raise ApiAnswerInvalid(f"{place_of(self.url)} gave a {name} that is neither true nor false.")

    def whole_number(self, name: str) -> int | None:
        """Return a field that counts something; None if it is no whole number."""
        return whole_number(self.find(name))


def whole_number(value: object) -> int | None:
    """Return a number, or the text of one, from 0 on; None for anything else."""
    text = str(value)
    return int(text) if text.isascii() and text.isdecimal() else None


def message_of(body: Json) -> str:
    """Return what an answer says in words, without secrets; empty if it says nothing."""
    if not isinstance(body, dict):
        return ""
    parts = (body.get(key) for key in MESSAGE_KEYS)
    return redact(" ".join(part if isinstance(part, str) else json.dumps(part) for part in parts if part))


def place_of(url: str) -> str:
    """Return a URL without login and query, for messages."""
    parts = urlsplit(url)
    return redact(urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", "")))
