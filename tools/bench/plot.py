"""The plot: an SVG, written by hand so that drawing it needs nothing but Python."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from tools.bench.report import Outcome, number, target_text, verdict_word
from tools.bench.scenarios import Reference
from tools.bench.verdict import Samples, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH_PX: Final = 1000
LABEL_PX: Final = 300  # left of the bars
BAR_PX: Final = 420  # longest bar
ROW_PX: Final = 18
TITLE_PX: Final = 44
MARGIN_RANGE: Final = (0.25, 16.0)  # times better than asked for; what is outside is cut
PASS_COLOUR: Final = "#2e7d32"
FAIL_COLOUR: Final = "#c62828"
BROKER_COLOURS: Final = ("#1565c0", "#ef6c00", "#6a1b9a", "#00838f", "#5d4037", "#558b2f")


def render_svg(outcome: Outcome) -> str:
    """Return both panels: how far each target is met, and the throughput of every broker."""
    parts: list[str] = []
    bottom_px = _draw_margins(parts, outcome.verdicts, top_px=0)
    bottom_px = _draw_throughput(parts, outcome, top_px=bottom_px + 20)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH_PX}" height="{bottom_px}" '
        f'font-family="sans-serif" font-size="12">'
        f'<rect width="100%" height="100%" fill="white"/>'
    )
    return "\n".join([head, *parts, "</svg>", ""])


def _text(x: float, y: float, content: str, style: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(content)}</text>'


def _bar(x: float, y: float, width: float, colour: str) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" height="{ROW_PX - 5}" '
        f'fill="{colour}"/>'
    )


def _log_position(value: float, low: float, high: float) -> float:
    """Return where a value lies between two bounds on a logarithmic scale, from 0 to 1."""
    clipped = min(max(value, low), high)
    return math.log(clipped / low) / math.log(high / low)


def _draw_margins(parts: list[str], verdicts: Sequence[Verdict], top_px: int) -> int:
    parts.append(
        _text(
            10,
            top_px + 24,
            "Targets: times better than asked for (log scale, the line is the target)",
            'font-size="15"',
        )
    )
    shown = [v for v in verdicts if v.margin() is not None]
    y = top_px + TITLE_PX
    line_x = LABEL_PX + BAR_PX * _log_position(1.0, *MARGIN_RANGE)
    for verdict in shown:
        _draw_margin(parts, verdict, y, line_x)
        y += ROW_PX
    parts.append(
        f'<line x1="{line_x:.1f}" y1="{top_px + TITLE_PX - 4}" x2="{line_x:.1f}" '
        f'y2="{y}" stroke="black"/>'
    )
    return y


def _draw_margin(parts: list[str], verdict: Verdict, y: int, line_x: float) -> None:
    margin = verdict.margin() or 0.0
    end_x = LABEL_PX + BAR_PX * _log_position(margin, *MARGIN_RANGE)
    colour = PASS_COLOUR if verdict.is_met else FAIL_COLOUR
    is_ratio = verdict.target.reference is not Reference.NOTHING
    outcome = f"{number(verdict.ratio)}x" if is_ratio else number(verdict.value)
    words = f"{outcome}, {target_text(verdict.target)}: {verdict_word(verdict)}"
    parts.append(_text(10, y + 11, f"{verdict.scenario}: {verdict.target.metric}"))
    parts.append(_bar(min(line_x, end_x), y, abs(end_x - line_x), colour))
    parts.append(_text(LABEL_PX + BAR_PX + 10, y + 11, words))


def _draw_throughput(parts: list[str], outcome: Outcome, top_px: int) -> int:
    samples = Samples(outcome.samples)
    rows = [
        (scenario.name, broker, speed)
        for scenario in outcome.scenarios
        if scenario.load.mode == "closed"
        for broker in outcome.versions
        if (speed := samples.median(scenario.name, broker, "messages_per_s"))
    ]
    if not rows:
        return top_px
    low = min(speed for *_, speed in rows) / 2
    high = max(speed for *_, speed in rows)
    colours = dict(zip(outcome.versions, BROKER_COLOURS * len(outcome.versions), strict=False))
    parts.append(_text(10, top_px + 24, "Deliveries a second (log scale)", 'font-size="15"'))
    y, previous = top_px + TITLE_PX, ""
    for scenario, broker, speed in rows:
        if scenario != previous:
            y += 6
            parts.append(_text(10, y + 11, scenario))
            previous = scenario
        parts.append(_text(LABEL_PX - 10, y + 11, broker, 'text-anchor="end"'))
        parts.append(_bar(LABEL_PX, y, BAR_PX * _log_position(speed, low, high), colours[broker]))
        parts.append(_text(LABEL_PX + BAR_PX + 10, y + 11, f"{speed:,.0f}"))
        y += ROW_PX
    return y + 10
