"""Documents as a person would read them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherescape.connectors.jira.jira_adf import plain_text, rich_text

Node = dict[str, Any]


def node(kind: str, *content: Node, **attrs: Any) -> Node:
    return {"type": kind, "content": list(content), "attrs": attrs}


def text(value: str, *marks: Node) -> Node:
    return {"type": "text", "text": value, "marks": list(marks)}


def paragraph(*content: Node) -> Node:
    return node("paragraph", *content)


def item(*content: Node, kind: str = "listItem", **attrs: Any) -> Node:
    return node(kind, *content, **attrs)


def link(href: str) -> Node:
    return {"type": "link", "attrs": {"href": href}}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([paragraph(text("One"), text(" line")), paragraph(text("Two"))], "One line\nTwo"),
        ([paragraph(text("a"), node("hardBreak"), text("b"))], "a\nb"),
        ([node("heading", text("Title"), level=2), paragraph(text("Text"))], "Title\nText"),
        ([node("codeBlock", text("x = 1\ny = 2"), language="python")], "x = 1\ny = 2"),
        ([node("blockquote", paragraph(text("said")), paragraph(text("so")))], "> said\n> so"),
        ([paragraph(text("a")), node("rule"), paragraph(text("b"))], "a\n---\nb"),
        ([node("bulletList", item(paragraph(text("a"))), item(paragraph(text("b"))))], "- a\n- b"),
        ([node("orderedList", item(paragraph(text("a"))), item(paragraph(text("b"))), order=9)], "9. a\n10. b"),
        (
            [node("bulletList", item(paragraph(text("a")), node("orderedList", item(paragraph(text("b"))))))],
            "- a\n  1. b",
        ),
        (
            [node("taskList", item(text("a"), kind="taskItem", state="DONE"), item(text("b"), kind="taskItem"))],
            "[x] a\n[ ] b",
        ),
        (
            [
                node(
                    "table",
                    node("tableRow", node("tableHeader", paragraph(text("h1"))), node("tableHeader")),
                    node("tableRow", node("tableCell", paragraph(text("a")), paragraph(text("b"))), node("tableCell")),
                )
            ],
            "h1 | \na b | ",
        ),
        ([paragraph(text("site", link("https://example.com/a")))], "site (https://example.com/a)"),
        ([paragraph(text("https://example.com", link("https://example.com")))], "https://example.com"),
        ([paragraph(node("mention", id="5b10", text="@Mia"), text("!"))], "@Mia!"),
        ([paragraph(node("mention", id="5b10"))], "5b10"),
        ([paragraph(node("emoji", shortName=":smile:", text="😄"), node("emoji", shortName=":own:"))], "😄:own:"),
        ([paragraph(node("date", timestamp="1582152559000"))], "2020-02-19"),
        ([paragraph(node("status", text="DONE", color="green"))], "DONE"),
        ([paragraph(node("inlineCard", url="https://example.com/b"))], "https://example.com/b"),
        ([node("blockCard", url="https://example.com/c")], "https://example.com/c"),
        ([node("panel", paragraph(text("Note")), panelType="info")], "Note"),
        ([node("expand", paragraph(text("inside")), title="More")], "More\ninside"),
        ([node("mediaSingle", node("media", id="1", type="file", alt="lamp.png"))], "[file lamp.png]"),
        ([node("mediaGroup", node("media", id="1"), node("media", id="2"))], "[file]\n[file]"),
        ([node("brandNew", paragraph(text("kept")), node("alsoNew", text("too")))], "kept\ntoo"),
        ([paragraph(node("newInline", text("kept")))], "kept"),
    ],
)
def test_a_document_becomes_text(content: list[Node], expected: str) -> None:
    assert plain_text({"type": "doc", "version": 1, "content": content}) == expected


@pytest.mark.parametrize("document", [None, {"type": "doc", "version": 1, "content": []}, {}, {"type": "doc"}])
def test_no_text_is_null(document: object) -> None:
    assert plain_text(document) is None


def test_text_that_is_no_document_stays() -> None:
    assert plain_text("h1. Wiki") == "h1. Wiki"


@pytest.mark.parametrize("kind", ["bulletList", "panel", "strange", "table", "blockquote"])
def test_a_document_without_end_is_no_trouble(kind: str) -> None:
    deep = text("deep")
    for _ in range(5_000):
        deep = node(kind, deep)
    assert plain_text({"type": "doc", "content": [paragraph(text("top")), deep]}) is not None


Json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.fixed_dictionaries(
            {
                "type": st.sampled_from(
                    ["doc", "paragraph", "text", "orderedList", "listItem", "table", "date", "media"]
                )
            },
            optional={"content": inner, "attrs": inner, "text": inner, "marks": inner},
        )
    ),
    max_leaves=20,
)


@given(Json)
def test_whatever_comes_becomes_text_or_null(document: object) -> None:
    assert isinstance(plain_text(document), (str, type(None)))


def test_the_document_itself_is_kept_where_it_is_wanted() -> None:
    document = {"type": "doc", "content": [paragraph(text("a"))]}
    assert rich_text("comment", document, with_adf=True) == {"comment": "a", "comment_adf": document}
    assert rich_text("comment", document, with_adf=False) == {"comment": "a"}
    assert rich_text("comment", None, with_adf=True) == {"comment": None, "comment_adf": None}
