"""Maintenance of tickets in HubSpot: duplicates made one, and tickets brought to the right company."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from wherescape import WhereScape
from wherescape.api_response import Record
from wherescape.connectors.hubspot.hubspot_objects import COMPANY, TICKET
from wherescape.connectors.hubspot.hubspot_outcomes import append_lines, file_in
from wherescape.connectors.hubspot.hubspot_wrapper import INPUTS_A_BATCH, Hubspot
from wherescape.connectors.hubspot.utils import connect
from wherescape.errors import ApiAnswerInvalid, ApiOutcomeUnknown, DeclarationError

logger = logging.getLogger(__name__)

NERD_ID = "nerd_id"
CONTENT = "content"
MOST_OF_ONE = 10
EXAMPLES = 10
PRIMARY_COMPANY = {"category": "HUBSPOT_DEFINED", "type_id": 26}
"""HubSpot, "Associations v4": a ticket's primary company."""


@dataclass(frozen=True)
class Duplicates:
    """Tickets with the same value of a property.

    Arguments:
        kept: the id of the one that stays.
        others: the ids of those that are merged into it.
    """

    kept: str
    others: Sequence[str]


def merge_double_tickets(
    parameter_name: str,
    wherescape: WhereScape | None = None,
    *,
    property_name: str = NERD_ID,
    keep: Literal["oldest", "newest"] = "oldest",
    most_of_one: int = MOST_OF_ONE,
    dry_run: bool = False,
    max_retries: int = 6,
    max_wait_seconds: float = 600,
) -> int:
    """Make one ticket of those that have the same value of a property, by HubSpot's own merge, which is for good.

    The values of the ticket that is kept count, where it has any; its content gets that of the others at its end.
    Associations and activities of all are kept. All tickets are read before anything is merged, and those of a group
    once more before they are. A run that was interrupted is simply run again.

    The plan is written to `{WSL_WORKDIR}/hubspot/merge_{sequence}.jsonl`: ids, and no values.

    Arguments:
        parameter_name: the RED parameter with the access token of the portal.
        wherescape: made from the environment when left out.
        property_name: tickets with the same value of it are duplicates; a ticket without a value has none.
        keep: whether the ticket that was made first stays, or last; of those made at once, the one with the lower id.
        most_of_one: a value that more tickets have is taken for a wrong one, told in a warning and left alone.
        dry_run: write the plan and merge nothing.
        max_retries: how often a failed request is repeated.
        max_wait_seconds: the longest wait that HubSpot's rate limit may ask for.

    Returns:
        How many tickets were merged into others, or would be.

    Raises:
        DeclarationError: tickets have no such property, or a development repository has a token of no sandbox.
        EnvironmentVariableError: there is no access token, or no `hubspot_environment`.
        ApiError: HubSpot could not be asked or did not merge; what was merged before stays so.
    """
    if keep not in ("oldest", "newest"):
        raise DeclarationError(f"keep is {keep!r}; it may be 'oldest' or 'newest'.")
    wherescape = wherescape or WhereScape()
    with connect(
        wherescape,
        writes=not dry_run,
        parameter=parameter_name,
        max_retries=max_retries,
        max_wait_seconds=max_wait_seconds,
    ) as hubspot:
        _require_property(hubspot, property_name)
        plan = list(_plan(hubspot.objects(TICKET, [property_name]), property_name, keep, most_of_one))
        file = file_in(wherescape.workdir, "merge", wherescape.sequence)
        append_lines(file, [{"keep": each.kept, "merge": each.others} for each in plan], replace=True)
        count = sum(len(each.others) for each in plan)
        if dry_run:
            wherescape.main_message = f"dry run: {count:,} tickets would be merged into {len(plan):,}; see {file}"
            return count
        merged = 0
        try:
            for each in plan:
                merged += _merge(hubspot, each, property_name)
        finally:
            wherescape.update_task_log(deleted=merged)
            wherescape.main_message = f"{merged:,} of {count:,} tickets merged into {len(plan):,}"
    return merged


