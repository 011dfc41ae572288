"""Friday Pulse's load tables under the tests that every connector inherits."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, ClassVar

from tests.servers.friday_pulse_server import FridayPulseServer
from wherescape.connectors.friday_pulse.friday_pulse_create_metadata import friday_pulse_create_metadata
from wherescape.connectors.friday_pulse.friday_pulse_load_data import friday_pulse_load_data
from wherescape.testing.contract import START, ConnectorContract, Key

NO_PAGES = {"test_short_pages_are_no_end": "The API gives whole lists."}


class FridayPulseContract(ConnectorContract[FridayPulseServer]):
    """What all of them share: a survey a week, of one group."""

    create_metadata = staticmethod(friday_pulse_create_metadata)
    load_data = staticmethod(friday_pulse_load_data)
    options: ClassVar[Mapping[str, Any]] = {"workers": 1, "lookback_weeks": 1}
    has_removals = False

    def start(self) -> FridayPulseServer:
        server = FridayPulseServer()
        server.now = START
        server.add_group("Sales", ["mia", "tom"])
        server.topics = {"happiness": "Happiness"}
        self.surveys = 0
        return server

    def one_of(self, keys: Sequence[Key]) -> Key:
        # Older surveys take no answers any more.
        return keys[-1]

    def connection(self, server: FridayPulseServer) -> dict[str, str]:
        return {"url": server.url, "apikey": server.token}

    def _add_survey(self, server: FridayPulseServer) -> str:
        """Add a survey that was answered, a week behind the last one."""
        self.surveys += 1
        survey = server.add_survey(START.date() + timedelta(weeks=self.surveys - self.records))
        server.respond_to(survey, "mia", happiness=80)
        return survey


class TestGeneralNotes(FridayPulseContract):
    load_table = "load_friday_pulse_general_note"
    key = ("sample_date", "position")
    personal = ("I am Ann Lee",)
    mask_options = {"mask_notes": True}
    not_tested = {
        **NO_PAGES,
        "test_an_empty_source_is_loaded_empty": "Without a survey a load would move the mark past the first one.",
    }

    def add(self, server: FridayPulseServer) -> Key:
        survey = self._add_survey(server)
        server.add_note(survey, "mia", "I am Ann Lee")
        return (date.fromisoformat(survey), 1)

    def change(self, server: FridayPulseServer, key: Key) -> None:
        server.surveys[str(key[0])].notes[0][1]["text"] = "Late"
