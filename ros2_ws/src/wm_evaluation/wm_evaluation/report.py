"""The report as one HTML file, which needs nothing else, and as JSON."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from wm_evaluation.kept import Finished, plain
from wm_evaluation.plots import DPI
from wm_evaluation.registry import Entry, Headline
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


@dataclass(frozen=True)
class Report:
    """What an evaluation found: `bundles`: label -> facts; `about`: settings, data and machine."""

    bundles: Mapping[str, Mapping[str, Any]]
    about: Mapping[str, Any]
    notes: Sequence[str]
    entries: Sequence[Entry]
    finished: Mapping[str, Finished]
    failed: Mapping[str, str]  # name -> reason

    def json(self) -> dict[str, Any]:
        """The JSON document."""
        sections = {
            name: {
                "title": it.section.title,
                "protocol": it.section.protocol,
                "seconds": it.seconds,
                **it.section.figures,
            }
            for name, it in self.finished.items()
        }
        document = {"schema": 1, **self.about, "notes": list(self.notes), "bundles": self.bundles}
        return plain({**document, "sections": sections, "failed": dict(self.failed)})

    def html(self) -> str:
        """The whole page."""
        judged, *others = self.bundles
        title = f"World model {judged}" + (f" against {', '.join(others)}" if others else "")
        names = [entry.name for entry in self.entries if entry.name in {*self.finished, *self.failed}]
        links = " ".join(f'<a href="#{name}">{escape(self._title(name))}</a>' for name in names)
        body = [
            f'<h1>{escape(title)}</h1><p class="soft">{escape(self._made())}</p>',
            f"<section><h2>Summary</h2>{self._summary()}<nav>{links}</nav></section>",
            f"<section><h2>What was compared</h2>{self._bundles()}{''.join(f'<p>{escape(n)}</p>' for n in self.notes)}</section>",
            *(self._section(name) for name in names),
        ]
        return page_html(title, body)

    def _made(self) -> str:
        about = self.about
        share = "" if about["effort"] == 1 else f", with {about['effort']:g} of the usual numbers of episodes"
        return f"{about['made']}, wm {about['revision']}, on {about['machine']}{share}"

    def _title(self, name: str) -> str:
        return self.finished[name].section.title if name in self.finished else name.replace("_", " ")

    def _bundles(self) -> str:
        facts = next(iter(self.bundles.values()))
        rows = [[fact, *(str(values[fact]) for values in self.bundles.values())] for fact in facts]
        return f'<div class="facts">{table_html(Table(["", *self.bundles], rows))}</div>'

    def _summary(self) -> str:
        """One row for each headline figure, the best bundle in bold, baselines beside them."""
        rows = []
        for entry in self.entries:
            if entry.name in self.failed:
                rows.append(f"{self._group(entry)}{_row(['failed', *[''] * (len(self.bundles) + 1)])}")
            elif entry.name in self.finished:
                figures = self.finished[entry.name].section.figures
                lines = [line for headline in entry.headlines if (line := self._headline(headline, figures))]
                rows += [self._group(entry), *lines] if lines else []
        head = _row(["", *self.bundles, "baselines"], "th", {0, len(self.bundles) + 1})
        return f'<div class="wide"><table>{head}{"".join(rows)}</table></div>'

    def _group(self, entry: Entry) -> str:
        link = f'<a href="#{entry.name}">{escape(self._title(entry.name))}</a>'
        return f'<tr class="group"><td class="text" colspan="{len(self.bundles) + 2}">{link}</td></tr>'

    def _headline(self, headline: Headline, figures: Mapping[str, Any]) -> str:
        """A row of the summary; empty when no bundle has the figure."""
        found = {label: look_up(figures.get(label), headline.path) for label in self.bundles}
        numbers = {label: number for label, value in found.items() if (number := _number(value)) is not None}
        if not numbers:
            return ""
        best = set()
        if headline.best and len({headline.text(number) for number in numbers.values()}) > 1:
            choose = min if headline.best == "low" else max
            most = choose(numbers.values())
            best = {
                i
                for i, label in enumerate(self.bundles, 1)
                if label in numbers and headline.text(numbers[label]) == headline.text(most)
            }
        others = {name: look_up(values, headline.path) for name, values in figures.items() if name not in self.bundles}
        beside = ", ".join(f"{n} {headline.text(_number(v))}" for n, v in others.items() if _number(v) is not None)
        cells = [headline.title, *(headline.text(value) for value in found.values()), beside]
        return _row(cells, "td", {0, len(cells) - 1}, best)

    def _section(self, name: str) -> str:
        if name in self.failed:
            return (
                f'<section class="failed" id="{name}"><h2>{escape(self._title(name))}: failed</h2>'
                f"<pre>{escape(self.failed[name])}</pre></section>"
            )
        section, seconds = self.finished[name].section, self.finished[name].seconds
        parts = [f'<p class="protocol">{escape(section.protocol)} <span class="soft">Took {seconds:.0f} s.</span></p>']
        parts += [table_html(table) for table in section.tables] + [picture_html(p) for p in section.pictures]
        return f'<section id="{name}"><h2>{escape(section.title)}</h2>{"".join(parts)}</section>'


def page_html(title: str, body: Sequence[str]) -> str:
    """A page of its own, with nothing to be loaded from elsewhere; `body`: pieces of HTML."""
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}<style>\n{CSS}</style></head>\n<body><main>\n'
        + "\n".join(body)
        + "\n</main></body></html>\n"
    )


def look_up(figures: Any, path: Sequence[str]) -> Any:
    """What lies at a path of nested figures, or None."""
    for key in path:
        if not isinstance(figures, Mapping):
            return None
        figures = figures.get(key)
    return figures


def table_html(table: Table) -> str:
    """A table; columns that hold no numbers are aligned left."""
    text = {i for i in range(len(table.header)) if i == 0 or not any(_numeric(row[i]) for row in table.rows)}
    caption = f"<caption>{escape(table.caption)}</caption>" if table.caption else ""
    rows = [_row(table.header, "th", text), *(_row(row, "td", text) for row in table.rows)]
    return f'<div class="wide"><table>{caption}{"".join(rows)}</table></div>'


def picture_html(picture: Picture) -> str:
    """A picture inside the page."""
    data = base64.b64encode(picture.png).decode()
    width = int.from_bytes(picture.png[16:20], "big") * PIXELS_PER_INCH // DPI  # of the PNG's IHDR chunk
    caption = escape(picture.caption)
    image = f'<img alt="{caption}" width="{width}" src="data:image/png;base64,{data}">'
    return f"<figure>{image}<figcaption>{caption}</figcaption></figure>"


def _row(cells: Sequence[str], tag: str = "td", text: set[int] | None = None, best: set[int] | None = None) -> str:
    marked = []
    for i, cell in enumerate(cells):
        kinds = " ".join(kind for kind, members in (("text", text or {0}), ("best", best or ())) if i in members)
        opening = f'{tag} class="{kinds}"' if kinds else tag
        marked.append(f"<{opening}>{escape(str(cell))}</{tag}>")
    return f"<tr>{''.join(marked)}</tr>"


def _numeric(cell: str) -> bool:
    return bool(cell) and str(cell)[0] in "-+0123456789–−"


def _number(value: Any) -> float | None:
    value = value.get("value") if isinstance(value, Mapping) else value
    return value if isinstance(value, int | float) and value == value else None
