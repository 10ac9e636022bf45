"""The report of a loop as one page."""

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from wm_bringup.loop.recorded import TASK, RunRecord
from wm_evaluation.page import page_html, picture_html, table_html
from wm_evaluation.plots import BASELINE, COLOURS, panels, png
from wm_evaluation.section import Picture, Table
from wm_tasks.settings import REACH

STAGES = {
    "explore": "The robot explores the unknown world with the shipped bundle; everything is recorded into a bag.",
    "recall": "Data of the worlds that the shipped bundle knows is collected, so that they are not forgotten.",
    "fine-tune": "The bag becomes a dataset, and the shipped model goes on learning from both; labels come from depth.",
    "practise": "The robot pursues goals with what it has learned, and is recorded again.",
    "keep": "Some more goals are recorded, which nothing is learned from: the gate judges predictions by them.",
    "fine-tune again": "The shipped model learns from both bags.",
    "judge": "The gate compares the fine-tuned bundle with the shipped one: the same goals, the same held-out windows.",
    "swap": "While the robot pursues goals with the shipped bundle, the new one is promoted; the running nodes take it over.",
}
GATE = ("domain", "measure", "promoted", "candidate", "change", "limit", "verdict")
SMOOTH = 20  # steps


def page(report: dict[str, Any], live: RunRecord, records: Sequence[RunRecord]) -> str:
    """HTML of the figures `report`, with plots of the live run and of the recordings that were learned from."""
    verdict = "promoted" if report["gate"]["passed"] else "refused"
    title = f"The data loop in {report['world']}: {verdict} after {report['minutes']:g} minutes"
    parts = [
        f"<h1>{escape(title)}</h1>",
        _section("Success", _success(report)),
        _section("Stages", table_html(_stages(report))),
        _section("Recorded", _recorded(report, records)),
        _section("Fine-tuning", table_html(_finetuning(report))),
        _section("The gate", table_html(_gate(report))),
        _section("Swap while the arm works", _live(report, live)),
    ]
    return page_html(title, parts)


def _section(title: str, body: str) -> str:
    return f"<section><h2>{title}</h2>{body}</section>"


def _success(report: dict[str, Any]) -> str:
    rows = [
        (row["domain"], row["measure"], row["promoted"], row["candidate"], row["change"])
        for row in report["gate"]["criteria"]
        if "goals reached" in row["measure"] or "time to the goal" in row["measure"] or "of these" in row["measure"]
    ]
    table = Table(("domain", "measure", "shipped", "fine-tuned", "change [95 %]"), rows)
    return table_html(table) + f'<p class="protocol">{escape(report["gate"].get("protocol", ""))}</p>'


def _stages(report: dict[str, Any]) -> Table:
    rows = [(name, STAGES[name], f"{seconds:.0f}") for name, seconds in report["seconds"].items()]
    return Table(("stage", "what happens", "seconds"), [*rows, ("all", "", f"{60 * report['minutes']:.0f}")])


def _recorded(report: dict[str, Any], records: Sequence[RunRecord]) -> str:
    facts = report["recorded"]
    alarm = facts["drift_alarm_s"]
    text = f"{facts['steps']} control cycles in {facts['episodes']} episodes. " + (
        "The drift watch noticed nothing." if alarm is None else f"The drift watch raised its alarm after {alarm:g} s."
    )
    figure, (axis,) = panels(width=5.2, height=3.6)
    for record, colour, label in zip(records, COLOURS, ("exploring", "practising"), strict=False):
        axis.plot(record.object_xy[:, 1], record.object_xy[:, 0], ".", color=colour, markersize=1.5, label=label)
    axis.legend(markerscale=6)
    axis.set(xlim=REACH.corners[:, 1], ylim=REACH.corners[:, 0], xlabel="y [m]", ylabel="x [m]")
    axis.set_aspect("equal")
    return f"<p>{text}</p>" + picture_html(Picture(png(figure), "Where the object was believed to be."))


def _finetuning(report: dict[str, Any]) -> Table:
    rows = []
    for name, figures in report["finetuning"]["held_out_mm"].items():
        before, after = figures["before"], figures["after"]
        for measure, label in (("see_mm", "seeing"), ("filter_mm", "filtering")):
            rows.append((name, f"{label}, median", f"{before[measure]['median']}", f"{after[measure]['median']}", ""))
        for steps, error in after["open_loop_moving_mm"]["model"].items():
            was = before["open_loop_moving_mm"]["model"][steps]
            last = after["open_loop_moving_mm"]["copy_last"][steps]
            rows.append((name, f"open loop, {steps} steps, mean", f"{was}", f"{error}", f"{last}"))
    moved = ", ".join(f"{part} {100 * share:.1f} %" for part, share in report["finetuning"]["weights_moved"].items())
    header = ("held-out data", "error [mm]", "before", "after", "copy-last")
    return Table(header, rows, f"Weights moved by: {moved}")


def _gate(report: dict[str, Any]) -> Table:
    return Table(GATE, [tuple(str(row[name]) for name in GATE) for row in report["gate"]["criteria"]])


def _live(report: dict[str, Any], live: RunRecord) -> str:
    facts = report["live"]
    lines = [
        f"Goals reached before the change: {facts['before']['reached']} of {facts['before']['goals']}; after it:"
        f" {facts['after']['reached']} of {facts['after']['goals']}."
    ]
    lines += [f"{c['model_id']}: {c['reason']}; {c['missed']} control cycles missed." for c in facts["changes"]]
    body = "".join(f"<p>{escape(line)}</p>" for line in lines)
    return body + (
        picture_html(Picture(_timeline(live), "One-step prediction error, goals and the change."))
        if len(live.error)
        else ""
    )


def _timeline(live: RunRecord) -> bytes:
    begin = live.error[0, 0]
    figure, (axis,) = panels(width=9.0, height=3.0)
    known = live.error[np.isfinite(live.error[:, 1])]
    smooth = np.convolve(1000 * known[:, 1], np.full(SMOOTH, 1 / SMOOTH), "same")
    axis.plot((known[:, 0] - begin) / 1e9, smooth, color=COLOURS[0], linewidth=0.9)
    for attempt in live.attempts:
        if attempt.purpose == TASK:
            colour = COLOURS[2] if attempt.reached else COLOURS[1]
            axis.axvspan(
                (attempt.begin_ns - begin) / 1e9, (attempt.end_ns - begin) / 1e9, color=colour, alpha=0.15, linewidth=0
            )
    for change in live.changes:
        axis.axvline((change.stamp_ns - begin) / 1e9, color=BASELINE, linewidth=1.5)
    axis.set(
        xlabel="robot time [s]; green: goals reached, orange: missed; line: the change",
        ylabel=f"error [mm], mean of {SMOOTH}",
        ylim=(0, None),
    )
    return png(figure)
