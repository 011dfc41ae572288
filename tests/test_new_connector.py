"""What a new connector begins with is clean code, and passes the tests that it inherits."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from wherescape.api_response import Record
from wherescape.errors import DeclarationError
from wherescape.paging import Cursor, Links, Offset, PageNumber, Paging, Whole
from wherescape.scaffold.connector import Login, NewConnector, files_of, write_files
from wherescape.scaffold.proposals import ProposedColumn, find_records, propose_columns, propose_paging

PROJECT = Path(__file__).parent.parent
MILLISECONDS = 1_767_607_200_123
PAGE: list[Record] = [
    {"id": 1, "author": {"name": "x", "teamName": None}, "tags": [{"a": 1}], "updated": MILLISECONDS, "price": 1.5},
    {"id": 2, "author": None, "tags": [], "updated": MILLISECONDS, "price": 2},
]
STYLES: dict[str, tuple[Paging, str]] = {
    "offset": (Offset("data.items", total="total"), "milliseconds"),
    "cursor": (Cursor("items", "next_cursor", sent_as="cursor"), "iso"),
    "number": (PageNumber("items", last_flag="last"), "date"),
    "links": (Links(), "seconds"),
    "whole": (Whole("items"), ""),
}


def connector(style: str) -> NewConnector:
    paging, since_format = STYLES[style]
    return NewConnector(
        name=f"acme_{style}",
        base_url="https://api.acme.example",
        login=Login("Authorization", "Bearer ") if style == "cursor" else Login("X-Api-Key"),
        kind="item",
        path="items",
        paging=paging,
        columns=propose_columns(PAGE if since_format else [{"id": 1, "name": "x"}]),
        changed="updated" if since_format else "",
        since="updated_since" if since_format else "",
        since_format=since_format or "iso",
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("connectors")
    for style in STYLES:
        write_files(folder, files_of(connector(style)))
    return folder


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(PROJECT)])}
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    "tool",
    [
        ("ruff", "check", "--config", str(PROJECT / "pyproject.toml"), "."),
        ("ruff", "format", "--check", "--config", str(PROJECT / "pyproject.toml"), "."),
        ("mypy", "--strict", "--cache-dir", str(PROJECT / ".mypy_cache"), "."),
    ],
    ids=["linter", "formatter", "type checker"],
)
def test_the_files_are_clean(folder: Path, tool: tuple[str, ...]) -> None:
    done = run(folder, *tool)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_connectors_pass_tests_that_they_inherit(folder: Path) -> None:
    # All of them, for one style, are in the tutorial.
    chosen = "loaded_once or come_and_changed or red_is_told or preview"
    done = run(folder, "pytest", "-q", "-p", "no:cacheprovider", "tests", "-k", chosen)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_file_is_written_over(folder: Path) -> None:
    with pytest.raises(DeclarationError, match=r"__init__\.py exists already; choose another name"):
        write_files(folder, files_of(connector("offset")))


@pytest.mark.parametrize("name", ["Acme", "1acme", "class", "ac-me", ""])
def test_a_name_that_python_does_not_take_is_refused(name: str) -> None:
    with pytest.raises(DeclarationError, match="is no name for Python"):
        NewConnector(name, "https://a.example", Login(), "item", "items", Whole(), propose_columns(PAGE))


def test_a_name_that_would_hide_a_module_of_python_is_refused() -> None:
    with pytest.raises(DeclarationError, match="A package json would hide Python's own"):
        NewConnector("json", "https://a.example", Login(), "item", "items", Whole(), propose_columns(PAGE))


def test_a_page_proposes_columns() -> None:
    assert propose_columns(PAGE) == [
        ProposedColumn("id", "id", "bigint"),
        ProposedColumn("author_name", "author.name", "text"),
        ProposedColumn("author_team_name", "author.teamName", "text"),
        ProposedColumn("tags", "tags", "json"),
        ProposedColumn("updated", "updated", "timestamp", per_second=1_000),
        ProposedColumn("price", "price", "numeric"),
    ]


def test_a_field_that_is_called_like_a_column_of_every_load_table_gets_another_name() -> None:
    [column] = propose_columns([{"dss_load_date": "2026-01-05"}])
    assert column == ProposedColumn("dss_load_date_003", "dss_load_date", "date")


@pytest.mark.parametrize(
    ("body", "headers", "records", "paging"),
    [
        ([{"id": 1}], {}, "", Whole()),
        ([{"id": 1}], {"Link": '<https://a.example/?page=2>; rel="next"'}, "", Links()),
        ({"data": {"items": PAGE}, "offset": 0, "limit": 2}, {}, "data.items", Offset("data.items")),
        (
            {"items": PAGE, "next_cursor": "x", "has_more": True},
            {},
            "items",
            Cursor("items", "next_cursor", sent_as="cursor", more_flag="has_more"),
        ),
        ({"items": PAGE, "nextPageToken": "x"}, {}, "items", Cursor("items", "nextPageToken", sent_as="pageToken")),
        (
            {"results": PAGE, "paging": {"next": {"after": "x"}}},
            {},
            "results",
            Cursor("results", "paging.next.after", sent_as="after"),
        ),
        ({"items": PAGE, "next": "x"}, {}, "items", Cursor("items", "next", sent_as="next")),
        ({"items": PAGE, "page": 1, "per_page": 2}, {}, "items", PageNumber("items")),
        ({"items": PAGE, "page": 0}, {}, "items", PageNumber("items", first=0)),
        ({"items": PAGE, "meta": {"current_page": 1, "per_page": 2}}, {}, "items", PageNumber("items")),
        ({"items": PAGE, "next": "https://a.example/?page=2"}, {}, "items", PageNumber("items", size_as="")),
        ({"items": PAGE, "_links": {"next": {"href": "/i?page=1"}}}, {}, "items", PageNumber("items", "page", 0, "")),
        ({"items": PAGE, "next": "/i?limit=2&offset=2", "count": 9}, {}, "items", Offset("items", total="count")),
        ({"items": PAGE}, {}, "items", Whole("items")),
    ],
)
def test_an_answer_proposes_where_its_records_are_and_how_it_is_paged(
    body: object, headers: dict[str, str], records: str, paging: Paging
) -> None:
    assert find_records(body) == records
    assert propose_paging(body, headers, records) == paging
