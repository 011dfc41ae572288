"""Load data from APIs into a WhereScape RED data warehouse.

A host script needs one line to load a table, or a few to load one of its own:

```python
from wherescape import WhereScape

wherescape = WhereScape()
wherescape.load(table, records)
```
"""

from wherescape.host_script_process import take_over_if_started_by_red

# Before any other import, so that whatever fails from here on still ends in a status line.
take_over_if_started_by_red()

from wherescape.errors import WhereScapeError  # noqa: E402
from wherescape.tables import Column, Table  # noqa: E402
from wherescape.wherescape import WhereScape  # noqa: E402

__all__ = ["Column", "Table", "WhereScape", "WhereScapeError"]
