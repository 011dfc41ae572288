"""What HubSpot's README lists comes from the code: `python -m tests.test_hubspot_readme` writes it anew."""

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.test_connector_readmes import Connector
from wherescape.connectors.hubspot import check_missing_columns, collect_data, hubspot_create_metadata, hubspot_tables

HUBSPOT = Connector(
    "hubspot",
    (
        hubspot_tables.OWNERS,
        hubspot_tables.PIPELINES,
        hubspot_tables.PROPERTIES,
        hubspot_tables.ASSOCIATIONS,
        check_missing_columns.MISSING_COLUMNS,
    ),
    collect_data.hubspot_collect_data,
    [hubspot_create_metadata, collect_data],
    marks=dict.fromkeys(("owner", "pipeline", "property", "association", "missing_column"), ""),
)
README = HUBSPOT.readme.read_text(encoding="utf-8")


def test_the_readme_shows_the_declared_tables() -> None:
    assert HUBSPOT.with_tables(README) == README, "run `python -m tests.test_hubspot_readme`"


@pytest.mark.parametrize(
    ("heading", "function"),
    [
        ("### Arguments", collect_data.hubspot_collect_data),
        ("## Sending to HubSpot", collect_data.hubspot_load_data),
    ],
)
def test_the_readme_lists_the_arguments_with_their_defaults(heading: str, function: Callable[..., Any]) -> None:
    part = README.partition(heading + "\n")[2].partition("\n## ")[0]
    listed = dict(re.findall(r"^\| `(\w+)` \| `(.*?)` \|", part, re.MULTILINE))
    assert listed == {
        parameter.name: repr(parameter.default).replace("'", '"')
        for parameter in inspect.signature(function).parameters.values()
        if parameter.name != "wherescape"
    }


def test_the_readme_names_every_kind() -> None:
    set_up = README.partition("## Set up in RED")[2].partition("\n## ")[0]
    kinds = [table.kind for table in hubspot_tables.TABLES if table is not hubspot_tables.ASSOCIATIONS]
    assert [kind for kind in kinds if f"`{kind}`" not in set_up] == []


if __name__ == "__main__":
    HUBSPOT.readme.write_text(HUBSPOT.with_tables(README), encoding="utf-8", newline="\n")
