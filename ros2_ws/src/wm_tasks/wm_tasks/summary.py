"""One picture of a run: where goals were missed, how fast it was, how fast it thought."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (the backend must be chosen first)
import numpy as np  # noqa: E402

from wm_tasks.cycle import SLOWEST, shown  # noqa: E402
from wm_tasks.report import LATENCIES, Run  # noqa: E402

SHOWN_PATHS = 12


def write_summary(run: Run, file: Path) -> None:
    """Write the PNG of a run with at least one episode."""
    figure, axes = plt.subplots(3, 2, figsize=(11, 11), dpi=90, height_ratios=(4, 4, 2.4))
    figure.suptitle(_title(run))
    _paths(axes[0, 0], run)
    _distances(axes[0, 1], run)
    _times(axes[1, 0], run)
    _latencies(axes[1, 1], run)
    for axis in axes[2]:
        axis.remove()
    _stages(figure.add_subplot(axes[2, 0].get_gridspec()[2, :]), run)
    figure.tight_layout()
    partial = file.with_name(f".{file.name}.part.png")
    figure.savefig(partial)
    plt.close(figure)
    partial.replace(file)


def _title(run: Run) -> str:
    what = ", ".join((run.task, run.robot, run.world, run.planner, Path(run.bundle).name))
    ended = f", {run.interrupted}" if run.interrupted else ""
    return f"{what}:\n{run.successes} of {len(run.episodes)} {run.within} (seeds from {run.seed}){ended}"


def _paths(axis: plt.Axes, run: Run) -> None:
    for episode in run.episodes[:SHOWN_PATHS]:
        colour = "tab:green" if episode.success(run.distance_m) else "tab:red"
        path = np.array(episode.path or [episode.start])
        axis.plot(path[:, 1], path[:, 0], color=colour, linewidth=1, alpha=0.8)
        axis.plot(*episode.start[::-1], "o", color=colour, markersize=4)
        axis.plot(*episode.goal[::-1], "x", color="black", markersize=7)
    axis.set(
        xlabel="y [m]",
        ylabel="x [m]",
        title=f"believed object paths of the first {min(SHOWN_PATHS, len(run.episodes))}: start o, goal x",
    )
    axis.invert_xaxis()
    axis.set_aspect("equal")


def _distances(axis: plt.Axes, run: Run) -> None:
    millimetres = np.sort([1000 * episode.final_distance_m for episode in run.episodes])
    axis.step(millimetres, np.arange(1, len(millimetres) + 1) / len(millimetres), where="post")
    axis.axvline(1000 * run.distance_m, color="grey", linestyle=":")
    axis.set(
        xlabel="final distance, ground truth [mm]",
        ylabel="share of episodes",
        title=f"final distance; success {run.within}",
        ylim=(0, 1.02),
        xlim=(0, max(2000 * run.distance_m, millimetres[-1] * 1.05)),
    )


def _times(axis: plt.Axes, run: Run) -> None:
    axis.hist([episode.time_s for episode in run.episodes], bins=20, color="tab:blue")
    axis.set(xlabel="robot time [s]", ylabel="episodes", title="time to the goal")


def _latencies(axis: plt.Axes, run: Run) -> None:
    for name in LATENCIES:
        values = np.sort([value for value in run.latency_ms[name] if np.isfinite(value)])
        if len(values):
            axis.step(
                values,
                np.arange(1, len(values) + 1) / len(values),
                where="post",
                label=f"{name}: p50 {np.quantile(values, 0.5):.1f}, p99 {np.quantile(values, 0.99):.1f}",
            )
    axis.set(
        xlabel="ms",
        ylabel="share of cycles",
        title=f"latency, {run.deadline_misses} of {run.cycles} deadlines missed",
        xscale="log",
        ylim=(0, 1.02),
    )
    axis.legend(loc="lower right", fontsize=8)


def _stages(axis: plt.Axes, run: Run) -> None:
    """Two bars of a cycle's stages; what is computed is dark, what waits is light."""
    found = shown(run.stages_ms)
    rows = {"typical": "typical cycles", "slowest": f"slowest {100 * SLOWEST:g} %"}
    colours = plt.get_cmap("tab20")
    left = dict.fromkeys(rows, 0.0)
    for index, (name, means) in enumerate(found.items()):
        for row, label in rows.items():
            axis.barh(label, means[row], left=left[row], color=colours(index), label=name if row == "typical" else None)
            left[row] += means[row]
    axis.set(xlabel="ms", title="where a cycle's time goes, from the camera's stamp to the trajectory")
    axis.invert_yaxis()
    if found:
        axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8)
    else:
        axis.text(0.5, 0.5, "not measured", ha="center", transform=axis.transAxes)
