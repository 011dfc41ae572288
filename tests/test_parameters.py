"""read_parameter and write_parameter on the stand-in repository."""

from collections.abc import Iterator

import pytest

from wherescape import WhereScape
from wherescape.errors import ParameterTooLong
from wherescape.redaction import redact
from wherescape.sandbox.red_server import RedServer


@pytest.fixture
def wherescape(clean_red: RedServer) -> Iterator[WhereScape]:
    made = WhereScape(clean_red.environment("load_item"))
    yield made
    made.close()


def test_a_parameter_that_does_not_exist_reads_as_an_empty_text(wherescape: WhereScape) -> None:
    assert wherescape.read_parameter("nope") == ""
    assert wherescape.read_parameter("nope", include_comment=True) == ("", "")


def test_writing_adds_and_then_updates(wherescape: WhereScape) -> None:
    assert wherescape.write_parameter("mark", "1", "how far") == 2
    assert wherescape.write_parameter("mark", "2") == 1
    assert wherescape.read_parameter("mark", include_comment=True) == ("2", "how far")


def test_a_comment_can_be_replaced(wherescape: WhereScape) -> None:
    wherescape.write_parameter("mark", "1", "old")
    wherescape.write_parameter("mark", "1", "new")
    assert wherescape.read_parameter("mark", include_comment=True) == ("1", "new")


def test_the_case_of_a_name_matters(wherescape: WhereScape) -> None:
    wherescape.write_parameter("Mark", "upper")
    assert wherescape.read_parameter("mark") == ""


@pytest.mark.parametrize("value", ["", "é😀 'quoted' \\ back", "x" * 2_000])
def test_values_come_back_as_they_were_written(wherescape: WhereScape, value: str) -> None:
    wherescape.write_parameter("value", value)
    assert wherescape.read_parameter("value") == value


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [("n" * 65, "v", "65 characters; RED keeps 64"), ("n", "v" * 2_001, "2,001 characters")],
)
def test_what_does_not_fit_is_refused_before_anything_is_sent(name: str, value: str, match: str) -> None:
    wherescape = WhereScape({"WSL_META_DSN": "there is no such data source", "WSL_META_SCHEMA": "red."})
    with pytest.raises(ParameterTooLong, match=match):
        wherescape.write_parameter(name, value)


def test_the_value_of_a_token_parameter_is_masked_from_then_on(wherescape: WhereScape) -> None:
    wherescape.write_parameter("gitlab_access_token", "glpat-very-secret")
    assert wherescape.read_parameter("gitlab_access_token") == "glpat-very-secret"
    assert redact("it was glpat-very-secret") == "it was ***"


PROCEDURES = """
DROP FUNCTION {read};
CREATE PROCEDURE red."Ws_Parameter_Read"(p_parameter varchar, OUT p_value varchar, OUT p_comment varchar)
LANGUAGE sql AS $$ SELECT dss_parameter_value, 'by a procedure' FROM red.dss_parameter
                   WHERE dss_parameter_name = p_parameter $$;
DROP FUNCTION {write};
CREATE PROCEDURE red.ws_parameter_write(p_parameter varchar, p_value varchar, p_comment varchar, OUT p_result integer)
LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO red.dss_parameter (dss_parameter_name, dss_parameter_value) VALUES (p_parameter, p_value);
    p_result := 2;
END $$;
"""


def test_routines_may_be_procedures_and_spelt_with_underscores(wherescape: WhereScape, clean_red: RedServer) -> None:
    rows = clean_red.query_repository(
        "SELECT lower(proname), CAST(CAST(oid AS regprocedure) AS text) FROM pg_proc"
        " WHERE lower(proname) IN ('wsparameterread', 'wsparameterwrite')"
    )
    signatures = {row[0]: row[1] for row in rows}
    read, write = signatures["wsparameterread"], signatures["wsparameterwrite"]
    clean_red.query_repository(PROCEDURES.format(read=read, write=write))
    assert wherescape.write_parameter("mark", "1") == 2
    assert wherescape.read_parameter("mark", include_comment=True) == ("1", "by a procedure")
