"""The examples that load a file: what they say of zeros, digits, empty cells, dates and encodings is so."""

import json
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from wherescape.sandbox.red_server import RedServer
from wherescape.sandbox.scheduler import TaskResult

EXAMPLES = Path(__file__).parents[1] / "examples"
ORDERS = """\
Order number;Customer;Amount;Date
00042;Müller & Zoë €;1.234,50;31-12-2026
00043;NA;0,10;01-02-2026
00044;;;
00045;"Semi;colon";1.5;01-02-2026
00046;Ann;7;30-02-2026
00047;"Two
lines";-12345678901234567890,0123456789;28-02-2026
"""


def load(red: RedServer, folder: Path, example: str, declaration: str, file: Path) -> TaskResult:
    """Register, create and load a table as the example's docstring says."""
    table = f"load_{declaration.lower().removesuffix('s')}"
    red.register_load_table(table, file_path=str(file.parent), file_name=file.name)
    text = (EXAMPLES / example).read_text(encoding="utf-8")
    *most, last = text.strip().splitlines()
    assert last.startswith(f"wherescape.load({declaration}")
    metadata = folder / f"metadata_{example}"
    metadata.write_text("\n".join([*most, f"wherescape.create_metadata({declaration})"]), encoding="utf-8")
    done = red.run_host_script(metadata, table)
    assert done.status == 1, done
    red.create_table(table)
    return red.run_host_script(EXAMPLES / example, table)


def stored(red: RedServer, table: str, names: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in red.query_warehouse(f"SELECT {names} FROM load.{table} ORDER BY 1")]


def test_a_european_csv_file_is_loaded_as_it_is(clean_red: RedServer, tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_bytes(ORDERS.encode("cp1252"))
    result = load(clean_red, tmp_path, "load_csv_file.py", "ORDERS", file)
    assert (result.status, result.inserted, result.rejected) == (-1, 4, 2), result
    assert stored(clean_red, "load_order", "order_number, customer, amount, CAST(ordered_on AS text)") == [
        ("00042", "Müller & Zoë €", Decimal("1234.50"), "2026-12-31"),
        ("00043", "NA", Decimal("0.10"), "2026-02-01"),
        ("00044", None, None, None),
        ("00047", "Two\nlines", Decimal("-12345678901234567890.0123456789"), "2026-02-28"),
    ]
    (rejects,) = (clean_red.workdir / "rejects").glob("load_order_*.jsonl")
    rejected = [json.loads(line) for line in rejects.read_text(encoding="utf-8").splitlines()]
    assert [(row["raw"]["Order number"], row["column"]) for row in rejected] == [
        ("00045", "amount"),
        ("00046", "ordered_on"),
    ]
    # A row of too many fields fails the load, and what was loaded before is gone by RED's truncation alone.
    file.write_bytes((ORDERS + "00048;Ann;7;28-02-2026;and more\n").encode("cp1252"))
    failed = clean_red.run_host_script(EXAMPLES / "load_csv_file.py", "load_order")
    assert (failed.status, stored(clean_red, "load_order", "count(*)")) == (-3, [(0,)])
    assert "saw 5" in failed.message


def test_a_long_csv_file_is_not_read_at_once(tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    with file.open("wb") as out:
        out.write(b"Order number;Customer;Amount;Date\n")
        out.writelines(b"%06d;Ann;1,50;01-02-2026\n" % number for number in range(200_000))
        # A byte that cp1252 does not have, so that whoever reads as far as here fails.
        out.write(b"200000;\x81;1,50;01-02-2026\n")
    declarations = (EXAMPLES / "load_csv_file.py").read_text(encoding="utf-8").partition("\nwherescape = ")[0]
    namespace: dict[str, Any] = {}
    exec(declarations, namespace)
    rows: Callable[[Path], Iterator[dict[str, Any]]] = namespace["rows"]
    last = [*islice(rows(file), 20_000)][-1]
    assert last == {"Order number": "019999", "Customer": "Ann", "Amount": "1.50", "Date": "2026-02-01"}


def test_an_excel_file_is_loaded_as_it_is(clean_red: RedServer, tmp_path: Path) -> None:
    file = tmp_path / "articles.xlsx"
    articles = [
        ("007", "Größe 😀", 0.1, 2**40, datetime(2026, 2, 28)),
        ("008", "NA", 1234.5, None, None),
        ("009", None, None, 0, date(2026, 3, 1)),
        ("012", "no day", 3, 0, "soon"),
        ("013", "half an article", 3, 1.5, None),
        ("010", "#N/A", None, None, None),
        (11, "a number for a code", 3, 0, date(2026, 3, 1)),
    ]
    names = ["Article code", "Description", "Price", "In stock", "Available from"]
    pd.DataFrame(articles, columns=names, dtype=object).to_excel(file, index=False)
    result = load(clean_red, tmp_path, "load_excel_file.py", "ARTICLES", file)
    assert (result.status, result.inserted, result.rejected) == (-1, 5, 2), result
    columns = "article_code, description, price, in_stock, CAST(available_from AS text)"
    assert stored(clean_red, "load_article", columns) == [
        ("007", "Größe 😀", Decimal("0.1"), 2**40, "2026-02-28"),
        ("008", "NA", Decimal("1234.5"), None, None),
        ("009", None, None, 0, "2026-03-01"),
        ("010", None, None, None, None),
        ("11", "a number for a code", Decimal("3"), 0, "2026-03-01"),
    ]


def test_every_example_is_run() -> None:
    tests = [path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py")]
    untested = [path.name for path in EXAMPLES.glob("*.py") if not any(f'"{path.name}"' in test for test in tests)]
    assert untested == []
