"""Training of the network that takes objects apart: crops of crowded maps, with other colours, textures, noise and cells missing."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import zoom

from wm_learning.parting.network import PartsNetwork
from wm_learning.training.trainer import Draw, Loss, Phase
from wm_perception.scene.parts import FAR, network_input
from wm_perception.scene.surface import CELL, LOW

CROP, BATCH, STEPS, RATE = 64, 16, 6000, 2e-3
VALIDATION = 0.04  # share of the scenes
LEAST_LOG = -4.0  # of a deviation over FAR: about 1 mm
NOISE = 0.0015, 0.0015  # [m] of heights: of a cell; of a whole map
MISSING = 0.04  # share of cells that are not seen
TEXTURED, TEXTURE = 0.5, 0.5  # share of maps that get a texture; its largest contrast
PLAIN = 0.15  # share of maps without colours


class Crowds:
    """Maps of crowded scenes from files, in memory."""

    def __init__(self, files: Iterable[Path]) -> None:
        """Raises ValueError without files."""
        parts: dict[str, list[np.ndarray]] = {}
        for file in files:
            with np.load(file, allow_pickle=False) as loaded:
                for name in ("height", "seen", "colour", "owner", "tops", "lower"):
                    parts.setdefault(name, []).append(loaded[name])
        if not parts:
            raise ValueError("expected files of crowded scenes, got none; collect some first")
        arrays = {name: np.concatenate(found) for name, found in parts.items()}
        self.height, self.seen, self.colour = arrays["height"], arrays["seen"], arrays["colour"]
        self.owner, self.tops, self.lower = arrays["owner"], arrays["tops"], arrays["lower"]

    def __len__(self) -> int:
        return len(self.height)

    def crop(self, number: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A part of one map around some object, mirrored and turned at random: input (5, CROP, CROP), votes (3, CROP, CROP) over FAR,
        and for which cells (CROP, CROP) bool these are known.
        """
        owner = self.owner[number]
        cells = np.argwhere(owner >= 0)
        middle = cells[rng.integers(len(cells))] if len(cells) else np.array(owner.shape) // 2
        corner = middle - CROP // 2 + rng.integers(-CROP // 4, CROP // 4 + 1, 2)
        corner = np.clip(corner, 0, np.array(owner.shape) - CROP)
        within = np.s_[corner[0] : corner[0] + CROP, corner[1] : corner[1] + CROP]
        height = self.height[number][within].astype(np.float32)
        seen, colour = self.seen[number][within], self.colour[number][:, within[0], within[1]].astype(np.float32) / 255
        mine = owner[within]
        places = self.lower[number] + CELL * (np.moveaxis(np.indices((CROP, CROP)), 0, -1) + corner + 0.5)
        top = self.tops[number][np.maximum(mine, 0)]
        votes = np.concatenate([top[..., :2] - places, top[..., 2:] - height[..., None]], -1).transpose(2, 0, 1) / FAR
        if rng.random() < 0.5:  # mirrored along y
            height, seen, mine, colour = height[:, ::-1], seen[:, ::-1], mine[:, ::-1], colour[..., ::-1]
            votes = votes[..., ::-1] * np.array([1.0, -1.0, 1.0])[:, None, None]
        for _ in range(rng.integers(4)):  # a quarter turn takes x to y and y to -x
            height, seen, mine, colour = (np.rot90(each, axes=(-2, -1)) for each in (height, seen, mine, colour))
            votes = np.rot90(votes, axes=(-2, -1))
            votes = np.stack([-votes[1], votes[0], votes[2]])
        height, colour, seen = _varied(height, colour, seen, rng)
        known = (mine >= 0) & seen & (height > LOW / 2)
        return network_input(height, colour, seen), votes.astype(np.float32), known


class PartsTraining:
    """The phase that trains a network; the first scenes are kept out of it, so that others can be judged by them."""

    def __init__(self, network: PartsNetwork, crowds: Crowds, steps: int = STEPS) -> None:
        self._network, self._crowds, self._steps = network, crowds, steps
        self._first = max(1, round(VALIDATION * len(crowds)))  # of those that are learned from

    def phases(self) -> list[Phase]:
        return [Phase("parts", self._steps, RATE, self.loss, list(self._network.parameters()))]

    @property
    def loss(self) -> Loss:
        def of_batch(draw: Draw) -> tuple[torch.Tensor, dict[str, float]]:
            numbers = draw.mine(draw.rng.integers(self._first, len(self._crowds), BATCH))
            return self._of(numbers, draw.rng)

        return of_batch

    def _of(self, numbers: np.ndarray, rng: np.random.Generator) -> tuple[torch.Tensor, dict[str, float]]:
        crops = [self._crowds.crop(int(number), rng) for number in numbers]
        seen, votes, known = (torch.from_numpy(np.stack(each)) for each in zip(*crops, strict=True))
        found = self._network(seen)
        off = (found[:, :3] - votes).norm(dim=1)[known]
        log = found[:, 3][known].clamp(min=LEAST_LOG)
        loss = (off * torch.exp(-log) + 3 * log).mean()  # of a Laplace distribution in three dimensions
        far = 1e3 * FAR * off.detach()
        return loss, {"mm": float(far.mean()), "median mm": float(far.median())}


def _varied(
    height: np.ndarray, colour: np.ndarray, seen: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """With noise, other colours and light, a texture on top, and cells that were not seen."""
    occupied = height > LOW
    height = height + np.where(occupied, rng.normal(0, rng.uniform(0, NOISE[0]), height.shape), 0.0)
    height = (height + rng.normal(0, NOISE[1])).astype(np.float32)
    if rng.random() < PLAIN:
        colour = np.broadcast_to(colour.mean(0), colour.shape)
    mixed = np.eye(3)[rng.permutation(3)] * rng.uniform(0.4, 1.3, 3) + rng.normal(0, 0.1, (3, 3))
    colour = np.einsum("ij,jxy->ixy", mixed, colour) + rng.normal(0, 0.15, 3)[:, None, None]
    if rng.random() < TEXTURED:
        size = int(rng.integers(4, 33))
        pattern = zoom(rng.uniform(-1, 1, (3, size, size)), (1, CROP / size, CROP / size), order=int(rng.integers(2)))
        colour = colour + rng.uniform(0, TEXTURE) * pattern[:, :CROP, :CROP]
    colour = np.clip(colour + rng.normal(0, 0.02, colour.shape), 0, 1)
    seen = seen & (rng.random(seen.shape) > rng.uniform(0, MISSING))
    return height * seen, (colour * seen).astype(np.float32), seen
