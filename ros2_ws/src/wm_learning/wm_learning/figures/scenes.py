"""How well a model of scenes predicts: errors by horizon and by what happens, beside copy-last and constant velocity."""

from dataclasses import dataclass
from itertools import permutations

import numpy as np
import torch

from wm_core.object_state import POSITION, ROTATION, VELOCITY
from wm_core.rotations import angle_between, uprightness
from wm_data.scenes.dataset import SceneDataset
from wm_data.scenes.layout import SLOTS
from wm_learning.families.scene.network import SceneNetwork
from wm_learning.families.scene.training import code_of

HORIZONS = (1, 5, 10, 20)
STEP = 0.1  # [s]
MOVED = 0.005, 0.05  # [m, rad] within a window: what moved
LIFTED, TILTED, FALLEN = 0.015, 0.35, -0.02  # [m], [rad], [m]
BATCH = 256
KINDS = ("pushed", "bumped", "carried", "sliding", "toppling", "falling")
Z90 = 1.645  # deviations of a normal distribution's middle 90 %


@dataclass(frozen=True)
class Window:
    """Beginnings of windows: numbers of motions and first steps (n,)."""

    motion: np.ndarray
    first: np.ndarray


def windows(data: SceneDataset, horizon: int, stride: int = 7) -> Window:
    """All windows of `horizon` steps, every `stride` steps."""
    firsts = np.arange(0, data.steps - horizon + 1, stride)
    motion, first = np.meshgrid(np.arange(data.motions), firsts, indexing="ij")
    return Window(motion.ravel(), first.ravel())


