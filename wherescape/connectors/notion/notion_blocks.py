"""The contents of a Notion page as plain text.

Source: Notion API reference, "Block".
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from wherescape.api_response import Record
from wherescape.connectors.notion.notion_properties import plain_text

INDENT = "  "
PAGES_OF_THEIR_OWN = ("child_page", "child_database")
_LIST_ITEMS = ("bulleted_list_item", "numbered_list_item")


def text_below(block_id: str, children: Callable[[str], Iterable[Record]]) -> str:
    """Return the text of all blocks in a page or block, a line for each; what is nested is indented.

    Pages within the page are named, not read.

    Arguments:
        block_id: the id of the page or block.
        children: gives the blocks directly in a page or block.
    """
    return "\n".join(_lines(block_id, children, ""))


def _lines(block_id: str, children: Callable[[str], Iterable[Record]], indent: str) -> Iterator[str]:
    for block in children(block_id):
        text = _text(block)
        for line in text.splitlines():
            yield indent + line
        if block.get("has_children") and block.get("type") not in PAGES_OF_THEIR_OWN:
            # The blocks that hold columns and tables have no text of their own.
            yield from _lines(str(block.get("id")), children, indent + INDENT if text else indent)


def _text(block: Mapping[str, Any]) -> str:
    kind = str(block.get("type"))
    content = block.get(kind)
    if not isinstance(content, Mapping):
        return ""
    text = plain_text(content.get("rich_text") or content.get("caption"))
    if kind in PAGES_OF_THEIR_OWN:
        return str(content.get("title") or "")
    if kind == "to_do":
        return f"[{'x' if content.get('checked') else ' '}] {text}"
    if kind in _LIST_ITEMS:
        return f"- {text}"
    if kind == "table_row":
        return " | ".join(map(plain_text, content.get("cells") or ()))
    return text or str(content.get("expression") or "")
