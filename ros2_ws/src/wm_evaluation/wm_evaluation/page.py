"""Pages of HTML that need nothing else: their style, tables and pictures."""

import base64
from collections.abc import Sequence
from html import escape

from wm_evaluation.plots import DPI
from wm_evaluation.section import Picture, Table

PIXELS_PER_INCH = 96  # of CSS
CSS = """\
:root { --ink: #1d2733; --soft: #5b6775; --line: #e2e6ea; --accent: #0072b2; }
* { box-sizing: border-box; }
body { margin: 0; background: #f5f6f8; color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 27px; line-height: 1.25; margin: 0 0 4px; }
h2 { font-size: 19px; margin: 0 0 6px; }
section { background: #fff; border: 1px solid var(--line); border-radius: 8px; padding: 20px 24px; margin-top: 18px; }
p { margin: 6px 0; }
.soft, .protocol, figcaption, caption { color: var(--soft); }
.protocol { max-width: 92ch; font-size: 14px; }
nav { margin-top: 12px; font-size: 14px; }
nav a { margin-right: 14px; white-space: nowrap; }
a { color: var(--accent); text-decoration: none; }
a:hover { text-decoration: underline; }
.wide { overflow-x: auto; margin-top: 14px; }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: 4px; font-size: 14px; }
th, td { padding: 4px 16px 4px 0; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th { font-weight: 600; border-bottom-color: #b8c0c9; vertical-align: bottom; white-space: normal; }
th.text, td.text { text-align: left; }
td.text { white-space: normal; max-width: 46ch; }
.facts th, .facts td { text-align: left; white-space: normal; max-width: 26ch; vertical-align: top; }
.facts td:first-child { white-space: nowrap; }
tr.group td { padding-top: 12px; font-weight: 600; border-bottom-color: #b8c0c9; }
tr:last-child td { border-bottom: 0; }
td.best { font-weight: 700; }
figure { margin: 18px 0 0; }
figure img { max-width: 100%; height: auto; }
figcaption { font-size: 14px; max-width: 92ch; }
.failed { border-color: #d9534f; }
.failed h2 { color: #b52b27; }
pre { white-space: pre-wrap; background: #fbf1f0; padding: 10px; border-radius: 6px; font-size: 13px; }
"""


def page_html(title: str, body: Sequence[str]) -> str:
    """A page of its own, with nothing to be loaded from elsewhere; `body`: pieces of HTML."""
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}<style>\n{CSS}</style></head>\n<body><main>\n'
        + "\n".join(body)
        + "\n</main></body></html>\n"
    )


def table_html(table: Table) -> str:
    """A table; columns that hold no numbers are aligned left."""
    text = {i for i in range(len(table.header)) if i == 0 or not any(_numeric(row[i]) for row in table.rows)}
    caption = f"<caption>{escape(table.caption)}</caption>" if table.caption else ""
    rows = [row_html(table.header, "th", text), *(row_html(row, "td", text) for row in table.rows)]
    return f'<div class="wide"><table>{caption}{"".join(rows)}</table></div>'


def picture_html(picture: Picture) -> str:
    """A picture inside the page."""
    data = base64.b64encode(picture.png).decode()
    width = int.from_bytes(picture.png[16:20], "big") * PIXELS_PER_INCH // DPI  # of the PNG's IHDR chunk
    caption = escape(picture.caption)
    image = f'<img alt="{caption}" width="{width}" src="data:image/png;base64,{data}">'
    return f"<figure>{image}<figcaption>{caption}</figcaption></figure>"


def row_html(cells: Sequence[str], tag: str = "td", text: set[int] | None = None, best: set[int] | None = None) -> str:
    """A row of a table; `text`: columns aligned left, `best`: in bold."""
    marked = []
    for i, cell in enumerate(cells):
        kinds = " ".join(kind for kind, members in (("text", text or {0}), ("best", best or ())) if i in members)
        opening = f'{tag} class="{kinds}"' if kinds else tag
        marked.append(f"<{opening}>{escape(str(cell))}</{tag}>")
    return f"<tr>{''.join(marked)}</tr>"


def _numeric(cell: str) -> bool:
    return bool(cell) and str(cell)[0] in "-+0123456789–−"
