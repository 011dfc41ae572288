"""The README's tables come from the declarations: `python -m tests.test_notion_readme` writes them anew."""

import inspect
import re
from pathlib import Path

import pytest

from wherescape.connectors.notion import notion_create_metadata, notion_load_data, notion_properties
from wherescape.connectors.notion.notion_connection import DATABASE_PARAMETER, KEY_PARAMETER
from wherescape.connectors.notion.notion_properties import RENDERINGS, RESULTS, UNKNOWN, Rendering
from wherescape.connectors.notion.notion_tables import CONTENT, PAGES, USERS
from wherescape.high_water_mark import PREFIX
from wherescape.tables import Column, Table

README = Path(notion_properties.__file__).with_name("README.md")
HOST_SCRIPTS = Path(__file__).parents[1] / "host_scripts"
TABLES = "<!-- begin tables -->\n", "<!-- end tables -->\n"
PROPERTIES = "<!-- begin properties -->\n", "<!-- end properties -->\n"


def render_properties() -> str:
    lines = ["| property | column | holds |", "|---|---|---|"]
    for kind, rendering in RENDERINGS.items():
        if kind in ("formula", "rollup"):
            continue
        lines.append(_line(f"`{kind}`", rendering))
    lines += [
        _line(f"`{kind}`, giving {result}", rendering)
        for kind, results in {
            "formula": ("string", "number", "boolean", "date"),
            "rollup": ("number", "date", "array"),
        }.items()
        for result, rendering in RESULTS.items()
        if result in results
    ]
    return "\n".join([*lines, _line("any other", UNKNOWN)]) + "\n"


def _line(kind: str, rendering: Rendering) -> str:
    column = rendering.data_type or "none"
    return f"| {kind} | {'two of type timestamp' if rendering.has_end else column} | {rendering.meaning} |"


def render(name: str, table: Table, *more: Column) -> str:
    mark = f"`{PREFIX}{name}`, from `{table.mark_column}`" if table.mark_column else "none, loaded in full"
    lines = [
        f"### {name}\n",
        f"Key: {', '.join(f'`{name}`' for name in table.key)}. Mark: {mark}.\n",
        "| column | type | meaning |",
        "|---|---|---|",
        *(f"| `{column.name}` | {column.data_type} | {column.comment} |" for column in (*table.columns, *more)),
        *(f"| `{column.name}` | {column.data_type} | {column.comment} |" for column in table.all_columns[-2:]),
    ]
    return "\n".join(lines) + "\n\n"


def with_generated(readme: str) -> str:
    tables = render("load_notion_{any name}", PAGES, CONTENT) + render("load_notion_user", USERS)
    for (begin, end), text in ((PROPERTIES, render_properties()), (TABLES, "\n" + tables)):
        before, _, rest = readme.partition(begin)
        _, _, after = rest.partition(end)
        readme = before + begin + text + end + after
    return readme


def test_the_readme_shows_the_declared_tables_and_properties() -> None:
    readme = README.read_text(encoding="utf-8")
    assert readme == with_generated(readme), "run `python -m tests.test_notion_readme` to bring the README up to date"


def test_the_readme_lists_the_arguments_with_their_defaults() -> None:
    arguments = README.read_text(encoding="utf-8").partition("## Arguments")[2]
    listed = dict(re.findall(r"^\| `(\w+)` \| `(.*?)` \|", arguments, re.MULTILINE))
    parameters = inspect.signature(notion_load_data.notion_load_data).parameters.values()
    assert listed == {
        parameter.name: repr(parameter.default).replace("'", '"')
        for parameter in parameters
        if parameter.name != "wherescape"
    }


def test_the_readme_names_the_parameters_of_red() -> None:
    readme = README.read_text(encoding="utf-8")
    assert f"`{KEY_PARAMETER}`" in readme and f"`{DATABASE_PARAMETER}{{load table}}`" in readme


@pytest.mark.parametrize(
    "module", [notion_create_metadata, notion_load_data], ids=lambda module: module.__name__[-13:]
)
def test_every_function_has_a_host_script(module: object) -> None:
    functions = [
        name for name, value in vars(module).items() if name.startswith("notion_") and inspect.isfunction(value)
    ]
    assert len(functions) == 2
    for name in functions:
        lines = (HOST_SCRIPTS / f"{name}.py").read_text(encoding="utf-8").splitlines()
        assert lines == [f"from {module.__name__} import {name}", "", f"{name}()"]  # type: ignore[attr-defined]


if __name__ == "__main__":
    README.write_text(with_generated(README.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
