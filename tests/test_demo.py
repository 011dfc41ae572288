"""`wherescape demo`: the main job, as a new user runs it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gitlab_repository import make_repository
