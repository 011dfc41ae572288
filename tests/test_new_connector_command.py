"""The command new-connector: asks, or takes what the first page proposes; keeps the key to itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from wherescape.cli.main import commands
from wherescape.errors import DeclarationError
from wherescape.paging import Cursor, Links, Offset, PageNumber, Paging, Whole
from wherescape.scaffold.connector import code_of, paging_of
from wherescape.testing import FunctionServer, Request, json_answer
from wherescape.testing.example_api import APIKEY, ExampleApi

KEY = {"WSL_SRCCFG_APIKEY": APIKEY}


@pytest.fixture
def api() -> Iterator[ExampleApi]:
    with ExampleApi() as api:
        yield api


def create(folder: Path, *arguments: str, answers: str = "", env: dict[str, str] | None = None) -> Result:
    command = ["new-connector", "acme", "--folder", str(folder), *arguments]
    return CliRunner().invoke(commands, command, input=answers, env=KEY if env is None else env)


def of(api: ExampleApi) -> list[str]:
    return ["--base-url", api.url, "--header", "X-Api-Key", "--path", "/items/"]


def test_all_can_be_asked_for(api: ExampleApi, tmp_path: Path) -> None:
    answers = [
        *(api.url, "X-Api-Key", "", "items", APIKEY),
        *("", "", "stock_amount=integer", "name=text:hash", "-stock_place", "price=money", ""),
        *("", "", "updated_since", "", "article"),
    ]
    done = create(tmp_path, answers="\n".join(answers) + "\n", env={})
    assert done.exit_code == 0, done.output
    assert "money is no type; choose one of text" in done.output
    tables = (tmp_path / "acme" / "acme_tables.py").read_text("utf-8")
    assert 'Column("stock_amount", "integer", source="stock.amount")' in tables
    assert 'Column("name", "text", mask="hash")' in tables
    assert "stock_place" not in tables
    assert 'kind="article"' in tables
    wrapper = (tmp_path / "acme" / "acme_wrapper.py").read_text("utf-8")
    assert 'ARTICLES_PAGING = Offset("items", total="total")' in wrapper
    assert 'query["updated_since"] = to_epoch(since, 1_000)' in wrapper
    left = done.output + "".join(path.read_text("utf-8") for path in tmp_path.rglob("*.*"))
    assert APIKEY not in left


def test_options_have_the_last_word(api: ExampleApi, tmp_path: Path) -> None:
    options = ["--paging", 'Offset("items", size=5)', "--column", "-tags", "--key", "name", "--changed", "", "--kind"]
    done = create(tmp_path, *of(api), *options, "thing", "--yes")
    assert done.exit_code == 0, done.output
    assert 'Offset("items", size=5, key="name")' in (tmp_path / "acme" / "acme_wrapper.py").read_text("utf-8")
    tables = (tmp_path / "acme" / "acme_tables.py").read_text("utf-8")
    assert 'key=("name",)' in tables
    assert "tags" not in tables


def test_it_goes_into_a_package(api: ExampleApi, tmp_path: Path) -> None:
    done = create(tmp_path, *of(api), "--package", "ours.sources", "--yes")
    assert done.exit_code == 0, done.output
    script = (tmp_path / "host_scripts" / "acme_load_data.py").read_text("utf-8")
    assert script.startswith("from ours.sources.acme.acme_load_data import acme_load_data\n")
    assert (tmp_path / "ours" / "sources" / "acme" / "acme_tables.py").is_file()
    assert (tmp_path / "ours" / "__init__.py").is_file()
    assert (tmp_path / "ours" / "sources" / "__init__.py").is_file()


def test_a_package_that_is_there_stays_as_it_is(api: ExampleApi, tmp_path: Path) -> None:
    (tmp_path / "ours").mkdir()
    assert create(tmp_path, *of(api), "--package", "ours", "--yes").exit_code == 0
    assert not (tmp_path / "ours" / "__init__.py").exists()


@pytest.mark.parametrize(
    "address",
    [
        ["--base-url", "http://ann:a-secret@127.0.0.1", "--path", "items"],
        ["--base-url", "http://127.0.0.1", "--path", f"items?key={APIKEY}"],
    ],
)
def test_no_secret_in_an_address_gets_into_code(tmp_path: Path, address: list[str]) -> None:
    done = create(tmp_path, *address, "--header", "", "--yes")
    assert done.exit_code == 1
    assert "The address holds a password or the API key" in done.output
    assert "a-secret" not in done.output and APIKEY not in done.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--path", "items"], "With --yes nothing is asked, so --base-url is needed."),
        (["--base-url", "acme.example"], "The base URL of acme, of 'acme.example', must be an address like"),
        (["--paging", "pages"], "'pages' is no paging"),
        (["--paging", "Offset(__import__('os'))"], "is no paging"),
        (["--column", "nothing=text"], "There is no column nothing; there are id, name"),
        (["--column", "name"], "'name' is no change of a column; write name=type"),
        (["--column", "price=numeric:hash"], "is masked and has the type 'numeric'; use 'text'"),
        (["--key", "number"], "'number' is no field of the columns"),
        (["--changed", "name"], "'name' does not tell when a record changed: its column is text."),
        (["--records", "stock"], "answered 200, but with no list of records"),
        (["--path", "nothing"], "404"),
    ],
)
def test_what_it_cannot_use_is_told(tmp_path: Path, arguments: list[str], message: str) -> None:
    api = ExampleApi()
    api.start()
    known = [] if arguments == ["--path", "items"] else of(api)
    try:
        done = create(tmp_path, *known, *arguments, "--yes")
    finally:
        api.stop()
    assert done.exit_code != 0
    assert message in done.output
    assert list(tmp_path.iterdir()) == []


def test_a_key_that_is_refused_is_told_and_not_shown(api: ExampleApi, tmp_path: Path) -> None:
    done = create(tmp_path, *of(api), "--yes", env={"WSL_SRCCFG_APIKEY": "another-key"})
    assert done.exit_code == 1
    assert "401" in done.output
    assert "the API key (WSL_SRCCFG_APIKEY)" in done.output
    assert "another-key" not in done.output


def test_a_list_without_records_proposes_nothing(tmp_path: Path) -> None:
    def answer(request: Request) -> object:
        return json_answer({"items": []})

    with FunctionServer(answer) as api:
        done = create(
            tmp_path, "--base-url", api.url, "--path", "items", "--records", "items", "--header", "", "--yes"
        )
    assert done.exit_code == 1
    assert "items has no record to propose columns from" in done.output


def test_a_list_that_goes_on_elsewhere_is_not_taken_for_whole(tmp_path: Path) -> None:
    page = {"@odata.nextLink": "https://api.example.com/items?$skiptoken=x", "value": [{"id": 1}]}
    with FunctionServer(lambda request: page) as api:
        done = create(tmp_path, "--base-url", api.url, "--path", "items", "--header", "", "--yes")
    assert done.exit_code == 1
    assert "items names the address of a next page, so one answer is not the whole list." in done.output
    assert list(tmp_path.iterdir()) == []


def test_a_field_without_a_name_is_no_column(tmp_path: Path) -> None:
    with FunctionServer(lambda request: {"items": [{"id": 1, "": 2}]}) as api:
        of_it = ["--base-url", api.url, "--path", "items", "--header", "", "--yes"]
        done = create(tmp_path, *of_it)
        assert "A field without a name fills no column; leave column_004 out." in done.output
        assert create(tmp_path, *of_it, "--column", "-column_004").exit_code == 0


def test_no_code_comes_from_an_api(tmp_path: Path) -> None:
    """A field may be called anything."""
    field = 'x") or exec("1'
    with FunctionServer(lambda request: {field: [{"id": 1, field: 2}]}) as api:
        of_it = ["--base-url", api.url, "--path", "items", "--header", "", "--yes"]
        done = create(tmp_path, *of_it)
        assert "holds a quotation mark" in done.output
        assert list(tmp_path.iterdir()) == []
    with FunctionServer(lambda request: {"items": [{"id": 1, field: 2, "name": "a"}]}) as api:
        of_it[1] = api.url
        done = create(tmp_path, *of_it)
        assert f"The field {field!r} holds a quotation mark" in done.output
        assert create(tmp_path, *of_it, "--column", "-x_or_exec_1").exit_code == 0


def test_nothing_is_written_over(api: ExampleApi, tmp_path: Path) -> None:
    assert create(tmp_path, *of(api), "--yes").exit_code == 0
    (tmp_path / "acme" / "acme_tables.py").write_text("mine", "utf-8")
    done = create(tmp_path, *of(api), "--yes")
    assert done.exit_code == 1
    assert "exists already; choose another name" in done.output
    assert (tmp_path / "acme" / "acme_tables.py").read_text("utf-8") == "mine"


@pytest.mark.parametrize(
    "paging",
    [
        Whole("data"),
        Links(paging_header="X-Page"),
        Cursor("items", "next", more_flag="more"),
        Offset("items", "start", size=50),
        PageNumber("items", first=0, last_flag="last"),
    ],
)
def test_code_of_a_paging_is_read_back(paging: Paging) -> None:
    assert paging_of(code_of(paging), Whole(), "items") == paging


def test_the_name_of_a_paging_takes_what_was_proposed_of_it() -> None:
    proposal = Offset("old", "start", total="count")
    assert paging_of("offset", proposal, "new") == Offset("new", "start", total="count")
    assert paging_of("PageNumber", proposal, "new") == PageNumber("new")
    with pytest.raises(DeclarationError, match="no paging"):
        paging_of("cursor", proposal, "new")


def test_with_yes_the_key_is_not_asked_for(api: ExampleApi, tmp_path: Path) -> None:
    done = create(tmp_path, *of(api), "--yes", env={"WSL_SRCCFG_APIKEY": ""})
    assert done.exit_code == 2
    assert "so the variable WSL_SRCCFG_APIKEY is needed" in done.output


def test_a_folder_that_cannot_be_written_is_told(api: ExampleApi, tmp_path: Path) -> None:
    (tmp_path / "tests").write_text("in the way", "utf-8")
    done = create(tmp_path, *of(api), "--yes")
    assert done.exit_code == 1
    assert "cannot be written" in done.output and "Choose another with --folder." in done.output
