"""Run a host script outside RED, on your own machine.

Copy this file to `ws_env.py` beside your script, fill it in, and keep it out of version control: it holds passwords.
Then start your script with

    from ws_env import setup_env

    setup_env("load_gitlab_commit")

before it imports anything from `wherescape`. The variables are those that RED writes into the batch file with which it
starts a host script; the values to fill in are those of your development repository.
"""

import os

ENVIRONMENTS = {
    "dev1": {
        # The metadata repository. A DSN of this machine, or a whole ODBC connection string.
        "WSL_META_DSN": "wsDev1Repo",
        "WSL_META_SCHEMA": "dbo.",  # "red." for a PostgreSQL repository (RED 10)
        "WSL_META_USER": "",  # empty: trusted login
        "WSL_META_PWD": "",
        # The target database, the warehouse.
        "WSL_TGT_DSN": "warehouse_dev1",
        "WSL_TGT_USER": "",
        "WSL_TGT_PWD": "",
        # A source database, if the script reads one.
        "WSL_SRC_DSN": "",
        "WSL_SRC_USER": "",
        "WSL_SRC_PWD": "",
        # The API, as the fields of the source connection's UI configuration.
        "WSL_SRCCFG_URL": "https://gitlab.example.com",
        "WSL_SRCCFG_USER": "",
        "WSL_SRCCFG_APIKEY": "",
        # Log files go to the folder python_logging below this one.
        "WSL_WORKDIR": os.path.join(os.path.expanduser("~"), "wherescape_work"),
    },
}


def setup_env(table_name: str, schema: str = "load", environment: str = "dev1") -> None:
    """Set the WSL_* variables as RED does for a script that is run from its user interface.

    Arguments:
        table_name: the load table that the script works for, without its schema.
        schema: the load table's schema.
        environment: one of ENVIRONMENTS.
    """
    settings = ENVIRONMENTS[environment]
    os.makedirs(settings["WSL_WORKDIR"], exist_ok=True)
    os.environ.update(settings)
    os.environ.update(
        WSL_LOAD_TABLE=table_name,
        WSL_LOAD_SCHEMA=schema,
        WSL_LOAD_FULLNAME=f"{schema}.{table_name}",
        WSL_SEQUENCE="0",
        WSL_JOB_KEY="0",
        WSL_JOB_NAME="Develop",
        WSL_TASK_KEY="0",
        WSL_TASK_NAME=table_name,
    )