def imagined(
    network: SceneNetwork, data: SceneDataset, window: Window, horizon: int, *, known: bool = True
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """States (n, E, H, K, 13), variances (n, E, H, K, 2), probabilities of contact (n, E, H, K) from the true beginnings.

    `known`: friction and mass are.
    """
    members, arrays = network.config.members, data.arrays
    pairs = torch.tensor(list(permutations(range(SLOTS), 2))).t()
    code = code_of(arrays["friction"], arrays["mass"]) * known
    found: list[list[np.ndarray]] = [[], [], []]
    with torch.no_grad():
        for begin in range(0, len(window.motion), BATCH):
            motion, first = window.motion[begin : begin + BATCH], window.first[begin : begin + BATCH]
            steps = first[:, None] + np.arange(horizon)
            before = np.where((first > 0)[:, None], arrays["moves"][motion, np.maximum(first - 1, 0)], 0)

            def every(values: np.ndarray) -> torch.Tensor:
                return torch.as_tensor(values, dtype=torch.float32).unsqueeze(0)

            state = every(arrays["objects"][motion, first]).permute(0, 3, 2, 1).expand(members, -1, -1, -1)
            moves = every(arrays["moves"][motion[:, None], steps]).permute(2, 0, 3, 1).expand(-1, members, -1, -1)
            results = network(
                state,
                moves,
                every(arrays["tool"][motion, first]).transpose(1, 2).expand(members, -1, -1),
                every(before).transpose(1, 2).expand(members, -1, -1),
                *(every(arrays[name][motion]) for name in ("outline", "height")),
                every(code[motion]),
                every(arrays["table"][motion]),
                pairs,
                every(arrays["present"][motion]),
            )
            states, variances, contacts = results[0], results[1].exp(), results[2].sigmoid()
            found[0].append(states.permute(4, 1, 0, 3, 2).numpy())
            found[1].append(variances.permute(4, 1, 0, 3, 2).numpy())
            found[2].append(contacts.permute(3, 1, 0, 2).numpy())
    return tuple(np.concatenate(parts) for parts in found)  # type: ignore[return-value]


def truth(data: SceneDataset, window: Window, horizon: int) -> np.ndarray:
    """States (n, H + 1, K, 13)."""
    steps = window.first[:, None] + np.arange(horizon + 1)
    return data.arrays["objects"][window.motion[:, None], steps]


def what_happens(data: SceneDataset, window: Window, horizon: int) -> dict[str, np.ndarray]:
    """Masks (n, K) of the objects to which each of KINDS happens within the windows."""
    states = truth(data, window, horizon)
    steps = window.first[:, None] + np.arange(horizon + 1)
    by_robot = data.arrays["by_robot"][window.motion[:, None], steps].any(1)
    by_object = data.arrays["by_object"][window.motion[:, None], steps].any(1)
    present = data.arrays["present"][window.motion]
    moved = np.linalg.norm(states[:, -1, :, POSITION] - states[:, 0, :, POSITION], axis=-1) > MOVED[0]
    moved |= angle_between(states[:, -1, :, ROTATION], states[:, 0, :, ROTATION]) > MOVED[1]
    tilt = np.arccos(np.clip(uprightness(states[..., ROTATION]), -1, 1))
    speed = np.linalg.norm(states[:, 0, :, VELOCITY][..., :2], axis=-1)
    fallen = states[:, -1, :, 2] < FALLEN
    toppling = (np.abs(tilt[:, -1] - tilt[:, 0]) > TILTED) & ~fallen
    carried = by_robot & ((states[:, -1, :, 2] - states[:, 0, :, 2]) > LIFTED) & ~toppling
    falls = fallen & (states[:, 0, :, 2] > FALLEN)
    plain = moved & present & ~toppling & ~carried & ~falls & ~fallen
    return {
        "pushed": plain & by_robot & (speed < 0.15),
        "bumped": plain & ~by_robot & by_object,
        "carried": carried & present,
        "sliding": plain & ~by_robot & ~by_object & (speed > 0.1),
        "toppling": toppling & present,
        "falling": falls & present,
    }


def baselines(states: np.ndarray) -> dict[str, np.ndarray]:
    """Predicted states (n, K, 13) at the end of true windows (n, H + 1, K, 13): copy-last, and constant velocity in place."""
    first, seconds = states[:, 0], STEP * (states.shape[1] - 1)
    moving = first.copy()
    moving[..., POSITION] += seconds * first[..., VELOCITY][..., :3]
    return {"copy-last": first, "constant velocity": moving}


def errors(
    network: SceneNetwork, data: SceneDataset, *, known: bool = True
) -> dict[str, dict[str, dict[int, list[float]]]]:
    """Of each kind and method, by horizon: mean error of position [mm], rotation [degrees], number of windows."""
    found: dict[str, dict[str, dict[int, list[float]]]] = {}
    for horizon in HORIZONS:
        if horizon > data.steps:
            continue
        window = windows(data, horizon)
        states = truth(data, window, horizon)
        model = imagined(network, data, window, horizon, known=known)[0][:, :, -1]
        mean = model.mean(1)
        mean[..., ROTATION] = model[:, 0, :, ROTATION]
        predictions = {"model": mean, **baselines(states)}
        for kind, mask in what_happens(data, window, horizon).items():
            if not mask.any():
                continue
            for method, predicted in predictions.items():
                off = np.linalg.norm(predicted[..., POSITION] - states[:, -1, :, POSITION], axis=-1)[mask]
                turn = angle_between(predicted[..., ROTATION], states[:, -1, :, ROTATION])[mask]
                row = [round(1000 * float(off.mean()), 2), round(float(np.degrees(turn.mean())), 2), int(mask.sum())]
                found.setdefault(kind, {}).setdefault(method, {})[horizon] = row
    return found


def intervals(network: SceneNetwork, data: SceneDataset, horizon: int) -> np.ndarray:
    """By what deviations of position and rotation (H, 2) are to be multiplied so that 90 % intervals hold 90 % of what moves.

    Friction and mass are not known.
    """
    window = windows(data, horizon)
    states = truth(data, window, horizon)
    imagine = imagined(network, data, window, horizon, known=False)
    kinds = what_happens(data, window, horizon)
    moves = np.any([kinds[kind] for kind in KINDS], axis=0)
    scale = np.ones((horizon, 2))
    for step in range(horizon):
        deviations = spread(imagine[0][:, :, step], imagine[1][:, :, step])
        mean = imagine[0][:, :, step].mean(1)
        off = np.abs(mean[..., POSITION] - states[:, step + 1, :, POSITION]).max(-1)
        turn = angle_between(imagine[0][:, 0, step, :, ROTATION], states[:, step + 1, :, ROTATION])
        for column, error in enumerate((off, turn)):
            ratio = error[moves] / (Z90 * deviations[..., column][moves] + 1e-9)
            scale[step, column] = np.quantile(ratio, 0.9) if len(ratio) else 1.0
    return scale


def spread(states: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """Deviations (n, K, 2) of position and rotation: of members (n, E, K, 13) among each other, and what they expect (n, E, K, 2)."""
    place = states[..., POSITION].var(1).max(-1) + variances[..., 0].mean(1)
    turn = (angle_between(states[..., ROTATION], states[:, :1, :, ROTATION]) ** 2).mean(1) + variances[..., 1].mean(1)
    return np.sqrt(np.stack([place, turn], -1))
