"""What the connectors' READMEs list comes from the code: `python -m tests.test_connector_readmes` writes it anew."""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import wherescape.connectors
from wherescape.connectors.anythingllm import anythingllm_create_metadata, anythingllm_load_data, anythingllm_tables
from wherescape.connectors.friday_pulse import (
    friday_pulse_create_metadata,
    friday_pulse_load_data,
    friday_pulse_tables,
)
from wherescape.connectors.gitlab import (
    gitlab_create_metadata,
    gitlab_high_water_mark,
    gitlab_load_data,
    gitlab_tables,
)
from wherescape.connectors.jira import jira_create_metadata, jira_load_data, jira_tables
from wherescape.high_water_mark import PREFIX
from wherescape.tables import Column, Table

HOST_SCRIPTS = Path(__file__).parents[1] / "host_scripts"
BEGIN, END = "<!-- begin tables -->\n", "<!-- end tables -->\n"


@dataclass(frozen=True)
class Connector:
    """A connector, as its README tells of it.

    Arguments:
        name: that of its folder.
        tables: what it loads.
        load: its load function.
        modules: those with host functions.
        clock: whose time the mark of a table without a `mark_column` is.
        marks: the parameters that keep marks, by kind, where they are not named by the load table; empty for none.
    """

    name: str
    tables: Sequence[Table]
    load: Callable[..., object]
    modules: Sequence[Any]
    clock: str = ""
    marks: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name

    @property
    def readme(self) -> Path:
        """Its README."""
        return Path(wherescape.connectors.__path__[0], self.name, "README.md")

    def render(self, table: Table) -> str:
        """Return what its README says of a table."""
        key = ", ".join(f"`{name}`" for name in table.key)
        return "\n".join(
            [
                f"### load_{self.name}_{table.kind}\n",
                f"Key: {key}. Mark: {self._mark_of(table)}. Record source: `{table.record_source}`.\n",
                "| column | type | meaning |",
                "|---|---|---|",
                *(f"| `{column.name}` | {column.data_type} | {meaning(column)} |" for column in table.all_columns),
                "\n",
            ]
        )

    def with_tables(self, readme: str) -> str:
        """Return its README with the tables as they are declared."""
        before, _, rest = readme.partition(BEGIN)
        return before + BEGIN + "\n" + "".join(map(self.render, self.tables)) + END + rest.partition(END)[2]

    def _mark_of(self, table: Table) -> str:
        name = self.marks.get(table.kind, f"{PREFIX}load_{self.name}_{table.kind}")
        if not name:
            return "none, loaded in full"
        return f"`{name}`, from {f'`{table.mark_column}`' if table.mark_column else self.clock}"


def meaning(column: Column) -> str:
    return f"{column.comment} Masked." if column.mask else column.comment


CONNECTORS = [
    Connector(
        "anythingllm",
        anythingllm_tables.TABLES,
        anythingllm_load_data.anythingllm_load_data,
        [anythingllm_create_metadata, anythingllm_load_data],
        marks={table.kind: "" for table in anythingllm_tables.TABLES},
    ),
    Connector(
        "friday_pulse",
        friday_pulse_tables.TABLES,
        friday_pulse_load_data.friday_pulse_load_data,
        [friday_pulse_create_metadata, friday_pulse_load_data],
        clock="Friday Pulse's time",
        marks={
            each.table.kind: f"{PREFIX}ds_friday_pulse_{each.table.kind}" if each.is_incremental else ""
            for each in friday_pulse_load_data.RESOURCES
        },
    ),
    Connector(
        "gitlab",
        gitlab_tables.TABLES,
        gitlab_load_data.gitlab_load_data,
        [gitlab_create_metadata, gitlab_load_data, gitlab_high_water_mark],
        clock="GitLab's time",
    ),
    Connector(
        "jira",
        jira_tables.TABLES,
        jira_load_data.jira_load_data,
        [jira_create_metadata, jira_load_data],
        clock="Jira's time",
        marks={each.table.kind: "" for each in jira_load_data.RESOURCES if not each.is_incremental}
        | {jira_tables.ISSUES.kind: jira_load_data.HIGH_WATER_MARK},
    ),
]
EACH = pytest.mark.parametrize("connector", CONNECTORS, ids=str)


@EACH
def test_a_readme_shows_the_declared_tables(connector: Connector) -> None:
    readme = connector.readme.read_text(encoding="utf-8")
    assert readme == connector.with_tables(readme), "run `python -m tests.test_connector_readmes`"


@EACH
def test_a_readme_lists_the_arguments_with_their_defaults(connector: Connector) -> None:
    arguments = connector.readme.read_text(encoding="utf-8").partition("## Arguments")[2]
    listed = dict(re.findall(r"^\| `(\w+)` \| `(.*?)` \|", arguments, re.MULTILINE))
    assert listed == {
        parameter.name: repr(parameter.default).replace("'", '"')
        for parameter in inspect.signature(connector.load).parameters.values()
        if parameter.name != "wherescape"
    }


@EACH
def test_a_readme_names_every_kind(connector: Connector) -> None:
    set_up = connector.readme.read_text(encoding="utf-8").partition("## Set up in RED")[2].partition("\n## ")[0]
    assert [table.kind for table in connector.tables if f"`{table.kind}`" not in set_up] == []


@EACH
def test_every_host_function_has_a_host_script(connector: Connector) -> None:
    functions = {
        name: value.__module__
        for module in connector.modules
        for name, value in vars(module).items()
        if name.startswith(f"{connector.name}_") and inspect.isfunction(value) and value.__name__ == name
    }
    assert functions
    for name, module in functions.items():
        lines = (HOST_SCRIPTS / f"{name}.py").read_text(encoding="utf-8").splitlines()
        assert lines == [f"from {module} import {name}", "", f"{name}()"]


def test_every_connector_is_here() -> None:
    folders = {path.parent.name for path in Path(wherescape.connectors.__path__[0]).glob("*/README.md")}
    # What these two load is up to their users: tests/test_notion_readme.py, tests/test_hubspot_readme.py.
    assert folders == {"hubspot", "notion", *(connector.name for connector in CONNECTORS)}


if __name__ == "__main__":
    for each in CONNECTORS:
        text = each.with_tables(each.readme.read_text(encoding="utf-8"))
        each.readme.write_text(text, encoding="utf-8", newline="\n")
