"""Run a load on your own machine, against your development repository and warehouse.

Copy wherescape/ws_env_template.py to ws_env.py beside this file, fill it in, then: python run_locally.py
"""

from ws_env import setup_env

setup_env("load_gitlab_commit", schema="load", environment="dev1")

from wherescape.connectors.gitlab.gitlab_load_data import gitlab_load_data  # noqa: E402

gitlab_load_data(lookback_days=7)
