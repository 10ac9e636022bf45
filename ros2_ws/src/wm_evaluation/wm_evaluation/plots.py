"""Plots in the report's style: one colour for each bundle, grey for baselines, units at the axes."""

import io
from collections.abc import Iterable, Mapping
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from wm_evaluation.stats import Estimate

COLOURS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
)  # Okabe and Ito 2008, distinguishable by all
BASELINE = "#777777"
DPI = 130  # of pictures; the report shows them in the size they are drawn for
STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "axes.axisbelow": True,
    "legend.frameon": False,
}


def colours(labels: Iterable[str]) -> dict[str, str]:
    """A colour for each bundle, the same in all plots."""
    return {label: COLOURS[i % len(COLOURS)] for i, label in enumerate(labels)}


def panels(
    columns: int = 1, rows: int = 1, width: float = 4.6, height: float = 3.1, close: bool = False
) -> tuple[Figure, list[Axes]]:
    """A figure of equal panels, each `width` x `height` inches, `close` together or not; without pyplot, so nothing has to be closed."""
    layout = (
        ConstrainedLayoutEngine(w_pad=0.01, h_pad=0.01, hspace=0.02, wspace=0.02)
        if close
        else ConstrainedLayoutEngine()
    )
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(columns * width, rows * height), layout=layout)
        axes = figure.subplots(rows, columns, squeeze=False)
    return figure, list(axes.ravel())


def png(figure: Figure) -> bytes:
    """The figure as PNG."""
    with matplotlib.rc_context(STYLE), io.BytesIO() as file:
        figure.savefig(file, format="png", dpi=DPI, facecolor="white")
        return file.getvalue()


def legend_below(figure: Figure, axes: Axes, columns: int = 5) -> None:
    """One legend for all panels, of what is drawn in `axes`."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, loc="outside lower center", ncols=columns)


def band(axes: Axes, curve: Mapping[int, Estimate], colour: str, label: str) -> None:
    """A line through estimates, with a band of their intervals."""
    x, estimates = list(curve), list(curve.values())
    axes.plot(x, [e.value for e in estimates], color=colour, label=label, marker="o", markersize=3)
    axes.fill_between(x, [e.low for e in estimates], [e.high for e in estimates], color=colour, alpha=0.15, linewidth=0)
