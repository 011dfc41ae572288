"""The declared tables: what warehouses in use have, what is behind it, and what is masked."""

import pytest

from wherescape.connectors.anythingllm.anythingllm_tables import (
    EMBED_CHATS,
    EMBEDS,
    TABLES,
    WORKSPACE_CHATS,
    WORKSPACES,
    table_for,
    with_masks,
)
from wherescape.errors import DeclarationError, UnknownTableKind
from wherescape.tables import Table

# What the load tables of warehouses in use look like.
COLUMNS_IN_USE = """id bigint, prompt text, session_id text, include boolean, embed_id integer, user_id integer,
    created_at timestamp, connection_host text, connection_ip text, connection_username text, response_text text,
    response_type text, response_attachments text, response_sources text, response_sources_count integer,
    metrics_completion_tokens integer, metrics_prompt_tokens integer, metrics_total_tokens integer,
    metrics_output_tps numeric, metrics_duration numeric"""

MASKED = {
    "chat": """prompt session_id connection_host connection_ip connection_username response_text response_attachments
        response_sources""",
    "embed": "",
    "workspace": "threads",
    "workspace_chat": "user_username api_session_id prompt response_text response_attachments response_sources",
}


def masked(table: Table) -> list[str]:
    return [column.name for column in table.columns if column.mask]


def test_the_columns_of_tables_in_use_come_first() -> None:
    expected = [tuple(column.split()) for column in COLUMNS_IN_USE.split(",")]
    first = EMBED_CHATS.columns[: len(expected)]
    assert [(column.name, column.data_type) for column in first] == expected
    assert EMBED_CHATS.record_source == "AnythingLLM api - chats"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.kind)
def test_every_column_is_explained(table: Table) -> None:
    assert all(column.comment.endswith(".") for column in table.columns)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.kind)
def test_personal_data_are_masked_and_labelled(table: Table) -> None:
    assert masked(table) == MASKED[table.kind].split()
    labelled = [column.name for column in table.columns if "[GDPR_" in column.display_name]
    assert labelled == masked(table)
    assert all(
        column.display_name.endswith(("[GDPR_HIGH]", "[GDPR_MEDIUM]")) for column in table.columns if column.mask
    )


def test_each_mask_has_a_switch_of_its_own() -> None:
    for name in masked(EMBED_CHATS):
        others = [other for other in masked(EMBED_CHATS) if other != name]
        assert masked(with_masks(EMBED_CHATS, unmasked=[name])) == others
        assert masked(with_masks(EMBED_CHATS, unmasked=name)) == others
        hashed = with_masks(EMBED_CHATS, hashed=[name])
        assert [column.name for column in hashed.columns if column.mask == "hash"] == [name]
        assert masked(hashed) == masked(EMBED_CHATS)
    assert with_masks(EMBEDS) == EMBEDS


def test_the_label_stays_without_the_mask() -> None:
    labels = [column.display_name for column in EMBED_CHATS.columns]
    table = with_masks(EMBED_CHATS, unmasked=masked(EMBED_CHATS))
    assert masked(table) == [] and [column.display_name for column in table.columns] == labels


@pytest.mark.parametrize(
    ("table", "unmasked", "hashed", "message"),
    [
        (EMBED_CHATS, ["prompt", "promt"], [], "unmasked names promt, .* of chat; choose among prompt, session_id"),
        (EMBED_CHATS, "response", "", "unmasked names response"),
        (EMBED_CHATS, [], ["embed_id"], "hashed names embed_id"),
        (EMBEDS, ["prompt"], [], "no masked column of embed; it has none"),
        (WORKSPACE_CHATS, [], ["session_id"], "choose among user_username, api_session_id"),
        (EMBED_CHATS, ["prompt", "session_id"], ["session_id"], "Both unmasked and hashed name session_id"),
    ],
)
def test_a_switch_without_a_mask_is_an_error(
    table: Table, unmasked: list[str] | str, hashed: list[str] | str, message: str
) -> None:
    with pytest.raises(DeclarationError, match=message):
        with_masks(table, unmasked, hashed)


@pytest.mark.parametrize(
    ("load_table", "table"),
    [
        ("load_anythingllm_chat", EMBED_CHATS),
        ("load_anythingllm_chats", EMBED_CHATS),
        ("LOAD_ANYTHINGLLM_EMBED_CHATS", EMBED_CHATS),
        ("load_anythingllm_embed", EMBEDS),
        ("load_embeds", EMBEDS),
        ("load_anythingllm_workspace", WORKSPACES),
        ("load_anythingllm_workspaces", WORKSPACES),
        ("load_anythingllm_workspace_chat", WORKSPACE_CHATS),
        ("load_workspace_chats", WORKSPACE_CHATS),
    ],
)
def test_the_load_tables_name_tells_what_to_load(load_table: str, table: Table) -> None:
    assert table_for(load_table) is table


@pytest.mark.parametrize("load_table", ["load_anythingllm", "load_customer", ""])
def test_an_unknown_kind_lists_the_known_ones(load_table: str) -> None:
    known = "chat, embed, embed_chat, workspace, workspace_chat"
    with pytest.raises(UnknownTableKind, match=f"from AnythingLLM: it must contain one of {known}"):
        table_for(load_table)