def hubspot_update_company_association(
    parameter_name: str,
    wherescape: WhereScape | None = None,
    *,
    ticket_property: str = "",
    company_property: str = "",
    dry_run: bool = False,
    max_retries: int = 6,
    max_wait_seconds: float = 600,
) -> int:
    """Make the company of a ticket the one that a property of the ticket names.

    The right company becomes the primary one before ties to other companies are taken away, so that no ticket is
    without one in between. Ties with a label of the portal's own stay.

    Arguments:
        parameter_name: the RED parameter with the access token of the portal.
        wherescape: made from the environment when left out.
        ticket_property: says which company a ticket belongs to; a ticket without a value is left alone.
        company_property: has the same value in that company.
        dry_run: tell what would be changed, and change nothing.
        max_retries: how often a failed request is repeated.
        max_wait_seconds: the longest wait that HubSpot's rate limit may ask for.

    Returns:
        How many tickets were changed, or would be.

    Raises:
        DeclarationError: one of the two properties is not given or does not exist, or a development repository has a
            token of no sandbox.
        EnvironmentVariableError: there is no access token, or no `hubspot_environment`.
        ApiError: HubSpot could not be asked or written to; run again for the rest.
    """
    if not ticket_property or not company_property:
        raise DeclarationError(
            "Say which properties tell what company a ticket belongs to: ticket_property and company_property."
        )
    wherescape = wherescape or WhereScape()
    with connect(
        wherescape,
        writes=not dry_run,
        parameter=parameter_name,
        max_retries=max_retries,
        max_wait_seconds=max_wait_seconds,
    ) as hubspot:
        _require_property(hubspot, ticket_property)
        companies = _companies(hubspot, company_property)
        wanted, unknown = _wanted(hubspot, ticket_property, companies)
        if unknown:
            logger.warning(
                "%s tickets name a company that HubSpot does not have; they stay as they are.", f"{unknown:,}"
            )
        changed = 0
        try:
            for ticket, company, others, is_primary in _wrong(hubspot, wanted):
                changed += 1
                if dry_run:
                    if changed <= EXAMPLES:
                        logger.info("Ticket %s would go from %s to company %s.", ticket, others or "none", company)
                    continue
                if not is_primary:
                    hubspot.associate(TICKET, ticket, COMPANY, company, **PRIMARY_COMPANY)  # type: ignore[arg-type]
                for other in others:
                    hubspot.remove_association(TICKET, ticket, COMPANY, other)
        finally:
            if not dry_run:
                wherescape.update_task_log(updated=changed)
            verb = "would be changed" if dry_run else "changed"
            wherescape.main_message = f"{changed:,} of {len(wanted):,} tickets {verb}"
    return changed


# Its name was misspelt once.
hubspot_update_company_associaton = hubspot_update_company_association


# ------------------------------------------------------------------------------------------------------------- merging


def _plan(
    tickets: Iterable[Record], property_name: str, keep: Literal["oldest", "newest"], most_of_one: int
) -> Iterator[Duplicates]:
    by_value: dict[str, list[Record]] = {}
    for ticket in tickets:
        if value := _value(ticket, property_name):
            by_value.setdefault(value, []).append(ticket)
    too_many = 0
    for found in by_value.values():
        if len(found) > most_of_one:
            too_many += 1
            continue
        by_age = sorted(found, key=lambda ticket: (datetime.fromisoformat(ticket["createdAt"]), int(ticket["id"])))
        ordered = by_age if keep == "oldest" else by_age[::-1]
        if len(ordered) > 1:
            yield Duplicates(ordered[0]["id"], [ticket["id"] for ticket in ordered[1:]])
    if too_many:
        logger.warning(
            "%s values of %s are those of more than %s tickets each; they are left alone. Raise most_of_one if they"
            " are right.",
            f"{too_many:,}",
            property_name,
            most_of_one,
        )


def _merge(hubspot: Hubspot, duplicates: Duplicates, property_name: str) -> int:
    """Merge the tickets of a group that still have the same value; return how many were merged into the one kept."""
    kept_id = duplicates.kept
    merged = 0
    for other_id in duplicates.others:
        now = hubspot.read_batch(TICKET, [kept_id, other_id], [property_name, CONTENT])
        kept, other = now.get(kept_id), now.get(other_id)
        if kept is None or other is None or _value(kept, property_name) != _value(other, property_name):
            logger.warning("Tickets %s and %s have changed meanwhile and stay as they are.", kept_id, other_id)
            continue
        if kept["id"] == other["id"]:
            # Merged by an earlier run whose answer was lost, or by a person.
            continue
        _keep_content(hubspot, kept, other)
        kept_id = _merge_two(hubspot, kept["id"], other["id"])
        merged += 1
    return merged


