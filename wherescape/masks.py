"""Personal data made unreadable before it goes anywhere."""

import hmac
from collections.abc import Sequence
from typing import Any

from wherescape.errors import ValueDoesNotFit
from wherescape.tables import MASKED_TEXT, Mask
from wherescape.values import Reasons, as_text, plain

SHORTEST_KEY = 32


class Masker:
    """Masks the values of columns.

    Arguments:
        key: what hashes are keyed with: equal values give equal hashes for as long as it stays the same.
    """

    def __init__(self, key: str = "") -> None:
        self._key = key.encode()

    def mask(self, mask: Mask, values: Sequence[Any]) -> tuple[list[str | None], Reasons]:
        """Return the masked values, None where a value was None or refused, and the reasons of refusals."""
        masked: list[str | None] = []
        reasons: Reasons = {}
        for position, value in enumerate(values):
            try:
                value = plain(value)
                masked.append(None if value is None else MASKED_TEXT if mask == "fixed" else self._hash(value))
            except (TypeError, ValueError, RecursionError, ValueDoesNotFit):
                reasons[position] = f"a {type(value).__name__} that is no text"
                masked.append(None)
        return masked, reasons

    def _hash(self, value: Any) -> str:
        return hmac.digest(self._key, as_text(value).encode("utf-8", "surrogatepass"), "sha256").hex()
