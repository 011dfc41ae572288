"""Charts as inline SVG: scales, ticks and shapes. `charts.html.j2` draws them, and keeps text readable at any width.

A chart is drawn in an area of WIDTH x HEIGHT, which the page stretches; ticks lie at percentages of it.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

WIDTH = 1_000
HEIGHT = 100
FEWEST_SLOTS = 12
MOST_BARS = 200

# A step between ticks is one of these, in seconds.
_STEPS_OF_TIME = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400),
)


@dataclass(frozen=True)
class Tick:
    """A mark on an axis.

    Arguments:
        percent: of the axis, from its beginning.
        label: with its unit.
    """

    percent: float
    label: str


@dataclass(frozen=True)
class Bar:
    """A bar of a chart, in units of its area; `color` is a class of the page's style."""

    x: float
    y: float
    width: float
    height: float
    color: str
    title: str


@dataclass(frozen=True)
class Shape:
    """A path of a chart, filled or as a line, in units of its area; `color` is a class of the page's style."""

    path: str
    color: str
    is_line: bool = False


@dataclass(frozen=True)
class Chart:
    """What `charts.html.j2` draws.

    Arguments:
        summary: the chart in words, for who does not see it.
        x, y: the ticks of the axes.
        bars, shapes: what is drawn, in this order.
        legend: names by color; none where the title says it.
        height: of the area on the page, in pixels.
    """

    summary: str
    x: Sequence[Tick]
    y: Sequence[Tick]
    bars: Sequence[Bar] = ()
    shapes: Sequence[Shape] = ()
    legend: Sequence[tuple[str, str]] = ()
    height: int = 150


def count_text(number: float) -> str:
    """Say a number in a few characters: `950`, `1.5k`, `2.25M`."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size * 0.9995:
            return f"{number / size:.3g}{unit}"
    return f"{number:.3g}"


def duration_text(seconds: float) -> str:
    """Say a time in its largest unit: `20 ms`, `1.5 s`, `5 min`, `2 h`."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        if abs(seconds) >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1_000:.3g} ms" if seconds else "0 s"


def count_axis(largest: float, most: int = 4) -> tuple[float, list[Tick]]:
    """Return the end of an axis of counts, and its ticks."""
    return _axis(largest, _round_step(largest / most), count_text)


def time_axis(largest: float, most: int = 4) -> tuple[float, list[Tick]]:
    """Return the end of an axis of durations in seconds, and its ticks."""
    return _axis(largest, _step_of_time(largest, most), duration_text)


def _axis(largest: float, step: float, text: Callable[[float], str]) -> tuple[float, list[Tick]]:
    steps = max(1, math.ceil(round(largest / step, 6)))
    return steps * step, [Tick(100 * number / steps, text(number * step)) for number in range(steps + 1)]


def time_ticks(begin: float, end: float, most: int = 5) -> list[Tick]:
    """Return ticks at round moments between two, in seconds since the load began."""
    step = _step_of_time(end - begin, most)
    first, last = math.ceil(round(begin / step, 6)), math.floor(round(end / step, 6))
    return [
        Tick(100 * (number * step - begin) / (end - begin), duration_text(number * step))
        for number in range(first, last + 1)
    ]


def _round_step(smallest: float) -> float:
    """Return 1, 2 or 5 with zeros, the first that is not smaller."""
    size = 10 ** math.floor(math.log10(max(smallest, 1)))
    return float(next(factor * size for factor in (1, 2, 5, 10) if factor * size >= smallest * 0.999))


def _step_of_time(seconds: float, most: int) -> float:
    return next(
        (step for step in _STEPS_OF_TIME if seconds / step <= most), math.ceil(seconds / most / 86_400) * 86_400
    )


def bars(values: Sequence[float], top: float, colors: Sequence[str], titles: Sequence[str]) -> list[Bar]:
    """Return a bar for each value, from left to right; few ones do not fill the width.

    A value that is not 0 can be seen, however small it is, and so can what is bad.

    Arguments:
        values: 0 or more.
        top: the value at the top of the area.
        colors, titles: of each bar.
    """
    slot = WIDTH / max(len(values), FEWEST_SLOTS)
    drawn = []
    for number, (value, color, title) in enumerate(zip(values, colors, titles, strict=True)):
        height = max(HEIGHT * value / top, 2) if value or color == "bad" else 0
        drawn.append(Bar(number * slot, HEIGHT - height, slot * 0.8, height, color, title))
    return drawn


def number_ticks(count: int, slots: int, most: int = 5) -> list[Tick]:
    """Return ticks below the middle of numbered bars: the first one and round numbers.

    Arguments:
        count: how many are numbered.
        slots: how many the width has room for.
        most: about how many ticks.
    """
    step = int(_round_step(count / most))
    numbers = [1, *range(max(step, 2), count + 1, step)] if count else []
    return [Tick(100 * (number - 0.6) / slots, count_text(number)) for number in numbers]


def line(
    points: Iterable[tuple[float, float]], begin: float, end: float, top: float, *, is_filled: bool = False
) -> str:
    """Return the path of a line that climbs in steps: each value holds from its moment on.

    Arguments:
        points: moment and value, in order.
        begin, end: of the axis of time.
        top: the value at the top of the area.
        is_filled: whether it is the path of what lies below the line.
    """
    path = f"M0 {HEIGHT}"
    for moment, value in points:
        path += f"H{_coordinate(WIDTH * (moment - begin) / (end - begin))}V{_coordinate(HEIGHT * (1 - value / top))}"
    return f"{path}H{WIDTH}V{HEIGHT}Z" if is_filled else f"{path}H{WIDTH}"


def area(values: Sequence[float], top: float) -> str:
    """Return the path of an area with a step for each value, all of the same width."""
    path, slot = f"M0 {HEIGHT}", WIDTH / max(len(values), 1)
    for number, value in enumerate(values):
        path += f"V{_coordinate(HEIGHT * (1 - value / top))}H{_coordinate((number + 1) * slot)}"
    return f"{path}V{HEIGHT}Z"


def _coordinate(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
