"""The report as one HTML file, which needs nothing else, and as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from wm_evaluation.kept import Finished, plain
from wm_evaluation.page import page_html, picture_html, row_html, table_html
from wm_evaluation.registry import Entry, Headline
from wm_evaluation.section import Table


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
                rows.append(f"{self._group(entry)}{row_html(['failed', *[''] * (len(self.bundles) + 1)])}")
            elif entry.name in self.finished:
                figures = self.finished[entry.name].section.figures
                lines = [line for headline in entry.headlines if (line := self._headline(headline, figures))]
                rows += [self._group(entry), *lines] if lines else []
        head = row_html(["", *self.bundles, "baselines"], "th", {0, len(self.bundles) + 1})
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
        return row_html(cells, "td", {0, len(cells) - 1}, best)

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


def look_up(figures: Any, path: Sequence[str]) -> Any:
    """What lies at a path of nested figures, or None."""
    for key in path:
        if not isinstance(figures, Mapping):
            return None
        figures = figures.get(key)
    return figures


def _number(value: Any) -> float | None:
    value = value.get("value") if isinstance(value, Mapping) else value
    return value if isinstance(value, int | float) and value == value else None
