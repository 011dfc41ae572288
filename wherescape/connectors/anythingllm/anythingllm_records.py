"""AnythingLLM's objects as records of one level, named as in the load tables.

Source: the server's data model (`schema.prisma`) and `utils/helpers/chat/responses.js`: what a model answered is kept
as a JSON text, written by many releases, and by hand now and then.
"""

import json
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from wherescape.api_response import Record
from wherescape.epoch import from_epoch


def flat_embed(embed: Record) -> Record:
    """Return an embed."""
    return {
        **{name: embed.get(name) for name in ("id", "uuid", "enabled", "chat_mode", "chat_count")},
        "created_at": embed.get("createdAt"),
        **_workspace_of(embed, "id", "name"),
    }


def flat_workspace(workspace: Record) -> Record:
    """Return a workspace with its threads."""
    threads = workspace.get("threads")
    return {
        **{name: workspace.get(name) for name in ("id", "name", "slug")},
        "created_at": workspace.get("createdAt"),
        "last_updated_at": workspace.get("lastUpdatedAt"),
        "open_ai_temp": workspace.get("openAiTemp"),
        "open_ai_history": workspace.get("openAiHistory"),
        "open_ai_prompt": workspace.get("openAiPrompt"),
        "threads_count": _count(threads),
        "threads": _text(threads),
    }


def flat_embed_chat(chat: Record, embed: Record, unreadable: Counter[str]) -> Record:
    """Return a chat with an embed.

    Arguments:
        chat: the chat.
        embed: its embed.
        unreadable: counts the JSON texts, by their field, that hold no object.
    """
    connection, _ = _parsed(chat, "connection_information", unreadable)
    return {
        **{name: chat.get(name) for name in ("id", "prompt", "session_id", "include", "embed_id")},
        "user_id": chat.get("usersId"),
        "created_at": chat.get("createdAt"),
        **{f"connection_{name}": _text(connection.get(name)) for name in ("host", "ip", "username")},
        **_answer(*_parsed(chat, "response", unreadable)),
        "embed_uuid": embed.get("uuid"),
        **_workspace_of(embed, "id", "name"),
    }


def flat_workspace_chat(chat: Record, unreadable: Counter[str]) -> Record:
    """Return a chat of the list of all chats.

    Arguments:
        chat: the chat.
        unreadable: counts the JSON texts, by their field, that hold no object.
    """
    return {
        **{name: chat.get(name) for name in ("id", "thread_id", "user_id", "api_session_id", "prompt", "include")},
        "workspace_id": chat.get("workspaceId"),
        **_workspace_of(chat, "name", "slug"),
        "thread_slug": None,
        "user_username": _object(chat.get("user")).get("username"),
        "feedback_score": chat.get("feedbackScore"),
        "created_at": chat.get("createdAt"),
        "last_updated_at": chat.get("lastUpdatedAt"),
        **_answer(*_parsed(chat, "response", unreadable)),
    }


def flat_history(entries: Sequence[Record], workspace: Record, thread: Record | None) -> list[Record]:
    """Return the chats of a thread, of whose prompts and answers the history has an entry each.

    Arguments:
        entries: the history; each entry has a `chatId`.
        workspace: the workspace.
        thread: None for the default one.
    """
    chats: dict[int, dict[str, Record]] = {}
    for entry in entries:
        chats.setdefault(entry["chatId"], {})[str(entry.get("role"))] = entry
    of_thread = thread or {}
    records = []
    for chat_id, roles in chats.items():
        prompt, answer = roles.get("user", {}), roles.get("assistant", {})
        records.append(
            {
                "id": chat_id,
                **{f"workspace_{name}": workspace.get(name) for name in ("id", "name", "slug")},
                "thread_id": None,
                "thread_slug": of_thread.get("slug"),
                "user_id": of_thread.get("user_id"),
                "user_username": None,
                "api_session_id": None,
                "prompt": prompt.get("content"),
                "include": True,
                "feedback_score": answer.get("feedbackScore"),
                "created_at": from_epoch(answer.get("sentAt", prompt.get("sentAt"))),
                "last_updated_at": None,
                **_answer({"attachments": prompt.get("attachments"), **answer, "text": answer.get("content")}),
            }
        )
    return records


def _answer(response: Record, raw: str | None = None) -> Record:
    sources, metrics = response.get("sources"), _object(response.get("metrics"))
    tokens = ("completion_tokens", "prompt_tokens", "total_tokens")
    return {
        "response_text": _text(response.get("text")) if raw is None else raw,
        "response_type": response.get("type"),
        "response_attachments": _text(response.get("attachments")),
        "response_sources": _text(sources),
        "response_sources_count": _count(sources),
        **{f"metrics_{name}": metrics.get(name) for name in tokens},
        "metrics_output_tps": metrics.get("outputTps"),
        **{f"metrics_{name}": metrics.get(name) for name in ("duration", "model", "provider")},
    }


def _parsed(chat: Record, field: str, unreadable: Counter[str]) -> tuple[Record, str | None]:
    """Return the object in a JSON text; an empty one, and what is there instead, if it holds another thing."""
    text = chat.get(field)
    value = text
    if isinstance(text, str):
        with suppress(ValueError, RecursionError):
            value = json.loads(text, parse_constant=_refuse)
    if value is None:
        return {}, None
    if isinstance(value, dict):
        return value, None
    unreadable[field] += 1
    return {}, _text(text)


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _object(value: Any) -> Record:
    return value if isinstance(value, dict) else {}


def _workspace_of(record: Record, *names: str) -> Record:
    workspace = _object(record.get("workspace"))
    return {f"workspace_{name}": workspace.get(name) for name in names}


def _text(value: Any) -> str | None:
    """Return a text as it is, and anything else as JSON."""
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _count(value: Any) -> int | None:
    return len(value) if isinstance(value, list) else None
