"""What the robot would have believed at every step of a dataset: the bundle's graphs and the runtime's filter on recorded data."""

from collections.abc import Iterator

import numpy as np

from wm_core.bundle import Bundle
from wm_core.executed import ExecutedMotion
from wm_core.scene import ToolState
from wm_data.dataset import Dataset
from wm_dynamics.belief import BeliefFilter, BeliefState
from wm_perception.bev import fuse

BATCH = 64


def embeddings(bundle: Bundle, data: Dataset) -> np.ndarray:
    """Embeddings (T, D) of every step, all cameras fused."""
    parts = []
    for start in range(0, len(data.bev), BATCH):
        maps = np.asarray(data.bev[start : start + BATCH], np.float32) / 255
        parts.append(bundle.run("encode", bev=np.stack([fuse(list(views)) for views in maps]))["embedding"])
    return np.concatenate(parts)


def beliefs(bundle: Bundle, data: Dataset, seen: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Belief means and variances (T, L), filtered episode by episode; `seen` (T, D): embeddings in place of the bundle's."""
    seen = embeddings(bundle, data) if seen is None else seen
    means = np.empty((len(data.episode), bundle.latent_size), np.float32)
    variances = np.empty_like(means)
    for episode in np.unique(data.episode):
        for step, state in states(bundle, data, seen, episode):
            means[step], variances[step] = state.mean, state.variance
    return means, variances


def states(bundle: Bundle, data: Dataset, seen: np.ndarray, episode: int) -> Iterator[tuple[int, BeliefState]]:
    """The steps of an episode and what is believed there; `seen` (T, D): embeddings of all steps of the data."""
    belief, motion = BeliefFilter(bundle), ExecutedMotion()
    for i, step in enumerate(np.flatnonzero(data.episode == episode)):
        stamp_ns = (i + 1) * data.steps.ns
        visibility = float(1 / (1 + np.exp(-bundle.embedding.of(seen[step], "visibility")[0])))
        tool, target = (ToolState(values[step].astype(float)) for values in (data.tool, data.target))
        end = ToolState(target.values + bundle.action.to_displacement(data.action[step]))
        motion.record(stamp_ns, data.steps.ns, target, end)
        yield int(step), belief.update(stamp_ns, seen[step], visibility, tool, motion)
