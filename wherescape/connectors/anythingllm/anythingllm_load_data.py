"""Loads an AnythingLLM load table."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from wherescape import WhereScape
from wherescape.api_source import required_address, required_key
from wherescape.connectors.anythingllm.anythingllm_tables import (
    EMBED_CHATS,
    EMBEDS,
    WORKSPACE_CHATS,
    WORKSPACES,
    table_for,
    with_masks,
)
from wherescape.connectors.anythingllm.anythingllm_wrapper import EXAMPLE, AnythingLlm
from wherescape.load_task import LoadResult
from wherescape.resources import Resource, check_arguments, resource_of


@dataclass(frozen=True)
class Wanted:
    """What a load wants of AnythingLLM; see `anythingllm_load_data`."""

    embed_uuids: Sequence[str]
    by_workspace: bool


RESOURCES: tuple[Resource[AnythingLlm, Wanted], ...] = (
    Resource(
        EMBED_CHATS, lambda anythingllm, wanted: anythingllm.embed_chats(wanted.embed_uuids), takes=("embed_uuids",)
    ),
    Resource(EMBEDS, lambda anythingllm, wanted: anythingllm.embeds()),
    Resource(WORKSPACES, lambda anythingllm, wanted: anythingllm.workspaces()),
    Resource(
        WORKSPACE_CHATS,
        lambda anythingllm, wanted: (
            anythingllm.workspace_histories() if wanted.by_workspace else anythingllm.workspace_chats()
        ),
        takes=("by_workspace",),
    ),
)


def anythingllm_load_data(
    kind: str = "",
    wherescape: WhereScape | None = None,
    *,
    embed_uuids: Sequence[str] | str = (),
    unmasked: Sequence[str] | str = (),
    hashed: Sequence[str] | str = (),
    by_workspace: bool = False,
    allow_empty: bool = False,
    max_retries: int = 6,
    max_wait_seconds: float = 600,
) -> LoadResult:
    """Load the AnythingLLM load table that this script is attached to; its name says what to load.

    Every load is a full one, and what it brings is all that exists: it fails where AnythingLLM may have left something
    out. Personal data are masked.

    The address is WSL_SRCCFG_URL and the API key WSL_SRCCFG_APIKEY. WSL_SRCCFG_USER is the uuid of the embed whose
    chats are loaded, or several with spaces in between.

    Arguments:
        kind: what the table holds, such as `chat`, if its name does not say it.
        wherescape: made from the environment when left out.
        embed_uuids: load the chats of these embeds, whatever WSL_SRCCFG_USER says. If neither is given, it is all
            embeds.
        unmasked: columns with personal data to store as they are.
        hashed: columns with personal data to store as a keyed hash, which is the same for equal values.
        by_workspace: load the conversations of each workspace in place of the list of all chats, for a server that
            does not give that list; they lack chats of API sessions, chats that were reset, and the names of users.
        allow_empty: whether it may be true that there is no embed, no workspace or no chat at all.
        max_retries: how often a failed request is repeated.
        max_wait_seconds: the longest wait that a server in between may ask for.

    Raises:
        UnknownTableKind: the load table's name contains no kind of data that AnythingLLM has.
        DeclarationError: there is no such embed, or an argument does not go with the table.
        EnvironmentVariableError: the address or the API key is missing.
        ApiError: AnythingLLM could not be read to the end; the load table is as it was.
        LoadError, DatabaseError: as from `WhereScape.load`.
    """
    wherescape = wherescape or WhereScape()
    table = table_for(kind or wherescape.table)
    resource = resource_of(table, RESOURCES)
    check_arguments(resource, RESOURCES, {"embed_uuids": embed_uuids, "by_workspace": by_workspace})
    uuids = embed_uuids or wherescape.source_user
    uuids = uuids.split() if isinstance(uuids, str) else uuids
    with connect(
        wherescape, allow_empty=allow_empty, max_retries=max_retries, max_wait_seconds=max_wait_seconds
    ) as anythingllm:
        return wherescape.load(
            with_masks(table, unmasked, hashed),
            resource.read(anythingllm, Wanted(uuids, by_workspace)),
            extraction=anythingllm.extraction,
        )


def anythingllm_load_data_chats(wherescape: WhereScape | None = None, **options: Any) -> LoadResult:
    """Load chats with embeds, whatever the load table's name.

    Arguments:
        wherescape: made from the environment when left out.
        options: as for `anythingllm_load_data`.
    """
    return anythingllm_load_data(EMBED_CHATS.kind, wherescape, **options)


def connect(wherescape: WhereScape, **options: Any) -> AnythingLlm:
    """Return the AnythingLLM server of the RED connection.

    Arguments:
        wherescape: gives its address (WSL_SRCCFG_URL) and the API key (WSL_SRCCFG_APIKEY).
        options: of `AnythingLlm`.

    Raises:
        EnvironmentVariableError: the address or the API key is missing.
    """
    return AnythingLlm(
        required_key(wherescape, "AnythingLLM", "API key"),
        required_address(wherescape, EXAMPLE),
        credential="AnythingLLM's API key (WSL_SRCCFG_APIKEY)",
        **options,
    )
