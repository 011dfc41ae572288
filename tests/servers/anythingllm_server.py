"""A stand-in for an AnythingLLM server on loopback: stateful, and strict about what a client may ask.

Sources: AnythingLLM developer API (`/api/docs` of a server); the server's source code, for what it answers in fact.
"""

import json
import random
import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import unquote

from wherescape.testing.api_server import Answer, ApiServer, Request, json_answer

Json = dict[str, Any]

CHATS_PER_PAGE = 20
START = datetime(2026, 1, 5, 10, 5, 0, 123_000, tzinfo=UTC)


@dataclass
class Thread:
    """A conversation in a workspace beside the default one."""

    id: int
    name: str
    slug: str
    user_id: int | None


@dataclass
class Workspace:
    """A workspace; `fields` are those of its settings."""

    id: int
    name: str
    slug: str
    created: datetime
    fields: Json
    threads: list[Thread] = field(default_factory=list)


@dataclass
class Embed:
    """An embed: a chat window in web pages, by the documents of a workspace."""

    id: int
    uuid: str
    workspace_id: int
    created: datetime
    enabled: bool = True
    chat_mode: str = "query"


@dataclass
class EmbedChat:
    """A row of `embed_chats`."""

    id: int
    embed_id: int
    prompt: str
    response: str | None
    session_id: str
    connection_information: str | None
    created: datetime
    include: bool = True


@dataclass
class Chat:
    """A row of `workspace_chats`."""

    id: int
    workspace_id: int
    prompt: str
    response: str
    user_id: int | None
    thread_id: int | None
    api_session_id: str | None
    created: datetime
    include: bool = True
    feedback: bool | None = None


def response_text(text: str = "Hi", **more: Any) -> str:
    """Return the JSON text of an answer, as the server keeps it."""
    metrics = {
        "completion_tokens": 15,
        "prompt_tokens": 812,
        "total_tokens": 827,
        "outputTps": 31.25,
        "duration": 0.48,
        "model": "gpt-4o",
        "provider": "OpenAiLLM",
        "timestamp": "2026-01-05T10:05:00.000Z",
    }
    return json.dumps({"text": text, "type": "chat", "sources": [], "metrics": metrics, **more})


