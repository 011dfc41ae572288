import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherescape.helper_functions import create_column_names, create_display_names, create_legacy_column_names


@pytest.mark.parametrize(
    ("display_names", "columns"),
    [
        ([], []),
        (["Created at", "Web URL"], ["created_at", "web_url"]),
        (["Größe (cm)", "Имя", "名前"], ["grosse_cm", "imia", "ming_qian"]),
        (["Name", "", "--", "😀"], ["name", "column_002", "column_003", "column_004"]),
        (["2024", "1st place"], ["column_2024", "column_1st_place"]),
        (["x" * 80], ["x" * 59]),
        (["x" * 80, "x" * 90], ["x" * 59, "x" * 55 + "_002"]),
        (["Name", "Id", "name"], ["name", "id", "name_003"]),
        (["Name", "name", "Name_002"], ["name", "name_003", "name_002"]),
        (["Column 002", ""], ["column_002", "column_003"]),
        (["", "", "Column 002"], ["column_001", "column_003", "column_002"]),
    ],
)
def test_column_names(display_names: list[str], columns: list[str]) -> None:
    assert create_column_names(display_names) == columns


@given(st.lists(st.text(max_size=70) | st.sampled_from(["Name", "name", "Name_002", "", "Column 002", "x" * 80])))
def test_every_column_name_is_valid_and_occurs_once(display_names: list[str]) -> None:
    columns = create_column_names(display_names)
    assert len(set(columns)) == len(display_names)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]{0,58}", column) for column in columns)


def test_a_new_column_in_front_renames_no_first_occurrence() -> None:
    assert create_column_names(["Type", "Id", "Name", "Id"])[:3] == ["type", "id", "name"]
    assert create_column_names(["New", "Type", "Id", "Name", "Id"])[1:4] == ["type", "id", "name"]


def test_legacy_column_names_are_all_numbered() -> None:
    assert create_legacy_column_names(["Name", "name", "", "x" * 80]) == [
        "name_001",
        "name_002",
        "column_003",
        "x" * 55 + "_004",
    ]


@given(st.lists(st.text(max_size=70) | st.sampled_from(["Name", "Name_002", "x" * 80])))
def test_every_legacy_column_name_is_valid_and_occurs_once(display_names: list[str]) -> None:
    columns = create_legacy_column_names(display_names)
    assert len(set(columns)) == len(display_names)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]{0,58}", column) for column in columns)


def test_display_names() -> None:
    assert create_display_names(["created_at", "web_URL", "id", ""]) == ["Created at", "Web URL", "Id", ""]
