"""The README's tables of columns come from the declarations: `python -m tests.test_jira_readme` writes them anew."""

import inspect
import re
from pathlib import Path

import pytest

from wherescape.connectors.jira import jira_create_metadata, jira_load_data, jira_tables
from wherescape.high_water_mark import PREFIX
from wherescape.tables import Table

README = Path(jira_tables.__file__).with_name("README.md")
HOST_SCRIPTS = Path(__file__).parents[1] / "host_scripts"
BEGIN, END = "<!-- begin tables -->\n", "<!-- end tables -->\n"


def mark_of(table: Table) -> str:
    if table not in jira_tables.WITH_MARK:
        return "none, loaded in full"
    name = jira_load_data.HIGH_WATER_MARK if table is jira_tables.ISSUES else f"{PREFIX}load_jira_{table.kind}"
    source = f"`{table.mark_column}`" if table.mark_column else "Jira's time"
    return f"`{name}`, from {source}"


def render(table: Table) -> str:
    lines = [
        f"### load_jira_{table.kind}\n",
        f"Key: {', '.join(f'`{name}`' for name in table.key)}. Mark: {mark_of(table)}."
        f" Record source: `{table.record_source}`.\n",
        "| column | type | meaning |",
        "|---|---|---|",
        *(f"| `{column.name}` | {column.data_type} | {column.comment} |" for column in table.all_columns),
    ]
    return "\n".join(lines) + "\n\n"


def with_tables(readme: str) -> str:
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + "\n" + "".join(map(render, jira_tables.TABLES)) + END + after


def test_the_readme_shows_the_declared_tables() -> None:
    readme = README.read_text(encoding="utf-8")
    assert readme == with_tables(readme), "run `python -m tests.test_jira_readme` to bring the README up to date"


def test_the_readme_lists_the_arguments_with_their_defaults() -> None:
    arguments = README.read_text(encoding="utf-8").partition("## Arguments")[2]
    listed = dict(re.findall(r"^\| `(\w+)` \| `(.*?)` \|", arguments, re.MULTILINE))
    parameters = inspect.signature(jira_load_data.jira_load_data).parameters.values()
    assert listed == {
        parameter.name: repr(parameter.default).replace("'", '"')
        for parameter in parameters
        if parameter.name != "wherescape"
    }


def test_the_readme_names_every_kind() -> None:
    intro = README.read_text(encoding="utf-8").partition("## Order of a job")[0]
    assert all(f"`{table.kind}`" in intro for table in jira_tables.TABLES)


@pytest.mark.parametrize("module", [jira_create_metadata, jira_load_data], ids=lambda module: module.__name__[-13:])
def test_every_function_has_a_host_script(module: object) -> None:
    functions = [
        name for name, value in vars(module).items() if name.startswith("jira_") and inspect.isfunction(value)
    ]
    for name in functions:
        lines = (HOST_SCRIPTS / f"{name}.py").read_text(encoding="utf-8").splitlines()
        assert lines == [f"from {module.__name__} import {name}", "", f"{name}()"]  # type: ignore[attr-defined]


if __name__ == "__main__":
    README.write_text(with_tables(README.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