class AnythingLlmServer(ApiServer):
    """An AnythingLLM server; what happens on it is what a test makes happen.

        with AnythingLlmServer() as server:
            embed = server.add_embed(server.add_workspace("Sales"))
            server.add_embed_chat(embed, "Hello")

    It begins empty. Time is that of a test: it passes by a minute with each thing that is made.
    """

    prefix = "/api"

    def __init__(self) -> None:
        super().__init__()
        self.apikey = f"ANYLLM-{secrets.token_hex(12)}"
        self.gives_all_chats = True
        """Whether the list of all chats is given; else 401, as other calls of administrators without users."""
        self.failing: set[str] = set()
        """Tables that the database cannot read, such as `embed_chats`: what they hold is missing from answers."""
        self.most_chats: int | None = None
        """The most chats that a history shows, whatever limit is asked for."""
        self.workspaces: dict[int, Workspace] = {}
        self.embeds: dict[int, Embed] = {}
        self.embed_chats: dict[int, EmbedChat] = {}
        self.chats: dict[int, Chat] = {}
        self.users: dict[int, str] = {}
        self._moment = START
        self._ids = count(1)
        self._order = random.Random(4)

    # --------------------------------------------------------------------------------------------------- what happens

    def add_workspace(self, name: str = "Sales", **fields: Any) -> int:
        """Add a workspace with settings, such as openAiTemp; return its id."""
        with self.lock:
            number = next(self._ids)
            slug = f"{name.lower().replace(' ', '-')}-{number}"
            self.workspaces[number] = Workspace(number, name, slug, self._now(), fields)
            return number

    def delete_workspace(self, workspace_id: int) -> None:
        """Delete a workspace with its embeds; chats of its users stay."""
        with self.lock:
            del self.workspaces[workspace_id]
            for embed in [embed for embed in self.embeds.values() if embed.workspace_id == workspace_id]:
                self.delete_embed(embed.id)

    def add_thread(self, workspace_id: int, name: str = "Thread", user_id: int | None = None) -> int:
        """Add a thread to a workspace; return its id."""
        with self.lock:
            number = next(self._ids)
            self.workspaces[workspace_id].threads.append(Thread(number, name, f"thread-{number}", user_id))
            return number

    def add_user(self, name: str) -> int:
        """Add a user; return the id."""
        with self.lock:
            number = next(self._ids)
            self.users[number] = name
            return number

    def add_embed(self, workspace_id: int, uuid: str = "") -> int:
        """Add an embed to a workspace; return its id."""
        with self.lock:
            number = next(self._ids)
            self.embeds[number] = Embed(number, uuid or f"embed-uuid-{number}", workspace_id, self._now())
            return number

    def delete_embed(self, embed_id: int) -> None:
        """Delete an embed with its chats."""
        with self.lock:
            del self.embeds[embed_id]
            self.embed_chats = {chat.id: chat for chat in self.embed_chats.values() if chat.embed_id != embed_id}

    def add_embed_chat(
        self,
        embed_id: int,
        prompt: str = "Hello",
        response: str | None = response_text(),  # noqa: B008  a text
        *,
        session_id: str = "3f2b9c1e-0001",
        connection: str | None = '{"host": "https://www.example.com", "ip": "203.0.113.7", "username": null}',
    ) -> int:
        """Add a chat with an embed; return its id."""
        with self.lock:
            number = next(self._ids)
            self.embed_chats[number] = EmbedChat(
                number, embed_id, prompt, response, session_id, connection, self._now()
            )
            return number

    def delete_embed_chat(self, chat_id: int) -> None:
        """Delete a chat with an embed."""
        with self.lock:
            del self.embed_chats[chat_id]

    def reset_session(self, session_id: str) -> None:
        """Let a visitor reset a session: its chats stay, and are no longer sent along."""
        with self.lock:
            for chat in self.embed_chats.values():
                chat.include = chat.include and chat.session_id != session_id

    def add_chat(
        self,
        workspace_id: int,
        prompt: str = "Hello",
        response: str = response_text(),  # noqa: B008  a text
        *,
        user_id: int | None = None,
        thread_id: int | None = None,
        api_session_id: str | None = None,
    ) -> int:
        """Add a chat of a user in a workspace; return its id."""
        with self.lock:
            number = next(self._ids)
            self.chats[number] = Chat(
                number, workspace_id, prompt, response, user_id, thread_id, api_session_id, self._now()
            )
            return number

    def delete_chat(self, chat_id: int) -> None:
        """Delete a chat in a workspace."""
        with self.lock:
            del self.chats[chat_id]

    def _now(self) -> datetime:
        self._moment += timedelta(minutes=1)
        return self._moment

    # --------------------------------------------------------------------------------------------------------- answers

    def answer(self, request: Request) -> Answer:
        """Answer one request."""
        if request.headers.get("Authorization") != f"Bearer {self.apikey}":
            return json_answer({"error": "No valid api key found."}, 403)
        match [request.method, *map(unquote, request.path.strip("/").split("/"))]:
            case ["GET", "v1", "auth"]:
                self._check_query(request)
                return json_answer({"authenticated": True})
            case ["GET", "v1", "embed"]:
                self._check_query(request)
                return json_answer({"embeds": self._rows("embed_configs", self.embeds.values(), self._show_embed)})
            case ["GET", "v1", "embed", uuid, "chats"]:
                self._check_query(request)
                return self._list_embed_chats(uuid)
            case ["GET", "v1", "embed", uuid, "chats", session_id]:
                self._check_query(request)
                return self._list_embed_chats(uuid, session_id)
            case ["GET", "v1", "workspaces"]:
                self._check_query(request)
                return json_answer(
                    {"workspaces": self._rows("workspaces", self.workspaces.values(), self._show_workspace)}
                )
            case ["GET", "v1", "workspace", slug, "chats"]:
                return self._list_history(request, slug)
            case ["GET", "v1", "workspace", slug, "thread", thread_slug, "chats"]:
                return self._list_thread(request, slug, thread_slug)
            case ["POST", "v1", "admin", "workspace-chats"]:
                return self._list_all_chats(request)
        raise self.mistake(f"there is no {request.method} {request.path}", Answer(404, "Not Found"))

    def _rows(self, table: str, rows: Collection[Any], show: Callable[[Any], Json]) -> list[Json]:
        """Show rows; none if the database fails, since the server passes over that."""
        return [] if table in self.failing else [show(row) for row in rows]

    # ---------------------------------------------------------------------------------------------------------- embeds

    def _list_embed_chats(self, uuid: str, session_id: str = "") -> Answer:
        """List the chats in any order; an embed that is not there has none."""
        ids = {embed.id for embed in self.embeds.values() if embed.uuid == uuid}
        chats = [
            chat for chat in self.embed_chats.values() if chat.embed_id in ids and session_id in ("", chat.session_id)
        ]
        self._order.shuffle(chats)
        return json_answer({"chats": self._rows("embed_chats", chats, self._show_embed_chat)})

    def _show_embed(self, embed: Embed) -> Json:
        workspace = self.workspaces[embed.workspace_id]
        return {
            "id": embed.id,
            "uuid": embed.uuid,
            "enabled": embed.enabled,
            "chat_mode": embed.chat_mode,
            "createdAt": _iso(embed.created),
            "workspace": {"id": workspace.id, "name": workspace.name},
            "chat_count": sum(chat.embed_id == embed.id for chat in self.embed_chats.values()),
        }

    def _show_embed_chat(self, chat: EmbedChat) -> Json:
        return {
            "id": chat.id,
            "prompt": chat.prompt,
            "response": chat.response,
            "session_id": chat.session_id,
            "include": chat.include,
            "connection_information": chat.connection_information,
            "embed_id": chat.embed_id,
            "usersId": None,
            "createdAt": _iso(chat.created),
        }

    # ------------------------------------------------------------------------------------------------------ workspaces

    def _show_workspace(self, workspace: Workspace) -> Json:
        return {
            "id": workspace.id,
            "name": workspace.name,
            "slug": workspace.slug,
            "createdAt": _iso(workspace.created),
            "openAiTemp": None,
            "openAiHistory": 20,
            "lastUpdatedAt": _iso(workspace.created),
            "openAiPrompt": None,
            **workspace.fields,
            "threads": [
                {"user_id": thread.user_id, "slug": thread.slug, "name": thread.name} for thread in workspace.threads
            ],
        }

    def _list_all_chats(self, request: Request) -> Answer:
        self._check_query(request)
        body = request.body or {}
        offset = body.get("offset", 0)
        is_page = isinstance(offset, int) and not isinstance(offset, bool) and offset >= 0
        if body.keys() - {"offset"} or not is_page:
            raise self.mistake(f"workspace-chats with {body}", Answer(500, "Internal Server Error"))
        if not self.gives_all_chats:
            return Answer(401, "Unauthorized", {"Content-Type": "text/plain"})
        newest_first = sorted(self.chats.values(), key=lambda chat: -chat.id)
        page = newest_first[offset * CHATS_PER_PAGE :][:CHATS_PER_PAGE]
        rows = self._rows("workspace_chats", page, self._show_chat)
        total = 0 if "workspace_chats" in self.failing else len(newest_first)
        return json_answer({"chats": rows, "hasPages": total > (offset + 1) * CHATS_PER_PAGE})

    def _show_chat(self, chat: Chat) -> Json:
        workspace = self.workspaces.get(chat.workspace_id)
        return {
            "id": chat.id,
            "workspaceId": chat.workspace_id,
            "prompt": chat.prompt,
            "response": chat.response,
            "include": chat.include,
            "user_id": chat.user_id,
            "thread_id": chat.thread_id,
            "api_session_id": chat.api_session_id,
            "createdAt": _iso(chat.created),
            "lastUpdatedAt": _iso(chat.created),
            "feedbackScore": chat.feedback,
            "memoryProcessed": None,
            "workspace": {
                "name": workspace.name if workspace else "deleted workspace",
                "slug": workspace.slug if workspace else None,
            },
            "user": {"username": self.users.get(chat.user_id or 0, "unknown user")},
        }

    def _list_history(self, request: Request, slug: str) -> Answer:
        self._check_query(request, {"limit", "orderBy", "apiSessionId"})
        limit, order = request.query.get("limit", "100"), request.query.get("orderBy", "asc")
        if not limit.isdecimal() or not int(limit) or order not in ("asc", "desc"):
            raise self.mistake(f"chats with {dict(request.query)}", Answer(500, "Internal Server Error"))
        workspace = self._workspace_of(slug)
        if workspace is None:
            return Answer(400, "Bad Request", {"Content-Type": "text/plain"})
        session = request.query.get("apiSessionId")
        chats = [
            chat
            for chat in self.chats.values()
            if chat.workspace_id == workspace.id and chat.thread_id is None and chat.api_session_id == session
        ]
        shown = min(int(limit), self.most_chats or int(limit))
        return self._history(chats[::-1] if order == "desc" else chats, shown)

    def _list_thread(self, request: Request, slug: str, thread_slug: str) -> Answer:
        self._check_query(request)
        workspace = self._workspace_of(slug)
        threads = [thread for thread in workspace.threads if thread.slug == thread_slug] if workspace else []
        if not threads:
            return Answer(400, "Bad Request", {"Content-Type": "text/plain"})
        chats = [chat for chat in self.chats.values() if chat.thread_id == threads[0].id]
        return self._history(chats, len(chats))

    def _history(self, chats: list[Chat], limit: int) -> Answer:
        """Show the included chats as two entries each; what holds no text is left out, what is no JSON breaks all."""
        included = [] if "workspace_chats" in self.failing else [chat for chat in chats if chat.include][:limit]
        entries = []
        for chat in included:
            try:
                response = json.loads(chat.response)
            except ValueError:
                return Answer(500, "Internal Server Error", {"Content-Type": "text/plain"})
            if not isinstance(response.get("text"), str):
                continue
            shared = {"chatId": chat.id, "sentAt": int(chat.created.timestamp())}
            entries += [
                {"role": "user", "content": chat.prompt, "attachments": response.get("attachments", []), **shared},
                {
                    "type": response.get("type", "chat"),
                    "role": "assistant",
                    "content": response["text"],
                    "sources": response.get("sources", []),
                    "feedbackScore": chat.feedback,
                    "metrics": response.get("metrics", {}),
                    **shared,
                },
            ]
        return json_answer({"history": entries})

    def _workspace_of(self, slug: str) -> Workspace | None:
        return next((workspace for workspace in self.workspaces.values() if workspace.slug == slug), None)

    def _check_query(self, request: Request, known: Collection[str] = ()) -> None:
        if unknown := request.query.keys() - set(known):
            raise self.mistake(f"{request.path} with {sorted(unknown)}", Answer(400, "Bad Request"))


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
