"""The validation report: one HTML page and one JSON file for all bags."""

import html
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib.figure import Figure

from wm_bags.steps.check import BagCheck

STYLE = """body{font:15px/1.45 system-ui,sans-serif;max-width:1200px;margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse;margin:.5em 0 1.5em;font-size:13px}td,th{padding:.25em .7em;border-bottom:1px solid #ddd;text-align:left}
td.n{text-align:right;font-variant-numeric:tabular-nums}.bad{color:#b3261e}.good{color:#1b6e3c}h2{margin-top:2em}svg{max-width:100%;height:auto}
@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}td,th{border-color:#444}svg{background:#fff}}"""
LONGEST = 50  # cuts listed


def write_report(checks: Sequence[BagCheck], folder: Path) -> None:
    """Write report.html and report.json into a folder; those that are there stay until both are complete."""
    facts = [check.facts() for check in checks]
    total = {"kept_s": sum(check.kept_s for check in checks), "bags": facts}
    texts = {"report.json": json.dumps(total, indent=1) + "\n", "report.html": _page(checks, facts)}
    try:
        for name, text in texts.items():
            (folder / f".{name}.part").write_text(text)
        for name in texts:
            (folder / f".{name}.part").replace(folder / name)
    finally:
        for name in texts:
            (folder / f".{name}.part").unlink(missing_ok=True)


def _page(checks: Sequence[BagCheck], facts: Sequence[dict[str, Any]]) -> str:
    rows = [
        (
            check.bag.name,
            "refused" if check.refused else f"{check.kept_s:.1f}",
            str(check.episodes),
            f"{sum(check.lost_s.values()):.1f}",
            ", ".join(f"{kind} {seconds:.1f} s" for kind, seconds in sorted(check.lost_s.items())),
        )
        for check in checks
    ]
    overview = _table(("bag", "kept [s]", "episodes", "cut [s]", "why"), rows)
    parts = [_bag(check, fact) for check, fact in zip(checks, facts, strict=True)]
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>Validation of bags</title><style>{STYLE}</style><h1>Validation of {len(checks)} bag{'s' * (len(checks) != 1)}</h1>"
        f"{overview}{''.join(parts)}</html>\n"
    )


def _bag(check: BagCheck, facts: dict[str, Any]) -> str:
    parts = [f"<h2>{html.escape(str(check.bag))}</h2>"]
    if check.refused:
        parts.append(f"<p class=bad>Refused: {html.escape(check.refused)}</p>")
    elif not check.steps:
        parts.append(f"<p class=bad>Nothing can be used: {html.escape(check.why_nothing())}</p>")
    else:
        parts.append(
            f"<p class=good>{check.steps} steps in {check.episodes} episodes: {html.escape(check.summary())}</p>"
        )
    parts += [f"<p>Note: {html.escape(note)}</p>" for note in check.notes]
    parts += [
        f"<p class=bad>Missing: {html.escape(topic)} ({html.escape(role)})</p>" for topic, role in check.missing.items()
    ]
    if check.kept or check.cuts:
        parts.append(_timeline(check))
    if check.topics:
        parts.append(_topics(facts["topics"]))
    if check.cuts:
        cuts = sorted(check.cuts, key=lambda cut: cut.from_ns - cut.to_ns)[:LONGEST]
        rows = [
            (f"{cut.from_ns / 1e9:.3f}", f"{(cut.to_ns - cut.from_ns) / 1e9:.2f}", cut.kind, cut.topic, cut.problem)
            for cut in cuts
        ]
        parts.append(f"<h3>Cuts{', the longest' if len(check.cuts) > LONGEST else ''}</h3>")
        parts.append(_table(("at [s]", "length [s]", "kind", "topic", "problem"), rows))
    return "".join(parts)


def _topics(topics: dict[str, Any]) -> str:
    def number(value: float | None, digits: int) -> str:
        return "" if value is None else f"{value:.{digits}f}"

    rows = []
    for name, fact in topics.items():
        offsets = fact["stamp_minus_receipt_ms"]
        rows.append(
            (
                name,
                fact["role"],
                str(fact["messages"]),
                number(fact["rate_hz"], 1),
                number(fact["median_gap_s"] and 1e3 * fact["median_gap_s"], 1),
                number(fact["max_gap_s"] and 1e3 * fact["max_gap_s"], 1),
                number(offsets and offsets["median"], 1),
                "; ".join(fact["forms"]) or "; ".join(f"{len(names)} joints" for names in fact["joint_names"]),
                "; ".join(fact["faults"]),
            )
        )
    header = (
        "topic",
        "role",
        "messages",
        "Hz",
        "median gap [ms]",
        "longest [ms]",
        "stamp - receipt [ms]",
        "form",
        "faults",
    )
    return _table(header, rows)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def cell(title: str, value: str) -> str:
        kind = " class=bad" if title == "faults" else " class=n" if value.replace(".", "").lstrip("-").isdigit() else ""
        return f"<td{kind}>{html.escape(value)}</td>"

    head = "".join(f"<th>{html.escape(title)}</th>" for title in header)
    body = "".join(
        f"<tr>{''.join(cell(title, value) for title, value in zip(header, row, strict=True))}</tr>" for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _timeline(check: BagCheck) -> str:
    """What was kept and cut over the stamps, and where each topic has messages, as SVG."""
    topics = [stats for stats in check.topics.values() if stats.role and stats.stamps]
    figure = Figure(figsize=(11, 1.1 + 0.28 * len(topics)))
    axes = figure.add_subplot()
    begin = min([span[0] for span in check.kept] + [cut.from_ns for cut in check.cuts])
    colours = {"kept": "#2a9d5c", "outside an episode": "#bbbbbb"}
    kinds = sorted({cut.kind for cut in check.cuts})
    colours |= {kind: f"C{[3, 1, 4, 5, 6, 8, 9, 7][i % 8]}" for i, kind in enumerate(kinds)}
    spans = {"kept": check.kept, "outside an episode": check.outside}
    spans |= {
        kind: [(cut.from_ns, max(cut.to_ns, cut.from_ns)) for cut in check.cuts if cut.kind == kind] for kind in kinds
    }
    for kind, each in spans.items():
        bars = [((first - begin) / 1e9, (last - first) / 1e9) for first, last in each]
        if bars:
            axes.broken_barh(bars, (-0.4, 0.8), color=colours[kind], label=kind)
    for row, stats in enumerate(topics, 1):
        times = [(stamp - begin) / 1e9 for stamp in stats.stamps]
        axes.plot(times, [row] * len(times), "|", color="#457b9d", markersize=6, rasterized=len(times) > 3000)
    axes.set_yticks(range(len(topics) + 1), ["steps", *(stats.name for stats in topics)], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("stamp since the first step [s]", fontsize=9)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=6, fontsize=8, frameon=False)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    figure.tight_layout()
    target = io.StringIO()
    figure.savefig(target, format="svg", dpi=120)
    return target.getvalue().partition("<svg")[1] + target.getvalue().partition("<svg")[2]
