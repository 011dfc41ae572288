"""Personal data made unreadable before it goes anywhere."""

import hmac
from collections.abc import Callable, Sequence
from typing import Any

from wherescape.errors import DeclarationError, ValueDoesNotFit
from wherescape.tables import MASKED_TEXT, Mask, Table
from wherescape.values import Reasons, as_text, plain

MASK_KEY = "mask_key"
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


def masker_for(table: Table, read_parameter: Callable[[str], str]) -> Masker:
    """Return what masks a table's columns.

    Arguments:
        table: the declaration.
        read_parameter: gives the value of a RED parameter; asked for `mask_key` only where a column needs it.

    Raises:
        DeclarationError: a column is masked by a hash, and there is no key.
    """
    if not any(column.mask == "hash" for column in table.columns):
        return Masker()
    key = read_parameter(MASK_KEY)
    if len(key.strip()) < SHORTEST_KEY:
        raise DeclarationError(
            f"Columns are masked by a hash, and the RED parameter {MASK_KEY} has {len(key.strip())} characters;"
            f" {SHORTEST_KEY} are needed. Enter a random text once, such as python -c"
            ' "import secrets; print(secrets.token_hex(32))" prints, and keep it: hashes join for as long as it stays.'
        )
    return Masker(key)
