"""AnythingLLM's load tables, declared once for their metadata, their load and the README.

Source of the fields: AnythingLLM developer API and the server's own data model (`schema.prisma`).
"""

from collections.abc import Sequence
from dataclasses import replace

from wherescape.errors import DeclarationError
from wherescape.tables import Column, Mask, Table, find_table


def _personal(name: str, display_name: str, comment: str, *, level: str = "HIGH") -> Column:
    return Column(name, "text", f"{display_name} [GDPR_{level}]", comment, mask="fixed")


_ANSWER = (
    _personal("response_text", "Response text", "Answer; what came in its place if that was no JSON object."),
    Column("response_type", "text", comment="How it was answered, such as chat or query."),
    _personal("response_attachments", "Response attachments", "Files that came with the prompt: a JSON list."),
    _personal("response_sources", "Response sources", "Pieces of documents behind the answer: a JSON list."),
    Column("response_sources_count", "integer", comment="How many pieces of documents are behind the answer."),
    Column("metrics_completion_tokens", "integer", comment="Tokens of the answer."),
    Column("metrics_prompt_tokens", "integer", comment="Tokens of the prompt, with all that was sent along."),
    Column("metrics_total_tokens", "integer", comment="Tokens of both."),
    Column("metrics_output_tps", "numeric", "Metrics output TPS", "Tokens of the answer a second."),
    Column("metrics_duration", "numeric", comment="How long the answer took, in seconds."),
)
_MODEL = (
    Column("metrics_model", "text", comment="Language model."),
    Column("metrics_provider", "text", comment="Who runs the language model."),
)

EMBED_CHATS = Table(
    kind="chat",
    record_source="AnythingLLM api - chats",
    key=("id",),
    columns=(
        Column("id", "bigint", comment="Chat id."),
        _personal("prompt", "Prompt", "What the visitor asked."),
        _personal("session_id", "Session id", "The visitor's session.", level="MEDIUM"),
        Column("include", "boolean", comment="False once the visitor has reset the session."),
        Column("embed_id", "integer", comment="Embed: id."),
        Column("user_id", "integer", comment="User: id; AnythingLLM leaves it null."),
        Column("created_at", "timestamp", comment="When the answer was given, UTC."),
        _personal("connection_host", "Connection host", "Page that the embed is on.", level="MEDIUM"),
        _personal("connection_ip", "Connection IP", "The visitor's IP address."),
        _personal("connection_username", "Connection username", "Name that the page gave the visitor."),
        *_ANSWER,
        Column("embed_uuid", "text", "Embed UUID", "Embed: uuid."),
        Column("workspace_id", "integer", comment="Workspace of the embed: id."),
        Column("workspace_name", "text", comment="Workspace of the embed: name."),
        *_MODEL,
    ),
)

EMBEDS = Table(
    kind="embed",
    record_source="AnythingLLM api - embeds",
    key=("id",),
    columns=(
        Column("id", "integer", comment="Embed id."),
        Column("uuid", "text", "UUID", "Name of the embed in web pages and in the API."),
        Column("enabled", "boolean", comment="Whether it answers."),
        Column("chat_mode", "text", comment="chat or query (from documents only)."),
        Column("created_at", "timestamp", comment="When it was made, UTC."),
        Column("workspace_id", "integer", comment="Workspace: id."),
        Column("workspace_name", "text", comment="Workspace: name."),
        Column("chat_count", "integer", comment="How many chats it has."),
    ),
)

WORKSPACES = Table(
    kind="workspace",
    record_source="AnythingLLM api - workspaces",
    key=("id",),
    columns=(
        Column("id", "integer", comment="Workspace id."),
        Column("name", "text", comment="Name."),
        Column("slug", "text", comment="Name in addresses; the same for good."),
        Column("created_at", "timestamp", comment="When it was made, UTC."),
        Column("last_updated_at", "timestamp", comment="When its settings were last changed, UTC."),
        Column("open_ai_temp", "numeric", "Temperature", "Temperature of the language model; null for the default."),
        Column("open_ai_history", "integer", "History length", "How many earlier chats are sent along."),
        Column("open_ai_prompt", "text", "System prompt", "System prompt; null for the default."),
        Column("threads_count", "integer", comment="How many threads it has beside the default one."),
        _personal("threads", "Threads", "Threads, with their names and users' ids: a JSON list.", level="MEDIUM"),
    ),
)

