"""The query of a request to the stand-in GitLab, checked against what the endpoint has."""

from collections.abc import Callable, Collection
from datetime import UTC, datetime

from wherescape.testing.api_server import Refused, Request, json_answer

DEFAULT_PER_PAGE = 20
MAX_PER_PAGE = 100


class Parameters:
    """The parameters of one request.

    Arguments:
        request: whose query is read.
        known: the names that the endpoint has.
        max_per_page: how many records a page has at most, whatever is asked for.
        is_strict: refuse what GitLab passes over: an unknown name, a page size above 100, a date without its zone.
        refuse: gives the refusal of a mistake that the client made.

    Raises:
        Refused: when it is strict, of a name that the endpoint does not have; the methods, of a value that it has not.
    """

    def __init__(
        self,
        request: Request,
        known: Collection[str],
        *,
        max_per_page: int,
        is_strict: bool,
        refuse: Callable[[str], Refused],
    ) -> None:
        self.query = dict(request.query)
        self._path = request.path
        self._max_per_page = max_per_page
        self._is_strict = is_strict
        self._refuse = refuse
        unknown = sorted(self.query.keys() - {"page", "per_page", *known})
        if unknown and is_strict:
            raise refuse(f"{', '.join(unknown)}: GET {self._path} has no such parameter here")

    def text(self, name: str, default: str = "") -> str:
        """Return a value as it came."""
        return self.query.get(name, default)

    def flag(self, name: str) -> bool | None:
        """Return a truth value; None if it is not given."""
        value = self.choice(name, ("true", "false", ""), "")
        return value == "true" if value else None

    def choice(self, name: str, allowed: Collection[str], default: str) -> str:
        """Return one of the allowed values."""
        value = self.query.get(name, default)
        if value not in allowed:
            raise self._refuse(f"{name} does not have a valid value")
        return value

    def number(self, name: str, default: int) -> int:
        """Return a whole number above 0."""
        text = self.query.get(name, str(default))
        if not (text.isascii() and text.isdecimal()) or int(text) < 1:
            raise self._refuse(f"{name} is invalid")
        return int(text)

    def moment(self, name: str) -> datetime | None:
        """Return a moment; None if it is not given. GitLab takes one without a zone for UTC."""
        if name not in self.query:
            return None
        try:
            moment = datetime.fromisoformat(self.query[name])
        except ValueError:
            raise self._refuse(f"{name} is invalid") from None
        if moment.tzinfo is None:
            if self._is_strict:
                raise self._refuse(f"{name} has no time zone")
            return moment.replace(tzinfo=UTC)
        return moment

    @property
    def page(self) -> int:
        """The number of the page, from 1."""
        return self.number("page", 1)

    @property
    def per_page(self) -> int:
        """How many records a page has."""
        per_page = self.number("per_page", DEFAULT_PER_PAGE)
        if per_page > MAX_PER_PAGE and self._is_strict:
            raise self._refuse(f"per_page is {per_page}; GitLab gives {MAX_PER_PAGE} at most")
        return min(per_page, self._max_per_page)

    def asks_for_keyset(self) -> bool:
        """Tell whether keyset paging is asked for."""
        return self.choice("pagination", ("keyset", "legacy"), "legacy") == "keyset"


def not_available(text: str) -> Refused:
    """Return the refusal of a way of paging that the server does not offer: 405."""
    return Refused(json_answer({"error": text}, 405))
