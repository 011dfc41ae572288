"""The UI configuration of an API connection: what RED hands on is what host scripts read."""

import json
from pathlib import Path
from typing import Any

import pytest

from wherescape import WhereScape

PATH = Path(__file__).parent.parent / "host_scripts" / "api_connection.uiconfig"
CONFIGURATION: dict[str, Any] = json.loads(PATH.read_text("utf-8"))
FIELDS: dict[str, dict[str, Any]] = {field["name"]: field for field in CONFIGURATION["uiConfigFields"]}


@pytest.mark.parametrize("rename", [str.upper, str.lower], ids=["upper", "lower"])
def test_its_fields_are_what_a_connector_reads(rename: Any) -> None:
    variables = {f"WSL_SRCCFG_{rename(name)}": f"the {name}" for name, field in FIELDS.items()}
    wherescape = WhereScape(variables)
    read = wherescape.source_base_url, wherescape.source_user, wherescape.source_apikey
    assert read == ("the URL", "the USER", "the APIKEY")
    assert all(field["setEnvVarForScripts"] is True for field in FIELDS.values())


def test_the_key_is_hidden_encrypted_and_undocumented() -> None:
    key = FIELDS["APIKEY"]
    assert (key["masked"], key["encryption"], key["documentation"]) == (True, "wherescape", False)
    assert not key["textBoxSettings"]["default"]


# The keys and words of RED's UI configurations: RED, "UI Configurations"; 3D, "Field Configuration JSON".
HIDDEN_OR_SHOWN = {
    "administratorUserID",
    "administratorUserPassword",
    "databaseID",
    "databaseType",
    "dbServerHomeDirectory",
    "defaultSchemaForBrowsing",
    "extractUserID",
    "extractUserPassword",
    "odbcDataSourceName",
    "windowsHostName",
    "windowsUser",
    "windowsUserPassword",
    "workDirectory",
}
FIELD = {"name", "displayName", "description", "type", "required", "masked", "encryption", "setEnvVarForScripts"} | {
    *("page", "group", "order", "documentation", "textBoxSettings")
}


def test_it_has_the_keys_that_red_knows() -> None:
    assert CONFIGURATION["uiConfigType"] == "ConnectionProperties"
    connection = CONFIGURATION["ConnectionProperties"]
    assert connection["connectionPropertiesType"] == "Source"
    assert {*connection["whereScapeFieldVisibility"]} == HIDDEN_OR_SHOWN
    for number, field in enumerate(CONFIGURATION["uiConfigFields"], 1):
        assert {*field} == FIELD
        assert (field["type"], field["page"], field["order"]) == ("textBox", "Properties", number)
        assert {*field["textBoxSettings"]} == {"default", "length", "multiLineEdit"}
        assert field["encryption"] in ("none", "wherescape", "external")
