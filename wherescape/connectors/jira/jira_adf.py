"""Atlassian Document Format as plain text.

Source: Atlassian Developer, "Atlassian Document Format", which lists the nodes.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

Node = dict[str, Any]

DEEPEST = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BLOCKS_OF_BLOCKS = (
    *("doc", "panel", "expand", "nestedExpand", "layoutSection", "layoutColumn", "bodiedExtension"),
    *("mediaSingle", "mediaGroup", "multiBodiedExtension", "extensionFrame"),
)
_LISTS = ("bulletList", "orderedList", "taskList", "decisionList")


def plain_text(document: object) -> str | None:
    """Return the text of a document, as a person would read it; None for null and for a document without text.

    Blocks are lines, items of lists begin with `- ` or their number and are indented by their depth, cells of a table
    are parted by ` | `. A link is its text and its address, a file is `[file]`. Of a node of an unknown kind the text
    is kept. Text that is no document stays as it is.
    """
    if document is None or isinstance(document, str):
        return document
    if not isinstance(document, dict):
        return str(document)
    return "\n".join(_lines(document, DEEPEST)).strip("\n") or None


def rich_text(name: str, document: object, *, with_adf: bool) -> dict[str, Any]:
    """Return a document's text under a name, and the document itself under `{name}_adf`, if that is wanted."""
    text = {name: plain_text(document)}
    return {**text, f"{name}_adf": document if isinstance(document, dict) else None} if with_adf else text


def _lines(node: Node, depth: int) -> list[str]:
    """Return the lines of a block; of what is nested deeper than any editor allows, nothing."""
    if depth <= 0:
        return []
    kind, children = node.get("type"), _children(node)
    if kind in _LISTS:
        return _list_lines(node, depth)
    if kind == "table":
        return [" | ".join(_line(cell, depth - 2) for cell in _children(row)) for row in children]
    if kind == "rule":
        return ["---"]
    if kind == "blockquote":
        return [f"> {line}" for child in children for line in _lines(child, depth - 1)]
    if kind in _BLOCKS_OF_BLOCKS or any(_is_block(child) for child in children):
        title = [text] if (text := _attribute(node, "title")) else []
        return title + [line for child in children for line in _lines(child, depth - 1)]
    return _inline(node, depth).split("\n")


def _list_lines(node: Node, depth: int) -> list[str]:
    number = _attribute(node, "order")
    position = int(number) if number.isdecimal() else 1
    lines: list[str] = []
    for item in _children(node):
        if item.get("type") in _LISTS:
            lines += [f"  {line}" for line in _lines(item, depth - 1)]
            continue
        if node.get("type") == "orderedList":
            sign = f"{position}. "
        elif node.get("type") == "taskList":
            sign = "[x] " if _attribute(item, "state") == "DONE" else "[ ] "
        else:
            sign = "- "
        first, *others = _lines(item, depth - 1) or [""]
        lines += [sign + first, *(f"  {line}" for line in others)]
        position += 1
    return lines


def _line(node: Node, depth: int) -> str:
    return " ".join(line.strip() for line in _lines(node, depth) if line.strip())


def _inline(node: Node, depth: int) -> str:
    if depth <= 0:
        return ""
    match node.get("type"):
        case "text":
            return _linked(node)
        case "hardBreak":
            return "\n"
        case "mention":
            return _attribute(node, "text") or _attribute(node, "id")
        case "emoji":
            return _attribute(node, "text") or _attribute(node, "shortName")
        case "status" | "placeholder" | "inlineExtension" | "extension" if text := _attribute(node, "text"):
            return text
        case "date":
            return _date(_attribute(node, "timestamp"))
        case "inlineCard" | "blockCard" | "embedCard":
            return _attribute(node, "url")
        case "media" | "mediaInline":
            name = _attribute(node, "alt")
            return f"[file {name}]" if name else "[file]"
    return str(node.get("text") or "") + "".join(_inline(child, depth - 1) for child in _children(node))


def _linked(node: Node) -> str:
    text = str(node.get("text") or "")
    marks = node.get("marks")
    for mark in marks if isinstance(marks, list) else []:
        if isinstance(mark, dict) and mark.get("type") == "link":
            href = _attribute(mark, "href")
            return text if not href or href == text else f"{text} ({href})"
    return text


def _date(milliseconds: str) -> str:
    try:
        return (_EPOCH + timedelta(milliseconds=int(milliseconds))).date().isoformat()
    except (ValueError, OverflowError):
        return milliseconds


def _is_block(node: Node) -> bool:
    return node.get("type") in (
        *_LISTS,
        *_BLOCKS_OF_BLOCKS,
        "table",
        "paragraph",
        "heading",
        "codeBlock",
        "blockquote",
    )


def _children(node: Node) -> list[Node]:
    content = node.get("content")
    return [child for child in content if isinstance(child, dict)] if isinstance(content, list) else []


def _attribute(node: Node, name: str) -> str:
    attributes = node.get("attrs")
    value = attributes.get(name) if isinstance(attributes, dict) else None
    return "" if value is None else str(value)
