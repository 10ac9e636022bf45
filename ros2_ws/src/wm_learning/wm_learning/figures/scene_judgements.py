"""What a model of scenes says of its own predictions: intervals that hold what they say, contacts and falls that come as expected."""

import numpy as np
from scipy.stats import rankdata

from wm_core.object_state import POSITION, ROTATION
from wm_core.rotations import angle_between
from wm_data.scenes.dataset import SceneDataset
from wm_learning.families.scene.network import SceneNetwork
from wm_learning.figures.scenes import FALLEN, KINDS, Z90, imagined, spread, truth, what_happens, windows

NEAR = 0.05  # [m] from a contact or an edge, within which it is not obvious
HORIZON = 10


def coverage(network: SceneNetwork, data: SceneDataset, scale: np.ndarray) -> dict[str, dict[int, list[float]]]:
    """Share of truths within the 90 % intervals of position and rotation, by kind and step; `scale` (H, 2): of a bundle's deviations."""
    horizon = min(len(scale), data.steps)
    window = windows(data, horizon)
    states, kinds = truth(data, window, horizon), what_happens(data, window, horizon)
    means, variances, _ = imagined(network, data, window, horizon, known=False)
    found: dict[str, dict[int, list[float]]] = {}
    for step in (0, 4, 9):
        if step >= horizon:
            continue
        half = Z90 * scale[step] * spread(means[:, :, step], variances[:, :, step])
        mean = means[:, :, step].mean(1)
        off = np.abs(mean[..., POSITION] - states[:, step + 1, :, POSITION]).max(-1)
        turn = angle_between(means[:, 0, step, :, ROTATION], states[:, step + 1, :, ROTATION])
        for kind in KINDS:
            mask = kinds[kind]
            if mask.any():
                inside = [float((error <= half[..., i])[mask].mean()) for i, error in enumerate((off, turn))]
                found.setdefault(kind, {})[step + 1] = [round(each, 3) for each in inside]
    return found


def contact_auroc(network: SceneNetwork, data: SceneDataset) -> tuple[float, int]:
    """Of the hand touching an object within a step, among objects that the tip is not far from; and how many there are."""
    window = windows(data, 1, stride=3)
    _, _, contacts = imagined(network, data, window, 1, known=False)
    arrays = data.arrays
    touched = arrays["by_robot"][window.motion, window.first + 1]
    tool = (arrays["tool"][window.motion, window.first] + arrays["moves"][window.motion, window.first])[:, None, :3]
    place = arrays["objects"][window.motion, window.first][..., :3]
    reach = np.linalg.norm(arrays["outline"][window.motion], axis=-1).max(-1)
    flat = np.linalg.norm(tool[..., :2] - place[..., :2], axis=-1)
    near = (flat < reach + NEAR) & (np.abs(tool[..., 2] - place[..., 2]) < 0.1) & arrays["present"][window.motion]
    return auroc(contacts[:, :, 0].mean(1)[near], touched[near]), int(near.sum())


def falling_auroc(network: SceneNetwork, data: SceneDataset) -> tuple[float, int]:
    """Of falling off the table within HORIZON steps, among objects near its edge; and how many there are."""
    window = windows(data, HORIZON)
    states = truth(data, window, HORIZON)
    means, _, _ = imagined(network, data, window, HORIZON, known=False)
    lowest = means[..., 2].min(2).mean(1)  # (n, K)
    table = data.arrays["table"][window.motion][:, None]
    place = states[:, 0, :, :2]
    inside = np.minimum(place - table[..., :2], table[..., 2:] - place).min(-1)
    near = (inside < NEAR) & (states[:, 0, :, 2] > FALLEN) & data.arrays["present"][window.motion]
    falls = states[:, -1, :, 2] < FALLEN
    return auroc(-lowest[near], falls[near]), int(near.sum())


def auroc(scores: np.ndarray, positive: np.ndarray) -> float:
    """Area under the curve: how often a positive one scores higher than a negative one (Mann and Whitney 1947); NaN without both."""
    count, others = int(positive.sum()), int((~positive).sum())
    if not count or not others:
        return float("nan")
    ranks = rankdata(scores)
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * others))
