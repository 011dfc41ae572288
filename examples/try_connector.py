"""Look at what a connector's wrapper reads, without RED and without a database.

Set GITLAB_URL to the server's address and GITLAB_TOKEN to an access token, then: python try_connector.py
"""

import os
from itertools import islice

from wherescape.connectors.gitlab.gitlab_wrapper import Gitlab

with Gitlab(os.environ["GITLAB_TOKEN"], os.environ["GITLAB_URL"]) as gitlab:
    for project in islice(gitlab.projects(), 3):
        print(project["path_with_namespace"])
        for commit in islice(gitlab.commits(project), 5):
            print("   ", commit["short_id"], commit["committed_date"], commit["title"])
