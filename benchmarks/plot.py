"""Draws the measures: bars with the line that is to be reached, as an SVG for light and dark pages."""

from collections.abc import Sequence
from html import escape

from benchmarks.measuring import Goal, Measure

WIDTH = 860
MARGIN = 24
BARS_LEFT = 250
BARS_RIGHT = 730
HEADING = 56
TITLE = 26
GOAL = 19
BAR = 24
BAR_HEIGHT = 15
GAP = 30

STYLE = """
  text { font: 13px system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; fill: #1f2328; }
  .heading { font-size: 19px; font-weight: 600; }
  .title { font-size: 14.5px; font-weight: 600; }
  .end { text-anchor: end; }
  .note { font-size: 11px; text-anchor: middle; }
  .limit { stroke: #1f2328; stroke-width: 2; stroke-dasharray: 3 2.5; }
  .page { fill: #ffffff; }
  .faint { fill: #656d76; }
  .ours { fill: #2563eb; }
  .other { fill: #c3ccd6; }
  .good { fill: #15803d; }
  .bad { fill: #b45309; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .limit { stroke: #e6edf3; }
    .page { fill: #0d1117; }
    .faint { fill: #9198a1; }
    .ours { fill: #60a5fa; }
    .other { fill: #4a5462; }
    .good { fill: #4ade80; }
    .bad { fill: #fbbf24; }
  }
"""


def draw(measures: Sequence[Measure], subtitle: str) -> str:
    """Return the SVG.

    Arguments:
        measures: from top to bottom.
        subtitle: such as the machine and the day.
    """
    parts = []
    top = MARGIN + HEADING
    for measure in measures:
        parts += _panel(measure, top)
        top += _height(measure) + GAP
    heading = [
        _text(MARGIN, MARGIN + 14, "What a load costs", "heading"),
        _text(MARGIN, MARGIN + 36, subtitle, "faint"),
        _text(WIDTH - MARGIN, MARGIN + 14, "dashed: to be reached, or not exceeded", "faint end"),
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" height="{top}"'
            ' role="img" aria-label="What a load costs: bars of each measure with the line to be reached">',
            f"<style>{STYLE}</style>",
            f'<rect class="page" width="{WIDTH}" height="{top}" rx="8"/>',
            *heading,
            *parts,
            "</svg>",
            "",
        ]
    )


def _height(measure: Measure) -> int:
    return TITLE + GOAL * len(measure.goals) + BAR * len(measure.bars)


def _panel(measure: Measure, top: int) -> list[str]:
    parts = [_text(MARGIN, top + 14, measure.title, "title")]
    y = top + TITLE
    for goal in measure.goals:
        parts.append(_verdict(goal, y + 11))
        y += GOAL
    scale = (BARS_RIGHT - BARS_LEFT) / max(*measure.bars.values(), *(goal.limit for goal in measure.goals))
    bars_top = y
    for name, value in measure.bars.items():
        kind = "ours" if name.startswith("wherescape") else "other"
        width = max(value * scale, 1)
        parts += [
            _text(BARS_LEFT - 10, y + 12, name, "end"),
            f'<rect class="{kind}" x="{BARS_LEFT}" y="{y}" width="{width:.1f}" height="{BAR_HEIGHT}" rx="2"/>',
            _text(WIDTH - MARGIN, y + 12, f"{_number(value)} {measure.unit}", "end"),
        ]
        y += BAR
    for goal in measure.goals:
        x = BARS_LEFT + goal.limit * scale
        parts += [
            f'<line class="limit" x1="{x:.1f}" x2="{x:.1f}" y1="{bars_top - 4}" y2="{y - 5}"/>',
            _text(round(x), y + 7, f"{goal.bound} {goal.unit}", "faint note"),
        ]
    return parts


def _verdict(goal: Goal, y: int) -> str:
    sign, kind = ("✓", "good") if goal.is_reached else ("✗", "bad")
    against = goal.name.rpartition(", ")[2].replace("`", "") if "against" in goal.name else ""
    return (
        f'<text x="{MARGIN}" y="{y}"><tspan class="{kind}">{sign} {escape(goal.reached)}</tspan>'
        f'<tspan class="faint"> {escape(against)}</tspan></text>'
    )


def _text(x: int, y: int, text: str, kind: str = "") -> str:
    return f'<text x="{x}" y="{y}" class="{kind}">{escape(text)}</text>'


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
