"""What an examination finds."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "error", "skipped"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Arguments:
        topic: what it is about, such as `work folder`.
        state: `skipped` if it could not be looked at since something else has failed.
        message: what is there, or what is wrong.
        mend: what to do about it; empty if nothing is to be done, or if the message says so.
    """

    topic: str
    state: State
    message: str
    mend: str = ""


def exit_status(findings: Iterable[Finding]) -> int:
    """Return 2 if there are errors, 1 if there are warnings, 0 if all is well."""
    states = {finding.state for finding in findings}
    return 2 if "error" in states else 1 if "warning" in states else 0
