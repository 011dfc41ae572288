"""Sends the rows of a load or stage table to HubSpot."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from wherescape import WhereScape
from wherescape.api_response import Record
from wherescape.connectors.hubspot.hubspot_objects import OBJECT_TYPES, ObjectType
from wherescape.connectors.hubspot.hubspot_outcomes import Journal, Outcomes, file_in
from wherescape.connectors.hubspot.hubspot_plan import (
    Row,
    compare,
    is_made_by,
    is_personal,
    make_rows,
    match_columns,
    may_be_made_by,
)
from wherescape.connectors.hubspot.hubspot_tables import find_kind
from wherescape.connectors.hubspot.hubspot_values import as_kept
from wherescape.connectors.hubspot.hubspot_wrapper import INPUTS_A_BATCH, BatchAnswer, Hubspot
from wherescape.connectors.hubspot.utils import connect
from wherescape.errors import (
    ApiOutcomeUnknown,
    ApiRefused,
    LoadError,
    TableNotRegistered,
    UnknownTableKind,
)

logger = logging.getLogger(__name__)

EXAMPLES = 10
MAX_SENDINGS = 5
MOST_NAMED = 3
# An object is made a moment after the run began, and clocks differ.
CLOCKS_MAY_DIFFER = timedelta(minutes=5)


@dataclass(frozen=True)
class SendResult:
    """What became of the rows of a table.

    Arguments:
        created: objects that were made.
        updated: objects that were changed.
        unchanged: rows that HubSpot has already, and that were not sent.
        refused: rows that HubSpot does not take.
        file: the outcome of each row; None for a dry run.
    """

    created: int
    updated: int
    unchanged: int
    refused: int
    file: Path | None = None


def hubspot_load_data(
    wherescape: WhereScape | None = None,
    *,
    id_property: str = "",
    exclude: Sequence[str] = (),
    clear_nulls: bool = False,
    dry_run: bool = False,
    make_doubtful: bool = False,
    portal: str | None = None,
    max_retries: int = 6,
    max_wait_seconds: float = 600,
) -> SendResult:
    """Send the rows of the table that this script is attached to, to the objects of HubSpot that its name says.

    A row with an id (column `id`, `record_id` or `hs_object_id`) changes that object. One without changes or makes the
    object with its value of `id_property`, or makes an object if that is left out. Only properties that differ from
    what HubSpot has are sent, and a row that does not differ is not sent at all. So the table can be sent again after
    any failure: no row is sent twice, and none is left out.

    What HubSpot would refuse is found before anything is sent, as far as the definitions of its properties tell. Each
    row's outcome is a line in `{WSL_WORKDIR}/hubspot/{table}_{sequence}.jsonl`, without its values but for its id and
    the value of `id_property`, unless that is personal.

    Arguments:
        wherescape: made from the environment when left out.
        id_property: a property of which no two objects have the same value, to find objects by.
        exclude: columns that are not sent. Those that begin with `dss_` never are.
        clear_nulls: NULL clears the value in HubSpot; else it is left alone. An empty text clears it in any case.
        dry_run: tell what would be sent, with counts and examples without values, and send nothing.
        make_doubtful: make the objects of rows that were sent, and of which it is not known whether HubSpot made them,
            since it has new objects like them; else such rows are refused.
        portal: the portal to send to, if the table's name says the wrong one; empty for the one without a name.
        max_retries: how often a failed request is repeated.
        max_wait_seconds: the longest wait that HubSpot's rate limit may ask for.

    Raises:
        UnknownTableKind: the table's name contains no object of HubSpot.
        DeclarationError: a column is no property that can be written, or the portal is not clear.
        EnvironmentVariableError: there is no access token, or no `hubspot_environment`.
        LoadError: HubSpot took not one row, or outcomes cannot be kept.
        ApiError: HubSpot could not be asked or written to; rows that were sent are in the file.
        DatabaseError: the table cannot be read.
    """
    wherescape = wherescape or WhereScape()
    object_type = _object_type(wherescape.table)
    names, values = _table_rows(wherescape)
    with connect(
        wherescape, writes=not dry_run, portal=portal, max_retries=max_retries, max_wait_seconds=max_wait_seconds
    ) as hubspot:
        account = hubspot.account()
        definitions = {str(each["name"]): each for each in hubspot.property_definitions(object_type)}
        columns = match_columns(
            names,
            list(definitions.values()),
            object_type,
            sources=_sources(wherescape),
            id_property=id_property,
            exclude=exclude,
        )
        rows = list(make_rows(values, columns, id_property=id_property, clear_nulls=clear_nulls))
        journal = Journal(file_in(wherescape.workdir, wherescape.table, "created", account.get("portalId", "")))
        sender = _Sender(hubspot, object_type, definitions, id_property, journal, rows, make_doubtful=make_doubtful)
        sender.compare_with_hubspot()
        if dry_run:
            return _tell_dry_run(wherescape, object_type, rows)
        outcomes = Outcomes(
            file_in(wherescape.workdir, wherescape.table, wherescape.sequence),
            with_keys=not is_personal(id_property, definitions),
        )
        try:
            for _ in sender.send():
                outcomes.write(rows)
        finally:
            outcomes.write(rows)
            result = _report(wherescape, object_type, rows, outcomes.path)
    if rows and result.refused == len(rows):
        raise LoadError(
            f"HubSpot took not one of {len(rows):,} rows, the first because {rows[0].reason}. See {outcomes.path}."
        )
    return result


class _Sender:
    """Sends rows in batches until each of them is settled."""

    def __init__(
        self,
        hubspot: Hubspot,
        object_type: ObjectType,
        definitions: Mapping[str, Record],
        id_property: str,
        journal: Journal,
        rows: Sequence[Row],
        *,
        make_doubtful: bool,
    ) -> None:
        self._hubspot = hubspot
        self._object_type = object_type
        self._definitions = definitions
        # As HubSpot writes it.
        known = {name.lower(): name for name in definitions}
        self._id_property = known.get(id_property.lower(), "")
        self._journal = journal
        self._rows = rows
        self._make_doubtful = make_doubtful
        self._names = sorted({name for row in rows for name in row.properties})

    def compare_with_hubspot(self) -> None:
        """Find out what each row would change, and settle those that change nothing or cannot be sent."""
        self._compare([row for row in self._rows if not row.outcome])
        known: set[str] = set()
        for row in self._rows:
            if row.id in known and row.outcome != "refused":
                # By its id and by its key, or by two ids of objects that were merged.
                row.refuse("another row is of the same object")
            known |= {row.id} - {""}
        self._settle_creations([row for row in self._to_create() if row.fingerprint in self._journal.doubtful])
        for row in self._to_create():
            if row.fingerprint in self._journal.created:
                row.id, row.outcome = self._journal.created[row.fingerprint], "unchanged"

    def send(self) -> Iterable[None]:
        """Send what is not settled; stops after each batch, when more rows are."""
        kinds: list[tuple[Callable[[Row], bool], Callable[[Sequence[Row]], None]]] = [
            (lambda row: bool(row.id), self._update),
            (lambda row: bool(row.key), self._upsert),
            (lambda row: True, self._create),
        ]
        for is_of_kind, send in kinds:
            rows = [row for row in self._rows if not row.outcome and is_of_kind(row)]
            for at in range(0, len(rows), INPUTS_A_BATCH):
                send(rows[at : at + INPUTS_A_BATCH])
                yield

    def _to_create(self) -> list[Row]:
        return [row for row in self._rows if not (row.outcome or row.id or row.key)]

    def _compare(self, rows: Sequence[Row]) -> None:
        by_id = self._read([row.id for row in rows if row.id])
        by_key = self._read([row.key for row in rows if row.key], self._id_property)
        for row in rows:
            if row.id and row.id not in by_id:
                row.refuse("HubSpot has no object of its id")
            else:
                compare(row, by_id.get(row.id) if row.id else by_key.get(row.key), self._definitions)

    def _read(self, ids: Sequence[str], id_property: str = "") -> dict[str, Record]:
        if not ids:
            return {}
        return self._hubspot.read_batch(self._object_type, ids, self._names, id_property=id_property)

    # -------------------------------------------------------------------------------------------------------- batches

    def _update(self, rows: Sequence[Row]) -> None:
        def call(batch: Sequence[Row]) -> BatchAnswer:
            inputs = [{"id": row.id, "properties": row.changes, **_trace(row)} for row in batch]
            return self._hubspot.update_batch(self._object_type, inputs)

        self._send_known(rows, call)

    def _upsert(self, rows: Sequence[Row]) -> None:
        def call(batch: Sequence[Row]) -> BatchAnswer:
            inputs = [
                {"id": row.key, "idProperty": self._id_property, "properties": _filled(row), **_trace(row)}
                for row in batch
            ]
            return self._hubspot.upsert_batch(self._object_type, inputs)

        self._send_known(rows, call)

    def _send_known(self, rows: Sequence[Row], call: Callable[[Sequence[Row]], BatchAnswer]) -> None:
        """Send rows of which HubSpot tells by their ids or keys whether they were carried out."""
        for _ in range(MAX_SENDINGS):
            try:
                self._send(rows, call)
                return
            except ApiOutcomeUnknown as error:
                failed = error
            rows = [row for row in rows if not row.outcome]
            changes = {row.number: row.changes for row in rows}
            had_id = {row.number for row in rows if row.id}
            self._compare(rows)
            for row in rows:
                if row.outcome == "unchanged":
                    row.outcome = "updated" if row.number in had_id else "created"
                    row.changes = changes[row.number]
            rows = [row for row in rows if not row.outcome]
        raise failed

    def _create(self, rows: Sequence[Row]) -> None:
        def call(batch: Sequence[Row]) -> BatchAnswer:
            inputs = [{"properties": _filled(row), **_trace(row)} for row in batch]
            return self._hubspot.create_batch(self._object_type, inputs)

        for _ in range(MAX_SENDINGS):
            self._journal.sending([row.fingerprint for row in rows], self._began())
            try:
                self._send(rows, call, makes_new=True)
            except ApiOutcomeUnknown as error:
                failed = error
            else:
                self._note_creations(rows)
                return
            self._note_creations([row for row in rows if row.outcome])
            rows = [row for row in rows if not row.outcome]
            self._settle_creations(rows)
            for row in rows:
                if row.outcome == "unchanged":
                    row.outcome = "created"
            rows = [row for row in rows if not row.outcome]
            if not rows:
                return
        raise failed

    def _send(
        self, rows: Sequence[Row], call: Callable[[Sequence[Row]], BatchAnswer], *, makes_new: bool = False
    ) -> None:
        """Send rows, and take a batch that HubSpot does not take apart until the rows are known that it is about.

        Raises:
            ApiOutcomeUnknown: for the rows that are not settled.
        """
        if not rows:
            return
        try:
            answer = call(rows)
        except ApiRefused as error:
            if error.status_code in (401, 403):
                raise
            if len(rows) == 1:
                rows[0].refuse(self._reason(error.body, error.status_code))
                return
            middle = len(rows) // 2
            self._send(rows[:middle], call, makes_new=makes_new)
            self._send(rows[middle:], call, makes_new=makes_new)
            return
        left = self._settle(rows, answer)
        made = sum(row.outcome == "created" for row in rows)
        if makes_new and (len(answer.results) > made or len(answer.results) + len(answer.errors) < len(rows)):
            raise ApiOutcomeUnknown(
                f"HubSpot does not say which of {len(rows)} rows it made {self._object_type.name} of. Look there"
                " before they are sent again."
            )
        if len(rows) == 1:
            for row in left:
                row.refuse(self._reason(answer.errors[0] if answer.errors else None, 207))
            return
        for row in left:
            self._send([row], call, makes_new=makes_new)

    def _settle(self, rows: Sequence[Row], answer: BatchAnswer) -> list[Row]:
        """Settle the rows that an answer tells of, and return the others."""
        by_trace = {str(row.number): row for row in rows}
        by_id = {row.id: row for row in rows if row.id}
        for result in answer.results:
            row = by_trace.get(str(result.get("objectWriteTraceId"))) or by_id.get(str(result.get("id")))
            row = row or self._of_key(rows, result)
            if row is None and len(rows) == 1:
                row = rows[0]
            if row is not None and not row.outcome:
                is_new = result.get("new")
                row.outcome = "created" if (not row.id if is_new is None else is_new) else "updated"
                row.id = str(result["id"])
        for error in answer.errors:
            context = error.get("context") or {}
            for trace in context.get("objectWriteTraceId") or ():
                if (row := by_trace.get(str(trace))) and not row.outcome:
                    row.refuse(self._reason(error, 207))
            for record_id in context.get("ids") or ():
                if (row := by_id.get(str(record_id))) and not row.outcome:
                    row.refuse(self._reason(error, 207))
        return [row for row in rows if not row.outcome]

    def _of_key(self, rows: Sequence[Row], result: Record) -> Row | None:
        key = as_kept(self._id_property, (result.get("properties") or {}).get(self._id_property) or "")
        return next((row for row in rows if key and row.key == key), None)

    def _reason(self, error: Any, status: int) -> str:
        """Say why HubSpot refused a row: its category, and the properties that it names; never a value."""
        error = error if isinstance(error, dict) else {}
        said = str(error.get("message") or "")
        named = [name for name in self._names if name in said.replace('"', " ").replace(",", " ").split()]
        about = f" ({', '.join(named)})" if named else ""
        return f"HubSpot says {error.get('category') or status}{about}"

    # ------------------------------------------------------------------------------------------------------ creations

    def _began(self) -> datetime:
        return self._hubspot.extraction.started or datetime.now(UTC)

    def _note_creations(self, rows: Sequence[Row]) -> None:
        created = {row.fingerprint: row.id for row in rows if row.outcome == "created"}
        self._journal.settle(created, [row.fingerprint for row in rows if row.outcome == "refused"])

    def _settle_creations(self, rows: Sequence[Row]) -> None:
        """Look in HubSpot's list for objects that rows of unknown outcome have made; the search may not know them.

        A row is not sent again if HubSpot has a new object that it may have made.
        """
        if not rows:
            return
        earliest = min(self._journal.doubtful.get(row.fingerprint, self._began()) for row in rows) - CLOCKS_MAY_DIFFER
        claimed = {*self._journal.created.values()}
        waiting = list(rows)
        found: dict[str, str] = {}
        unclaimed: list[Record] = []
        for each in self._hubspot.objects(self._object_type, self._names):
            if each["id"] in claimed or datetime.fromisoformat(each["createdAt"]) < earliest:
                continue
            row = next((row for row in waiting if is_made_by(each, row, self._definitions)), None)
            if row is None:
                unclaimed.append(each)
                continue
            row.id, row.outcome = str(each["id"]), "unchanged"
            found[row.fingerprint] = row.id
            waiting.remove(row)
        if not self._make_doubtful:
            for row in waiting:
                like = [str(each["id"]) for each in unclaimed if may_be_made_by(each, row, self._definitions)]
                if like:
                    row.refuse(
                        f"it was sent, and may have made {' or '.join(like[:MOST_NAMED])}: give the row that id, or"
                        " send it with make_doubtful=True"
                    )
        self._journal.settle(found, [row.fingerprint for row in waiting if not row.outcome])


def _object_type(table: str) -> ObjectType:
    kind, object_types = find_kind(table)
    if len(object_types) != 1 or kind.kind not in {each.kind for each in OBJECT_TYPES}:
        raise UnknownTableKind(
            f"The name {table!r} does not say which objects of HubSpot to write: it must contain one of"
            f" {', '.join(each.kind for each in OBJECT_TYPES)}."
        )
    return object_types[0]


def _table_rows(wherescape: WhereScape) -> tuple[list[str], list[Sequence[object]]]:
    rows = wherescape.query_target(f"SELECT * FROM {wherescape.load_full_name}")
    if not rows:
        return wherescape.get_columns()[0], []
    return [column[0] for column in rows[0].cursor_description], rows


def _sources(wherescape: WhereScape) -> dict[str, str]:
    try:
        return {name: source for source, name in wherescape.columns_by_source().items()}
    except TableNotRegistered:
        return {}


def _trace(row: Row) -> Record:
    return {"objectWriteTraceId": str(row.number)}


def _filled(row: Row) -> dict[str, str]:
    return {name: value for name, value in row.properties.items() if value}


def _tell_dry_run(wherescape: WhereScape, object_type: ObjectType, rows: Sequence[Row]) -> SendResult:
    counts: Counter[str] = Counter(row.outcome or ("updated" if row.id else "created") for row in rows)
    for row in [row for row in rows if not row.outcome][:EXAMPLES]:
        verb = f"change {object_type.kind} {row.id}" if row.id else f"create one of {object_type.name}"
        logger.info("Row %s would %s: %s.", f"{row.number:,}", verb, ", ".join(sorted(row.changes)))
    for row in [row for row in rows if row.outcome == "refused"][:EXAMPLES]:
        logger.info("Row %s would be refused: %s.", f"{row.number:,}", row.reason)
    wherescape.main_message = f"dry run, nothing sent; it would be {_said(object_type, counts)}"
    return SendResult(counts["created"], counts["updated"], counts["unchanged"], counts["refused"])


def _report(wherescape: WhereScape, object_type: ObjectType, rows: Sequence[Row], file: Path) -> SendResult:
    counts: Counter[str] = Counter(row.outcome for row in rows)
    result = SendResult(counts["created"], counts["updated"], counts["unchanged"], counts["refused"], file)
    wherescape.update_task_log(
        inserted=result.created, updated=result.updated, discarded=result.unchanged, rejected=result.refused
    )
    if result.refused:
        reasons = Counter(row.reason for row in rows if row.outcome == "refused").most_common(3)
        logger.warning(
            "HubSpot does not take %s of %s rows: %s. See %s.",
            f"{result.refused:,}",
            f"{len(rows):,}",
            "; ".join(f"{reason} ({count:,})" for reason, count in reasons),
            file,
        )
    wherescape.main_message = _said(object_type, counts)
    return result


def _said(object_type: ObjectType, counts: Mapping[str, int]) -> str:
    parts = [f"{counts.get(what, 0):,} {what}" for what in ("created", "updated", "unchanged", "refused")]
    return f"{object_type.name}: {', '.join(parts)}"
