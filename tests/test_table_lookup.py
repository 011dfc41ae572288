"""get_columns, object_key and the file fields: what RED knows of the table that a script works for."""

from collections.abc import Mapping

import pytest

from wherescape import Column, Table, WhereScape
from wherescape.errors import EnvironmentVariableError, TableNotRegistered
from wherescape.sandbox.red_server import RedServer

ITEMS = Table(
    kind="item",
    columns=(
        Column("id", "bigint", comment="The item's key."),
        Column("order", "numeric", comment="It's a reserved word."),
        Column("made_at", "timestamp"),
        Column("done", "boolean"),
        Column("extra", "json", source="additional"),
    ),
    key=("id",),
    record_source="items api",
)


def test_a_load_table_is_found_with_its_file_fields(clean_red: RedServer) -> None:
    key = clean_red.register_load_table("load_item", file_path="https://api.example.com", file_name="--all")
    wherescape = WhereScape(clean_red.environment("load_item"))
    assert wherescape.object_key == key
    assert (wherescape.file_path, wherescape.file_name) == ("https://api.example.com", "--all")


def test_names_are_found_whatever_their_case(clean_red: RedServer) -> None:
    key = clean_red.register_load_table("load_item")
    assert WhereScape(clean_red.environment("LOAD_ITEM")).object_key == key


def test_columns_come_in_column_order(clean_red: RedServer) -> None:
    clean_red.register_load_table("load_item")
    wherescape = WhereScape(clean_red.environment("load_item"))
    wherescape.create_metadata(ITEMS)
    assert wherescape.get_columns() == (
        ["id", "order", "made_at", "done", "extra", "dss_record_source", "dss_load_date"],
        ["bigint", "numeric", "timestamp", "boolean", "text", "varchar(256)", "timestamp"],
    )


def test_a_stage_table_is_found_too(clean_red: RedServer) -> None:
    [(key,)] = clean_red.query_repository(
        "INSERT INTO red.ws_obj_object (oo_name, oo_type_key) VALUES ('stage_item', 7) RETURNING oo_obj_key"
    )
    clean_red.query_repository(
        "INSERT INTO red.ws_stage_tab (st_obj_key, st_table_name) VALUES (?, 'stage_item') RETURNING 1", (key,)
    )
    clean_red.query_repository(
        "INSERT INTO red.ws_stage_col (sc_obj_key, sc_col_name, sc_data_type, sc_order)"
        " VALUES (?, 'b', 'text', 20), (?, 'a', 'integer', 10) RETURNING 1",
        (key, key),
    )
    wherescape = WhereScape(clean_red.environment("stage_item", schema="stage"))
    assert wherescape.object_key == key
    assert wherescape.get_columns() == (["a", "b"], ["integer", "text"])
    assert (wherescape.file_path, wherescape.file_name) == ("", "")
    with pytest.raises(TableNotRegistered, match="stage table"):
        wherescape.create_metadata(ITEMS)


def test_a_table_that_red_does_not_know_is_named(clean_red: RedServer) -> None:
    with pytest.raises(TableNotRegistered, match="'load_nothing'"):
        _ = WhereScape(clean_red.environment("load_nothing")).object_key


def test_a_script_without_a_load_table_is_told_so(clean_red: RedServer) -> None:
    with pytest.raises(TableNotRegistered, match="WSL_LOAD_TABLE"):
        WhereScape(clean_red.environment()).get_columns()


MEMBERS: Mapping[str, object] = {
    "sequence": 12,
    "job_key": 3,
    "job_name": "Nightly",
    "task_key": 4,
    "task_name": "load_item",
    "table": "load_item",
    "schema": "load",
    "load_full_name": "load.load_item",
    "source_base_url": "https://api.example.com",
    "source_user": "robot",
    "source_apikey": "key-1234",
    "common_input_parameter_list": [12, "Nightly", "load_item", 3, 4],
    "main_message": "",
}


@pytest.mark.parametrize("member", MEMBERS)
def test_members_come_from_the_environment(member: str) -> None:
    wherescape = WhereScape(
        {
            "WSL_SEQUENCE": "12",
            "WSL_JOB_KEY": "3",
            "WSL_JOB_NAME": "Nightly",
            "WSL_TASK_KEY": "4",
            "WSL_TASK_NAME": "load_item",
            "WSL_LOAD_TABLE": "load_item",
            "WSL_LOAD_SCHEMA": "load.",
            "WSL_LOAD_FULLNAME": "load.load_item",
            "WSL_SRCCFG_url": "https://api.example.com",
            "WSL_SRCCFG_user": "robot",
            "WSL_SRCCFG_apikey": "key-1234",
        }
    )
    assert getattr(wherescape, member) == MEMBERS[member]


def test_the_full_name_is_made_where_red_gives_none() -> None:
    assert WhereScape({"WSL_LOAD_TABLE": "t", "WSL_LOAD_SCHEMA": "load."}).load_full_name == "load.t"


def test_a_member_that_needs_a_missing_variable_names_it() -> None:
    with pytest.raises(EnvironmentVariableError, match="WSL_WORKDIR"):
        _ = WhereScape({}).workdir
