"""A host script that loads the first sheet of an Excel file.

Give the load table the file's folder as its "Source Directory" and the file's name as its "Source File Name". For the
columns, run the same script with `wherescape.create_metadata(ARTICLES)` as its last line, and create the table.

Each cell comes as what it is in Excel: text, number, date or truth. A code with zeros in front must be text there: of
a number that only looks like one, Excel keeps no zeros. A formula is loaded as the value that Excel saved last, and a
cell with an error, such as #N/A, as NULL.
"""

# needs: pandas, openpyxl

from pathlib import Path

import pandas as pd

from wherescape import Column, Table, WhereScape

ARTICLES = Table(
    kind="article",
    columns=(
        Column("article_code", "text", source="Article code", comment="With the zeros in front."),
        Column("description", "text", source="Description"),
        Column("price", "numeric", source="Price", comment="Euros."),
        Column("in_stock", "bigint", source="In stock"),
        Column("available_from", "date", source="Available from"),
    ),
    key=("article_code",),
    record_source="articles, excel file",
)

wherescape = WhereScape()
path = Path(wherescape.file_path, wherescape.file_name)
# An empty cell is NULL, and nothing else is: a description may well be NA.
articles = pd.read_excel(path, dtype=object, keep_default_na=False, na_values=[""])
wherescape.load(ARTICLES, articles)
