"""What is believed of a scene: where objects are, what they look like from above, and how they resist."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import ConvexHull
from scipy.spatial.transform import Rotation

from wm_core.object_state import POSITION, ROTATION, VELOCITY
from wm_core.outline import even, turned
from wm_core.rotations import uprightness, wrapped
from wm_core.scene import SceneState
from wm_core.solid import POINTS

STANDS = 0.97  # cosine of the tilt above which an object stands


@dataclass(frozen=True)
class SceneBelief:
    """K objects in the table frame, SI units."""

    identities: tuple[str, ...]
    state: np.ndarray  # (K, 13) position, quaternion x y z w, velocity: linear, angular
    variance: np.ndarray  # (K, 2) of position [m^2] and rotation [rad^2]
    outline: np.ndarray  # (K, POINTS, 2) around the footprint in the object's frame
    height: np.ndarray  # (K,)
    code: np.ndarray  # (K, 2) logarithms of friction and mass over the usual ones
    present: np.ndarray  # (K,) bool: on the table, as far as is known

    @staticmethod
    def of(scene: SceneState) -> "SceneBelief":
        """A scene that is known exactly."""
        count = scene.slots
        return SceneBelief(
            scene.identities,
            np.concatenate([scene.position, scene.rotation, np.nan_to_num(scene.velocity)], -1),
            np.zeros((count, 2)),
            scene.shape.reshape(count, POINTS, 2).copy(),
            scene.size[:, 2].copy(),
            np.zeros((count, 2)),
            scene.presence > 0.5,
        )

    @property
    def slots(self) -> int:
        return len(self.identities)

    @property
    def position(self) -> np.ndarray:
        """(K, 3) [m]: a view."""
        return self.state[:, POSITION]

    @property
    def yaw(self) -> np.ndarray:
        """(K,) [rad] headings: turns about the vertical."""
        return heading(self.state[:, ROTATION])

    @property
    def upright(self) -> np.ndarray:
        """(K,) cosines of the tilts."""
        return uprightness(self.state[:, ROTATION])

    @property
    def top(self) -> np.ndarray:
        """(K,) [m] heights of the highest points, of what stands."""
        return self.state[:, 2] + self.half_height

    @property
    def bottom(self) -> np.ndarray:
        """(K,) [m] heights of the lowest points, of what stands."""
        return self.state[:, 2] - self.half_height

    @property
    def half_height(self) -> np.ndarray:
        """(K,) [m] from the middle to the top, also of what lies: then as far as the outline reaches."""
        lying = np.linalg.norm(self.outline, axis=-1).min(1)
        return np.where(self.upright > STANDS, self.height / 2, np.maximum(lying, 0.005))

    @property
    def radius(self) -> np.ndarray:
        """(K,) [m] of the circle around each position that holds the object seen from above."""
        flat = np.linalg.norm(self.outline, axis=-1).max(1)
        return np.where(self.upright > STANDS, flat, np.hypot(flat, self.height / 2))

    def footprint(self, slot: int) -> np.ndarray:
        """(POINTS, 2) [m] of one object in the table frame; of one that lies the rectangle around its length."""
        if self.upright[slot] > STANDS:
            return turned(self.outline[slot], float(self.yaw[slot])) + self.state[slot, :2]
        return _lying(self.ends(slot)[:, :2]) + self.state[slot, :2]

    def ends(self, slot: int) -> np.ndarray:
        """(2 POINTS, 3) [m] from one object's position: the outlines of its bottom and its top, as it is turned."""
        outline, half = self.outline[slot], self.height[slot] / 2
        ends = [np.concatenate([outline, np.full((len(outline), 1), side * half)], 1) for side in (-1, 1)]
        return Rotation.from_quat(self.state[slot, ROTATION]).apply(np.concatenate(ends))

    def slot(self, identity: str) -> int:
        """Raises KeyError."""
        if identity not in self.identities:
            raise KeyError(f"expected an object out of {list(self.identities)}, got '{identity}'")
        return self.identities.index(identity)

    def only(self, slots: np.ndarray) -> "SceneBelief":
        """Some of the objects."""
        arrays = (self.state, self.variance, self.outline, self.height, self.code, self.present)
        return SceneBelief(tuple(self.identities[slot] for slot in slots), *(each[slots] for each in arrays))

    def at(self, state: np.ndarray) -> "SceneBelief":
        """The same objects elsewhere: states (K, 13)."""
        return replace(self, state=state)

    def along(self, states: np.ndarray) -> SceneState:
        """The same objects on a path of states (H, K, 13)."""
        path = SceneState.unknown(self.identities, states.shape[:1])
        path.presence[:], path.position[:], path.rotation[:] = 1.0, states[..., POSITION], states[..., ROTATION]
        return path

    @property
    def scene(self) -> SceneState:
        """For goals, messages and people."""
        unknown = SceneState.unknown(self.identities)
        count = self.slots
        extents = np.ptp(self.outline, axis=1)
        unknown.variance[:, :3], unknown.variance[:, 3:6] = self.variance[:, :1], self.variance[:, 1:]
        return SceneState(
            self.present.astype(float),
            self.position.copy(),
            self.state[:, ROTATION].copy(),
            self.state[:, VELOCITY].copy(),
            unknown.variance,
            np.concatenate([extents, self.height[:, None]], -1),
            self.outline.reshape(count, 2 * POINTS),
            np.zeros((count, 0)),
            self.identities,
        )


def heading(rotation: np.ndarray) -> np.ndarray:
    """Turns (...,) [rad] about the vertical of quaternions (..., 4) x y z w: the twist of each."""
    return wrapped(2 * np.arctan2(rotation[..., 2], rotation[..., 3]))


def _lying(seen: np.ndarray) -> np.ndarray:
    """(POINTS, 2) around places (N, 2) seen from above."""
    return even(seen[ConvexHull(seen).vertices], POINTS)
