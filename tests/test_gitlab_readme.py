"""The README's tables of columns come from the declarations: `python -m tests.test_gitlab_readme` writes them anew."""

import inspect
import re
from pathlib import Path

from wherescape.connectors.gitlab import gitlab_tables
from wherescape.connectors.gitlab.gitlab_load_data import gitlab_load_data
from wherescape.high_water_mark import PREFIX
from wherescape.tables import Table

README = Path(gitlab_tables.__file__).with_name("README.md")
BEGIN, END = "<!-- begin tables -->\n", "<!-- end tables -->\n"


def render(table: Table) -> str:
    lines = [
        f"### load_gitlab_{table.kind}\n",
        f"Key: {', '.join(f'`{name}`' for name in table.key)}."
        f" Mark: `{PREFIX}load_gitlab_{table.kind}`, from GitLab's time. Record source: `{table.record_source}`.\n",
        "| column | type | meaning |",
        "|---|---|---|",
        *(f"| `{column.name}` | {column.data_type} | {column.comment} |" for column in table.all_columns),
    ]
    return "\n".join(lines) + "\n\n"


def with_tables(readme: str) -> str:
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + "\n" + "".join(map(render, gitlab_tables.TABLES)) + END + after


def test_the_readme_shows_the_declared_tables() -> None:
    readme = README.read_text(encoding="utf-8")
    assert readme == with_tables(readme), "run `python -m tests.test_gitlab_readme` to bring the README up to date"


def test_the_readme_lists_the_arguments_with_their_defaults() -> None:
    readme = README.read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| `(\w+)` \| `(.*?)` \|", readme.partition("## Arguments")[2], re.MULTILINE))
    parameters = inspect.signature(gitlab_load_data).parameters.values()
    assert listed == {
        parameter.name: repr(parameter.default).replace("'", '"')
        for parameter in parameters
        if parameter.name != "wherescape"
    }


if __name__ == "__main__":
    README.write_text(with_tables(README.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
