"""From an API into a load table: pages of issues, and many parents at once."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import requests

from benchmarks import issues
from benchmarks.measuring import Goal, LoadTable, Measure, Side, Sizes, best_seconds, expect_same
from benchmarks.page_server import serve
from wherescape.api_client import ApiClient
from wherescape.api_response import Record
from wherescape.sandbox import RedServer


def gitlab_issues(red: RedServer, sizes: Sizes) -> Measure:
    """Load issues from a local server, against what fetching, parsing and copying them costs at least."""
    table = LoadTable(red, issues.TABLE)
    rows = [
        (*issues.row(issue), *table.tail) for number in range(sizes.issue_pages) for issue in issues.page(number + 1)
    ]
    stored: list[tuple[int, int]] = []

    def note() -> None:
        stored.append(table.contents())

    with ExitStack() as stack:
        address = stack.enter_context(serve(pages=sizes.issue_pages))
        wherescape = stack.enter_context(table.open_wherescape())
        psycopg = stack.enter_context(table.open_psycopg())

        def load() -> None:
            with ApiClient(address) as client:
                wherescape.load(issues.TABLE, read_issues(client), extraction=client.extraction)

        def fetch_and_copy() -> None:
            fetch(address, sizes.issue_pages)
            table.copy(psycopg, rows)

        ours, bare = best_seconds(
            sizes.repetitions, Side(load, table.empty, note), Side(fetch_and_copy, table.empty, note)
        )
    expect_same("issues", *stored)
    return Measure(
        f"Load {len(rows):,} GitLab issues of 50 columns, fetch to commit",
        "s",
        {"bare fetch, parse, COPY": bare, "wherescape": ours},
        (
            Goal(
                "GitLab issues, fetch to commit, against bare fetch + parse + COPY",
                ours / bare,
                2,
                "times the cost",
                2,
                2 * bare,
                at_most=True,
            ),
        ),
    )


def read_issues(client: ApiClient) -> Iterator[Record]:
    """Yield all issues, one level deep, as a connector does."""
    for page in client.follow_links("issues", {"page": 1}, paging_header="X-Next-Page", total_header="X-Total"):
        yield from map(issues.flatten, page)


def fetch(address: str, pages: int) -> None:
    """Fetch and parse all issues with as little as possible around it."""
    with requests.Session() as session:
        for number in range(1, pages + 1):
            parsed: Any = session.get(f"{address}/issues", params={"page": number}).json()
            assert len(parsed) == issues.PAGE_SIZE


def parallel_parents(red: RedServer, sizes: Sizes) -> Measure:
    """Read the lists of several parents, each of which the server takes its time for."""

    def read(client: ApiClient, **workers: int) -> None:
        parents = ({"id": number} for number in range(sizes.parents))
        records = client.read_parents(
            parents,
            lambda parent: (record for page in client.follow_links(f"parents/{parent['id']}") for record in page),
            name=lambda parent: str(parent["id"]),
            what="items",
            **workers,
        )
        assert sum(1 for _ in records) == sizes.parents

    with serve(seconds=sizes.parent_seconds) as address, ApiClient(address) as client:
        default, single = best_seconds(
            sizes.repetitions, Side(lambda: read(client)), Side(lambda: read(client, workers=1))
        )
    return Measure(
        f"Read the lists of {sizes.parents} parents at {sizes.parent_seconds * 1000:.0f} ms a request",
        "s",
        {"one worker": single, "wherescape, default workers": default},
        (
            Goal(
                "parents in parallel, default workers against one",
                single / default,
                3.5,
                "times as fast",
                2,
                single / 3.5,
            ),
        ),
    )
