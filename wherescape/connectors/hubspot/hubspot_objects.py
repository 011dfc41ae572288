"""The types of objects in HubSpot's CRM that are loaded and written."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ObjectType:
    """A type of objects.

    Arguments:
        kind: one of them, as in the names of load tables.
        name: all of them, as in the API's paths.
        modified: the property with the time of the last change. Contacts have `hs_lastmodifieddate` too, and a search
            by it finds nothing.
        own: how the names of HubSpot's own properties begin that are about such an object rather than about HubSpot.
    """

    kind: str
    name: str
    modified: str = "hs_lastmodifieddate"
    own: tuple[str, ...] = ()


COMPANY = ObjectType("company", "companies")
CONTACT = ObjectType("contact", "contacts", "lastmodifieddate")
DEAL = ObjectType("deal", "deals")
TICKET = ObjectType("ticket", "tickets", own=("hs_pipeline", "hs_ticket_", "hs_resolution"))
CALL = ObjectType("call", "calls", own=("hs_call_", "hs_timestamp"))
EMAIL = ObjectType("email", "emails", own=("hs_email_", "hs_timestamp"))
MEETING = ObjectType("meeting", "meetings", own=("hs_meeting_", "hs_internal_meeting_", "hs_timestamp"))
NOTE = ObjectType("note", "notes", own=("hs_note_", "hs_timestamp"))
TASK = ObjectType("task", "tasks", own=("hs_task_", "hs_timestamp"))

OBJECT_TYPES = (COMPANY, CONTACT, DEAL, TICKET, CALL, EMAIL, MEETING, NOTE, TASK)
WITH_PIPELINES = (DEAL, TICKET)
