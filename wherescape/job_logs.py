"""Maintenance of RED's job logs, which grow with each run: archive, and delete what was archived (RED 8 and 9)."""

from wherescape.errors import RoutineFailed
from wherescape.wherescape import WhereScape


def job_clear_logs_by_date(
    days_to_retain: int = 90, job_to_clean: str = "%", wherescape: WhereScape | None = None
) -> None:
    """Archive the logs of jobs that are older than some days; the task's message is RED's.

    Arguments:
        days_to_retain: 0 archives all.
        job_to_clean: a job's name; `%` stands for any text.
        wherescape: made from the environment when left out.

    Raises:
        RoutineMissing: RED 10 does not have the routine.
        RoutineFailed: RED did not archive them.
    """
    wherescape = wherescape or WhereScape()
    _report(wherescape, wherescape.job_clear_logs_by_date(days_to_retain, job_to_clean))


def job_clear_archive_by_date(
    days_to_retain: int = 365, job_to_clean: str = "%", wherescape: WhereScape | None = None
) -> None:
    """Delete archived logs of jobs that are older than some days; see `job_clear_logs_by_date`."""
    wherescape = wherescape or WhereScape()
    _report(wherescape, wherescape.job_clear_archive_by_date(days_to_retain, job_to_clean))


def _report(wherescape: WhereScape, answer: tuple[str, str, int]) -> None:
    code, message, result = answer
    if result < 0:
        raise RoutineFailed(f"RED did not clear its logs (code {code}): {message or 'it says no reason'}.")
    wherescape.main_message = message
