"""A host script that loads a CSV file as Excel saves it in Europe: semicolons, decimal commas, day before month.

Give the load table the file's folder as its "Source Directory" and the file's name as its "Source File Name". For the
columns, run the same script with `wherescape.create_metadata(ORDERS)` as its last line, and create the table.

The file is read ten thousand rows at a time, and each value as the text that it is: no zero in front is lost, and no
digit behind the comma. A value that does not fit its column goes to the reject file with its row; a row of more fields
than the heading fails the load, and what a shorter row lacks is NULL.
"""

# needs: pandas

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from wherescape import Column, Table, WhereScape

ENCODING = "cp1252"  # "utf-8-sig" for a file saved as "CSV UTF-8"
SEPARATOR = ";"
ROWS_AT_ONCE = 10_000

ORDERS = Table(
    kind="order",
    columns=(
        Column("order_number", "text", source="Order number", comment="With the zeros in front."),
        Column("customer", "text", source="Customer"),
        Column("amount", "numeric", source="Amount", comment="Euros."),
        Column("ordered_on", "date", source="Date"),
    ),
    key=("order_number",),
    record_source="orders, csv file",
)

NUMBER = re.compile(r"-?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?")
DATE = re.compile(r"(\d\d)-(\d\d)-(\d{4})")


def number(text: str) -> str:
    """1.234,50 is 1234.50; anything else is no number, so that its row is rejected and not guessed at."""
    if not NUMBER.fullmatch(text):
        return f"no number of this file: {text}"
    return text.replace(".", "").replace(",", ".")


def day(text: str) -> str:
    """31-12-2026 is 2026-12-31."""
    return DATE.sub(r"\3-\2-\1", text) if DATE.fullmatch(text) else f"no date of this file: {text}"


def rows(path: Path) -> Iterator[dict[str, Any]]:
    # An empty field is NULL, and nothing else is: a customer may well be called NA.
    options = {"sep": SEPARATOR, "encoding": ENCODING, "dtype": str, "keep_default_na": False, "na_values": [""]}
    with pd.read_csv(path, chunksize=ROWS_AT_ONCE, **options) as chunks:
        for chunk in chunks:
            chunk["Amount"] = chunk["Amount"].map(number, na_action="ignore")
            chunk["Date"] = chunk["Date"].map(day, na_action="ignore")
            yield from chunk.astype(object).where(chunk.notna(), None).to_dict("records")


wherescape = WhereScape()
wherescape.load(ORDERS, rows(Path(wherescape.file_path, wherescape.file_name)))
