"""The WSL_* variables: names, tokens, trailing dots and separators, and what a missing one says."""

from pathlib import Path

import pytest

from wherescape.environment import Environment, directory
from wherescape.errors import EnvironmentVariableError


@pytest.mark.parametrize("name", ["WSL_SRCCFG_url", "WSL_SRCCFG_URL", "wsl_srccfg_Url"])
def test_names_are_found_in_any_case(name: str) -> None:
    assert Environment({name: "https://api.example.com"}).get("WSL_SRCCFG_URL") == "https://api.example.com"


def test_upper_case_wins_where_names_differ_in_case_only() -> None:
    assert Environment({"WSL_SRCCFG_url": "a", "WSL_SRCCFG_URL": "b"}).get("WSL_SRCCFG_url") == "b"


def test_other_variables_are_ignored() -> None:
    assert Environment({"HOME": "/root"}).get("HOME") == ""


def test_a_token_that_red_left_unreplaced_counts_as_missing() -> None:
    environment = Environment({"WSL_SRCCFG_APIKEY": "$WSL_SRCCFG_apikey$"})
    assert environment.get("WSL_SRCCFG_APIKEY") == ""
    with pytest.raises(EnvironmentVariableError, match="the access token of the API"):
        environment.require("WSL_SRCCFG_APIKEY")


@pytest.mark.parametrize(("value", "schema"), [("red.", "red"), ("red", "red"), ("dbo.", "dbo"), ("", "dbo")])
def test_the_repository_schema_may_end_with_a_dot(value: str, schema: str) -> None:
    assert Environment({"WSL_META_SCHEMA": value}).metabase == schema


@pytest.mark.parametrize("value", ["load", "load."])
def test_the_load_schema_may_end_with_a_dot(value: str) -> None:
    assert Environment({"WSL_LOAD_SCHEMA": value}).load_schema == "load"


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("/srv/red", "/srv/red"),
        ("/srv/red/", "/srv/red"),
        ("C:\\Work\\Dev1\\", "C:\\Work\\Dev1"),
        ("C:\\Work\\Dev1", "C:\\Work\\Dev1"),
        ("C:\\", "C:\\"),
        ("/", "/"),
    ],
)
def test_the_work_folder_may_end_with_a_separator_of_either_kind(value: str, path: str) -> None:
    assert directory(value) == Path(path)
    assert Environment({"WSL_WORKDIR": value}).workdir == Path(path)


def test_a_missing_variable_says_what_it_is_for_and_how_to_set_it_locally() -> None:
    with pytest.raises(EnvironmentVariableError) as caught:
        Environment({}).login("target", "WSL_TGT")
    message = str(caught.value)
    assert "WSL_TGT_DSN" in message
    assert "the warehouse" in message
    assert "ws_env_template.py" in message and "setup_env()" in message
    assert len(message) <= 256  # what RED shows


def test_a_key_that_is_no_number_is_named_with_its_value() -> None:
    with pytest.raises(EnvironmentVariableError, match="WSL_SEQUENCE is 'abc'"):
        Environment({"WSL_SEQUENCE": "abc"}).number("WSL_SEQUENCE")


@pytest.mark.parametrize(
    ("job_key", "job_name", "interactive"), [("0", "Develop", True), ("0", "Nightly", False), ("7", "Develop", False)]
)
def test_a_run_from_the_user_interface_is_told_by_job_key_and_name(
    job_key: str, job_name: str, interactive: bool
) -> None:
    environment = Environment({"WSL_JOB_KEY": job_key, "WSL_JOB_NAME": job_name})
    assert environment.is_interactive is interactive


def test_a_password_is_not_shown_by_a_login() -> None:
    login = Environment({"WSL_TGT_DSN": "x", "WSL_TGT_PWD": "hunter22"}).login("target", "WSL_TGT")
    assert "hunter22" not in repr(login)
