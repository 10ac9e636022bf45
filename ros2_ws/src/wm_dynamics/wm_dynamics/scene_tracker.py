"""Where objects are, from noisy poses: what rests is averaged, what moves follows the model, what is out of sight goes on as it says.

A Kalman filter for each object, whose process noise is what the model says that moves, with one number of variance for the position
and one for the rotation.
"""

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from wm_core.object_state import ROTATION, VELOCITY
from wm_core.pose_noise import PoseNoise
from wm_core.rotations import angle_between, uprightness, wrapped
from wm_core.scene import SceneState
from wm_dynamics.scene_belief import SceneBelief, heading
from wm_dynamics.scene_model import SceneModel

RESTING = np.array([0.00005, 0.0005])  # [m, rad] that an untouched object at rest may move in a step
TOUCHED = np.array([0.0008, 0.008])  # [m, rad] more, where the tool touches
SHARE = 0.25  # of the way that the model says, by which it may be wrong
STILL = 0.0006, 0.006  # [m, rad] of a step: below, and where nothing contradicts, an object rests
SURPRISE = 3.5  # standard deviations of an innovation after which the belief is given up
PERSISTENT = 2.2  # the same, of the mean of the last innovations
MEMORY = 6  # innovations
LEVEL = np.cos(np.radians(4.0))  # what is tilted by less stands upright
VELOCITY_GAIN = 0.6
CERTAIN_SPEED = 6.0  # times a position's noise in a step: what is off by more was not known to move so
SHIFT = 0.002  # [m] between two looks that is no noise any more where an object was thought to rest
LOOKS, ALIKE = 4, (0.001, 0.015)  # looks that find an object within so much [m, rad] of one place: it rests there
GONE_BELOW = -0.03  # [m] height of a middle that has left the table