WORKSPACE_CHATS = Table(
    kind="workspace_chat",
    record_source="AnythingLLM api - workspace chats",
    key=("id",),
    columns=(
        Column("id", "bigint", comment="Chat id."),
        Column("workspace_id", "integer", comment="Workspace: id."),
        Column("workspace_name", "text", comment="Workspace: name; `deleted workspace` if it is gone."),
        Column("workspace_slug", "text", comment="Workspace: name in addresses; null if it is gone."),
        Column("thread_id", "integer", comment="Thread: id; null in the default one, and with `by_workspace`."),
        Column("thread_slug", "text", comment="Thread: name in addresses; with `by_workspace` only."),
        Column("user_id", "integer", comment="User: id; null without users. With `by_workspace` the thread's owner."),
        _personal("user_username", "User username", "User: name; `unknown user` if there is none."),
        _personal("api_session_id", "API session id", "Session, for chats by way of the API.", level="MEDIUM"),
        _personal("prompt", "Prompt", "What the user asked."),
        Column("include", "boolean", comment="False once the user has reset the conversation."),
        Column("feedback_score", "boolean", comment="Thumb up (true) or down (false); null without one."),
        Column("created_at", "timestamp", comment="When the answer was given, UTC."),
        Column("last_updated_at", "timestamp", comment="When the chat was last changed, UTC."),
        *_ANSWER,
        *_MODEL,
    ),
)

TABLES = (EMBED_CHATS, EMBEDS, WORKSPACES, WORKSPACE_CHATS)

_OTHER_NAME_OF_CHATS = replace(EMBED_CHATS, kind="embed_chat")


def table_for(name: str) -> Table:
    """Return the declaration for a load table, by the longest kind that its name contains.

    A table of `embed_chat` holds chats, as one of `chat` does, rather than embeds.

    Raises:
        UnknownTableKind: the name contains no kind; the error lists them.
    """
    table = find_table(name, (*TABLES, _OTHER_NAME_OF_CHATS), "AnythingLLM")
    return EMBED_CHATS if table is _OTHER_NAME_OF_CHATS else table


def with_masks(table: Table, unmasked: Sequence[str] | str = (), hashed: Sequence[str] | str = ()) -> Table:
    """Return a declaration with some of its masks changed.

    Arguments:
        table: one of `TABLES`; its personal data are masked by a fixed text.
        unmasked: columns to store as they are.
        hashed: columns to store as a keyed hash.

    Raises:
        DeclarationError: a name is that of no masked column, or is in both.
    """
    plain, hashes = _names(unmasked), _names(hashed)
    masked = [column.name for column in table.columns if column.mask]
    for argument, names in (("unmasked", plain), ("hashed", hashes)):
        if unknown := [name for name in names if name not in masked]:
            choice = f"choose among {', '.join(masked)}" if masked else "it has none"
            raise DeclarationError(
                f"The argument {argument} names {', '.join(unknown)}, which is no masked column of {table.kind};"
                f" {choice}."
            )
    if both := [name for name in plain if name in hashes]:
        raise DeclarationError(f"Both unmasked and hashed name {', '.join(both)}. Leave one of them out.")
    masks: dict[str, Mask] = {**dict.fromkeys(plain, ""), **dict.fromkeys(hashes, "hash")}
    return replace(
        table, columns=tuple(replace(column, mask=masks.get(column.name, column.mask)) for column in table.columns)
    )


def _names(names: Sequence[str] | str) -> list[str]:
    return [names] if isinstance(names, str) else list(names)
