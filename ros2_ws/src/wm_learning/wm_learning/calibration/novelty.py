"""What is usual: the reference of a bundle's novelty, from held-out data."""

import numpy as np

from wm_core.bundle import Bundle
from wm_data.beliefs import states
from wm_data.dataset import Dataset
from wm_dynamics.novelty import SIGNALS, Accumulator, Evidence, Normal, Reference

LIMIT = 0.995  # quantile that counts as the limit, as of the surprise threshold
RIDGE = 1e-6  # of the summed variances, added to each: features that never vary
FEWEST = 100  # steps
LEAST = 0.05  # between what is usual and the limit: of a signal that hardly ever shows on held-out data


def fit_reference(bundle: Bundle, data: Dataset, seen: np.ndarray) -> Reference:
    """Means by world, covariances and quantiles of what the robot would have gathered; raises ValueError for too little data.

    `seen` (T, D): the bundle's embeddings of the data.
    """
    found: list[Evidence] = []
    worlds: list[int] = []
    for episode in np.unique(data.episode):
        evidence = Accumulator(bundle.embedding)
        for step, state in states(bundle, data, seen, episode):
            gathered = evidence.update(seen[step], state.visibility, state.normalised_error, state.slip)
            if evidence.settled:
                found.append(gathered)
                worlds.append(int(data.world[step]))
    if len(found) < FEWEST:
        raise ValueError(f"expected at least {FEWEST} held-out steps after the first of each episode, got {len(found)}")
    known, member = np.unique(worlds, return_inverse=True)
    looks, changes = (np.stack([getattr(e, name) for e in found]) for name in ("appearance", "change"))
    centres = np.stack([looks[member == i].mean(0) for i in range(len(known))])
    appearance = Normal(centres, _precision(looks - centres[member]))
    change = Normal(np.zeros((1, changes.shape[1])), _precision(changes))
    free = Reference(appearance, change, dict.fromkeys(SIGNALS, 0.0), dict.fromkeys(SIGNALS, 1.0))
    raw = [free.signals(evidence) for evidence in found]
    usual, limit = {}, {}
    for name in SIGNALS:
        usual[name], high = (float(q) for q in np.quantile([signals[name] for signals in raw], [0.5, LIMIT]))
        limit[name] = max(high, usual[name] + LEAST)
    return Reference(appearance, change, usual, limit)


def _precision(values: np.ndarray) -> np.ndarray:
    """Inverse covariance (F, F) of values (n, F) around zero."""
    covariance = values.T @ values / len(values)
    return np.linalg.inv(covariance + RIDGE * np.trace(covariance) * np.eye(len(covariance)))
