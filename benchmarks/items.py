"""The rows of most measures: 20 columns of every type, the same in every run."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from wherescape import Column, Table

TABLE = Table(
    kind="item",
    record_source="benchmark",
    key=("id",),
    columns=(
        Column("id", "bigint"),
        Column("reference", "text"),
        Column("title", "text"),
        Column("description", "text"),
        Column("author", "text"),
        Column("email", "text"),
        Column("state", "text"),
        Column("comments", "integer"),
        Column("priority", "integer"),
        Column("parent_id", "bigint"),
        Column("size", "bigint"),
        Column("price", "numeric"),
        Column("rate", "numeric"),
        Column("score", "double"),
        Column("is_open", "boolean"),
        Column("is_confidential", "boolean"),
        Column("due_date", "date"),
        Column("created_at", "timestamp"),
        Column("updated_at", "timestamp"),
        Column("labels", "json"),
    ),
)
AUTHORS = ("Zoë Müller", "José Ibáñez", "Søren Kierkegård", "Łukasz Żak", "Anne O'Brien", "李小龍", "Ann Smith")
TITLES = (
    "Crème brûlée is missing from the menu",
    'The "save" button does nothing',
    "It's slow with 1,000 rows",
    "Path C:\\temp is not found",
)
DESCRIPTION = (
    'Steps to reproduce:\n1. Open the page\n2. Press "save"\n\nExpected: it\'s saved – naïvely, at least. {braces}, '
    "back\\slashes and 😀 are kept as they are."
)
FIRST_MOMENT = datetime(2019, 3, 31, 0, 59, 59, 123456, tzinfo=UTC)


def record(n: int) -> dict[str, Any]:
    """Return the n-th record."""
    created = FIRST_MOMENT + timedelta(seconds=3_607 * n)
    return {
        "id": 10_000_000_000 + n,
        "reference": f"PROJECT-{n % 89}#{n}",
        "title": f"{TITLES[n % 4]} ({n})",
        "description": None if n % 7 == 0 else DESCRIPTION[n % 50 :],
        "author": AUTHORS[n % 7],
        "email": f"user{n % 500}@example.com",
        "state": "closed" if n % 3 else "opened",
        "comments": n % 40,
        "priority": n % 5 if n % 6 else None,
        "parent_id": None if n % 4 else 10_000_000_000 + n // 4,
        "size": n * 104_729,
        "price": Decimal(n * 37 % 1_000_000).scaleb(-2),
        "rate": Decimal("0.21") if n % 9 else None,
        "score": n / 7,
        "is_open": n % 3 == 0,
        "is_confidential": None if n % 5 == 0 else n % 2 == 0,
        "due_date": None if n % 3 else date(2026, 1, 1) + timedelta(days=n % 365),
        "created_at": created,
        "updated_at": created + timedelta(hours=n % 1_000),
        "labels": ["bug", f"team::{n % 12}"] if n % 2 else [],
    }


def records(count: int) -> Iterator[dict[str, Any]]:
    """Yield so many records."""
    return map(record, range(count))


def row(record: dict[str, Any]) -> tuple[Any, ...]:
    """Return a record as a row that any driver takes: in the order of the columns, with JSON as its text."""
    return (*list(record.values())[:-1], json.dumps(record["labels"], ensure_ascii=False))
