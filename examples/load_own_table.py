"""A host script of your own: a table declared once, its metadata and its load.

Attach it to a load table `load_country` in RED, beside a second script that ends in
`wherescape.create_metadata(COUNTRIES)` instead. Run that one, create the table, then schedule this one.
"""

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
wherescape.load(COUNTRIES, RECORDS)
