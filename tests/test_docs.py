"""The pages of docs/: their code runs, and the messages that they quote are those that appear.

Blocks of PowerShell cannot run here; they are compared with the Linux commands that do.
"""

import configparser
import json
import logging
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.gitlab_repository import make_repository
from tests.test_readme import ItemsApi
from wherescape import Column, Table, WhereScape
from wherescape.connectors.gitlab.gitlab_create_metadata import gitlab_create_metadata
from wherescape.connectors.gitlab.gitlab_load_data import gitlab_load_data
from wherescape.errors import WhereScapeError
from wherescape.sandbox.gitlab_server import GitLabServer
from wherescape.sandbox.red_server import RedServer
from wherescape.testing.api_server import Answer

DOCS = Path(__file__).parents[1] / "docs"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(page: str, language: str) -> list[str]:
    text = (DOCS / page).read_text(encoding="utf-8")
    return [body for found, body in BLOCK.findall(text) if found == language]


def fits(quoted: str, actual: str) -> bool:
    """Tell whether a message is the quoted one, in which `…` stands for anything."""
    pattern = ".+?".join(map(re.escape, quoted.strip().split("…")))
    return bool(re.fullmatch(pattern, actual.strip(), re.DOTALL))