def _keep_content(hubspot: Hubspot, kept: Record, other: Record) -> None:
    """Put the other ticket's content behind that of the one kept, unless it is there; a merge would drop it."""
    content, more = _value(kept, CONTENT), _value(other, CONTENT)
    if content and more and more not in content:
        inputs = [{"id": kept["id"], "properties": {CONTENT: f"{content}\n\n{more}"}}]
        try:
            answer = hubspot.update_batch(TICKET, inputs)
        except ApiOutcomeUnknown:
            now = hubspot.read_batch(TICKET, [kept["id"]], [CONTENT]).get(kept["id"], {})
            if more not in _value(now, CONTENT):
                raise
            return
        if answer.errors:
            raise ApiAnswerInvalid(
                f"HubSpot did not take the joint content of tickets {kept['id']} and {other['id']}."
            )


def _merge_two(hubspot: Hubspot, kept_id: str, other_id: str) -> str:
    """Merge two tickets, and return the id of the one that stays."""
    try:
        return str(hubspot.merge(TICKET, kept_id, other_id)["id"])
    except ApiOutcomeUnknown:
        now = hubspot.read_batch(TICKET, [kept_id, other_id], [CONTENT])
        if kept_id in now and other_id in now and now[kept_id]["id"] == now[other_id]["id"]:
            return str(now[kept_id]["id"])
        raise


def _value(record: Record, name: str) -> str:
    return str((record.get("properties") or {}).get(name) or "").strip()


def _require_property(hubspot: Hubspot, name: str) -> None:
    if name not in {each["name"] for each in hubspot.property_definitions(TICKET)}:
        raise DeclarationError(f"HubSpot's tickets have no property {name!r}. Choose it by its internal name.")


# ---------------------------------------------------------------------------------------------------------- companies


def _companies(hubspot: Hubspot, company_property: str) -> Mapping[str, str]:
    """Return the ids of companies by the value of a property that one company alone has."""
    if company_property not in {each["name"] for each in hubspot.property_definitions(COMPANY)}:
        raise DeclarationError(
            f"HubSpot's companies have no property {company_property!r}. Choose it by its internal name."
        )
    found: dict[str, list[str]] = {}
    for company in hubspot.objects(COMPANY, [company_property]):
        if value := _value(company, company_property):
            found.setdefault(value, []).append(company["id"])
    if several := sum(len(ids) > 1 for ids in found.values()):
        logger.warning(
            "%s values of %s are those of more than one company; their tickets stay as they are.",
            f"{several:,}",
            company_property,
        )
    return {value: ids[0] if len(ids) == 1 else "" for value, ids in found.items()}


def _wanted(hubspot: Hubspot, ticket_property: str, companies: Mapping[str, str]) -> tuple[dict[str, str], int]:
    """Return the company that each ticket should have, and how many name one that there is not."""
    wanted: dict[str, str] = {}
    unknown = 0
    for ticket in hubspot.objects(TICKET, [ticket_property]):
        if value := _value(ticket, ticket_property):
            company = companies.get(value)
            unknown += company is None
            if company:
                wanted[ticket["id"]] = company
    return wanted, unknown


def _wrong(hubspot: Hubspot, wanted: Mapping[str, str]) -> Iterator[tuple[str, str, list[str], bool]]:
    """Find the tickets that are not tied to their company alone: with it, the others, and whether it is primary."""
    tickets = list(wanted)
    for at in range(0, len(tickets), INPUTS_A_BATCH):
        batch = tickets[at : at + INPUTS_A_BATCH]
        ties: dict[str, dict[str, list[Record]]] = {ticket: {} for ticket in batch}
        for tie in hubspot.associations(TICKET, COMPANY, batch):
            ties[tie["from_id"]].setdefault(tie["to_id"], []).append(tie)
        for ticket in batch:
            company = wanted[ticket]
            others = [
                other
                for other, kinds in ties[ticket].items()
                if other != company and all(kind["category"] == "HUBSPOT_DEFINED" for kind in kinds)
            ]
            is_primary = any(kind["type_id"] == PRIMARY_COMPANY["type_id"] for kind in ties[ticket].get(company, ()))
            if others or not is_primary:
                yield ticket, company, others, is_primary