class SceneTracker:
    """The belief about a scene, step by step."""

    def __init__(self, model: SceneModel | None, noise: PoseNoise, step_duration: float) -> None:
        """`model`: None for objects that are expected to stay where they are."""
        self._model, self._noise, self._step = model, noise, step_duration
        self._belief: SceneBelief | None = None
        self.surprise = 0.0  # the largest innovation of the last step, in standard deviations

    @property
    def belief(self) -> SceneBelief:
        """Raises ValueError before anything was seen."""
        if self._belief is None:
            raise ValueError("expected an observed scene, none was seen yet")
        return self._belief

    @property
    def identities(self) -> tuple[str, ...]:
        """Names of what is believed; none before anything was seen."""
        return () if self._belief is None else self._belief.identities

    def reset(self) -> None:
        self._belief = None

    def believable(self, seen: SceneState) -> SceneState:
        """The objects that are seen now or known: of others nobody knows where they are."""
        visible = np.isfinite(seen.position).all(-1)
        return seen.only([i for i, name in enumerate(seen.identities) if visible[i] or name in self.identities])

    def expected(self, tool: np.ndarray, move: np.ndarray, before: np.ndarray) -> SceneBelief:
        """What `update` would start from: the belief a step later, before anything is seen of it."""
        return self._predicted(tool, move, before)

    def adopt(self, code: np.ndarray) -> None:
        """What is known by now of friction and mass (K, 2)."""
        self._belief = replace(self.belief, code=code)

    def update(
        self,
        seen: SceneState,
        tool: np.ndarray,
        move: np.ndarray,
        before: np.ndarray,
        expected: SceneBelief | None = None,
    ) -> SceneBelief:
        """One step later: `tool` (6,) before it, `move` (6,) of the tool in it and `before` in the one before. Objects whose position is
        NaN were not seen. `expected`: what `expected` has answered for the same step, where it was asked.
        """
        if self._belief is None or self._belief.identities != seen.identities:
            return self.renew(seen)
        belief, self.surprise = expected or self._predicted(tool, move, before), 0.0
        visible = np.isfinite(seen.position).all(-1)
        for slot in range(belief.slots):
            if visible[slot]:
                self._fuse(belief, slot, seen.position[slot], seen.rotation[slot])
        belief.present[:] &= belief.state[:, 2] > GONE_BELOW
        self._belief = belief
        return belief

    def renew(self, seen: SceneState) -> SceneBelief:
        """Other objects are there, or other shapes of them. Of those that are known what was believed stays, where they are not seen now;
        those that are neither known nor seen are left out.
        """
        known, seen = self.identities, self.believable(seen)
        visible = np.isfinite(seen.position).all(-1)
        belief = SceneBelief.of(seen)
        belief = replace(belief, variance=np.tile(self._noise.variance, (belief.slots, 1)))
        belief.state[:, VELOCITY] = 0.0
        for slot, name in enumerate(seen.identities):
            if name in known:
                before = self.belief.slot(name)
                belief.code[slot] = self.belief.code[before]
                if not visible[slot]:
                    belief.state[slot], belief.variance[slot] = self.belief.state[before], self.belief.variance[before]
        self._belief, self.surprise = belief, 0.0
        self._levelled(belief)
        self._innovations = np.zeros((belief.slots, MEMORY, 2, 3))
        self._looks = np.full((belief.slots, LOOKS, 4), np.nan)  # the last positions [m] and headings [rad] seen
        return belief

    # -- inside --------------------------------------------------------------------------------------------------

    def _predicted(self, tool: np.ndarray, move: np.ndarray, before: np.ndarray) -> SceneBelief:
        belief = self.belief
        if self._model is None:
            state, touched = belief.state.copy(), np.zeros(belief.slots)
        else:
            futures = self._model.imagine(belief, tool, move[None, None], before, every=True)
            state = mean_state(futures.states[:, 0, 0])
            touched = futures.contacts[:, 0, 0].mean(0)
        moved = np.stack(
            [
                np.linalg.norm(state[:, :3] - belief.state[:, :3], axis=1),
                angle_between(state[:, ROTATION], belief.state[:, ROTATION]),
            ],
            -1,
        )
        self._moved = moved
        growth = (RESTING + SHARE * moved + TOUCHED * (touched > 0.3)[:, None]) ** 2
        return replace(belief, state=state, variance=belief.variance + growth, present=belief.present.copy())

    def _fuse(self, belief: SceneBelief, slot: int, position: np.ndarray, rotation: np.ndarray) -> None:
        state, variance = belief.state[slot], belief.variance[slot]
        predicted = Rotation.from_quat(state[ROTATION])
        off = np.stack([position - state[:3], (Rotation.from_quat(rotation) * predicted.inv()).as_rotvec()])
        self.surprise = max(
            self.surprise, float((np.linalg.norm(off, axis=1) / np.sqrt(3 * (variance + self._noise.variance))).max())
        )
        self._innovations[slot] = np.roll(self._innovations[slot], 1, 0)
        self._innovations[slot, 0] = off
        expected = variance + self._noise.variance
        size = np.linalg.norm(off, axis=1) / np.sqrt(3)
        lately = np.linalg.norm(self._innovations[slot].mean(0), axis=1) / np.sqrt(3)
        surprised = (size > SURPRISE * np.sqrt(expected)) | (
            lately > PERSISTENT * np.sqrt(variance + self._noise.variance / MEMORY)
        )
        variance[surprised] += size[surprised] ** 2
        gain = variance / (variance + self._noise.variance)
        state[:3] += gain[0] * off[0]
        state[ROTATION] = (Rotation.from_rotvec(gain[1] * off[1]) * predicted).as_quat()
        variance *= 1 - gain
        if surprised.any():
            self._innovations[slot] *= 0.3
        if self._rests(slot, position, rotation):
            state[:3], state[VELOCITY] = self._looks[slot, :, :3].mean(0), 0.0
            self._levelled(belief, slot)
            return
        went = state[:3] - self.belief.position[slot]
        if (self._moved[slot] < STILL).all() and not surprised.any() and np.linalg.norm(went) < SHIFT:
            state[VELOCITY] = 0.0
        else:  # the way since the last look says as much as the model does
            off_by = went / self._step - state[7:10]
            expected_by = CERTAIN_SPEED * self._noise.position / self._step
            state[7:10] += min(1.0, max(VELOCITY_GAIN, float(np.linalg.norm(off_by)) / expected_by)) * off_by
            state[10:] += VELOCITY_GAIN * gain[1] * off[1] / self._step
        self._levelled(belief, slot)

    def _rests(self, slot: int, position: np.ndarray, rotation: np.ndarray) -> bool:
        """Whether the last looks found an object at one place, whatever the model says."""
        turn = self._looks[slot, 0, 3]
        yaw = float(heading(rotation))
        if np.isfinite(turn):
            yaw = turn + float(wrapped(yaw - turn))
        self._looks[slot] = np.roll(self._looks[slot], 1, 0)
        self._looks[slot, 0] = *position, yaw
        apart = np.ptp(self._looks[slot], axis=0)
        return bool(np.isfinite(apart).all() and apart[:3].max() < ALIKE[0] and apart[3] < ALIKE[1])

    def _levelled(self, belief: SceneBelief, slot: int | None = None) -> None:
        """What is hardly tilted and does not move stands upright."""
        for each in range(belief.slots) if slot is None else (slot,):
            rotation = belief.state[each, ROTATION]
            if uprightness(rotation) > LEVEL and not np.abs(belief.state[each, VELOCITY]).max() > 0.3:
                length = np.hypot(rotation[2], rotation[3])
                rotation[:] = 0.0, 0.0, rotation[2] / length, rotation[3] / length


def mean_state(states: np.ndarray) -> np.ndarray:
    """Of members (E, K, 13) -> (K, 13); quaternions are brought to one side first."""
    states = states.astype(float)
    sign = np.sign((states[..., ROTATION] * states[:1, :, ROTATION]).sum(-1, keepdims=True))
    states[..., ROTATION] *= np.where(sign < 0, -1.0, 1.0)
    mean = states.mean(0)
    mean[:, ROTATION] /= np.linalg.norm(mean[:, ROTATION], axis=-1, keepdims=True)
    return mean
