"""Reads an AnythingLLM server through its developer API; knows nothing of WhereScape."""

import logging
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from wherescape.api_client import ApiClient
from wherescape.api_response import Record
from wherescape.api_source import ApiSource, checked_address
from wherescape.connectors.anythingllm.anythingllm_records import (
    flat_embed,
    flat_embed_chat,
    flat_history,
    flat_workspace,
    flat_workspace_chat,
)
from wherescape.errors import ApiAnswerInvalid, ApiRefused, DeclarationError
from wherescape.redaction import add_secret

logger = logging.getLogger(__name__)

EXAMPLE = "https://anythingllm.example.com"
ALL_CHATS = "v1/admin/workspace-chats"
# The server puts all rows of a list together before it sends the first byte.
TIMEOUT = (10, 300)
READINGS = 3
MOST_CHATS = 1_000_000
NEWEST_CHATS = 20
MOST_NAMED = 10


@dataclass(frozen=True)
class _Page:
    chats: dict[int, Record]
    has_more: bool


class AnythingLlm(ApiSource):
    """An AnythingLLM server, as the owner of an API key sees it.

    Every method gives records of one level, named as in the load tables; what AnythingLLM nests is named
    `connection_ip`. A text of JSON inside a row is taken apart as far as it is what it should be.

    When the server's database fails, some of its lists are empty, as if there was nothing. So every list is checked
    against another answer, and an empty one that nothing confirms is an error.

    Source: AnythingLLM developer API (`/api/docs` of the server), and the server's source code.

    Arguments:
        apikey: the API key.
        base_url: the server (`https://anythingllm.example.com`), with or without `/api`.
        credential: where the API key comes from, in words, for the error when AnythingLLM refuses it.
        allow_empty: whether it may be true that there is no embed, no workspace or no chat at all.
        max_retries: how often a failed request is repeated.
        max_wait_seconds: the longest wait that a server in between may ask for.

    Raises:
        DeclarationError: the address is not http or https, or the API key holds what none has.
    """

    smallest_request = "v1/auth"

    def __init__(
        self,
        apikey: str,
        base_url: str,
        *,
        credential: str = "the API key",
        allow_empty: bool = False,
        max_retries: int = 6,
        max_wait_seconds: float = 600,
    ) -> None:
        add_secret(apikey.strip())
        self._allow_empty = allow_empty
        super().__init__(
            ApiClient(
                checked_address("AnythingLLM", base_url, EXAMPLE, path="/api", typed=("/api/v1",)),
                {"Authorization": f"Bearer {apikey.strip()}"},
                credential=credential,
                timeout=TIMEOUT,
                max_retries=max_retries,
                max_wait_seconds=max_wait_seconds,
            )
        )

    def embeds(self) -> Iterator[Record]:
        """Read the embeds (`GET /v1/embed`).

        Raises:
            ApiAnswerInvalid: there is none.
            ApiError: they could not be read.
        """
        yield from map(flat_embed, self._embeds().values())

    def embed_chats(self, uuids: Sequence[str] = ()) -> Iterator[Record]:
        """Read the chats of embeds by their id, one embed after the other (`GET /v1/embed/{uuid}/chats`).

        Arguments:
            uuids: the embeds; all when left out.

        Raises:
            DeclarationError: there is no such embed; the error lists those that there are.
            ApiAnswerInvalid: fewer chats came than the embed has.
            ApiError: they could not be read.
        """
        embeds = self._embeds()
        if unknown := [uuid for uuid in uuids if uuid not in embeds]:
            raise DeclarationError(
                f"AnythingLLM has no embed {unknown[0]!r}. Correct the uuid; there are {_some(embeds)}."
            )
        unreadable: Counter[str] = Counter()
        for uuid in dict.fromkeys(uuids or embeds):
            for chat in self._chats_of_embed(embeds[uuid]):
                yield flat_embed_chat(chat, embeds[uuid], unreadable)
        _tell(unreadable)

    def workspaces(self) -> Iterator[Record]:
        """Read the workspaces (`GET /v1/workspaces`).

        Raises:
            ApiAnswerInvalid: there is none.
            ApiError: they could not be read.
        """
        yield from map(flat_workspace, self._workspaces())

    def workspace_chats(self) -> Iterator[Record]:
        """Read the chats of all users in all workspaces, the newest first (`POST /v1/admin/workspace-chats`).

        The list is paged by number, and so moves when chats come or go. What moves to a later page is left out there;
        what moves to a page that was read already is missed, which the number of chats shows: the list is then read
        once more.

        Raises:
            ApiRefused: the server does not give this list.
            ApiAnswerInvalid: there is no chat, or fewer came than there are, time and again.
            ApiError: they could not be read to their end.
        """
        unreadable: Counter[str] = Counter()
        for chat in self._all_chats():
            yield flat_workspace_chat(chat, unreadable)
        _tell(unreadable)

    def workspace_histories(self) -> Iterator[Record]:
        """Read what the conversations in all workspaces show (`GET /v1/workspace/{slug}/chats` and those of threads).

        That is less than `workspace_chats`: no chats of API sessions, none that were reset, no names of users.

        Raises:
            ApiAnswerInvalid: there is no workspace, or a conversation came without its end.
            ApiError: they could not be read; a workspace that has a row which is no JSON answers 500.
        """
        seen: set[int] = set()
        for workspace in self._workspaces():
            for thread in (None, *_threads(workspace)):
                chats = flat_history(self._conversation(workspace, thread), workspace, thread)
                yield from chats
                seen.update(chat["id"] for chat in chats)
        self._check_not_empty(seen, "chat")

    # -------------------------------------------------------------------------------------------------------- embeds

    def _embeds(self) -> dict[str, Record]:
        rows = _by_id(self._list("v1/embed", "embeds"), "v1/embed")
        embeds = {_part(embed, "uuid"): embed for embed in rows.values()}
        self._check_not_empty(embeds, "embed")
        return embeds

    def _chats_of_embed(self, embed: Record) -> list[Record]:
        """Return the chats of an embed, which have no order.

        An embed that is not there has no chats, and neither has one while the database fails; the list of embeds tells
        how many they are.
        """
        uuid = _part(embed, "uuid")
        path = f"v1/embed/{quote(uuid, safe='')}/chats"
        for reading in range(READINGS):
            # Some may have been deleted since they were counted.
            counted = self._embeds().get(uuid, {}) if reading else embed
            expected = _whole_number(counted, "chat_count", f"embed {uuid}")
            chats = _by_id(self._list(path, "chats"), path)
            if len(chats) >= expected:
                self.extraction.end_list(path, len(chats), expected)
                return [chats[chat_id] for chat_id in sorted(chats)]
        raise ApiAnswerInvalid(
            f"Embed {uuid} has {expected:,} chats, but {len(chats):,} came, {READINGS} times in a row. Run the load"
            " again; if it stays so, look for errors of the database in AnythingLLM's log."
        )

    # ---------------------------------------------------------------------------------------------------- workspaces

    def _workspaces(self) -> list[Record]:
        workspaces = _by_id(self._list("v1/workspaces", "workspaces"), "v1/workspaces")
        self._check_not_empty(workspaces, "workspace")
        return list(workspaces.values())

    def _all_chats(self) -> Iterator[Record]:
        seen: set[int] = set()
        for _ in range(READINGS):
            newest, counted = self._count_chats()
            found: set[int] = set()
            for offset, page in enumerate(self._pages_of_chats()):
                if not offset:
                    # Those that came while they were counted.
                    counted -= sum(chat_id > newest for chat_id in page)
                found.update(chat_id for chat_id in page if chat_id <= newest)
                yield from (chat for chat_id, chat in page.items() if chat_id not in seen)
                seen.update(page)
            if len(found) >= counted:
                self._check_not_empty(seen, "chat")
                self.extraction.end_list(ALL_CHATS, len(found), counted)
                return
            logger.info("%s of %s chats moved while they were read.", f"{counted - len(found):,}", f"{counted:,}")
        raise ApiAnswerInvalid(
            f"{ALL_CHATS} gave {len(found):,} of {counted:,} chats, and was read {READINGS} times: chats are being"
            " deleted, or the database fails. Run the load again when it is quiet."
        )

    def _count_chats(self) -> tuple[int, int]:
        """Return the id of the newest chat, and how many chats there are, by the number of the last page."""
        first = self._page_of_chats(0)
        newest = max(first.chats, default=0)
        if not first.has_more:
            return newest, len(first.chats)
        before, last = 0, 1
        while (page := self._page_of_chats(last)).has_more:
            if page.chats.keys() == first.chats.keys():
                raise ApiAnswerInvalid(f"{ALL_CHATS} gave the first page again in place of page {last}.")
            before, last = last, 2 * last
        while last - before > 1:
            middle = (before + last) // 2
            candidate = self._page_of_chats(middle)
            if candidate.has_more:
                before = middle
            else:
                last, page = middle, candidate
        return newest, last * len(first.chats) + len(page.chats)

    def _pages_of_chats(self) -> Iterator[dict[int, Record]]:
        offset, has_more = 0, True
        while has_more:
            begin = time.monotonic()
            page = self._page_of_chats(offset)
            self.extraction.add_page(begin, time.monotonic() - begin, len(page.chats))
            yield page.chats
            offset, has_more = offset + 1, page.has_more

    def _page_of_chats(self, offset: int) -> _Page:
        try:
            body = self._client.post_json(ALL_CHATS, {"offset": offset}).body
        except ApiRefused as error:
            if error.status_code not in (401, 404, 405):
                raise
            raise ApiRefused(
                f"{self._client.base_url}/{ALL_CHATS} answered {error.status_code}: the server gives the list of all"
                " chats in multi-user mode only, or not at all. Turn that mode on, or load the conversations of each"
                " workspace instead (by_workspace=True), which lack chats of API sessions, chats that were reset, and"
                " the names of users.",
                error.status_code,
            ) from None
        chats = _by_id(_records(body, "chats", ALL_CHATS), ALL_CHATS)
        has_more = body.get("hasPages")
        if not isinstance(has_more, bool) or (has_more and not chats):
            raise ApiAnswerInvalid(f"{ALL_CHATS} does not tell whether there are chats behind page {offset}.")
        return _Page(chats, has_more)

    def _conversation(self, workspace: Record, thread: Record | None) -> list[Record]:
        path = f"v1/workspace/{quote(_part(workspace, 'slug'), safe='')}"
        if thread is None:
            return self._default_thread(f"{path}/chats")
        path = f"{path}/thread/{quote(_part(thread, 'slug'), safe='')}/chats"
        # Empty may be the answer of a database that fails.
        return self._history(path) or self._history(path)

    def _default_thread(self, path: str) -> list[Record]:
        """Return the entries of the default thread; its newest chats show whether the limit cut them off."""
        for _ in range(READINGS):
            newest = {entry["chatId"] for entry in self._history(path, {"limit": NEWEST_CHATS, "orderBy": "desc"})}
            entries = self._history(path, {"limit": MOST_CHATS, "orderBy": "asc"})
            if newest <= {entry["chatId"] for entry in entries}:
                return entries
        raise ApiAnswerInvalid(
            f"{path} gave {len(entries):,} entries, and the newest chats are not among them. Run the load again; if it"
            " stays so, load the list of all chats (without by_workspace)."
        )

    def _history(self, path: str, params: Mapping[str, str | int] | None = None) -> list[Record]:
        entries = self._list(path, "history", params)
        for entry in entries:
            _whole_number(entry, "chatId", path)
        return entries

    # --------------------------------------------------------------------------------------------------------- lists

    def _list(self, path: str, name: str, params: Mapping[str, str | int] | None = None) -> list[Record]:
        begin = time.monotonic()
        records = _records(self._client.get_json(path, params).body, name, path)
        self.extraction.add_page(begin, time.monotonic() - begin, len(records))
        return records

    def _check_not_empty(self, found: Collection[Any], what: str) -> None:
        if not found and not self._allow_empty:
            raise ApiAnswerInvalid(
                f"AnythingLLM says that it has not one {what}, which it also says when its database fails. If it is"
                " true, load with allow_empty=True; else look for errors in AnythingLLM's log."
            )


