"""A host script of your own: a table declared once, its metadata and its load.

Attach it to a load table `load_country` in RED, run it with the argument `metadata` once, create the table, then
schedule it without an argument.
"""

import sys

from wherescape import Column, Table, WhereScape

COUNTRIES = Table(
    kind="country",
    columns=(
        Column("code", "text", comment="ISO 3166-1 alpha-2 code."),
        Column("name", "text", comment="English short name."),
        Column("population", "bigint", comment="Number of inhabitants."),
        Column("independent_since", "date", comment="Day of independence, if known."),
    ),
    key=("code",),
    record_source="countries, by hand",
)

RECORDS = [
    {"code": "NL", "name": "Netherlands", "population": 17_900_000, "independent_since": "1581-07-26"},
    {"code": "BE", "name": "Belgium", "population": 11_800_000, "independent_since": "1830-10-04"},
    {"code": "AQ", "name": "Antarctica"},
]

wherescape = WhereScape()
if "metadata" in sys.argv:
    wherescape.create_metadata(COUNTRIES)
else:
    wherescape.load(COUNTRIES, RECORDS)
