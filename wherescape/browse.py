"""What RED's browser shows of an API connection: the tables that the connectors declare.

RED runs the browse script of an extensible source connection, and reads two lines: the status, and a tree as JSON
(RED: Browse Scripts). The folders of the tree are connectors, the tables in them what they load. A table that is
dragged to the load tables gets these columns; the connector's metadata script adds what the tree cannot know: the
properties of HubSpot's objects and of Notion's databases, Jira's custom fields.
"""

import json
from collections.abc import Mapping

from wherescape import dialects
from wherescape.catalogue import CONNECTOR_NAMES, connector_named
from wherescape.column_types import DataType
from wherescape.logging import report
from wherescape.tables import Column, Table
from wherescape.wherescape import WhereScape

Tree = dict[str, object]


def browse_api_connection(*names: str, target: str = "PostgreSQL") -> None:
    """Answer RED's question what is behind an API connection.

    Arguments:
        names: the connectors to show, such as `gitlab`; left out, all of them. RED does not tell a browse script which
            API a connection is for.
        target: the kind of the load tables' database, PostgreSQL or SQL Server, for the columns' types.

    Raises:
        DeclarationError: there is no such connector.
    """
    WhereScape()
    report.document = json.dumps(browse_tree(*names, target=target))


def browse_tree(*names: str, target: str = "PostgreSQL") -> Tree:
    """Return the tree that RED's browser shows; see `browse_api_connection`.

    Its keys are RED's (RED and 3D: Browse Scripts). No row is counted, so the count of each table is 0.
    """
    types = dialects.of(target).types
    tree: Tree = {"treeViewLayout": "Tabular", "treeViewIcons": {"schema": "schema.ico", "table": "table.ico"}}
    for name in names or CONNECTOR_NAMES:
        tables = connector_named(name).tables
        tree[name] = {f"{name}_{table.kind}": _table(f"{name}_{table.kind}", table, types) for table in tables}
    return tree


def _table(name: str, table: Table, types: Mapping[DataType, str]) -> Tree:
    return {
        "name": name,
        "description": table.record_source,
        "rowCount": 0,
        "columns": [_column(column, types) for column in table.columns],
    }


def _column(column: Column, types: Mapping[DataType, str]) -> Tree:
    data_type, _, length = types[column.data_type].partition("(")
    return {"name": column.name, "dataType": data_type, "dataTypeLength": length.removesuffix(")")}
