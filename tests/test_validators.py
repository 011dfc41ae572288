"""The checks of the warehouse on real tables: what they count, compare, warn about, write, and survive."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyodbc
import pytest

from tests import validating
from tests.loading import warnings_of
from tests.validating import empty_warehouse, quoted
from wherescape import WhereScape
from wherescape.errors import DeclarationError, EnvironmentVariableError, ResultNotWritten
from wherescape.repository import FACT_TABLES
from wherescape.sandbox.red_server import RedServer
from wherescape.validators.check import CheckResult, percent
from wherescape.validators.fact_dimension_join import check_fact_dimension_join

HEADER = "date,table,attribute,count_of_all_records,count_of_0_key_records"

Run = Callable[..., CheckResult]


@pytest.fixture
def wherescape(red: RedServer, tmp_path: Path) -> Iterator[WhereScape]:
    with empty_warehouse(red, tmp_path) as wherescape:
        yield wherescape


@pytest.fixture
def run(wherescape: WhereScape, tmp_path: Path) -> Run:
    def check(output_file_location: str | Path = "", **options: Any) -> CheckResult:
        return check_fact_dimension_join(output_file_location, wherescape, **options)

    return check


def fact(red: RedServer, name: str, *rows: tuple[int | None, ...], keys: tuple[str, ...] = ("customer_key",)) -> None:
    """Make a fact table: known to RED, and in the warehouse under the same names."""
    red.register_warehouse_table(
        FACT_TABLES, name, [(key, "integer", "2") for key in keys] + [("amount", "numeric", "")]
    )
    columns = "".join(f"{quoted(key)} integer, " for key in keys)
    values = ["(" + ", ".join("NULL" if key is None else str(key) for key in row) + ")" for row in rows]
    red.query_warehouse(
        f"CREATE TABLE star.{quoted(name)} ({columns}amount numeric);"
        + (f"INSERT INTO star.{quoted(name)} VALUES {', '.join(values)}" if rows else "")
    )


def lines(result: CheckResult) -> list[str]:
    return validating.lines(result, HEADER)


def earlier(folder: Path, yymmdd: str, *rows: str, job_key: int = 7) -> Path:
    path = folder / f"{job_key}_fact_dimension_check_result_{yymmdd}.csv"
    day = f"20{yymmdd[:2]}-{yymmdd[2:4]}-{yymmdd[4:]}"
    path.write_text("\n".join([HEADER, *(f"{day},{row}" for row in rows)]) + "\n", encoding="utf-8")
    return path


@contextmanager
def locked(red: RedServer, table: str) -> Iterator[None]:
    other = pyodbc.connect(red.target_connection_string, UID=red.target_user, PWD=red.target_password)
    other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
    try:
        yield
    finally:
        other.close()


def test_each_dimension_key_of_each_fact_table_is_a_line(
    red: RedServer, run: Run, wherescape: WhereScape, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fact(red, "fact_sales", (1, 3), (2, 4), keys=("customer_key", "date_key"))
    fact(red, "fact_call", (1,))
    result = run()
    assert result.csv.parent == tmp_path
    assert result.csv.name.startswith("7_fact_dimension_check_result_")
    assert lines(result) == ["fact_call,customer_key,1,0", "fact_sales,customer_key,2,0", "fact_sales,date_key,2,0"]
    assert warnings_of(caplog) == []
    assert wherescape.main_message == "Facts without a dimension: 2 tables to check"


def test_zero_keys_are_counted_and_null_keys_are_told_from_them(
    red: RedServer, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    fact(red, "fact_sales", (0, 1), (None, 1), (3, 1), (4, None), keys=("customer_key", "date_key"))
    result = run(max_share=0.25)
    assert lines(result) == ["fact_sales,customer_key,4,1", "fact_sales,date_key,4,0"]
    assert warnings_of(caplog) == [
        "fact_sales: customer_key has 25.0% 0-keys and 25.0% NULL, more than max_share 25.0%"
    ]
    assert "NULL 1" in result.page.read_text(encoding="utf-8")


def test_without_an_earlier_day_nothing_has_become_worse(red: RedServer, run: Run) -> None:
    fact(red, "fact_sales", (0,), (0,))
    page = run().page.read_text(encoding="utf-8")
    assert '<td class="change quiet">-</td>' in page
    assert "change warn" not in page


def test_names_are_quoted_in_queries_in_the_csv_and_on_the_page(red: RedServer, run: Run) -> None:
    fact(red, 'Fact "of", <b>', (0,), (1,), keys=("Order",))
    result = run()
    assert lines(result) == ['"Fact ""of"", <b>",Order,2,1']
    assert "Fact &#34;of&#34;, &lt;b&gt;" in result.page.read_text(encoding="utf-8")


def test_names_that_red_spells_in_another_case_are_found(red: RedServer, run: Run) -> None:
    red.register_warehouse_table(FACT_TABLES, "FACT_Sales", [("CUSTOMER_Key", "integer", "2")])
    red.query_warehouse("CREATE TABLE star.fact_sales (customer_key integer)")
    assert lines(run()) == ["FACT_Sales,CUSTOMER_Key,0,0"]


def test_of_two_tables_that_differ_in_case_only_each_is_itself(red: RedServer, run: Run) -> None:
    fact(red, "fact_sales", (1,))
    fact(red, "FACT_SALES", (0,), (0,))
    assert sorted(lines(run())) == ["FACT_SALES,customer_key,2,2", "fact_sales,customer_key,1,0"]


def test_a_table_that_cannot_be_read_is_named_and_the_others_are_checked(
    red: RedServer, run: Run, wherescape: WhereScape, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("fact_a_gone", "fact_b", "fact_c_secret", "fact_d_text", "fact_e_locked", "fact_f"):
        fact(red, name)
    red.query_warehouse("DROP TABLE star.fact_a_gone")
    red.query_warehouse(f"REVOKE ALL ON star.fact_c_secret FROM {red.target_user}")
    red.query_warehouse("ALTER TABLE star.fact_d_text ALTER customer_key TYPE text")
    with locked(red, "star.fact_e_locked"):
        result = run(lock_seconds=0.1)
    assert lines(result) == ["fact_b,customer_key,0,0", "fact_f,customer_key,0,0"]
    reasons = {
        "fact_a_gone": "The table does not exist",
        "fact_c_secret": "has no right",
        "fact_d_text": "operator does not exist",
        "fact_e_locked": "lock timeout",
    }
    said = warnings_of(caplog)
    page = result.page.read_text(encoding="utf-8")
    assert list(result.not_read) == list(reasons)
    for (name, reason), warning in zip(reasons.items(), said, strict=True):
        assert warning.startswith(f"{name} was not read. ") and reason in warning
        assert name in page
    assert wherescape.main_message == "Facts without a dimension: 6 tables to check, 4 not read"
    assert wherescape.query_target("SHOW lock_timeout")[0][0] == "0"


def test_an_empty_table_has_no_share(red: RedServer, run: Run, caplog: pytest.LogCaptureFixture) -> None:
    fact(red, "fact_sales")
    assert lines(run(max_share=0)) == ["fact_sales,customer_key,0,0"]
    assert warnings_of(caplog) == []


def test_a_share_that_grew_since_the_last_run_of_any_job_is_a_warning(
    red: RedServer, run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fact(red, "fact_sales", (0,), (1,), (2,), (3,))
    earlier(tmp_path, "200103", "fact_sales,customer_key,4,4", job_key=7)
    earlier(tmp_path, "200104", "fact_sales,customer_key,1000,10", job_key=12)
    expected = (
        "fact_sales: 0-keys of customer_key grew from 1.0% on 2020-01-04 to 25.0%, by more than max_growth 23.0%"
    )
    result = run(max_share=1, max_growth=0.23)
    assert warnings_of(caplog) == [expected]
    page = result.page.read_text(encoding="utf-8")
    assert "Compared with 2020-01-04." in page and "+24.0 points" in page
    # A second run on the same day replaces the file, and does not take the first for an earlier day.
    first = result.csv.read_bytes()
    assert run(max_share=1, max_growth=0.23).csv.read_bytes() == first
    assert warnings_of(caplog) == [expected, expected]
    assert len(list(tmp_path.glob("*.csv"))) == 3
    run(max_share=1, max_growth=0.25)
    assert len(warnings_of(caplog)) == 2


def test_an_earlier_file_that_is_no_result_is_passed_over(
    red: RedServer, run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fact(red, "fact_sales", (0,), (1,))
    earlier(tmp_path, "200103", "fact_sales,customer_key,100,0")
    earlier(tmp_path, "200104", "fact_sales,customer_key,,")
    earlier(tmp_path, "200105").write_bytes(b"\xff\xfe")
    earlier(tmp_path, "209999", "fact_sales,customer_key,100,50")
    earlier(tmp_path, "680101", "fact_sales,customer_key,100,50")
    (tmp_path / "7_fact_dimension_check_result_200106.csv").mkdir()
    run(max_share=1)
    [warning] = warnings_of(caplog)
    assert "grew from 0.0% on 2020-01-03 to 50.0%" in warning


def test_the_worst_come_first(red: RedServer, run: Run) -> None:
    fact(red, "fact_a", (1,), (2,))
    fact(red, "fact_b", (0,), (2,))
    fact(red, "fact_c", (0,), (0,))
    result = run(max_share=0.6)
    assert [name for name, _ in result.findings] == ["fact_c", "fact_b", "fact_a"]
    page = result.page.read_text(encoding="utf-8")
    assert page.index("fact_c") < page.index("fact_b") < page.index("fact_a")
    assert not any(word in page for word in ("<script", "http:", "https:", "src="))


def test_many_keys_of_one_table_are_one_warning(red: RedServer, run: Run, caplog: pytest.LogCaptureFixture) -> None:
    fact(red, "fact_sales", (0,) * 5, keys=tuple("abcde"))
    run()
    [warning] = warnings_of(caplog)
    assert warning.count("max_share") == 3 and warning.endswith("; and 2 more")


def test_a_table_as_wide_as_postgresql_allows(red: RedServer, run: Run) -> None:
    keys = [f"k{number}" for number in range(1_599)]
    red.register_warehouse_table(FACT_TABLES, "fact_wide", [(key, "smallint", "2") for key in keys])
    columns = ", ".join(f"{key} smallint DEFAULT 0" for key in keys)
    red.query_warehouse(f"CREATE TABLE star.fact_wide ({columns}); INSERT INTO star.fact_wide DEFAULT VALUES")
    result = run(max_share=1)
    assert lines(result) == [f"fact_wide,{key},1,1" for key in keys]
    assert "1,559 more, none of them beyond a limit" in result.page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0.0%"), (0.0001, "<0.1%"), (0.001, "0.1%"), (0.5, "50.0%"), (0.9999, ">99.9%"), (1, "100.0%")],
)
def test_a_percentage_is_0_or_100_only_if_it_is_so(share: float, text: str) -> None:
    assert percent(share) == text


def test_the_schema_comes_from_the_target_and_tells_tables_of_one_name_apart(red: RedServer, run: Run) -> None:
    fact(red, "fact_sales", (1,))
    red.register_warehouse_table(FACT_TABLES, "fact_other", [("customer_key", "integer", "2")], "stage")
    red.query_warehouse("CREATE TABLE stage.fact_other (customer_key integer)")
    red.query_repository("UPDATE red.ws_fact_tab SET ft_table_name = 'fact_sales'")
    red.query_warehouse("ALTER TABLE stage.fact_other RENAME TO fact_sales")
    assert lines(run()) == ["stage.fact_sales,customer_key,0,0", "star.fact_sales,customer_key,1,0"]


def test_tables_of_one_name_and_schema_in_two_databases_are_two(red: RedServer, run: Run) -> None:
    fact(red, "fact_sales", (1,))
    red.register_warehouse_table(FACT_TABLES, "fact_other", [("customer_key", "integer", "2")], "stage")
    red.query_repository("UPDATE red.ws_fact_tab SET ft_table_name = 'fact_sales'")
    red.query_repository(
        "UPDATE red.ws_dbc_target SET dt_database = 'archive', dt_schema = 'star' WHERE dt_name = 'stage'"
    )
    try:
        result = run()
    finally:
        red.query_repository("UPDATE red.ws_dbc_target SET dt_schema = dt_name")
    assert lines(result) == ["warehouse.star.fact_sales,customer_key,1,0"]
    assert list(result.not_read) == ["archive.star.fact_sales"]


def test_a_table_in_another_database_is_not_taken_for_one_of_this(red: RedServer, run: Run) -> None:
    fact(red, "fact_sales", (1,))
    red.query_repository("UPDATE red.ws_dbc_target SET dt_database = 'Warehouse' WHERE dt_schema = 'star'")
    assert lines(run()) == ["fact_sales,customer_key,1,0"]
    red.query_repository("UPDATE red.ws_dbc_target SET dt_database = 'archive' WHERE dt_schema = 'star'")
    result = run()
    assert lines(result) == []
    assert "archive" in result.not_read["fact_sales"]


def test_a_table_without_a_target_is_found_where_the_session_looks(red: RedServer, run: Run) -> None:
    fact(red, "fact_sales", (1,))
    red.query_repository("UPDATE red.ws_obj_object SET oo_target_key = 0 WHERE oo_name = 'fact_sales'")
    assert "The table does not exist" in run().not_read["fact_sales"]
    red.query_warehouse(f"ALTER ROLE {red.target_user} SET search_path = star")
    try:
        assert lines(run()) == ["fact_sales,customer_key,1,0"]
    finally:
        red.query_warehouse(f"ALTER ROLE {red.target_user} RESET search_path")


@pytest.mark.parametrize("pattern", ["fact_sales", "STAR.fact_*", "*sales"])
def test_tables_can_be_left_out(red: RedServer, run: Run, pattern: str) -> None:
    red.register_warehouse_table(FACT_TABLES, "fact_sales", [("customer_key", "integer", "2")])
    assert run(leave_out=[pattern]).not_read == {}


def test_a_fact_table_without_dimension_keys_is_shown_as_not_checked(
    red: RedServer, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    fact(red, "fact_plain", keys=())
    result = run()
    assert lines(result) == []
    assert "These do not: fact_plain." in result.page.read_text(encoding="utf-8")
    assert warnings_of(caplog) == [
        "Nothing was checked: RED knows no table that is a fact table with a dimension key (key type 2)."
    ]


def test_the_files_go_to_the_folder_that_is_given(red: RedServer, run: Run, tmp_path: Path) -> None:
    fact(red, "fact_sales")
    folder = tmp_path / "quality" / "checks"
    result = run(str(folder))
    assert sorted(folder.iterdir()) == [result.csv, result.page]
    with pytest.raises(ResultNotWritten, match="RED's user may write there"):
        run(result.csv)


def test_without_a_target_database_there_is_no_check(red: RedServer, tmp_path: Path) -> None:
    wherescape = WhereScape(red.environment() | {"WSL_WORKDIR": str(tmp_path)})
    with pytest.raises(EnvironmentVariableError, match="WSL_TGT_DSN"):
        check_fact_dimension_join(wherescape=wherescape)
    wherescape.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("options", [{"max_share": 5}, {"max_growth": -0.1}, {"leave_out": "fact_sales"}])
def test_what_cannot_be_meant_is_refused(run: Run, options: dict[str, Any]) -> None:
    with pytest.raises(DeclarationError, match=next(iter(options))):
        run(**options)
