import json
from functools import reduce
from operator import getitem
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherescape.errors import DeclarationError
from wherescape.helper_functions import fill_out_empty_keys, filter_dict, flatten_json

scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
plain_keys = st.text("abc", min_size=1, max_size=3)
objects_without_lists = st.recursive(
    st.dictionaries(plain_keys, scalars), lambda children: st.dictionaries(plain_keys, children | scalars)
)
objects = st.recursive(
    st.dictionaries(plain_keys, scalars),
    lambda children: st.dictionaries(plain_keys, children | st.lists(children | scalars, max_size=3) | scalars),
)


@pytest.mark.parametrize(
    ("nested", "flat"),
    [
        ({}, {}),
        (
            {"id": 1, "author": {"name": "Ann", "team": {"id": 2}}},
            {"id": 1, "author_name": "Ann", "author_team_id": 2},
        ),
        ({"a": None, "b": False, "c": 0, "d": "", "e": 1.5}, {"a": None, "b": False, "c": 0, "d": "", "e": 1.5}),
        ({"author": {}}, {"author": None}),
    ],
)
def test_objects_become_one_level(nested: dict[str, object], flat: dict[str, object]) -> None:
    assert flatten_json(nested) == flat


@pytest.mark.parametrize(
    ("value", "flat"),
    [
        (["a", "b"], {"x": "a, b"}),
        ([1, True, None, "é"], {"x": "1, true, , é"}),
        ([], {"x": None}),
        ([{}], {"x": None}),
        ([{"id": 1, "name": "a"}, {"id": 2}], {"x_id": "1, 2", "x_name": "a, "}),
        ([{"id": 1, "user": {"name": "é"}}], {"x_id": "1", "x_user": '{"name": "é"}'}),
        ([["a"], ["b", {"c": None}]], {"x": '[["a"], ["b", {"c": null}]]'}),
        (["a", {"b": 1}], {"x": '["a", {"b": 1}]'}),
    ],
)
def test_lists_become_text(value: list[object], flat: dict[str, object]) -> None:
    assert flatten_json({"x": value}) == flat


@pytest.mark.parametrize(
    ("value", "flat"),
    [
        (["a", "b"], {"x_0": "a", "x_1": "b"}),
        ([{"id": 1}, {"id": 2, "tags": ["t"]}], {"x_0_id": 1, "x_1_id": 2, "x_1_tags_0": "t"}),
        ([], {"x": None}),
    ],
)
def test_legacy_lists_are_numbered(value: list[object], flat: dict[str, object]) -> None:
    assert flatten_json({"x": value}, legacy_list_handling=True) == flat


def test_a_skipped_name_is_no_part_of_the_names_below_it() -> None:
    issue = {"id": "1", "fields": {"summary": "s", "status": {"name": "open"}}}
    assert flatten_json(issue, name_to_skip="fields") == {"id": "1", "summary": "s", "status_name": "open"}


def test_a_skipped_name_without_anything_below_it_stays() -> None:
    assert flatten_json({"id": "1", "fields": None}, name_to_skip="fields") == {"id": "1", "fields": None}


@pytest.mark.parametrize(
    ("nested", "name_to_skip", "paths"),
    [
        ({"a": {"b_c": 1}, "a_b": {"c": 2}}, None, ("'a.b_c'", "'a_b.c'", "'a_b_c'")),
        ({"id": 1, "fields": {"id": 2}}, "fields", ("'id'", "'fields.id'")),
        ({"x": [{"a": 1}], "x_a": 2}, None, ("'x.a'", "'x_a'")),
    ],
)
def test_two_values_with_one_name_are_an_error(
    nested: dict[str, object], name_to_skip: str | None, paths: tuple[str, ...]
) -> None:
    with pytest.raises(DeclarationError) as error:
        flatten_json(nested, name_to_skip)
    assert all(path in str(error.value) for path in paths)


@given(objects_without_lists)
def test_no_value_is_lost_or_changed(nested: dict[str, Any]) -> None:
    flat = flatten_json(nested)
    for name, value in flat.items():
        original = reduce(getitem, name.split("_"), nested)
        assert value == (None if original == {} else original)
    assert len(flat) == _count_leaves(nested)


@given(objects)
def test_a_flat_record_holds_scalars_only_and_the_input_stays_as_it_is(nested: dict[str, Any]) -> None:
    before = json.dumps(nested)
    flat = flatten_json(nested)
    assert not any(isinstance(value, (dict, list)) for value in flat.values())
    assert json.dumps(nested) == before


def _count_leaves(nested: dict[str, Any]) -> int:
    return sum(_count_leaves(value) or 1 if isinstance(value, dict) else 1 for value in nested.values())


def test_filter_keeps_the_order_of_the_record() -> None:
    assert filter_dict({"a": 1, "b": None, "c": 3}, ["c", "b", "d"]) == {"b": None, "c": 3}


def test_filling_out_gives_all_keys_in_order() -> None:
    assert fill_out_empty_keys({"b": 1, "c": 2}, ["a", "b"]) == {"a": None, "b": 1}


def test_filling_out_takes_missing_and_null_values_from_overwrite() -> None:
    record = {"a": None, "b": 0, "c": ""}
    overwrite = {"a": 1, "b": 2, "c": 3, "d": 4}
    assert fill_out_empty_keys(record, ["a", "b", "c", "d"], overwrite) == {"a": 1, "b": 0, "c": "", "d": 4}
