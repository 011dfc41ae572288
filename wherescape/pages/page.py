"""Self-contained HTML pages: no network, light and dark, one file to open or to send."""

from pathlib import Path
from typing import Any

from wherescape.text_file import write_whole


def render(template: str, **values: Any) -> str:
    """Return a page; every value is escaped.

    Arguments:
        template: the name of a template in this folder, which extends `base.html.j2`.
        values: what it shows.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("wherescape", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)


def write_page(path: Path, html: str) -> None:
    """Write a page, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    write_whole(path, html)
