"""A stand-in for a WhereScape RED server: try, show and test host scripts without RED.

    from pathlib import Path
    from wherescape.sandbox import RedServer

    with RedServer() as red:
        red.register_load_table("load_gitlab_commit")
        result = red.run_host_script(Path("gitlab_create_metadata.py"), "load_gitlab_commit")

It needs the extra: pip install "wherescape[sandbox]".
"""

from wherescape.sandbox.red_server import RedServer
from wherescape.sandbox.scheduler import TaskResult

__all__ = ["RedServer", "TaskResult"]
