"""The README's tables of columns come from the declarations: `python -m tests.test_gitlab_readme` writes them anew."""

from pathlib import Path

from wherescape.connectors.gitlab import gitlab_tables
from wherescape.connectors.gitlab.gitlab_load_data import HIGH_WATER_MARK
from wherescape.tables import Table

README = Path(gitlab_tables.__file__).with_name("README.md")
BEGIN, END = "<!-- begin tables -->\n", "<!-- end tables -->\n"


def render(table: Table) -> str:
    mark = f"incremental, mark in `{HIGH_WATER_MARK}`" if table is gitlab_tables.COMMITS else "in full"
    lines = [
        f"### load_gitlab_{table.kind}\n",
        f"Key: {', '.join(f'`{name}`' for name in table.key)}. Loaded {mark}."
        f" Record source: `{table.record_source}`.\n",
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


if __name__ == "__main__":
    README.write_text(with_tables(README.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