# ------------------------------------------------------------------------------------------------------------ checks


def _records(body: Any, name: str, path: str) -> list[Record]:
    found = body.get(name) if isinstance(body, dict) and not body.get("error") else None
    if isinstance(found, list) and all(isinstance(record, dict) for record in found):
        return found
    raise ApiAnswerInvalid(f"{path} answered 200, but with no list of {name}. Check the base URL.")


def _threads(workspace: Record) -> list[Record]:
    return [] if workspace.get("threads") is None else _records(workspace, "threads", "v1/workspaces")


def _by_id(records: Sequence[Record], path: str) -> dict[int, Record]:
    return {_whole_number(record, "id", path): record for record in records}


def _whole_number(record: Record, name: str, what: str) -> int:
    value = record.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ApiAnswerInvalid(f"AnythingLLM gave no {name} in whole numbers ({what}).")


def _part(record: Record, name: str) -> str:
    value = record.get(name)
    if isinstance(value, str) and value:
        return value
    raise ApiAnswerInvalid(f"AnythingLLM gave an object without its {name}.")


def _some(uuids: Mapping[str, Record]) -> str:
    named = ", ".join(f"{uuid} ({flat_embed(uuids[uuid])['workspace_name']})" for uuid in [*uuids][:MOST_NAMED])
    return (named or "none") + (", and more" if len(uuids) > MOST_NAMED else "")


def _tell(unreadable: Counter[str]) -> None:
    if unreadable:
        logger.info(
            "Some texts hold no JSON object: %s. What a response holds instead is its text; all else of it is null.",
            ", ".join(f"{count:,} of {field}" for field, count in sorted(unreadable.items())),
        )
