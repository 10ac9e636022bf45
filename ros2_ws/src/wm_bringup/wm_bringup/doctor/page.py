"""What was found, as lines for a terminal and as one page of HTML with a picture of what each camera sees."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from html import escape
from typing import Any

import cv2
import numpy as np

from wm_bringup.doctor.finding import ERROR, NOTE, SEVERITIES, WARNING, Finding
from wm_bringup.doctor.observed import Observed
from wm_core.images import ImageError, colour_image, depth_image
from wm_evaluation.page import page_html, picture_html, table_html
from wm_evaluation.plots import panels, png
from wm_evaluation.section import Picture, Table

COLOURS = {ERROR: "#b52b27", WARNING: "#b37400", NOTE: "#5b6775"}
LARGEST = 640  # [px] of a picture's longer side


def lines(observed: Observed, findings: Sequence[Finding]) -> str:
    """Topics, then findings, the worst first."""
    found = [_topic_line(*row) for row in _topics(observed)]
    for severity, check, remedy, same in _grouped(findings):
        found.append(f"{severity:8}{check}")
        found += [f"{'':8}{each.subject}: expected {each.expected}, got {each.found}" for each in same]
        found.append(f"{'':8}-> {remedy}")
    return "\n".join([*found, verdict(findings)])


def verdict(findings: Sequence[Finding]) -> str:
    """In one line."""
    counts = Counter(each.severity for each in findings)
    if not counts:
        return "nothing is wrong with what was heard"
    said = [f"{counts[each]} {each}{'s' * (counts[each] > 1)}" for each in SEVERITIES if counts[each]]
    return ", ".join(said)


def page(observed: Observed, findings: Sequence[Finding]) -> str:
    """The page."""
    seconds = (observed.end_ns - observed.begin_ns) / 1e9
    title = f"wm doctor: {verdict(findings)}"
    machine = observed.machine
    facts = [
        ("cores", str(machine.cores)),
        ("load of the last minute", f"{machine.load:.1f}"),
        ("free in /dev/shm", f"{machine.shm_free / 1e6:.0f} MB"),
        ("free memory", f"{100 * machine.memory_free:.0f} %"),
        ("governors", ", ".join(sorted(set(machine.governors))) or "not readable"),
        ("clock", {True: "synchronised", False: "not synchronised", None: "unknown"}[machine.synchronised]),
    ]
    about = f"{observed.setup.robot.description}, heard for {seconds:.0f} s"
    parts = [f'<h1>{escape(title)}</h1><p class="soft">{escape(about)}</p>']
    if findings:
        parts.append(_section("Findings", "".join(_group(*each) for each in _grouped(findings))))
    parts.append(_section("What the cameras see", "".join(_pictures(observed)) or "<p>No images came.</p>"))
    parts.append(_section("Topics", table_html(Table(TOPIC_HEADER, _topics(observed)))))
    parts.append(_section("This machine", table_html(Table(("", ""), facts))))
    return page_html(title, parts)


# -- inside --------------------------------------------------------------------------------------------------------------

TOPIC_HEADER = ("topic", "messages", "rate [Hz]", "longest gap [ms]", "stamp to arrival [ms]", "what")


def _section(title: str, body: str) -> str:
    return f"<section><h2>{title}</h2>{body}</section>"


def _grouped(findings: Sequence[Finding]) -> list[tuple[str, str, str, list[Finding]]]:
    """Severity, check and remedy, with all findings that have these: four topics of two cameras are often ill of one cause."""
    groups: dict[tuple[str, str, str], list[Finding]] = {}
    for each in findings:
        groups.setdefault((each.severity, each.check, each.remedy), []).append(each)
    return [(*key, same) for key, same in groups.items()]


def _group(severity: str, check: str, remedy: str, same: Sequence[Finding]) -> str:
    colour = COLOURS[severity]
    said = "".join(
        f"<br><b>{escape(f.subject)}</b>: expected {escape(f.expected)}, got {escape(f.found)}" for f in same
    )
    return (
        f'<p style="border-left: 4px solid {colour}; padding-left: 12px; margin-top: 12px; overflow-wrap: anywhere">'
        f'<b style="color: {colour}">{severity}</b> <span class="soft">{escape(check)}</span>{said}<br>{escape(remedy)}</p>'
    )


def _topics(observed: Observed) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for topic in observed.setup.types:
        stream = observed.stream(topic)
        intervals = np.diff(stream.arrivals)
        ages = [(each.arrival_ns - each.stamp_ns) / 1e6 for each in stream.heard]
        found.append(
            (
                topic,
                str(len(stream.heard)),
                f"{1 / intervals.mean():.1f}" if len(intervals) and intervals.mean() > 0 else "",
                f"{1e3 * intervals.max():.0f}" if len(intervals) else "",
                f"{np.median(ages):.0f}" if ages and not observed.setup.simulated_time else "",
                _what(stream.newest),
            )
        )
    return found


def _topic_line(topic: str, messages: str, rate: str, gap: str, age: str, what: str) -> str:
    figures = f", {rate} Hz, gaps to {gap} ms" + (f", {age} ms old" if age else "") if rate else ""
    return f"{'':8}{topic}: {messages} messages{figures}{what and ', ' + what}"


def _what(message: Any) -> str:
    if hasattr(message, "encoding"):
        return f"image {message.encoding} {message.width} x {message.height} in '{message.header.frame_id}'"
    if hasattr(message, "distortion_model"):
        return f"intrinsics of {message.width} x {message.height}, {message.distortion_model or 'no distortion model'}"
    return f"joints: {len(message.name)}" if hasattr(message, "name") else ""


def _pictures(observed: Observed) -> list[str]:
    """Colour and depth of each camera, side by side."""
    found = []
    for topics, camera in observed.cameras():
        colour, depth = observed.stream(topics.colour).newest, observed.stream(topics.depth).newest
        if colour is None and depth is None:
            continue
        figure, (left, right) = panels(2, width=4.6, height=3.6)
        _show(left, topics.colour, colour, _show_colour)
        _show(right, topics.depth, depth, partial(_show_depth, unit=camera.depth_unit))
        found.append(picture_html(Picture(png(figure), f"{topics.name}: colour and depth.")))
    return found


def _show(axis: Any, topic: str, message: Any, show: Callable[[Any, Any], None]) -> None:
    """A message as a picture, or why it is none."""
    axis.set_title(topic, fontsize=8)
    axis.set_xticks([])
    axis.set_yticks([])
    try:
        if message is None:
            raise ImageError("no images came")
        show(axis, message)
    except ImageError as error:
        middle = {"ha": "center", "va": "center", "wrap": True, "fontsize": 7}
        axis.text(0.5, 0.5, str(error), transform=axis.transAxes, **middle)


def _show_colour(axis: Any, message: Any) -> None:
    axis.imshow(colour_image(message)[_every(message)])


def _every(message: Any) -> tuple[slice, slice]:
    step = max(1, max(message.width, message.height) // LARGEST)
    return slice(None, None, step), slice(None, None, step)


def _show_depth(axis: Any, message: Any, unit: float | None) -> None:
    """Metres as colours, black where there is no reading."""
    depth = depth_image(message, unit).depth[_every(message)]
    readings = depth[depth > 0]
    low, high = np.quantile(readings, [0.02, 0.98]) if readings.size else (0.0, 1.0)
    scaled = np.clip((depth - low) / max(float(high - low), 1e-6), 0, 1)
    colours = cv2.applyColorMap((255 * (1 - scaled)).astype(np.uint8), cv2.COLORMAP_VIRIDIS)[..., ::-1]
    axis.imshow(np.where(depth[..., None] > 0, colours, 0).astype(np.uint8))
    axis.set_xlabel(f"yellow {low:.2f} m to violet {high:.2f} m; black: no reading", fontsize=8)
