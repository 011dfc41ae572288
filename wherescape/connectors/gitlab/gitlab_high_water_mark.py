"""The first and the last task of a job that loads from GitLab: its loads' marks count once all has succeeded."""

import logging

from wherescape import WhereScape
from wherescape.connectors.gitlab.gitlab_connection import connect
from wherescape.errors import ApiAnswerInvalid
from wherescape.high_water_mark import confirm_high_water_marks, is_staged_by_this_run, mark_text, stage_moment

HIGH_WATER_MARK = "gitlab_high_water_mark"

logger = logging.getLogger(__name__)


def gitlab_next_high_water_mark(wherescape: WhereScape | None = None) -> None:
    """Begin a job: note GitLab's time, and let each GitLab load of this run of the job stage its mark.

    The time goes to the RED parameter `gitlab_high_water_mark_next`.

    Arguments:
        wherescape: made from the environment when left out.

    Raises:
        EnvironmentVariableError: the server's address or the access token is missing.
        ApiError: GitLab could not be asked, or does not tell its time.
    """
    wherescape = wherescape or WhereScape()
    with connect(wherescape) as gitlab:
        moment = gitlab.server_time()
    if moment is None:
        raise ApiAnswerInvalid(
            "GitLab's answer does not tell the time. Check whether a proxy between here and GitLab removes the header"
            " Date."
        )
    stage_moment(wherescape, HIGH_WATER_MARK, moment)
    wherescape.main_message = f"the job's loads of GitLab stage their marks from {mark_text(moment)} on"


def gitlab_update_high_water_mark(wherescape: WhereScape | None = None) -> None:
    """End a job in which all has succeeded: the marks that its loads have staged become those to start from.

    The time at which the job began moves to the RED parameter `gitlab_high_water_mark`; no load starts from it.

    Arguments:
        wherescape: made from the environment when left out.
    """
    confirm_high_water_marks(wherescape=wherescape)


def stages_marks(wherescape: WhereScape) -> bool:
    """Tell whether this run of the job began with `gitlab_next_high_water_mark`."""
    return is_staged_by_this_run(wherescape, HIGH_WATER_MARK)
