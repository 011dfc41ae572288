"""A stand-in for HubSpot on loopback: portals with their own tokens, stateful, and strict about what a client may ask.

Sources: HubSpot CRM API v3 and v4 ("Objects", "Search", "Properties", "Owners", "Pipelines", "Associations"), and its
"API usage guidelines".
"""

import json
import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import unquote

from tests.servers.hubspot_portal import (
    DEFAULT_PROPERTIES,
    OBJECT_TYPES,
    Clock,
    Json,
    Portal,
    Record,
    modified_property,
    timestamp,
)
from wherescape.testing.api_server import Answer, ApiServer, Refused, Request, json_answer

MAX_URL = 8_000
MAX_LISTED = 100
MAX_SEARCHED = 200
MAX_RESULTS = 10_000
MAX_BATCH = 100
AFTER_AN_EMPTY_PAGE = 9
OPERATORS = ("EQ", "NEQ", "LT", "LTE", "GT", "GTE", "BETWEEN", "IN", "NOT_IN", "HAS_PROPERTY", "NOT_HAS_PROPERTY")


class HubspotServer(ApiServer):
    """HubSpot with some portals; what happens in them is what a test makes happen.

        with HubspotServer() as server:
            company = server.portal.add("companies", name="Lamp")

    It begins with one portal, whose token is `server.portal.token`. Time stands still unless it is told to pass.
    """

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.now = self.clock.now
        self.portals: dict[str, Portal] = {}
        self.portal = self.add_portal("main")
        self.most_listed, self.most_searched = MAX_LISTED, MAX_SEARCHED
        self.has_empty_pages = False
        """Whether a search gives an empty page before each page of results."""
        self.sorts_ids_as_texts = False
        self.most_results = MAX_RESULTS
        self.associations_a_page = 500
        self.limit: Json = {}
        """The body of a 429 that every request for objects gets, if it is not empty."""
        self.burst = self.searches = 0
        """How many requests, and how many searches, pass in an interval; 0 for any number."""
        self.interval_milliseconds = 10_000
        self._passed: dict[str, list[float]] = {}

    def add_portal(self, name: str, *, is_sandbox: bool = False) -> Portal:
        """Add a portal of its own token."""
        number = len(self.portals)
        portal = Portal(
            f"pat-eu1-{name}-0123456789ab", name, self.clock, is_sandbox, first_id=50_417_211_290 + number * 10**9
        )
        self.portals[portal.token] = portal
        return portal

    def answer(self, request: Request) -> Answer:
        """Answer one request."""
        if len(request.path) + sum(len(name) + len(value) for name, value in request.query.items()) > MAX_URL:
            return Answer(414, "<html>Request-URI too large</html>", {"Content-Type": "text/html"})
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        portal = self.portals.get(token)
        if portal is None:
            return _error(401, "Authentication credentials not found.", "INVALID_AUTHENTICATION")
        portal.requests.append(f"{request.method} {request.path}")
        if self.limit and request.path.startswith("/crm"):
            return json_answer(self.limit, 429)
        if request.path.endswith("/search"):
            self._let_pass(portal, "SECONDLY", self.searches, {})
            return self._answer_of(request, portal)
        headers = (
            {}
            if not self.burst
            else {
                "X-HubSpot-RateLimit-Max": str(self.burst),
                "X-HubSpot-RateLimit-Interval-Milliseconds": str(self.interval_milliseconds),
            }
        )
        left = self._let_pass(portal, "TEN_SECONDLY_ROLLING", self.burst, headers)
        answer = self._answer_of(request, portal)
        if headers:
            headers["X-HubSpot-RateLimit-Remaining"] = str(left)
        return replace(answer, headers={**answer.headers, **headers})

    def _let_pass(self, portal: Portal, policy: str, most: int, headers: Mapping[str, str]) -> int:
        """Return how many requests are left of a limit; refuse one that is over it."""
        if not most:
            return 0
        now = time.monotonic()
        earliest = now - self.interval_milliseconds / 1000
        passed = [moment for moment in self._passed.get(portal.token + policy, []) if moment > earliest]
        if len(passed) >= most:
            body = {"status": "error", "message": "You have reached your limit.", "errorType": "RATE_LIMIT"}
            remaining = {"X-HubSpot-RateLimit-Remaining": "0"} if headers else {}
            raise Refused(json_answer(body | {"policyName": policy}, 429, {**headers, **remaining}))
        self._passed[portal.token + policy] = [*passed, now]
        return most - len(passed) - 1

    def _answer_of(self, request: Request, portal: Portal) -> Answer:
        parts = [unquote(part) for part in request.path.strip("/").split("/")]
        for object_type in OBJECT_TYPES:
            if object_type in parts[3:] and object_type in portal.missing_scopes:
                needed = {"requiredGranularScopes": [f"crm.objects.{object_type}.read"]}
                return _error(403, "This app hasn't been granted all required scopes.", "MISSING_SCOPES", needed)
        match request.method, parts:
            case "GET", ["crm", "v3", "objects", object_type]:
                return self._list(request, portal, self._type(object_type))
            case "POST", ["crm", "v3", "objects", object_type, "search"]:
                return self._search(request, portal, self._type(object_type))
            case "POST", ["crm", "v3", "objects", object_type, "merge"]:
                return self._merge(request, portal, self._type(object_type))
            case "POST", ["crm", "v3", "objects", object_type, "batch", "read"]:
                return self._batch_read(request, portal, self._type(object_type))
            case "POST", ["crm", "v3", "objects", object_type, "batch", verb]:
                return self._batch(request, portal, self._type(object_type), verb)
            case "GET", ["crm", "v3", "objects", object_type, record_id]:
                return self._get(request, portal, self._type(object_type), record_id)
            case "GET", ["crm", "v3", "properties", object_type]:
                return self._properties(request, portal, self._type(object_type))
            case "GET", ["account-info", "v3", "details"]:
                return json_answer(portal.account)
            case "GET", ["crm", "v3", "owners"]:
                return self._owners(request, portal)
            case "GET", ["crm", "v3", "pipelines", object_type]:
                return json_answer({"results": portal.pipelines[self._type(object_type)]})
            case "GET", ["crm", "v4", "objects", from_type, from_id, "associations", to_type]:
                return self._associations_of(request, portal, (from_type, from_id, to_type))
            case "PUT", ["crm", "v4", "objects", from_type, from_id, "associations", to_type, to_id]:
                return self._associate(request, portal, (from_type, from_id, to_type, to_id))
            case "DELETE", ["crm", "v4", "objects", from_type, from_id, "associations", to_type, to_id]:
                portal.dissociate(from_type, from_id, to_type, to_id)
                portal.writes.append(("dissociate", from_type, from_id, {"to": to_id}))
                return Answer(204)
            case "POST", ["crm", "v4", "associations", from_type, to_type, "batch", "read"]:
                return self._read_associations(request, portal, self._type(from_type), self._type(to_type))
        raise self.mistake(f"there is no {request.method} {request.path}", _error(404, "Not found.", "NOT_FOUND"))

    def _type(self, name: str) -> str:
        if name not in OBJECT_TYPES:
            raise self.mistake(
                f"there is no object type {name}", _error(400, "Unable to infer object type", "VALIDATION")
            )
        return name

    def _refuse(self, request: Request, text: str) -> Refused:
        return self.mistake(f"{request.method} {request.path}: {text}", _error(400, text, "VALIDATION_ERROR"))

    def _check(self, request: Request, given: Collection[str], known: Collection[str]) -> None:
        if unknown := sorted({*given} - {*known}):
            raise self._refuse(request, f"there is no {', '.join(unknown)}")

    def _number(self, request: Request, text: object, least: int, most: int, what: str) -> int:
        if not str(text).isdecimal() or not least <= int(str(text)) <= most:
            raise self._refuse(request, f"{what} is {text}; it may be {least} to {most}")
        return int(str(text))

    # --------------------------------------------------------------------------------------------------------- read

    def _list(self, request: Request, portal: Portal, object_type: str) -> Answer:
        query = request.query
        self._check(request, query, ("limit", "after", "properties", "associations", "archived"))
        limit = min(self._number(request, query.get("limit", "10"), 1, MAX_LISTED, "limit"), self.most_listed)
        archived = _is_true(query.get("archived"))
        after = query.get("after", "")
        names = self._names(query.get("properties"), object_type)
        found = sorted(
            (record for record in portal.records[object_type].values() if record.archived == archived),
            key=lambda record: int(record.id),
        )
        found = [record for record in found if not after or int(record.id) >= int(after)]
        shown = found[:limit]
        body: Json = {"results": [portal.entity(object_type, record, names) for record in shown]}
        if len(found) > limit:
            following = str(int(shown[-1].id) + 1)
            body["paging"] = {"next": {"after": following, "link": f"{self.url}{request.path}?after={following}"}}
        return json_answer(body)

    def _get(self, request: Request, portal: Portal, object_type: str, record_id: str) -> Answer:
        self._check(request, request.query, ("properties", "archived", "idProperty"))
        record = portal.find(object_type, record_id)
        if record is None or record.archived != _is_true(request.query.get("archived")):
            return _error(404, "resource not found", "OBJECT_NOT_FOUND")
        return json_answer(
            portal.entity(object_type, record, self._names(request.query.get("properties"), object_type))
        )

    def _names(self, properties: str | None, object_type: str) -> list[str]:
        return properties.split(",") if properties else [*DEFAULT_PROPERTIES.get(object_type, ())]

    def _batch_read(self, request: Request, portal: Portal, object_type: str) -> Answer:
        self._check(request, request.query, ("archived",))
        archived = _is_true(request.query.get("archived"))
        body = request.body or {}
        self._check(request, body, ("inputs", "properties", "propertiesWithHistory", "idProperty"))
        ids = [each["id"] for each in self._inputs(request, body, MAX_BATCH)]
        found: list[Json] = []
        errors: list[str] = []
        for given in ids:
            record = self._by(portal, object_type, given, body.get("idProperty"))
            if record is None or record.archived != archived:
                errors.append(given)
            elif not any(each["id"] == record.id for each in found):
                found.append(portal.entity(object_type, record, body.get("properties", [])))
        now = timestamp(self.clock.moment())
        answer: Json = {"status": "COMPLETE", "results": found, "startedAt": now, "completedAt": now}
        if errors:
            problem = {
                "status": "error",
                "category": "OBJECT_NOT_FOUND",
                "message": "Could not get some objects, they may be deleted or not exist.",
                "context": {"ids": errors},
            }
            answer |= {"numErrors": 1, "errors": [problem]}
        return json_answer(answer, 207 if errors else 200)

    def _by(self, portal: Portal, object_type: str, given: str, id_property: str | None) -> Record | None:
        if not id_property or id_property == "hs_object_id":
            return portal.find(object_type, given)
        wanted = portal.kept(id_property, given)
        records = portal.records[object_type].values()
        found = (record for record in records if record.properties.get(id_property) == wanted and not record.archived)
        return next(found, None)

    def _inputs(self, request: Request, body: Mapping[str, Any], most: int) -> list[Json]:
        inputs = body.get("inputs")
        if not isinstance(inputs, list) or not 1 <= len(inputs) <= most:
            raise self._refuse(request, f"inputs must be 1 to {most}")
        return inputs

    def _search(self, request: Request, portal: Portal, object_type: str) -> Answer:
        body = request.body or {}
        self._check(request, body, ("filterGroups", "sorts", "properties", "limit", "after", "query"))
        limit = min(self._number(request, body.get("limit", 10), 1, MAX_SEARCHED, "limit"), self.most_searched)
        start = self._number(request, body.get("after") or 0, 0, 10**9, "after")
        groups = body.get("filterGroups", [])
        filters = [each for group in groups for each in group["filters"]]
        if len(groups) > 5 or len(filters) > 25 or any(len(group["filters"]) > 10 for group in groups):
            raise self._refuse(request, "too many filters")
        if len(body.get("sorts", [])) > 1:
            raise self._refuse(request, "one sort at most")
        if start >= self.most_results or start + limit > self.most_results:
            raise self._refuse(request, f"a search gives {self.most_results} results at most")
        found = [
            (record, values)
            for record, values in portal.indexed(object_type)
            if not groups
            or any(
                all(self._passes(request, portal, object_type, each, values) for each in group["filters"])
                for group in groups
            )
        ]
        for sort in body.get("sorts", [{"propertyName": "hs_object_id", "direction": "ASCENDING"}]):
            name, is_down = sort["propertyName"], sort.get("direction") == "DESCENDING"
            found.sort(key=lambda pair: self._sortable(portal, object_type, name, pair[1]), reverse=is_down)
        is_page_empty = self.has_empty_pages and len(body.get("after", "")) != AFTER_AN_EMPTY_PAGE
        shown = [] if is_page_empty else found[start : start + limit]
        answer: Json = {
            "total": len(found),
            "results": [
                portal.entity(object_type, Record(record.id, dict(values), record.created, updated), names)
                for record, values in shown
                for names in [body.get("properties") or [*DEFAULT_PROPERTIES.get(object_type, ())]]
                for updated in [datetime.fromisoformat(str(values[modified_property(object_type)]))]
            ],
        }
        if is_page_empty and found:
            # The same place again, told apart by zeros in front that a number may have.
            answer["paging"] = {"next": {"after": str(start).zfill(AFTER_AN_EMPTY_PAGE)}}
        elif len(found) > start + limit:
            answer["paging"] = {"next": {"after": str(start + limit)}}
        return json_answer(answer)

    def _sortable(self, portal: Portal, object_type: str, name: str, values: Mapping[str, str | None]) -> Any:
        value = values.get(name) or ""
        if name == "hs_object_id":
            return value if self.sorts_ids_as_texts else int(value)
        return (portal.definitions[object_type][name]["type"] == "number" and value and Decimal(value), value)

    def _passes(
        self, request: Request, portal: Portal, object_type: str, each: Json, values: Mapping[str, str | None]
    ) -> bool:
        self._check(request, each, ("propertyName", "operator", "value", "highValue", "values"))
        name, operator = each["propertyName"], each["operator"]
        if name not in portal.definitions[object_type]:
            raise self._refuse(request, f"there is no property {name}")
        if operator not in OPERATORS:
            raise self._refuse(request, f"there is no operator {operator}")
        if object_type == "contacts" and name == "hs_lastmodifieddate":
            return False
        value = values.get(name)
        if operator in ("HAS_PROPERTY", "NOT_HAS_PROPERTY"):
            return bool(value) is (operator == "HAS_PROPERTY")
        if operator in ("IN", "NOT_IN"):
            wanted = each.get("values")
            if not isinstance(wanted, list) or not wanted or "value" in each:
                raise self._refuse(request, "IN wants `values`")
            return ((value or "").lower() in wanted) is (operator == "IN")
        if not isinstance(each.get("value"), str):
            raise self._refuse(request, f"{operator} wants a text as `value`")
        if value is None:
            return str(operator) == "NEQ"
        kind = portal.definitions[object_type][name]["type"]
        mine, other = _comparable(kind, value), _comparable(kind, each["value"])
        if other is None or type(mine) is not type(other):
            raise self._refuse(request, f"{each['value']} is no {kind}")
        tests: dict[str, Callable[[Any, Any], bool]] = {
            "EQ": lambda a, b: a == b,
            "NEQ": lambda a, b: a != b,
            "LT": lambda a, b: a < b,
            "LTE": lambda a, b: a <= b,
            "GT": lambda a, b: a > b,
            "GTE": lambda a, b: a >= b,
            "BETWEEN": lambda a, b: b <= a <= _comparable(kind, each["highValue"]),
        }
        return bool(tests[operator](mine, other))

    def _properties(self, request: Request, portal: Portal, object_type: str) -> Answer:
        self._check(request, request.query, ("archived", "dataSensitivity"))
        sensitivity = request.query.get("dataSensitivity", "non_sensitive")
        archived = _is_true(request.query.get("archived"))
        found = [
            each
            for each in portal.definitions[object_type].values()
            if each["dataSensitivity"] == sensitivity and each["archived"] == archived
        ]
        return json_answer({"results": found})

    def _owners(self, request: Request, portal: Portal) -> Answer:
        self._check(request, request.query, ("limit", "after", "archived", "email"))
        limit = self._number(request, request.query.get("limit", "100"), 1, 500, "limit")
        archived = _is_true(request.query.get("archived"))
        owners = [owner for owner in portal.owners if owner["archived"] == archived]
        start = int(request.query.get("after") or 0)
        body: Json = {"results": owners[start : start + min(limit, self.most_listed)]}
        if start + min(limit, self.most_listed) < len(owners):
            body["paging"] = {"next": {"after": str(start + min(limit, self.most_listed))}}
        return json_answer(body)

    # -------------------------------------------------------------------------------------------------------- write

    def _merge(self, request: Request, portal: Portal, object_type: str) -> Answer:
        body = request.body or {}
        self._check(request, body, ("primaryObjectId", "objectIdToMerge"))
        kept, other = (portal.find(object_type, body.get(name, "")) for name in ("primaryObjectId", "objectIdToMerge"))
        if kept is None or other is None:
            return _error(404, "Object not found.", "OBJECT_NOT_FOUND")
        if kept.id == other.id:
            return _error(400, "Cannot merge an object into itself.", "VALIDATION_ERROR")
        merged = portal.merge(object_type, kept.id, other.id)
        portal.writes.append(("merge", object_type, merged.id, {"kept": kept.id, "other": other.id}))
        return json_answer(portal.entity(object_type, merged, []))

    def _batch(self, request: Request, portal: Portal, object_type: str, verb: str) -> Answer:
        body = request.body or {}
        self._check(request, body, ("inputs",))
        inputs = self._inputs(request, body, MAX_BATCH)
        known = {
            "create": ("properties", "associations", "objectWriteTraceId"),
            "update": ("id", "properties", "idProperty", "objectWriteTraceId"),
            "upsert": ("id", "properties", "idProperty", "objectWriteTraceId"),
            "archive": ("id",),
        }
        if verb not in known:
            raise self._refuse(request, f"there is no batch/{verb}")
        for each in inputs:
            self._check(request, each, known[verb])
            if any(not isinstance(value, str) for value in each.get("properties", {}).values()):
                raise self._refuse(request, "the value of a property must be a text")
        ids = [each["id"] for each in inputs if "id" in each]
        if len(ids) != len({*ids}):
            raise self._refuse(request, "the same id twice in a batch")
        if verb == "archive":
            for record_id in ids:
                if record_id in portal.records[object_type]:
                    portal.archive(object_type, record_id)
                    portal.writes.append(("archive", object_type, record_id, {}))
            return Answer(204)
        names = {name for each in inputs for name in each["properties"]}
        if unknown := sorted(names - portal.definitions[object_type].keys()):
            # Whatever else is in the batch.
            problem = {"isValid": False, "error": "PROPERTY_DOESNT_EXIST", "name": unknown[0]}
            return _error(400, f"Property values were not valid: {json.dumps([problem])}", "VALIDATION_ERROR")
        return self._write_all(portal, object_type, verb, inputs)

    def _write_all(self, portal: Portal, object_type: str, verb: str, inputs: Sequence[Json]) -> Answer:
        problems = [self._problem(portal, object_type, verb, each) for each in inputs]
        if portal.refuses_whole_batches and any(problems):
            first = next(problem for problem in problems if problem)
            return _error(first.status, first.text, first.category)
        results, errors = [], []
        for each, problem in zip(inputs, problems, strict=True):
            # A value that is to be unique may have come with a row of the same batch.
            problem = problem or self._problem(portal, object_type, verb, each)
            if problem:
                context = {"objectWriteTraceId": [each["objectWriteTraceId"]]} if "objectWriteTraceId" in each else {}
                if "id" in each:
                    context["ids"] = [each["id"]]
                errors.append(
                    {"status": "error", "category": problem.category, "message": problem.text, "context": context}
                )
                continue
            record = (
                self._by(portal, object_type, each.get("id", ""), each.get("idProperty")) if "id" in each else None
            )
            is_new = record is None
            values = dict(each["properties"])
            if record is None:
                if verb == "upsert":
                    values.setdefault(each["idProperty"], each["id"])
                record = portal.create(object_type, values)
            else:
                portal.change(object_type, record.id, **values)
            portal.writes.append(("create" if is_new else "update", object_type, record.id, values))
            entity = portal.entity(object_type, record, [*values])
            if verb == "upsert":
                entity["new"] = is_new
            if "objectWriteTraceId" in each:
                entity["objectWriteTraceId"] = each["objectWriteTraceId"]
            results.append(entity)
        now = timestamp(self.clock.moment())
        body: Json = {"status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now}
        if errors:
            return json_answer(body | {"numErrors": len(errors), "errors": errors}, 207)
        return json_answer(body, 201 if verb == "create" else 200)

    def _problem(self, portal: Portal, object_type: str, verb: str, each: Json) -> "_Problem | None":
        record = self._by(portal, object_type, each.get("id", ""), each.get("idProperty")) if "id" in each else None
        if verb == "update" and (record is None or record.archived):
            return _Problem(404, "OBJECT_NOT_FOUND", "resource not found")
        if verb == "upsert" and not portal.is_unique(object_type, each.get("idProperty", "")):
            return _Problem(400, "VALIDATION_ERROR", "idProperty must be a unique property")
        for name, value in each["properties"].items():
            about = portal.definitions[object_type][name]
            if about["modificationMetadata"]["readOnlyValue"] or about["calculated"]:
                return _Problem(400, "VALIDATION_ERROR", f"{name} is a read only property")
            if value and not _is_valid(about, value):
                return _Problem(400, "VALIDATION_ERROR", f"{value} is no value of {name}")
            if value and portal.is_unique(object_type, name):
                other = self._by(portal, object_type, value, name)
                if other is not None and (record is None or other.id != record.id):
                    return _Problem(409, "CONFLICT", f"{other.id} already has the value {value} of {name}")
        return None

    # ------------------------------------------------------------------------------------------------- associations

    def _associations_of(self, request: Request, portal: Portal, place: tuple[str, str, str]) -> Answer:
        self._check(request, request.query, ("limit", "after"))
        limit = min(
            self._number(request, request.query.get("limit", "500"), 1, 500, "limit"), self.associations_a_page
        )
        return json_answer(self._page_of(portal, place, request.query.get("after", ""), limit))

    def _page_of(self, portal: Portal, place: tuple[str, str, str], after: str, limit: int) -> Json:
        found = sorted(key[3] for key, types in portal.associations.items() if key[:3] == place and types)
        found = [to_id for to_id in found if to_id > after]
        results = [
            {
                "toObjectId": int(to_id),
                "associationTypes": [
                    {"category": category, "typeId": type_id, "label": label}
                    for (category, type_id), label in portal.associations[(*place, to_id)].items()
                ],
            }
            for to_id in found[:limit]
        ]
        more = {"paging": {"next": {"after": found[limit - 1]}}} if len(found) > limit else {}
        return {"results": results, **more}

    def _read_associations(self, request: Request, portal: Portal, from_type: str, to_type: str) -> Answer:
        results, errors = [], []
        for each in self._inputs(request, request.body or {}, 1_000):
            self._check(request, each, ("id", "after"))
            page = self._page_of(
                portal, (from_type, each["id"], to_type), each.get("after", ""), self.associations_a_page
            )
            found = page.pop("results")
            if found:
                results.append({"from": {"id": each["id"]}, "to": found, **page})
            else:
                errors.append(
                    {
                        "status": "error",
                        "category": "OBJECT_NOT_FOUND",
                        "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
                        "message": f"No {to_type} is associated with {from_type} {each['id']}.",
                        "context": {"fromObjectId": [each["id"]]},
                    }
                )
        body: Json = {"status": "COMPLETE", "results": results}
        return json_answer(
            body | ({"numErrors": len(errors), "errors": errors} if errors else {}), 207 if errors else 200
        )

    def _associate(self, request: Request, portal: Portal, place: tuple[str, str, str, str]) -> Answer:
        from_type, from_id, to_type, to_id = place
        if not isinstance(request.body, list) or not request.body:
            raise self._refuse(request, "a list of types is wanted")
        if portal.find(from_type, from_id) is None or portal.find(to_type, to_id) is None:
            return _error(404, "resource not found", "OBJECT_NOT_FOUND")
        for each in request.body:
            self._check(request, each, ("associationCategory", "associationTypeId"))
            portal.associate(*place, each["associationCategory"], each["associationTypeId"])
        portal.writes.append(("associate", from_type, from_id, {"to": to_id, "types": request.body}))
        return json_answer({"fromObjectId": int(from_id), "toObjectId": int(to_id), "labels": []}, 201)


class _Problem:
    def __init__(self, status: int, category: str, text: str) -> None:
        self.status, self.category, self.text = status, category, text


def _error(status: int, message: str, category: str, context: Json | None = None) -> Answer:
    errors = [{"message": message, "context": context}] if context else []
    body = {"status": "error", "message": message, "correlationId": "aeb5f871-7f07-4993-9211-075dc63e7cbf"}
    return json_answer({**body, "category": category, "errors": errors, "context": {}, "links": {}}, status)


def _is_true(text: str | None) -> bool:
    return (text or "").lower() == "true"


def _comparable(kind: str, value: str) -> Any:
    """Return a value as it is compared; None if it is none of its type."""
    try:
        if kind == "number":
            return Decimal(value)
        if kind in ("datetime", "date"):
            if re.fullmatch(r"\d+", value):
                return datetime.fromtimestamp(int(value) / 1000, UTC)
            moment = datetime.fromisoformat(value)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, InvalidOperation):
        return None
    return value.lower()


def _is_valid(about: Json, value: str) -> bool:
    """Tell whether a property may have a value."""
    match about["type"]:
        case "number":
            return bool(re.fullmatch(r"-?\d+(\.\d+)?", value))
        case "bool":
            return value in ("true", "false")
        case "enumeration":
            known = {option["value"] for option in about["options"]}
            return all(part in known for part in value.strip(";").split(";")) if known else True
        case "date":
            return bool(re.fullmatch(r"\d{4}-\d{2}-\d{2}", value)) or (
                value.isdecimal() and int(value) % 86_400_000 == 0
            )
        case "datetime":
            return value.isdecimal() or bool(re.fullmatch(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z", value))
    return True
