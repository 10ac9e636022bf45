"""The table of all faults as one HTML page, which needs nothing else."""

from collections.abc import Sequence
from html import escape

from _fault_tables import GOAL_S, RECORDING, Row, recordings, rows, spread, summary
from _results import Line

from wm_evaluation.report import page_html

TITLE = "What faults do to the arm"
STYLE = """<style>
main { max-width: 1500px; }
td.text { white-space: nowrap; } td.text:last-child { white-space: normal; }
td.missed { background: #fbe3e1; color: #a32420; font-weight: 600; }
tr:hover td { background: #f2f6fa; } tr:hover td.missed { background: #f7cfcb; }
thead th { position: sticky; top: 0; background: #fff; }
</style>"""
HEADER = (
    "fault",
    "expected",
    "runs",
    "rest after its beginning [s]",
    "rest after it can be noticed [s]",
    f"within {GOAL_S:g} s",
    "limits exceeded",
    "recovered",
    "recovered after [s]",
    "fastest tool [m/s]",
    "stolen CPU",
    "otherwise than expected",
)
TEXT = {0, 1, len(HEADER) - 1}


def fault_page(lines: list[Line], protocol: str) -> str:
    """Cells in which a goal is missed are red."""
    head = "".join(f"<th{' class=text' if i in TEXT else ''}>{escape(name)}</th>" for i, name in enumerate(HEADER))
    body = "".join(_row(each) for each in rows(lines))
    said = "".join(f"<p>{escape(sentence)}</p>" for sentence in summary(lines))
    made = ", ".join(sorted({f"commit {line['commit']}, {line['time'][:10]}" for line in lines}))
    parts = [
        f"{STYLE}<h1>{TITLE}</h1><p class=soft>{escape(made)}</p>",
        f"<section><h2>All together</h2>{said}</section>",
        f"<section><h2>Each fault</h2><p class=protocol>{escape(protocol)}</p><p class=soft>Red: a goal is missed.</p>"
        f"<div class=wide><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></section>",
        f"<section><h2>Recordings</h2>{_recordings(lines)}</section>",
    ]
    return page_html(TITLE, parts)


def _row(each: Row) -> str:
    missed = each.missed
    cells: Sequence[tuple[str, bool]] = (
        (each.name, False),
        (each.expected, False),
        (str(each.runs), False),
        (each.rest if each.stops else "", False),
        (each.after, missed["rest"]),
        (each.share_in_time, missed["rest"]),
        (str(each.exceeded), missed["limits"]),
        (f"{len(each.recoveries)} of {each.runs}", missed["recovered"]),
        (spread(each.recoveries), False),
        (f"{each.tool_speed:.2f}", False),
        (f"{100 * each.stolen:.0f} %", False),
        ("; ".join(sorted(set(each.problems))), missed["problems"]),
    )
    return f"<tr>{''.join(_cell(text, bad, i) for i, (text, bad) in enumerate(cells))}</tr>"


def _cell(text: str, bad: bool, column: int) -> str:
    classes = " ".join(["text"] * (column in TEXT) + ["missed"] * bad)
    return f'<td class="{classes}">{escape(text)}</td>' if classes else f"<td>{escape(text)}</td>"


def _recordings(lines: list[Line]) -> str:
    """One row a launch."""
    header = (
        "launch",
        "faults",
        "bags",
        "cannot be read",
        "joint states kept",
        "heard",
        "dropped",
        "lost by the middleware",
    )
    body = []
    for line in recordings(lines):
        result = line["result"]
        values = (
            f"{line['index']}{line['fault'].removeprefix(RECORDING)}",
            result["injected"],
            result["bags"],
            len(result["refused"]),
            result["kept"],
            result["heard"],
            result["dropped"],
            result["lost"],
        )
        cells = [_cell(str(value), i == 3 and bool(value), i if i == 0 else 2) for i, value in enumerate(values)]
        body.append(f"<tr>{''.join(cells)}</tr>")
    head = "".join(f"<th{' class=text' if i == 0 else ''}>{escape(name)}</th>" for i, name in enumerate(header))
    return f"<div class=wide><table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
