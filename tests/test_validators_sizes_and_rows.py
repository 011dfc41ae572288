"""The checks of sizes, current rows and ages on real tables, and all checks as host scripts."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.loading import warnings_of
from tests.validating import empty_warehouse, lines
from wherescape import WhereScape
from wherescape.errors import DeclarationError
from wherescape.repository import DATA_STORES, DIMENSIONS, EDW_TABLES, FACT_TABLES
from wherescape.sandbox.red_server import RedServer
from wherescape.validators.current_flag import check_current_flag
from wherescape.validators.fact_dimension_size import check_fact_dimension_size
from wherescape.validators.freshness import check_freshness

HOST_SCRIPTS = Path(__file__).parents[1] / "host_scripts"

SIZE_HEADER = "date,table,table_type,count_of_all_records"
FLAG_HEADER = (
    "date,table,count_of_all_records,count_of_keys,count_of_keys_without_current_record,"
    "count_of_keys_with_several_current_records"
)
AGE_HEADER = "date,table,attribute,newest_record,age_in_hours"


@pytest.fixture
def wherescape(red: RedServer, tmp_path: Path) -> Iterator[WhereScape]:
    with empty_warehouse(red, tmp_path) as wherescape:
        yield wherescape


@pytest.fixture
def in_tokyo(red: RedServer) -> Iterator[None]:
    """Let the sessions of the warehouse be in a zone far from UTC and from most machines."""
    red.query_warehouse(f"ALTER ROLE {red.target_user} SET timezone = 'Asia/Tokyo'")
    yield
    red.query_warehouse(f"ALTER ROLE {red.target_user} RESET timezone")


# --------------------------------------------------------------------------------------------------------------- sizes


def test_facts_and_dimensions_are_counted_and_a_drop_is_a_warning(
    red: RedServer, wherescape: WhereScape, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for kind, name in ((FACT_TABLES, "fact_sales"), (FACT_TABLES, "fact_call"), (DIMENSIONS, "dim_customer")):
        red.register_warehouse_table(kind, name, [])
    red.query_warehouse(
        "CREATE TABLE star.fact_sales AS SELECT generate_series(1, 10000);"
        "CREATE TABLE star.fact_call AS SELECT generate_series(1, 95);"
        "CREATE TABLE star.dim_customer (code text)"
    )
    for day, sales in (("200103", 100), ("200104", 50_000)):
        (tmp_path / f"3_fact_dimension_size_result_{day}.csv").write_text(
            f"{SIZE_HEADER}\n-,fact_sales,fact,{sales}\n-,fact_call,fact,100\n", encoding="utf-8"
        )
    result = check_fact_dimension_size(wherescape=wherescape)
    assert lines(result, SIZE_HEADER) == ["fact_call,fact,95", "fact_sales,fact,10000", "dim_customer,dimension,0"]
    expected = "fact_sales: 80.0% fewer rows than on 2020-01-04 (10,000 of 50,000), more than max_drop 10.0%"
    assert warnings_of(caplog) == [expected]
    [(name, worst), *others] = result.findings
    assert (name, worst.history, worst.change) == ("fact_sales", (100, 50_000, 10_000), "-40,000")
    assert [(name, finding.change) for name, finding in others] == [("fact_call", "-5"), ("dim_customer", "")]
    page = result.page.read_text(encoding="utf-8")
    assert re.findall(r'height="([\d.]+)"', page)[:3] == ["0.05", "24.00", "4.80"]


def test_a_repeated_run_of_a_day_says_again_what_has_dropped(
    red: RedServer, wherescape: WhereScape, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    red.register_warehouse_table(FACT_TABLES, "fact_sales", [])
    red.query_warehouse("CREATE TABLE star.fact_sales (code text)")
    (tmp_path / "7_fact_dimension_size_result_200104.csv").write_text(f"{SIZE_HEADER}\n-,fact_sales,fact,1\n")
    for _ in range(2):
        check_fact_dimension_size(wherescape=wherescape)
    assert len(warnings_of(caplog)) == 2
    check_fact_dimension_size(wherescape=wherescape, max_drop=1)
    assert len(warnings_of(caplog)) == 2


# -------------------------------------------------------------------------------------------------------- current rows

HISTORY = [("code", "text", "A"), ("country", "text", "A"), ("name", "text", ""), ("dss_current_flag", "char(1)", "")]


def history(red: RedServer, schema: str, name: str, *rows: str) -> None:
    red.query_warehouse(
        f"CREATE TABLE {schema}.{name} (code text, country text, dss_current_flag char(1), name text);"
        + "".join(f"INSERT INTO {schema}.{name} VALUES ({row});" for row in rows)
    )


def test_business_keys_without_one_current_row_are_counted_in_all_tables_with_history(
    red: RedServer, wherescape: WhereScape, caplog: pytest.LogCaptureFixture
) -> None:
    red.register_warehouse_table(DATA_STORES, "ds_customer", HISTORY, "stage")
    red.register_warehouse_table(EDW_TABLES, "edw_customer", HISTORY, "stage")
    red.register_warehouse_table(DIMENSIONS, "dim_customer", HISTORY)
    red.register_warehouse_table(DIMENSIONS, "dim_date", [("code", "text", "A")])
    history(red, "stage", "ds_customer", *("'a', 'NL', 'Y'", "'a', 'NL', 'N'", "'a', 'BE', 'Y'", "NULL, 'NL', 'Y'"))
    history(red, "stage", "edw_customer", *("'a', 'NL', 'Y'", "'a', 'NL', 'Y'", "'b', 'NL', 'N'", "'c', 'NL', NULL"))
    history(red, "star", "dim_customer")
    result = check_current_flag(wherescape=wherescape)
    assert lines(result, FLAG_HEADER) == ["ds_customer,4,3,0,0", "edw_customer,4,3,2,1", "dim_customer,0,0,0,0"]
    assert warnings_of(caplog) == [
        "edw_customer: 2 business keys have no current row, more than max_without 0;"
        " 1 business key has several current rows, more than max_several 0"
    ]
    assert "These do not: dim_date." in result.page.read_text(encoding="utf-8")
    check_current_flag(wherescape=wherescape, max_without=2, max_several=1)
    assert len(warnings_of(caplog)) == 1


def test_the_flag_may_be_another_column_and_a_boolean(red: RedServer, wherescape: WhereScape) -> None:
    columns = [("code", "integer", "A"), ("Is Current", "boolean", "")]
    red.register_warehouse_table(DATA_STORES, "ds_flag", columns)
    red.query_warehouse(
        'CREATE TABLE star.ds_flag (code integer, "Is Current" boolean);'
        "INSERT INTO star.ds_flag VALUES (1, true), (1, true), (2, false)"
    )
    result = check_current_flag(wherescape=wherescape, flag_column="is current", current="true")
    assert lines(result, FLAG_HEADER) == ["ds_flag,3,2,1,1"]


def test_history_without_a_business_key_in_red_is_not_read_and_named(
    red: RedServer, wherescape: WhereScape, caplog: pytest.LogCaptureFixture
) -> None:
    red.register_warehouse_table(DATA_STORES, "ds_keyless", [("dss_current_flag", "char(1)", "")])
    check_current_flag(wherescape=wherescape)
    [warning] = warnings_of(caplog)
    assert warning.startswith("ds_keyless was not read. RED names no business key (key type A) of ds_keyless.")


# ---------------------------------------------------------------------------------------------------------------- ages


def test_the_age_of_the_newest_of_many_rows(
    red: RedServer, wherescape: WhereScape, caplog: pytest.LogCaptureFixture
) -> None:
    red.register_warehouse_table(FACT_TABLES, "fact_sales", [("dss_update_time", "timestamp", "")])
    red.query_warehouse(
        "CREATE TABLE star.fact_sales AS SELECT localtimestamp(0) - make_interval(days => 3, secs => number)"
        " AS dss_update_time FROM generate_series(0, 20000) AS number"
    )
    result = check_freshness(wherescape=wherescape)
    newest = red.query_warehouse("SELECT max(dss_update_time) FROM star.fact_sales")[0][0].isoformat()
    [line] = lines(result, AGE_HEADER)
    assert line.startswith(f"fact_sales,dss_update_time,{newest},72.")
    assert warnings_of(caplog) == [
        f"fact_sales: the newest row is 3.0 days old ({newest}), more than max_age 2.0 days"
    ]
    check_freshness(wherescape=wherescape, max_age=timedelta(days=4))
    assert len(warnings_of(caplog)) == 1


def test_ages_are_right_in_every_time_zone(red: RedServer, in_tokyo: None, wherescape: WhereScape) -> None:
    columns = {
        "ds_local": ("dss_update_time", "timestamp", "localtimestamp"),
        "ds_utc": ("dss_load_date", "timestamp", "now() AT TIME ZONE 'UTC'"),
        "ds_with_zone": ("dss_update_time", "timestamp with time zone", "now()"),
        "ds_utc_with_zone": ("DSS_LOAD_DATE", "timestamptz", "now()"),
    }
    for name, (column, data_type, now) in columns.items():
        red.register_warehouse_table(DATA_STORES, name, [(column, data_type, "")])
        red.query_warehouse(f"CREATE TABLE star.{name} AS SELECT {now} - interval '90 minutes' AS {column}")
    result = check_freshness(wherescape=wherescape)
    ages = {line.split(",")[0]: line.split(",")[-1] for line in lines(result, AGE_HEADER)}
    assert ages.keys() == columns.keys()
    assert {age[:3] for age in ages.values()} == {"1.5"}
    assert wherescape.query_target("SHOW timezone")[0][0] == "Asia/Tokyo"


def test_a_row_of_the_future_and_an_empty_table_are_warnings(
    red: RedServer, in_tokyo: None, wherescape: WhereScape, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("ds_ahead", "ds_empty"):
        red.register_warehouse_table(DATA_STORES, name, [("dss_create_time", "timestamp", "")])
    red.query_warehouse(
        "CREATE TABLE star.ds_ahead AS SELECT localtimestamp AS dss_create_time;"
        "CREATE TABLE star.ds_empty (dss_create_time timestamp)"
    )
    result = check_freshness(wherescape=wherescape, utc_columns=["dss_create_time"])
    empty, ahead = warnings_of(caplog)
    assert empty == "ds_empty: no row has a value in dss_create_time: it is empty"
    assert ahead.startswith("ds_ahead: the newest row is 9.0 h in the future")
    assert "ds_empty,dss_create_time,," in lines(result, AGE_HEADER)


def test_moments_without_end_are_warnings(
    red: RedServer, wherescape: WhereScape, caplog: pytest.LogCaptureFixture
) -> None:
    for name, moment in {"ds_never": "infinity", "ds_always": "-infinity"}.items():
        red.register_warehouse_table(DATA_STORES, name, [("dss_update_time", "timestamp", "")])
        red.query_warehouse(f"CREATE TABLE star.{name} AS SELECT timestamp '{moment}' AS dss_update_time")
    check_freshness(wherescape=wherescape)
    always, never = warnings_of(caplog)
    assert "ds_always" in always and "old (-infinity), more than max_age" in always
    assert "ds_never" in never and "in the future (infinity)" in never


def test_a_date_is_as_old_as_its_midnight(red: RedServer, in_tokyo: None, wherescape: WhereScape) -> None:
    red.register_warehouse_table(DATA_STORES, "ds_day", [("dss_update_time", "date", "")])
    red.query_warehouse("CREATE TABLE star.ds_day AS SELECT current_date - 10 AS dss_update_time")
    [line] = lines(check_freshness(wherescape=wherescape), AGE_HEADER)
    assert "T00:00:00," in line
    assert 240 <= float(line.rpartition(",")[2]) < 265


def test_the_first_of_the_columns_that_a_table_has_counts(red: RedServer, wherescape: WhereScape) -> None:
    red.register_warehouse_table(DATA_STORES, "ds_two", [("made", "timestamp", ""), ("changed", "timestamp", "")])
    red.register_warehouse_table(DATA_STORES, "ds_none", [("code", "text", "")])
    red.query_warehouse("CREATE TABLE star.ds_two AS SELECT localtimestamp AS made, localtimestamp AS changed")
    result = check_freshness(wherescape=wherescape, columns=["CHANGED", "made"])
    [line] = lines(result, AGE_HEADER)
    assert line.startswith("ds_two,changed,")
    assert "These do not: ds_none." in result.page.read_text(encoding="utf-8")


def test_an_age_that_is_none_is_refused(wherescape: WhereScape) -> None:
    with pytest.raises(DeclarationError, match="max_age"):
        check_freshness(wherescape=wherescape, max_age=timedelta())


# -------------------------------------------------------------------------------------------------------- host scripts


@pytest.fixture
def good_tables(red: RedServer, wherescape: WhereScape) -> None:
    columns = [
        *[("customer_key", "integer", "2"), ("code", "text", "A")],
        *[("dss_current_flag", "char(1)", ""), ("dss_update_time", "timestamp", "")],
    ]
    for kind, name in ((FACT_TABLES, "fact_good"), (DATA_STORES, "ds_good")):
        red.register_warehouse_table(kind, name, columns)
        red.query_warehouse(
            f"CREATE TABLE star.{name} AS SELECT 1 AS customer_key, 'a'::text AS code, 'Y'::char AS dss_current_flag,"
            " localtimestamp AS dss_update_time"
        )


def test_a_host_script_of_a_check_that_warns_ends_with_minus_1(
    red: RedServer, good_tables: None, tmp_path: Path
) -> None:
    red.query_warehouse("DROP TABLE star.fact_good")
    script = HOST_SCRIPTS / "check_freshness.py"
    result = red.run_host_script(script, "load_check", environment={"WSL_WORKDIR": str(tmp_path)})
    assert (result.status, result.exit_status) == (-1, 0)
    assert result.message.startswith(
        "Age of the newest row: 2 tables to check, 1 not read (1 warning: fact_good was not read. "
    )
