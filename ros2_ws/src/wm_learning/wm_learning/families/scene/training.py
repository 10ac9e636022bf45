"""Training of scene networks: windows of motions, imagined from a noisy beginning, held against what happened."""

from itertools import permutations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from wm_core.object_state import ROTATION
from wm_core.outline import begun_ahead
from wm_core.rotations import uprightness
from wm_data.scenes.dataset import SceneDataset
from wm_data.scenes.layout import SLOTS
from wm_learning.families.scene.config import SceneConfig, Stage
from wm_learning.families.scene.geometry import turned
from wm_learning.families.scene.network import SceneNetwork
from wm_learning.training.trainer import Draw, Phase

USUAL_FRICTION, USUAL_MASS = 0.45, 0.12  # [1], [kg] of which the logarithms are 0
POSITION_SCALE, ROTATION_SCALE, VELOCITY_SCALE, TURN_SCALE = 0.01, 0.08, 0.15, 1.5
FREEDOM = 4.0  # degrees of freedom of the errors' distribution
TILTS, RARE = 0.05, 3.0  # [rad] in a step: what topples; by how much more often what is rare is drawn
BETA = 0.15  # where the loss turns from a square into a line
MOVES_BY = 0.001, 0.01  # [m, rad] in a step: what moves
WEIGHTS = {"velocity": 0.15, "variance": 0.03, "contact": 0.1}


