"""Film strips: what the model imagines, decoded, beside what the cameras saw."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from wm_core.bundle import Bundle
from wm_data.dataset import Dataset
from wm_dynamics.rollout import RolloutEngine
from wm_evaluation import plots
from wm_evaluation.measurement import Context
from wm_evaluation.section import Picture, Section, Table
from wm_learning.calibration.intervals import BURN_IN
from wm_perception.bev import fuse

SHOWN = tuple(range(0, 21, 2))  # steps
EPISODES = 6
MARGIN = 0.09  # [m] of table shown around the object's path
UNSEEN = (0.86, 0.88, 0.91)  # colour of cells that no camera saw
PROTOCOL = """\
In each strip the belief is filtered up to step 0; from there the model sees nothing and is given the recorded actions. Upper row: the
cameras' fused map from above, around the object's path (cells that nobody sees, below the arm, are light; x, away from the robot's
base, points up). Other rows: the graph `decode` of the imagined latents, which are those of the belief filter with the object hidden;
the tool is drawn as a dark disk. The cross is the true position of the object. Chosen are the episodes in which the object moves
farthest within {steps} steps, from every world in turn: the hard ones. Error: of the imagined position at the last step."""


def measure(context: Context) -> Section:
    """Strips of a few episodes; raises ValueError when none is long enough."""
    data = context.data
    starts = choose(data, max(len(data.worlds), context.count(EPISODES)))
    if not starts:
        raise ValueError(f"expected episodes of at least {BURN_IN + SHOWN[-1] + 2} steps, got shorter ones")
    figures: dict[str, Any] = {label: {"error_mm": {}} for label in context.bundles}
    rows, pictures = [], []
    for start in starts:
        name = f"{data.worlds[data.world[start]]}, seed {data.seeds[data.episode[start]]}, from step {_step_of(data, start)}"
        latents = {label: imagine(bundle, data, context, label, start) for label, bundle in context.bundles.items()}
        truth = data.object_xy[start + SHOWN[-1]]
        moved = 1000 * float(np.linalg.norm(truth - data.object_xy[start]))
        errors = {
            label: 1000 * float(np.linalg.norm(context.bundles[label].state.object_position(path[-1]) - truth))
            for label, path in latents.items()
        }
        for label, error in errors.items():
            figures[label]["error_mm"][name] = error
        rows.append([name, f"{moved:.0f}", *(f"{error:.1f}" for error in errors.values())])
        pictures.append(Picture(_strip(context, start, latents), f"{name}: the object moves {moved:.0f} mm."))
    header = ["episode", "object moves [mm]", *(f"{label}: error [mm]" for label in context.bundles)]
    table = Table(header, rows, f"Object after {SHOWN[-1]} steps.")
    return Section("film", "Imagined beside real", PROTOCOL.format(steps=SHOWN[-1]), figures, [table], pictures)


def choose(data: Dataset, count: int) -> list[int]:
    """Steps (count,) at which strips begin: of each episode the one after which the object moves most, worlds in turn."""
    starts = data.windows(BURN_IN + SHOWN[-1] + 1) + BURN_IN
    far = np.linalg.norm(data.object_xy[starts + SHOWN[-1]] - data.object_xy[starts], axis=1)
    best: dict[int, dict[int, tuple[float, int]]] = {}
    for start, distance in zip(starts.tolist(), far.tolist(), strict=True):
        episodes = best.setdefault(int(data.world[start]), {})
        episode = int(data.episode[start])
        episodes[episode] = max(episodes.get(episode, (0.0, start)), (distance, start))
    ordered = [sorted(episodes.values(), reverse=True) for _, episodes in sorted(best.items())]
    deepest = max(map(len, ordered), default=0)
    return [world[i][1] for i in range(deepest) for world in ordered if i < len(world)][:count]


def imagine(bundle: Bundle, data: Dataset, context: Context, label: str, start: int) -> np.ndarray:
    """Latents (frames, L) at the shown steps after `start` under the recorded actions.

    The rollout graph gives the whole latent only at its end; the filter gives it at every step, when the object is hidden. The tool
    is where the rollout imagines it.
    """
    seen = context.seen(label)
    mean, variance = seen.mean[start : start + 1], seen.variance[start : start + 1]
    actions = np.ascontiguousarray(data.action[None, start : start + SHOWN[-1]], np.float32)
    tool = RolloutEngine(bundle).rollout(mean[None], actions).mean_tool()[0].copy()
    target = data.target_xy[start].astype(np.float32)
    path = [mean[0]]
    for step in range(SHOWN[-1]):
        target = target + bundle.action.scaled(actions[0, step])
        out = bundle.run(
            "filter",
            mean=mean,
            variance=variance,
            action=actions[:, step],
            embedding=bundle.unseen,
            proprio=np.concatenate([tool[step], target])[None].astype(np.float32),
        )
        mean, variance = out["posterior_mean"], out["posterior_variance"]
        path.append(mean[0])
    return np.stack(path)[list(SHOWN)]


def real_view(data: Dataset, step: int) -> np.ndarray:
    """The fused map (rows, columns, 3) of a step as a picture."""
    fused = fuse(list(np.asarray(data.bev[step], np.float32) / 255))
    return np.where(fused[4][..., None] > 0, fused[1:4].transpose(1, 2, 0), UNSEEN)


def _step_of(data: Dataset, step: int) -> int:
    return step - int(np.flatnonzero(data.episode == data.episode[step])[0])


def _strip(context: Context, start: int, latents: dict[str, np.ndarray]) -> bytes:
    data, spec = context.data, context.data.spec
    path = (data.object_xy[start + np.array(SHOWN)] - (spec.x_min, spec.y_min)) / spec.cell - 0.5  # in cells
    margin, size = MARGIN / spec.cell, np.array([spec.rows, spec.columns]) - 0.5
    low, high = np.maximum(path.min(0) - margin, -0.5), np.minimum(path.max(0) + margin, size)
    low[0], high[0] = (low[0] + high[0]) / 2 + np.array([-0.5, 0.5]) * max(high[0] - low[0], 0.6 * (high[1] - low[1]))
    height, width = high - low
    views = {"cameras": np.stack([real_view(data, start + step) for step in SHOWN])}
    for label, imagined in latents.items():
        image = context.bundles[label].run("decode", latent=np.ascontiguousarray(imagined, np.float32))["image"]
        views[label] = np.clip(image, 0, 1)
    figure, axes = plots.panels(len(SHOWN), len(views), width=1.0, height=0.95 * height / width + 0.08, close=True)
    for row, (label, images) in enumerate(views.items()):
        for column, step in enumerate(SHOWN):
            ax: Axes = axes[row * len(SHOWN) + column]
            ax.imshow(images[column], origin="lower", interpolation="nearest")
            ax.plot(path[column, 1], path[column, 0], "+", color="white", markersize=6)
            ax.set(xticks=[], yticks=[], xlim=(low[1], high[1]), ylim=(low[0], high[0]))
            ax.set_facecolor(UNSEEN)
            ax.grid(False)
            ax.spines[:].set_visible(False)
            if row == 0:
                ax.set_title(f"{step / 10:.1f} s", fontsize=7, pad=2)
        axes[row * len(SHOWN)].set_ylabel(label, fontsize=7)
    return plots.png(figure)
