"""Charts as SVG, drawn on the server: shapes and numbers only, coloured by the page's style."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

TICKS = 4
SHADES = 6


@dataclass(frozen=True, slots=True)
class Size:
    """A picture for wide screens, or for phones: text keeps its size, so each has its own."""

    name: str
    width: int
    height: int
    left: int
    labels: int


WIDE = Size("wide", 900, 260, 62, 8)
NARROW = Size("narrow", 400, 220, 48, 4)
_TOP, _RIGHT, _BOTTOM = 12, 10, 26


def lines(
    size: Size,
    labels: Sequence[str],
    series: Mapping[str, Sequence[int]],
    written: Callable[[int], str],
    tips: Sequence[str],
) -> Markup:
    """Lines over time, named by their class; the first has its ground filled."""
    count = len(labels)
    ceiling, floor = _bounds([value for values in series.values() for value in values])
    across = size.width - size.left - _RIGHT
    down = size.height - _TOP - _BOTTOM

    def x(at: int) -> float:
        return size.left + (across * at / (count - 1) if count > 1 else across / 2)

    def y(value: float) -> float:
        return _TOP + down * (ceiling - value) / (ceiling - floor)

    parts = [_grid(size, ceiling, floor, y, written), _names(size, labels, x)]
    for number, (name, values) in enumerate(series.items()):
        points = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in enumerate(values[:count]))
        if number == 0:
            zero = y(0)
            ground = f"{x(0):.1f},{zero:.1f} {points} {x(count - 1):.1f},{zero:.1f}"
            parts.append(Markup(f'<polygon class="ground" points="{ground}"/>'))  # noqa: S704 - numbers
        parts.append(Markup(f'<polyline class="line {name}" points="{points}"/>'))  # noqa: S704 - numbers
    step = across / max(count - 1, 1)
    for at, tip in enumerate(tips):
        left = max(x(at) - step / 2, size.left)
        width = min(step, size.width - left)
        parts.append(
            Markup('<rect class="spot" x="{:.1f}" y="{}" width="{:.1f}" height="{}">'
                   "<title>{}</title></rect>").format(left, _TOP, width, down, tip)
        )  # fmt: skip
    return _svg(size, parts)


def heat(
    size: Size, days: Sequence[str], values: Mapping[tuple[int, int], int], tip: str
) -> Markup:
    """Weekdays from 1 by hours; the darker the more."""
    left, top = 40, 18
    wide, high = (size.width - left - 4) / 24, 26 if size is WIDE else 22
    most = max(values.values(), default=0)
    parts = []
    for hour in range(0, 24, 2 if size is WIDE else 4):
        middle = left + wide * (hour + 0.5)
        parts.append(_text(middle, 11, f"{hour:02}", "middle"))
    for row, day in enumerate(days):
        parts.append(_text(left - 6, top + high * (row + 0.66), day, "end"))
        for hour in range(24):
            value = values.get((row + 1, hour), 0)
            shade = 0 if not value else 1 + (SHADES - 1) * value // (most + 1)
            parts.append(
                Markup('<rect class="heat h{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" '
                       'height="{}" rx="3"><title>{} {:02}:00 · {} {}</title></rect>').format(
                    shade, left + wide * hour + 1, top + high * row + 1, wide - 2, high - 2,
                    day, hour, value, tip,
                )
            )  # fmt: skip
    whole = Size(size.name, size.width, int(top + high * 7 + 4), 0, 0)
    return _svg(whole, parts)


def bar(share: float, kind: str = "") -> Markup:
    """A bar of its row's whole width."""
    width = max(0.0, min(share, 1.0)) * 100
    return Markup(
        '<svg class="bar {}" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="track" width="100" height="6" rx="1"/>'
        '<rect class="fill" width="{:.2f}" height="6" rx="1"/></svg>'
    ).format(kind, width)


def _bounds(values: Sequence[int]) -> tuple[float, float]:
    """Round numbers above and below all values; zero is always between them."""
    high, low = max([0, *values]), min([0, *values])
    if high == low:
        return 4.0, 0.0
    step = _round_step((high - low) / TICKS)
    return step * -(-high // step), step * (low // step)


def _round_step(rough: float) -> float:
    power = 1
    while power * 10 <= rough:
        power *= 10
    for factor in (1, 2, 5, 10):
        if factor * power >= rough:
            return factor * power
    return 10.0 * power


def _grid(
    size: Size,
    ceiling: float,
    floor: float,
    y: Callable[[float], float],
    written: Callable[[int], str],
) -> Markup:
    step = _round_step((ceiling - floor) / TICKS)
    parts, value = [], floor
    while value <= ceiling:
        kind = "zero" if value == 0 else "grid"
        parts.append(
            Markup('<line class="{}" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>').format(
                kind, size.left, size.width - _RIGHT, y(value), y(value)
            )
        )
        parts.append(_text(size.left - 8, y(value) + 4, written(int(value)), "end"))
        value += step
    return Markup("").join(parts)


def _names(size: Size, labels: Sequence[str], x: Callable[[int], float]) -> Markup:
    every = max(1, -(-len(labels) // size.labels))
    return Markup("").join(
        _text(x(at), size.height - 8, label, "middle" if at else "start")
        for at, label in enumerate(labels)
        if at % every == 0
    )


def _text(x: float, y: float, text: str, anchor: str) -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
        x, y, anchor, escape(text)
    )


def _svg(size: Size, parts: Sequence[Markup]) -> Markup:
    return Markup('<svg class="chart {}" viewBox="0 0 {} {}" role="img">{}</svg>').format(
        size.name, size.width, size.height, Markup("").join(parts)
    )