def code_of(friction: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """The model's input about an object's friction on the table and its mass [kg] (..., 2); 0: as usual, or not known."""
    with np.errstate(divide="ignore"):
        logs = np.stack([np.log(friction / USUAL_FRICTION), np.log(mass / USUAL_MASS)], -1)
    return np.where(np.isfinite(logs), logs, 0.0).astype(np.float32)


class SceneTraining:
    """A model, what it learns from, and what it is stopped early by."""

    def __init__(self, model: SceneNetwork, data: SceneDataset, held_out: SceneDataset) -> None:
        self._model, self._config = model, model.config
        self._train, self._held = _Windows(data), _Windows(held_out)

    def phases(self) -> list[Phase]:
        return [self._phase(stage) for stage in self._config.stages]

    def _phase(self, stage: Stage) -> Phase:
        return Phase(
            f"rollouts_{stage.horizon}",
            stage.steps,
            stage.rate,
            lambda draw: self._loss(draw, stage, self._train),
            self._model.parameters(),
            validate=self.held_out_loss,
            validate_every=1000,
            weight_decay=self._config.weight_decay,
        )

    def held_out_loss(self, horizon: int = 8, batches: int = 6) -> float:
        """On windows that are the same each time."""
        stage = Stage(1, horizon, 128, 0.0)
        losses = []
        for number in range(batches):
            loss, _ = self._loss(Draw((7, number)), stage, self._held)
            losses.append(float(loss.detach()))
        return float(np.mean(losses))

    def _loss(self, draw: Draw, stage: Stage, windows: "_Windows") -> tuple[Tensor, dict[str, float]]:
        config, members = self._config, self._config.members
        batch = windows.draw(draw.rng, members, stage.batch, stage.horizon, config)
        if stage.turned:
            frames_turned(batch, stage.turned, draw.rng)
        if stage.outline_noise:
            batch["outline"] = _as_seen(batch["outline"], stage.outline_noise, draw.rng)
        facts = {name: torch.as_tensor(values) for name, values in batch.items()}

        def each(values: Tensor) -> Tensor:
            """(E M, ...) -> (E, M, ...)."""
            return values.reshape(members, -1, *values.shape[1:])

        truth = each(facts["objects"]).permute(2, 0, 4, 3, 1)  # (T+1, E, 13, K, M)
        start, off = self._noisy(truth[0], draw)
        states, variances, contacts = self._model(
            start,
            each(facts["moves"]).permute(2, 0, 3, 1),
            each(facts["tool"]).transpose(1, 2),
            each(facts["before"]).transpose(1, 2),
            *(each(facts[name]) for name in ("outline", "height", "code", "table")),
            pairs_of(start.shape[2]),
            None,
        )
        total: dict[str, Tensor] = {}
        place = states[:, :, :3] - truth[1:, :, :3] - config.kept * off[None, :, :3]
        turn = turned_by(states[:, :, 3:7], truth[1:, :, 3:7]) - config.kept * off[None, :, 3:]
        errors = torch.cat([place / POSITION_SCALE, turn / ROTATION_SCALE], 2)
        speed = states[:, :, 7:] - truth[1:, :, 7:]
        speed = torch.cat([speed[:, :, :3] / VELOCITY_SCALE, speed[:, :, 3:] / TURN_SCALE], 2)
        total["pose"] = _robust(errors).mean()
        total["velocity"] = _robust(speed).mean()
        squares = torch.stack([place.detach().square().mean(2), turn.detach().square().mean(2)], 2)
        # A Student t: what topples is off by many deviations, and must widen them without outweighing the rest.
        off_by = (squares / variances.exp() / FREEDOM).log1p()
        total["variance"] = 0.5 * ((FREEDOM + 1) * off_by + variances).mean()
        touched = each(facts["by_robot"]).permute(2, 0, 3, 1)[1:].to(start.dtype)
        total["contact"] = functional.binary_cross_entropy_with_logits(contacts, touched)
        loss = total["pose"] + sum(weight * total[name] for name, weight in WEIGHTS.items())
        with torch.no_grad():
            moved = (truth[1:, :, :3] - truth[:-1, :, :3]).square().sum(2).sqrt() > MOVES_BY[0]
            last = moved.any(0).to(start.dtype)
            far = (place[-1].square().sum(1).sqrt() * last).sum() / last.sum().clamp(min=1)
        return loss, {**{name: float(value.detach()) for name, value in total.items()}, "mm": 1000 * float(far)}

    def _noisy(self, truth: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        """A belief of states (E, 13, K, M), and by how much it is off (E, 6, K, M) in position [m] and rotation vector [rad]."""
        config = self._config
        off = torch.randn(truth[:, :6].shape, generator=draw.generator)
        share = torch.rand(off[:, :1, :1].shape, generator=draw.generator)  # some beliefs are nearly right
        off = off * share * torch.tensor([config.position_noise] * 3 + [config.rotation_noise] * 3).view(1, 6, 1, 1)
        off[:, 2:5] = off[:, 2:5] * 0.3  # heights and tilts are known better: what stands on the table stands
        speed = torch.randn(truth[:, 7:].shape, generator=draw.generator) * share * config.velocity_noise
        speed[:, 3:] = speed[:, 3:] * 4
        moves = truth[:, 7:].abs().amax(1, keepdim=True) > 0.01
        velocity = truth[:, 7:] + speed * moves  # what is at rest is known to be
        return torch.cat([truth[:, :3] + off[:, :3], turned(truth[:, 3:7], off[:, 3:]), velocity], 1), off


class _Windows:
    """Windows of a dataset, those in which something moves more often than the others."""

    def __init__(self, data: SceneDataset) -> None:
        self._arrays, self._steps = data.arrays, data.steps
        objects, present = data.arrays["objects"], data.arrays["present"][:, None]
        shifted = np.linalg.norm(np.diff(objects[..., :3], axis=1), axis=-1)
        dots = np.abs((objects[:, 1:, :, 3:7] * objects[:, :-1, :, 3:7]).sum(-1)).clip(max=1)
        turned = 2 * np.arccos(dots)
        moves = ((shifted > MOVES_BY[0]) | (turned > MOVES_BY[1])) & present  # (M, T, K)
        self._moving = moves.any(2)
        others = moves & ~data.arrays["by_robot"][:, 1:] & data.arrays["by_object"][:, 1:]
        tilt = np.arccos(np.clip(uprightness(objects[..., ROTATION]), -1, 1))
        tilts = (np.abs(np.diff(tilt, axis=1)) > TILTS) & present
        self._rare = (others | tilts).any(2)  # moved by another object, or toppling: seldom, and worth more
        self._present = data.arrays["present"]
        numbers = self._present.sum(1)
        self._motions = {number: np.flatnonzero(numbers == number) for number in range(1, SLOTS + 1)}
        self._share = np.array([len(self._motions[number]) for number in self._motions], float)
        self._code = code_of(data.arrays["friction"], data.arrays["mass"])

    def draw(
        self, rng: np.random.Generator, members: int, batch: int, horizon: int, config: SceneConfig
    ) -> dict[str, np.ndarray]:
        """Windows of `horizon` steps with the same number of objects, so that there are no empty slots, about `batch` pairs of objects
        for each member; arrays by name, those of a window's steps (count, T or T + 1, ...).
        """
        objects = 1 + int(rng.choice(SLOTS, p=self._share / self._share.sum()))
        count = members * max(1, round(2 * batch / objects))
        motion, first = self._starts(rng, self._motions[objects], count, horizon, config)
        at = first[:, None] + np.arange(horizon + 1)
        rows = motion[:, None]
        arrays = self._arrays
        before = np.where((first > 0)[:, None], arrays["moves"][motion, np.maximum(first - 1, 0)], 0)
        code = self._code[motion].copy()
        code[rng.random(count) < config.unknown] = 0.0
        code += rng.normal(0, 0.1, code.shape).astype(np.float32)
        # No slot means anything.
        order = np.argsort(np.where(self._present[motion], rng.random((count, SLOTS)), 2.0), 1)[:, :objects]

        def shuffled(values: np.ndarray, axis: int) -> np.ndarray:
            index = order.reshape(count, *([1] * (axis - 1)), -1, *([1] * (values.ndim - axis - 1)))
            return np.take_along_axis(values, index, axis)

        return {
            "objects": shuffled(arrays["objects"][rows, at], 2),
            "by_robot": shuffled(arrays["by_robot"][rows, at], 2),
            "moves": arrays["moves"][rows, at[:, :-1]],
            "tool": arrays["tool"][motion, first],
            "before": before.astype(np.float32),
            "outline": shuffled(arrays["outline"][motion], 1),
            "height": shuffled(arrays["height"][motion], 1),
            "code": shuffled(code, 1),
            "table": arrays["table"][motion],
        }

    def _starts(
        self, rng: np.random.Generator, motions: np.ndarray, count: int, horizon: int, config: SceneConfig
    ) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of motions, out of some, and of first steps (count,)."""
        last = self._steps - horizon
        motion, first = rng.choice(motions, 4 * count), rng.integers(last + 1, size=4 * count)
        total = np.concatenate([np.zeros((len(self._moving), 1), int), np.cumsum(self._moving, 1)], 1)
        rare = np.concatenate([np.zeros((len(self._rare), 1), int), np.cumsum(self._rare, 1)], 1)
        moves = total[motion, first + horizon] > total[motion, first]
        hit = rare[motion, first + horizon] > rare[motion, first]
        weight = np.where(moves, config.moving, 1 - config.moving) * np.where(hit, RARE, 1.0)
        chosen = rng.choice(4 * count, count, replace=False, p=weight / weight.sum())
        return motion[chosen], first[chosen]


def frames_turned(batch: dict[str, np.ndarray], share: float, rng: np.random.Generator) -> None:
    """Turn the frames of a share of the objects about the vertical, in place: outlines (..., K, P, 2) begin on the x axis of the new
    frame, states (..., T, K, 13) say how that is turned.
    """
    outline, objects = batch["outline"], batch["objects"]
    angle = rng.uniform(-np.pi, np.pi, outline.shape[:-2]) * (rng.random(outline.shape[:-2]) < share)
    batch["outline"] = begun_ahead(outline, angle).astype(np.float32)
    x, y, z, w = np.moveaxis(objects[..., ROTATION], -1, 0)
    sin, cos = np.sin(angle / 2)[..., None, :], np.cos(angle / 2)[..., None, :]
    turned_frames = np.stack([x * cos + y * sin, y * cos - x * sin, z * cos + w * sin, w * cos - z * sin], -1)
    batch["objects"] = np.concatenate([objects[..., :3], turned_frames, objects[..., 7:]], -1).astype(np.float32)


def _as_seen(outline: np.ndarray, noise: float, rng: np.random.Generator) -> np.ndarray:
    """Outlines (..., P, 2) [m] further out or in, all their places by one distance and each by its own."""
    off = rng.normal(0, noise, (*outline.shape[:-1], 1)) + rng.normal(0, noise, (*outline.shape[:-2], 1, 1))
    return (outline * (1 + off / np.maximum(np.linalg.norm(outline, axis=-1, keepdims=True), noise))).astype(np.float32)


def pairs_of(objects: int) -> Tensor:
    """Slots (2, R) of all pairs of different objects; of the first with itself where there is one object."""
    return torch.tensor(list(permutations(range(objects), 2)) or [(0, 0)]).t()


def turned_by(rotation: Tensor, other: Tensor) -> Tensor:
    """Rotation vectors (..., 3, K, M) [rad] from `other` to `rotation`, quaternions (..., 4, K, M) x y z w; small angles."""
    ax, ay, az, aw = rotation.unbind(-3)
    bx, by, bz, bw = other.unbind(-3)
    vector = torch.stack(
        [
            ax * bw - aw * bx - ay * bz + az * by,
            ay * bw - aw * by - az * bx + ax * bz,
            az * bw - aw * bz - ax * by + ay * bx,
        ],
        -3,
    )
    real = (aw * bw + ax * bx + ay * by + az * bz).unsqueeze(-3)
    return 2 * vector * torch.where(real < 0, -1.0, 1.0)


def _robust(errors: Tensor) -> Tensor:
    return functional.smooth_l1_loss(errors, torch.zeros_like(errors), beta=BETA, reduction="none")
