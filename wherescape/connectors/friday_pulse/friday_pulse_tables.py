"""Friday Pulse's load tables, declared once for their metadata, their load and the README.

Source of the fields: answers of the Friday Pulse API v1. Those of notes and risks are not documented, so that all of
them are kept as they come.
"""

from dataclasses import replace

from wherescape.tables import Column, Table

_SURVEY = Column("sample_date", "date", comment="Date of the survey.")
_GROUP = Column("group_id", "text", comment="Group: id.")
_POSITION = Column("position", "integer", comment="Place in the answer, from 1; it changes when others come or go.")
_OTHER_FIELDS = Column("other_fields", "json", comment="Fields that have no column, as they came; null without any.")
_ALL_FIELDS = Column("other_fields", "json", comment="All its fields but the date, as they came.")
_NOTE = replace(_ALL_FIELDS, display_name="Other fields [GDPR_HIGH]")
_CODE_AND_NAME = (Column("code", "text", comment="Code."), Column("name", "text", comment="Name."))
_RESULT = (
    _SURVEY,
    Column("score", "numeric", comment="Score of the topic; null without answers."),
    Column("response_rate", "numeric", comment="Percentage of those asked who answered."),
    Column("response_count", "integer", comment="How many answered."),
    Column("total_count", "integer", comment="How many were asked."),
)
_TOPIC = (
    Column("topic_code", "text", comment="Topic: code; null where a result belongs to none."),
    Column("topic_name", "text", comment="Topic: name."),
)

TOPICS = Table(
    kind="topic",
    record_source="Friday Pulse API - topics",
    key=("code",),
    columns=(*_CODE_AND_NAME, _OTHER_FIELDS),
)

GROUP_TYPES = Table(
    kind="group_type",
    record_source="Friday Pulse API - group types",
    key=("code",),
    columns=(*_CODE_AND_NAME, _OTHER_FIELDS),
)

GROUPS = Table(
    kind="group",
    record_source="Friday Pulse API - groups",
    key=("id",),
    columns=(
        Column("id", "text", comment="Group id."),
        Column("name", "text", comment="Name."),
        Column("group_type_code", "text", comment="Type: code; of several the first one."),
        Column("group_type_codes", "json", comment="Types that the group belongs to: a list of codes."),
        _OTHER_FIELDS,
    ),
)

GENERAL_RESULTS = Table(
    kind="general_result",
    record_source="Friday Pulse API - general results",
    key=("sample_date", "topic_code"),
    columns=(
        *_RESULT,
        Column("question_count", "integer", comment="How many questions the survey has."),
        *_TOPIC,
        _OTHER_FIELDS,
    ),
)

GROUP_RESULTS = Table(
    kind="group_result",
    record_source="Friday Pulse API - group results",
    key=("sample_date", "group_id", "topic_code"),
    columns=(*_RESULT, *_TOPIC, _GROUP, _OTHER_FIELDS),
)

GENERAL_NOTES = Table(
    kind="general_note",
    record_source="Friday Pulse API - general notes",
    key=("sample_date", "position"),
    columns=(_SURVEY, _POSITION, _NOTE),
)

GROUP_NOTES = Table(
    kind="group_note",
    record_source="Friday Pulse API - group notes",
    key=("sample_date", "group_id", "position"),
    columns=(_SURVEY, _GROUP, _POSITION, _NOTE),
)

GENERAL_RISKS = Table(
    kind="general_risk",
    record_source="Friday Pulse API - general risks",
    key=("sample_date", "position"),
    columns=(_SURVEY, _POSITION, _ALL_FIELDS),
)

GROUP_RISKS = Table(
    kind="group_risk",
    record_source="Friday Pulse API - group risks",
    key=("sample_date", "group_id", "position"),
    columns=(_SURVEY, _GROUP, _POSITION, _ALL_FIELDS),
)

TABLES = (
    TOPICS,
    GROUP_TYPES,
    GROUPS,
    GENERAL_RESULTS,
    GROUP_RESULTS,
    GENERAL_NOTES,
    GROUP_NOTES,
    GENERAL_RISKS,
    GROUP_RISKS,
)


def with_masked_notes(table: Table) -> Table:
    """Return a declaration that keeps nothing of a note but that there is one."""
    masked = replace(_NOTE, data_type="text", mask="fixed")
    return replace(table, columns=tuple(masked if column is _NOTE else column for column in table.columns))
