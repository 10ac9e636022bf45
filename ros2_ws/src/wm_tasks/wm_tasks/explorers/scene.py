"""Motions that show what happens to objects: pushed, turned, grasped, lifted, stacked, toppled, dropped, and hit by each other.

Each motion begins with the tool put where it starts, or with an object that is set moving or falling.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.spatial.transform import Rotation

from wm_core.hand import OPENING, Hand, half_turned
from wm_core.outline import distance, turned
from wm_core.scene import SceneState
from wm_core.solid import POINTS
from wm_planner.scene.grasps import library

SLOWEST, FASTEST = 0.003, 0.03  # [m] a step
LOWEST = 0.012  # [m] of the tip over the table
WEIGHTS = {
    "push": 0.46,
    "grasp": 0.24,
    "wander": 0.07,
    "slide": 0.08,
    "drop": 0.06,
    "sideways": 0.09,
}  # shares of the motions


@dataclass(frozen=True)
class Moved:
    """An object put somewhere at the start of a motion: pose and velocity (6,)."""

    slot: int
    position: np.ndarray
    rotation: np.ndarray  # (3, 3)
    velocity: np.ndarray


@dataclass(frozen=True)
class Motion:
    """`start` (6,): tool state; `moves` (T, 6): its displacement in each step [m, rad]."""

    name: str
    start: np.ndarray
    moves: np.ndarray
    moved: tuple[Moved, ...] = ()


@dataclass
class SceneExplorer:
    """Draws motions of `steps` steps for what lies on the table; `lower`, `upper` (6,): of tool states, `limit` (6,): of a step."""

    hand: Hand
    lower: np.ndarray
    upper: np.ndarray
    limit: np.ndarray
    steps: int = 28
    weights: Mapping[str, float] = field(default_factory=lambda: WEIGHTS)

    def draw(self, scene: SceneState, rng: np.random.Generator) -> Motion:
        """One motion about one of the objects that are on the table."""
        names = list(self.weights)
        chance = np.array(list(self.weights.values()))
        name = names[rng.choice(len(names), p=chance / chance.sum())]
        motions: dict[str, Callable[[SceneState, np.random.Generator], Motion | None]] = {
            "push": self._push,
            "grasp": self._grasp,
            "wander": self._wander,
            "slide": self._slide,
            "drop": self._drop,
            "sideways": self._sideways,
        }
        motion = motions[name](scene, rng) or self._push(scene, rng)
        start = self.clear_of(scene, np.clip(motion.start, self.lower, self.upper))
        return Motion(motion.name, start, motion.moves, motion.moved)

    def clear_of(self, scene: SceneState, tool: np.ndarray) -> np.ndarray:
        """The tool state lifted until neither fingers nor palm stand on or in an object."""
        tool = tool.copy()
        boxes, halves = self.hand.centres(tool[OPENING]), self.hand.halves
        heading = Rotation.from_euler("ZY", tool[3:5]).as_matrix()
        for _ in range(40):
            if not any(self._hits(scene, slot, tool, boxes, halves, heading) for slot in range(scene.slots)):
                break
            tool[2] += 0.01
        return np.clip(tool, self.lower, self.upper)

    # -- motions -------------------------------------------------------------------------------------------------

    def _push(self, scene: SceneState, rng: np.random.Generator) -> Motion:
        """From beside an object, in a direction that wanders; half of the time towards another object."""
        slot = int(rng.integers(scene.slots))
        at, size = scene.position[slot], scene.size[slot]
        heading = rng.uniform(-np.pi, np.pi)
        others = [k for k in range(scene.slots) if k != slot]
        if others and rng.random() < 0.5:
            towards = scene.position[rng.choice(others), :2] - at[:2]
            heading = np.arctan2(towards[1], towards[0]) + rng.normal(0, 0.25)
        yaw = self._yaw(heading + rng.choice([0, np.pi / 2])) if rng.random() < 0.6 else rng.uniform(-1.5, 1.5)
        start = np.zeros(6)
        start[:2] = self._beside(scene, slot, heading, yaw, rng)
        bottom = at[2] - size[2] / 2
        start[2] = (
            max(bottom + rng.uniform(0.3, 0.95) * size[2], LOWEST) if rng.random() < 0.5 else rng.uniform(LOWEST, 0.035)
        )
        start[3] = yaw
        start[OPENING] = 0.0 if rng.random() < 0.8 else rng.uniform(*self.hand.opening)
        return Motion("push", start, self._pushing(heading, rng))

    def _pushing(self, heading: float, rng: np.random.Generator) -> np.ndarray:
        moves = np.zeros((self.steps, 6))
        speed = np.exp(rng.uniform(np.log(SLOWEST), np.log(FASTEST)))
        drift, stop = rng.normal(0, 0.04), int(rng.integers(8, 2 * self.steps))
        for step in range(self.steps):
            heading += drift + rng.normal(0, 0.05)
            if rng.random() < 0.06:
                drift = rng.normal(0, 0.1)
            if rng.random() < 0.06:
                speed = np.exp(rng.uniform(np.log(SLOWEST), np.log(FASTEST)))
            if rng.random() < 0.03:
                heading += rng.normal(0, 1.0)
            moves[step, :2] = speed * np.cos(heading), speed * np.sin(heading)
            moves[step, 2] = rng.normal(0, 0.001)
            if rng.random() < 0.3:
                moves[step, 3] = rng.normal(0, 0.06)
            if step > stop and rng.random() < 0.3:
                speed, stop = (0.0 if rng.random() < 0.5 else -0.02), 10 * self.steps
        return moves

    def _grasp(self, scene: SceneState, rng: np.random.Generator) -> Motion | None:
        """Down over an object, close, lift, carry to a place or onto another object, let go."""
        slot = int(rng.integers(scene.slots))
        grasps = library(_outline(scene, slot), self.hand)
        if not grasps:
            return None
        chosen = grasps[int(len(grasps) * rng.random() ** 2)]
        at, size, yaw = scene.position[slot], scene.size[slot], scene.yaw[slot]
        place = at[:2] + turned(chosen.place, float(yaw)) + rng.normal(0, 0.005, 2)
        turn = self._yaw(yaw + chosen.yaw + rng.normal(0, 0.1))
        top, bottom = at[2] + size[2] / 2, at[2] - size[2] / 2
        low = max(bottom + LOWEST, top - self.hand.palm_height + 0.004, top - rng.uniform(0.01, 0.035))
        wide, shut = self.hand.opening[1], self.hand.opening[0]
        over = min(self.upper[2], top + 0.03)
        start = np.array(
            [*(place + rng.normal(0, 0.012, 2)), min(self.upper[2], top + rng.uniform(0.02, 0.08)), turn, 0.0, wide]
        )
        lift = rng.uniform(0.02, 0.12) if rng.random() < 0.85 else 0.0
        others = [k for k in range(scene.slots) if k != slot]
        down = low + (0.0 if rng.random() < 0.6 else 0.5 * lift) + 0.003
        target = place + rng.normal(0, 0.08, 2)
        if others and rng.random() < 0.45:
            on = rng.choice(others)
            target = scene.position[on, :2] + rng.normal(0, 0.012, 2)
            down = scene.position[on, 2] + scene.size[on, 2] / 2 + (low - bottom) + 0.005
            lift = max(lift, down + 0.02 - low)
        turn_there = np.clip(turn + rng.normal(0, 0.5), self.lower[3], self.upper[3])
        way = [
            ([*place, over, turn, 0, wide], 5),
            ([*place, low, turn, 0, wide], 6),
            ([*place, low, turn, 0, shut], 3),
            ([*place, low + lift, turn, 0, shut], 6),
            ([*target, low + lift, turn_there, 0, shut], 9),
            ([*target, down, turn_there, 0, shut], 4),
            ([*target, down, turn_there, 0, wide], 2),
            ([*target, down + 0.06, turn_there, 0, wide], 3),
        ]
        if rng.random() < 0.15:
            way = way[: rng.integers(3, len(way))]
        return Motion("grasp", start, self._along(start, way, rng))

    def _wander(self, scene: SceneState, rng: np.random.Generator) -> Motion:
        """Anywhere near an object, with everything that the tool can do."""
        slot = int(rng.integers(scene.slots))
        start = np.array(
            [
                *(scene.position[slot, :2] + rng.normal(0, 0.08, 2)),
                rng.uniform(0.06, 0.2),
                rng.uniform(-1.0, 1.5),
                rng.uniform(self.lower[4], self.upper[4]) if rng.random() < 0.3 else 0.0,
                rng.choice([*self.hand.opening, rng.uniform(*self.hand.opening)]),
            ]
        )
        speed, moves, place = rng.normal(0, 0.5, 6), np.zeros((self.steps, 6)), start[:2].copy()
        towards = rng.random() < 0.7
        for step in range(self.steps):
            speed = 0.8 * speed + 0.6 * rng.normal(0, 0.6, 6)
            moves[step] = np.clip(speed, -1, 1) * self.limit
            moves[step, 2] -= 0.005
            moves[step, OPENING] *= rng.random() < 0.2
            moves[step, 4] *= start[4] != 0
            if towards:
                moves[step, :2] += np.clip(scene.position[slot, :2] - place, -0.01, 0.01)
            place += moves[step, :2]
        return Motion("wander", start, moves)

    def _slide(self, scene: SceneState, rng: np.random.Generator) -> Motion:
        """An object that slides, as after a knock; the tool is in its way, or looks on."""
        slot = int(rng.integers(scene.slots))
        heading, speed = rng.uniform(-np.pi, np.pi), rng.uniform(0.1, 0.9)
        others = [k for k in range(scene.slots) if k != slot]
        if others and rng.random() < 0.5:
            towards = scene.position[rng.choice(others), :2] - scene.position[slot, :2]
            heading = np.arctan2(towards[1], towards[0]) + rng.normal(0, 0.2)
        ahead = np.array([np.cos(heading), np.sin(heading)])
        velocity = np.array([*(speed * ahead), 0.0, 0.0, 0.0, rng.normal(0, 2.0) if rng.random() < 0.4 else 0.0])
        moved = Moved(slot, scene.position[slot], Rotation.from_quat(scene.rotation[slot]).as_matrix(), velocity)
        start = np.zeros(6)
        start[:2] = scene.position[slot, :2] + ahead * rng.uniform(0.06, 0.16) + rng.normal(0, 0.02, 2)
        start[2:4] = rng.uniform(LOWEST, 0.03), self._yaw(heading)
        moves = np.zeros((self.steps, 6))
        if rng.random() < 0.5:
            moves = self._pushing(heading + rng.choice([0.0, np.pi]) + rng.normal(0, 0.4), rng)
        return Motion("slide", start, moves, (moved,))

    def _drop(self, scene: SceneState, rng: np.random.Generator) -> Motion:
        """An object that falls onto the table or another object, tilted or not; then the tool pushes it."""
        slot = int(rng.integers(scene.slots))
        place = scene.position[slot].copy()
        others = [k for k in range(scene.slots) if k != slot]
        if others and rng.random() < 0.4:
            place[:2] = scene.position[rng.choice(others), :2] + rng.normal(0, 0.03, 2)
        place[2] += rng.uniform(0.02, 0.1)
        tilt = Rotation.from_rotvec(rng.normal(0, 0.5, 3) * (rng.random() < 0.7))
        rotation = (tilt * Rotation.from_quat(scene.rotation[slot])).as_matrix()
        motion = self._push(scene, rng)
        moves = np.concatenate([np.zeros((8, 6)), motion.moves[:-8]])
        return Motion("drop", motion.start, moves, (Moved(slot, place, rotation, np.zeros(6)),))

    def _sideways(self, scene: SceneState, rng: np.random.Generator) -> Motion:
        """The hand laid on its side: grasps from the side, turns what it holds upright or over, or pushes with its back."""
        slot = int(rng.integers(scene.slots))
        at, size = scene.position[slot], scene.size[slot]
        lying = np.sign(rng.normal()) * rng.uniform(0.6, self.upper[4])
        heading = rng.uniform(-np.pi, np.pi)
        yaw = self._yaw(heading)
        if abs(np.sin((yaw - heading) / 2)) > 0.7:  # the half turn swaps the side to which it is laid
            lying = -lying
        wide = self.hand.opening[1]
        # Laid by a pitch, the fingers point along -x of the hand for a positive one.
        ahead = -np.sign(lying) * np.array([np.cos(yaw), np.sin(yaw)])
        height = max(at[2] + rng.uniform(-0.3, 0.4) * size[2], 0.05)
        from_ = at[:2] - ahead * (size[:2].max() / 2 + 0.05)
        start = np.array([*from_, height, yaw, lying, wide])
        inner = at[:2] - ahead * rng.uniform(-0.01, 0.02)
        way = [
            ([*inner, height, yaw, lying, wide], 7),
            ([*inner, height, yaw, lying, 0.0], 3),
            ([*inner, height + rng.uniform(0.02, 0.08), yaw, lying, 0.0], 4),
            ([*inner, height + 0.06, yaw, lying * rng.choice([0.0, -0.5, 0.5]), 0.0], 6),
            ([*inner, max(at[2], 0.04), yaw, 0.0, 0.0], 5),
            ([*inner, max(at[2], 0.04), yaw, 0.0, wide], 3),
        ]
        return Motion("sideways", start, self._along(start, way, rng))

    # -- inside --------------------------------------------------------------------------------------------------

    def _along(self, start: np.ndarray, way: list[tuple[list[float], int]], rng: np.random.Generator) -> np.ndarray:
        """Moves from one tool state to the next, each for so many steps at most; noise afterwards."""
        moves, tool, leg, spent = np.zeros((self.steps, 6)), start.copy(), 0, 0
        pace = rng.uniform(0.6, 1.0, 6)
        near = np.array([0.004, 0.004, 0.004, 0.05, 0.05, 0.01])
        for step in range(self.steps):
            if leg >= len(way):
                moves[step] = rng.normal(0, 0.3, 6) * self.limit * [1, 1, 0.5, 1, 0, 0]
                continue
            target, most = np.array(way[leg][0]), way[leg][1]
            moves[step] = np.clip(target - tool, -self.limit * pace, self.limit * pace)
            moves[step] += rng.normal(0, 0.05, 6) * self.limit * [1, 1, 1, 1, 0, 0]
            tool = np.clip(tool + moves[step], self.lower, self.upper)
            spent += 1
            if spent >= most or (np.abs(target - tool) < near).all():
                leg, spent = leg + 1, 0
        return moves

    def _beside(self, scene: SceneState, slot: int, heading: float, yaw: float, rng: np.random.Generator) -> np.ndarray:
        """Behind an object as seen along a heading, a finger's width and a little away."""
        outline = turned(_outline(scene, slot), float(scene.yaw[slot]))
        ahead = np.array([np.cos(heading), np.sin(heading)])
        through = outline[rng.integers(len(outline))] * rng.uniform(0.0, 0.9)
        behind = outline @ ahead
        start = through - ahead * (through @ ahead - behind.min() + 0.02 + rng.uniform(0.0, 0.03))
        return scene.position[slot, :2] + start

    def _yaw(self, yaw: float) -> float:
        return float(half_turned(yaw, self.lower[3], self.upper[3]))

    def _hits(
        self,
        scene: SceneState,
        slot: int,
        tool: np.ndarray,
        boxes: np.ndarray,
        halves: np.ndarray,
        heading: np.ndarray,
    ) -> bool:
        at, size = scene.position[slot], scene.size[slot]
        outline = turned(_outline(scene, slot), float(scene.yaw[slot])) + at[:2]
        grid = np.array([[x, y, z] for x in (-1, 0, 1) for y in (-1, -0.5, 0, 0.5, 1) for z in (-1, 0, 1)])
        for centre, half in zip(boxes, halves, strict=True):
            points = tool[:3] + (centre + grid * half) @ heading.T
            low = (
                points[:, 2]
                < at[2] + max(size[2], size.max() * (abs(scene.rotation[slot, :2]).max() > 0.1)) / 2 + 0.003
            )
            if low.any() and (distance(points[low, :2], outline) < 0.003).any():
                return True
        return False


def _outline(scene: SceneState, slot: int) -> np.ndarray:
    return scene.shape[slot].reshape(POINTS, 2)
