"""Reads and writes a HubSpot portal through its API; knows nothing of WhereScape."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import islice
from typing import Any

from wherescape.api_client import MAX_EMPTY_PAGES, ApiClient
from wherescape.api_response import ApiResponse, Record
from wherescape.api_source import ApiSource, checked_address
from wherescape.concurrency import in_parallel
from wherescape.connectors.hubspot.hubspot_calls import hubspot_calls, raw
from wherescape.connectors.hubspot.hubspot_objects import ObjectType
from wherescape.connectors.hubspot.hubspot_values import as_kept
from wherescape.errors import ApiAnswerInvalid, ApiRefused
from wherescape.rate_limits import Pace
from wherescape.redaction import add_secret

BASE_URL = "https://api.hubapi.com"
LISTED_A_PAGE = 100
FOUND_A_PAGE = 200
INPUTS_A_BATCH = 100
OWNERS_A_PAGE = 500
ASSOCIATIONS_A_CALL = 500
# A longer list of properties may make an address that is too long.
LONGEST_QUERY = 4_000
SEARCHES_A_SECOND = 4
SENSITIVITIES = ("non_sensitive", "sensitive", "highly_sensitive")
MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True)
class BatchAnswer:
    """What HubSpot answered to a batch.

    Arguments:
        results: the objects that were written.
        errors: what it says of the others.
    """

    results: Sequence[Record]
    errors: Sequence[Record]


class Hubspot(ApiSource):
    """A HubSpot portal, as a private app sees it.

    Objects come as HubSpot has them: `id`, `properties`, `createdAt`, `updatedAt`, `archived`. Every property is a
    text or None.

    Source: HubSpot CRM API v3, and v4 for associations.

    Arguments:
        access_token: that of a private app of the portal.
        base_url: the API's address.
        credential: where the token comes from, in words, for the error when HubSpot refuses it.
        max_retries: how often a failed request is repeated.
        max_wait_seconds: the longest wait that HubSpot's rate limit may ask for.
        workers: how many batches are read at once.
        searches_a_second: the portal's limit for them, which its answers do not tell.

    Raises:
        DeclarationError: the address is not http or https, or the token holds what no token has.
    """

    smallest_request = "account-info/v3/details"

    def __init__(
        self,
        access_token: str,
        base_url: str = BASE_URL,
        *,
        credential: str = "the access token",
        max_retries: int = 6,
        max_wait_seconds: float = 600,
        workers: int = 4,
        searches_a_second: float = SEARCHES_A_SECOND,
    ) -> None:
        access_token = access_token.strip()
        add_secret(access_token)
        self._offset: timedelta | None = None
        super().__init__(
            ApiClient(
                checked_address("HubSpot", base_url, BASE_URL),
                {"Authorization": f"Bearer {access_token}"},
                credential=credential,
                max_retries=max_retries,
                max_wait_seconds=max_wait_seconds,
                no_use_to_wait=self._daily_limit,
                describe=_described,
            )
        )
        self._workers = workers
        self._pace = Pace(searches_a_second)

    @cached_property
    def _crm(self) -> Any:
        return hubspot_calls(self._client).crm

    @cached_property
    def _objects(self) -> Any:
        return self._crm.objects.basic_api

    @cached_property
    def _batches(self) -> Any:
        return self._crm.objects.batch_api

    @cached_property
    def _searches(self) -> Any:
        return self._crm.objects.search_api

    def check_login(self) -> None:
        """Ask for the portal; a token without the scope for it is a good one as well."""
        try:
            super().check_login()
        except ApiRefused as error:
            if not (isinstance(error.body, dict) and error.body.get("category") == "MISSING_SCOPES"):
                raise

    def account(self) -> Record:
        """Return what HubSpot tells about the portal, such as `accountType`; empty if it tells nothing.

        Its time zone is kept, in which the limit of a day ends ("Account information").

        Raises:
            ApiError: HubSpot could not be asked, or refused the token.
        """
        try:
            body = self._client.get_json(self.smallest_request).body
        except ApiRefused as error:
            if error.status_code == 401:
                raise
            return {}
        account: Record = body if isinstance(body, dict) else {}
        offset = account.get("utcOffsetMilliseconds")
        self._offset = timedelta(milliseconds=offset) if isinstance(offset, int) else None
        return account

    def _daily_limit(self, body: Any) -> str:
        """Say when the limit of the day ends, if it is what was reached ("API usage guidelines")."""
        if not isinstance(body, dict) or body.get("policyName") != "DAILY":
            return ""
        if self._offset is None:
            return "the portal's limit of requests for today is reached. Run again after midnight in its time zone"
        now = datetime.now(UTC) + self._offset
        midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0) - self._offset
        return f"the portal's limit of requests for today is reached. Run again at {midnight.isoformat()}"

    # --------------------------------------------------------------------------------------------------- definitions

    def property_definitions(self, object_type: ObjectType) -> list[Record]:
        """Return the definitions of a type's properties ("Properties").

        Those of sensitive ones are among them as far as the token may see them.

        Raises:
            ApiError: they could not be read.
        """
        found: dict[str, Record] = {}
        for sensitivity in SENSITIVITIES:
            # hubspot-api-client does not know the parameter.
            query = {"archived": "false", "dataSensitivity": sensitivity}
            try:
                response = self._client.get_json(f"crm/v3/properties/{object_type.name}", query)
            except ApiRefused:
                # Another scope is needed for those, which most apps do not have.
                if sensitivity == SENSITIVITIES[0]:
                    raise
                continue
            for definition in _records(response, "results"):
                found[str(definition["name"])] = {"dataSensitivity": sensitivity, **definition}
        return list(found.values())

    def owners(self) -> Iterator[Record]:
        """Read the owners, archived ones at the end ("Owners").

        Raises:
            ApiError: they could not be read to their end.
        """
        for archived in (False, True):
            call = self._crm.owners.owners_api.get_page
            yield from self._pages(
                lambda after, call=call, archived=archived: raw(  # type: ignore[misc]
                    call, limit=OWNERS_A_PAGE, archived=archived, **after
                )
            )

    def pipelines(self, object_type: ObjectType) -> Iterator[Record]:
        """Read the pipelines of a type, each with its stages ("Pipelines").

        Raises:
            ApiError: they could not be read.
        """
        yield from _records(raw(self._crm.pipelines.pipelines_api.get_all, object_type.name), "results")

    # -------------------------------------------------------------------------------------------------------- objects

    def objects(
        self, object_type: ObjectType, properties: Sequence[str] = (), *, archived: bool = False
    ) -> Iterator[Record]:
        """Read all objects of a type, by id ("List").

        Arguments:
            object_type: which.
            properties: those to read.
            archived: read those that are in the recycle bin instead.

        Raises:
            ApiError: they could not be read to their end.
        """
        fits = len(",".join(properties)) <= LONGEST_QUERY
        wanted = list(properties) if fits else [object_type.modified]
        found = self._pages(
            lambda after: raw(
                self._objects.get_page,
                object_type.name,
                limit=LISTED_A_PAGE,
                archived=archived,
                **({"properties": wanted} if wanted else {}),
                **after,
            )
        )
        yield from found if fits else self._with_properties(object_type, found, properties, archived)

    def _with_properties(
        self, object_type: ObjectType, found: Iterable[Record], properties: Sequence[str], archived: bool
    ) -> Iterator[Record]:
        for batch in _in_batches(found, INPUTS_A_BATCH * self._workers):
            read = self.read_batch(object_type, [each["id"] for each in batch], properties, archived=archived)
            # One that was archived meanwhile is not in the answer.
            yield from read.values()

    def changed_objects(
        self,
        object_type: ObjectType,
        properties: Sequence[str],
        since: datetime,
        until: datetime | None = None,
    ) -> Iterator[Record]:
        """Read the objects of a type that have changed, in the order of their last change, each once ("Search").

        A search gives 10,000 results at most, and loses some when objects change while it is read page by page. So
        each page is the first one of a search from where the last page ended.

        Arguments:
            object_type: which.
            properties: those to read.
            since: aware; only what has changed at or after it. The search knows a change some time after it was made.
            until: aware; what has changed later is left out.

        Raises:
            ApiError: they could not be read to their end.
        """
        given: set[str] = set()
        names = list(dict.fromkeys([*properties, object_type.modified]))
        after = since
        while True:
            at_or_after = _filter(object_type.modified, "GTE", _milliseconds(after))
            page, has_more = self._first_page(object_type, [at_or_after], names, object_type.modified)
            moments = [_moment(each, object_type) for each in page]
            if moments != sorted(moments):
                raise ApiAnswerInvalid(
                    f"HubSpot gave {object_type.name} in another order than that of their changes, so that some would"
                    " be missing. Load with full=True, which reads lists in place of searches."
                )
            for each, moment in zip(page, moments, strict=True):
                if each["id"] not in given and not (until and moment > until):
                    given.add(each["id"])
                    yield each
            if not has_more or (until and moments and max(moments) > until):
                return
            if not moments:
                raise ApiAnswerInvalid(f"HubSpot's search for {object_type.name} promises more, but gives nothing.")
            last = max(moments)
            if last > after:
                after = last
                continue
            # More of one moment than a page holds.
            for each in self._of_one_moment(object_type, last, names):
                if each["id"] not in given:
                    given.add(each["id"])
                    yield each
            after = last + MILLISECOND

    def search(
        self, object_type: ObjectType, filters: Sequence[Record], properties: Sequence[str]
    ) -> Iterator[Record]:
        """Read the objects that pass all filters, by id; any number of them ("Search").

        Arguments:
            object_type: which.
            filters: `propertyName`, `operator`, and `value` or `values`, all texts.
            properties: those to read.

        Raises:
            ApiAnswerInvalid: HubSpot does not give them in the order of their ids.
            ApiError: they could not be read to their end.
        """
        last = 0
        while True:
            beyond = _filter("hs_object_id", "GT", str(last))
            page, has_more = self._first_page(object_type, [*filters, beyond], properties, "hs_object_id")
            ids = [int(each["id"]) for each in page]
            if ids != sorted(ids):
                raise ApiAnswerInvalid(
                    f"HubSpot gave {object_type.name} in another order than that of their ids, so that some would be"
                    " missing. Load with full=True, which reads lists in place of searches."
                )
            yield from page
            if not has_more:
                return
            last = max(ids, default=last)

    def _of_one_moment(self, object_type: ObjectType, moment: datetime, names: Sequence[str]) -> Iterator[Record]:
        yield from self.search(object_type, [_filter(object_type.modified, "EQ", _milliseconds(moment))], names)

    def _first_page(
        self, object_type: ObjectType, filters: Sequence[Record], properties: Sequence[str], sort: str
    ) -> tuple[list[Record], bool]:
        """Return the first page of a search that holds anything, and whether there is more."""
        request: Record = {
            "filterGroups": [{"filters": list(filters)}],
            "sorts": [{"propertyName": sort, "direction": "ASCENDING"}],
            "properties": list(properties),
            "limit": FOUND_A_PAGE,
        }
        for _ in range(MAX_EMPTY_PAGES):
            self._client.pause(self._pace.take_turn())
            begin = time.monotonic()
            response = raw(self._searches.do_search, object_type.name, public_object_search_request=request)
            page = _records(response, "results")
            self.extraction.add_page(begin, time.monotonic() - begin, len(page))
            following = _after(response)
            if page or following is None:
                return page, following is not None
            request = {**request, "after": following}
        raise ApiAnswerInvalid(f"HubSpot's search for {object_type.name} gave {MAX_EMPTY_PAGES} empty pages in a row.")

    def read_batch(
        self,
        object_type: ObjectType,
        ids: Sequence[str],
        properties: Sequence[str],
        *,
        id_property: str = "",
        archived: bool = False,
    ) -> dict[str, Record]:
        """Return objects by what they were asked for; those that do not exist are missing ("Read a batch").

        An object that was merged into another is found by the id that it had, and by that of the other.

        Arguments:
            object_type: which.
            ids: any number of them, or of values of `id_property`.
            properties: those to read.
            id_property: a unique property to find objects by, in place of their ids; its values are given back as
                HubSpot writes them.
            archived: whether they are in the recycle bin.

        Raises:
            ApiAnswerInvalid: HubSpot tells of another error than that one does not exist.
            ApiError: they could not be read.
        """
        names = list(dict.fromkeys([*properties, *([id_property] if id_property else ["hs_merged_object_ids"])]))
        wanted = [*dict.fromkeys(as_kept(id_property, each) for each in ids)]
        batches = [wanted[at : at + INPUTS_A_BATCH] for at in range(0, len(wanted), INPUTS_A_BATCH)]

        def read(batch: list[str]) -> list[Record]:
            body: Record = {"inputs": [{"id": each} for each in batch], "properties": names}
            if id_property:
                body["idProperty"] = id_property
            begin = time.monotonic()
            response = raw(
                self._batches.read,
                object_type.name,
                batch_read_input_simple_public_object_id=body,
                archived=archived,
            )
            page = _records(response, "results")
            for error in response.body.get("errors") or ():
                if error.get("category") != "OBJECT_NOT_FOUND":
                    raise ApiAnswerInvalid(
                        f"HubSpot could not read some of {len(batch)} {object_type.name}: {_described(error)}."
                    )
            self.extraction.add_page(begin, time.monotonic() - begin, len(page))
            return page

        found: dict[str, Record] = {}
        with closing(in_parallel(batches, read, self._workers, on_abandon=self._client.close)) as answers:
            for batch, page in answers:
                asked = {*batch}
                for each in page:
                    found |= dict.fromkeys(_names_of(each, id_property) & asked, each)
        return found

    # --------------------------------------------------------------------------------------------------- associations

    def associations(self, from_type: ObjectType, to_type: ObjectType, ids: Iterable[str]) -> Iterator[Record]:
        """Read what objects are associated with; one record for each type of a tie ("Associations v4, read a batch").

        Arguments:
            from_type: of the objects.
            to_type: of those that they are associated with.
            ids: of the objects.

        Raises:
            ApiError: they could not be read to their end.
        """
        call = self._crm.associations.v4.batch_api.get_page
        for batch in _in_batches(ids, ASSOCIATIONS_A_CALL):
            inputs: list[Record] = [{"id": each} for each in batch]
            while inputs:
                begin = time.monotonic()
                response = raw(
                    call,
                    from_type.name,
                    to_type.name,
                    batch_input_public_fetch_associations_batch_request={"inputs": inputs},
                )
                results = _records(response, "results")
                _check_associations(response)
                following: list[Record] = []
                rows = [row for result in results for row in _ties(result)]
                self.extraction.add_page(begin, time.monotonic() - begin, len(rows))
                yield from rows
                for result in results:
                    after = ((result.get("paging") or {}).get("next") or {}).get("after")
                    if after:
                        following.append({"id": str(result["from"]["id"]), "after": str(after)})
                if following == inputs:
                    raise ApiAnswerInvalid("HubSpot names a page of associations as the next that was already read.")
                inputs = following

    # ---------------------------------------------------------------------------------------------------------- write

    @cached_property
    def _changes(self) -> Any:
        return hubspot_calls(self._client, is_repeatable=False).crm

    def update_batch(self, object_type: ObjectType, inputs: Sequence[Record]) -> BatchAnswer:
        """Change objects ("Update a batch").

        Arguments:
            object_type: which.
            inputs: 100 at most, each with `id`, `properties`, and `objectWriteTraceId`, by which the answer tells of
                it.

        Raises:
            ApiRefused: HubSpot takes none of them.
            ApiOutcomeUnknown: whether they were changed is not known.
            ApiError: HubSpot could not be reached.
        """
        call = self._changes.objects.batch_api.update
        body = {"inputs": list(inputs)}
        return _batch_answer(raw(call, object_type.name, batch_input_simple_public_object_batch_input=body))

    def create_batch(self, object_type: ObjectType, inputs: Sequence[Record]) -> BatchAnswer:
        """Make objects ("Create a batch"); see `update_batch`. Inputs have no `id`."""
        call = self._changes.objects.batch_api.create
        body = {"inputs": list(inputs)}
        return _batch_answer(raw(call, object_type.name, batch_input_simple_public_object_batch_input_for_create=body))

    def upsert_batch(self, object_type: ObjectType, inputs: Sequence[Record]) -> BatchAnswer:
        """Change objects, or make those that there are not ("Create or update a batch"); see `update_batch`.

        The `id` of an input is a value of its `idProperty`, a property of which no two objects have the same value.
        """
        call = self._changes.objects.batch_api.upsert
        body = {"inputs": list(inputs)}
        return _batch_answer(raw(call, object_type.name, batch_input_simple_public_object_batch_input_upsert=body))

    def merge(self, object_type: ObjectType, keep_id: str, other_id: str) -> Record:
        """Make one object of two, for good ("Merge"); associations and activities of both stay.

        Arguments:
            object_type: which.
            keep_id: the one whose values count.
            other_id: the one that goes.

        Returns:
            The object that stays, whose id may be a new one.

        Raises:
            ApiError: as for `update_batch`.
        """
        call = getattr(self._changes, object_type.name).basic_api.merge
        body = raw(call, public_merge_input={"primaryObjectId": keep_id, "objectIdToMerge": other_id}).body
        if not isinstance(body, dict) or not body.get("id"):
            raise ApiAnswerInvalid(f"HubSpot did not say what became of {object_type.kind} {keep_id} after a merge.")
        return body

    def associate(
        self, from_type: ObjectType, from_id: str, to_type: ObjectType, to_id: str, *, category: str, type_id: int
    ) -> None:
        """Tie an object to another ("Associations v4, create"); doing it twice is the same as doing it once.

        Arguments:
            from_type: of the object.
            from_id: the object.
            to_type: of the other.
            to_id: the other.
            category: HUBSPOT_DEFINED, USER_DEFINED or INTEGRATOR_DEFINED.
            type_id: the type of the tie, in this direction.

        Raises:
            ApiError: HubSpot refused it, or could not be reached.
        """
        spec = [{"associationCategory": category, "associationTypeId": type_id}]
        call = self._crm.associations.v4.basic_api.create
        raw(call, from_type.name, from_id, to_type.name, to_id, association_spec=spec)

    def remove_association(self, from_type: ObjectType, from_id: str, to_type: ObjectType, to_id: str) -> None:
        """Take all ties between two objects away ("Associations v4, delete").

        Raises:
            ApiError: as for `associate`.
        """
        raw(self._crm.associations.v4.basic_api.archive, from_type.name, from_id, to_type.name, to_id)

    # ---------------------------------------------------------------------------------------------------------- pages

    def _pages(self, ask: Callable[[dict[str, str]], ApiResponse]) -> Iterator[Record]:
        """Read a list to its end, which is where no next page is named."""
        after: dict[str, str] = {}
        read: set[str] = set()
        empty = 0
        while True:
            begin = time.monotonic()
            response = ask(after)
            page = _records(response, "results")
            self.extraction.add_page(begin, time.monotonic() - begin, len(page))
            yield from page
            following = _after(response)
            if following is None:
                return
            empty = 0 if page else empty + 1
            if following in read or empty >= MAX_EMPTY_PAGES:
                raise ApiAnswerInvalid(
                    f"HubSpot names {following!r} as the next page of a list, and gives nothing new."
                )
            read.add(following)
            after = {"after": following}


def _records(response: ApiResponse, name: str) -> list[Record]:
    body = response.body
    found = body.get(name) if isinstance(body, dict) else None
    if isinstance(found, list) and all(isinstance(each, dict) for each in found):
        return found
    raise ApiAnswerInvalid(f"HubSpot answered {response.status_code}, but with no list of {name}.")


def _described(body: Any) -> str:
    """Return what an error is about, without its message, which repeats values that were sent."""
    if not isinstance(body, dict):
        return ""
    contexts = [error.get("context") for error in [body, *(body.get("errors") or ())] if isinstance(error, dict)]
    scopes = [
        str(scope)
        for context in contexts
        if isinstance(context, dict)
        for scope in context.get("requiredGranularScopes") or context.get("requiredScopes") or ()
    ]
    parts = [str(body[name]) for name in ("category", "subCategory", "policyName") if body.get(name)]
    return ", ".join([*parts, *(["needed: " + " or ".join(scopes)] if scopes else [])])


def _batch_answer(response: ApiResponse) -> BatchAnswer:
    return BatchAnswer(_records(response, "results"), list(response.body.get("errors") or ()))


def _after(response: ApiResponse) -> str | None:
    paging = response.body.get("paging") or {}
    if not isinstance(paging, dict):
        raise ApiAnswerInvalid("HubSpot names a next page in a form that cannot be read.")
    after = (paging.get("next") or {}).get("after")
    return None if after is None else str(after)


def _check_associations(response: ApiResponse) -> None:
    """Pass over the errors of objects that have no associations.

    Raises:
        ApiAnswerInvalid: there are others.
    """
    for error in response.body.get("errors") or ():
        if not str(error.get("subCategory", "")).endswith("NO_ASSOCIATIONS_FOUND"):
            raise ApiAnswerInvalid(f"HubSpot could not read associations: {error.get('category')}.")


def _ties(result: Record) -> Iterator[Record]:
    for other in result.get("to") or ():
        for kind in other.get("associationTypes") or ():
            yield {
                "from_id": str(result["from"]["id"]),
                "to_id": str(other["toObjectId"]),
                "category": kind["category"],
                "type_id": kind["typeId"],
                "label": kind.get("label"),
            }


def _names_of(each: Record, id_property: str) -> set[str]:
    properties: Mapping[str, str | None] = each.get("properties") or {}
    if id_property:
        return {as_kept(id_property, properties.get(id_property) or "")}
    return {each["id"], *(properties.get("hs_merged_object_ids") or "").split(";")}


def _filter(name: str, operator: str, value: str) -> Record:
    return {"propertyName": name, "operator": operator, "value": value}


def _milliseconds(moment: datetime) -> str:
    return str((moment - datetime(1970, 1, 1, tzinfo=UTC)) // MILLISECOND)


def _moment(each: Record, object_type: ObjectType) -> datetime:
    """Return the time of an object's last change, as the search knows it."""
    text = (each.get("properties") or {}).get(object_type.modified)
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC)
    except ValueError:
        raise ApiAnswerInvalid(
            f"HubSpot gave one of its {object_type.name} without the time of its last change ({object_type.modified})."
        ) from None


def _in_batches(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
