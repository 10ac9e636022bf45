"""Notices a camera that was bumped: a look at depth now and then, in a thread of its own, over the last seconds."""

import threading
from collections.abc import Mapping, Sequence

import numpy as np

from wm_core.kinematics import Kinematics
from wm_core.rig import CameraRig
from wm_core.specs import BevSpec
from wm_perception.pipeline import CameraFrame
from wm_perception.rig_check import ArmSurface, Change, Depth, look

WINDOW = 5  # frames that are looked at together, each once: 30 ms of a core
PERIOD_S = 0.6  # between them: within 10 s there are two looks after any bump
JOINTS_S = 0.012  # from the images to the joint state that says where the arm is, at most: it moves, and would seem to be elsewhere
AT_TABLE = 0.004  # [m] off in the workspace, from which a camera counts as moved: half of what a bump of 1 cm or 0.5 degrees does there
ANGLE = 0.35  # [degrees] turned, where all of the change is seen
TWICE = 2  # looks in a row that must agree, which share no frame: one that is disturbed says nothing


class RigWatch:
    """What is wrong with where the cameras stand, by name: `moved`, which is replaced, never changed."""

    def __init__(self, rig: CameraRig, kinematics: Kinematics, workspace: BevSpec, *, threaded: bool = True) -> None:
        """`kinematics` serves this watch alone. `threaded`: False looks at once, for tests and recordings."""
        self.moved: dict[str, Change] = {}
        self._rig = {camera.name: camera for camera in rig.cameras}
        self._surface = ArmSurface(kinematics)
        lower = np.array([workspace.x_min, workspace.y_min])
        self._workspace = np.array([lower, lower + workspace.cell * np.array([workspace.rows, workspace.columns])])
        self._frames: dict[str, list[Depth]] = {name: [] for name in self._rig}
        self._off = dict.fromkeys(self._rig, 0)
        self._taken_ns: int | None = None
        self._threaded = threaded
        self._looking: threading.Thread | None = None

    def add(self, frames: Mapping[str, CameraFrame], q: np.ndarray, stamp_ns: int) -> None:
        """Frames of one instant at joints `q` (n,) [rad], measured within JOINTS_S of it; most are left out."""
        if self._taken_ns is not None and 0 <= stamp_ns - self._taken_ns < PERIOD_S * 1e9:
            return
        if self._looking is not None and self._looking.is_alive():
            return
        if self._taken_ns is not None and stamp_ns < self._taken_ns:  # time went back
            for kept in self._frames.values():
                kept.clear()
        self._taken_ns = stamp_ns
        for name, frame in frames.items():
            self._frames[name].append(Depth(frame.depth, frame.K, q))
        due = {name: kept for name, kept in self._frames.items() if len(kept) == WINDOW}
        self._frames |= {name: [] for name in due}
        if due and self._threaded:
            self._looking = threading.Thread(target=self._look, args=(due,), daemon=True)
            self._looking.start()
        elif due:
            self._look(due)

    def close(self) -> None:
        """Wait for a look that is under way."""
        if self._looking is not None:
            self._looking.join()

    @property
    def problem(self) -> str:
        """Which cameras have moved, how far, and what to do; empty: none."""
        said = [
            f"{name} does not stand where the rig says: {1e3 * change.at_table:.0f} mm off at the table"
            f" ({1e3 * change.shift:.0f} mm, {change.angle:.1f} degrees)"
            for name, change in self.moved.items()
        ]
        return "; ".join([*said, "put it back, or run ./wm calibrate-cameras refine"]) if said else ""

    def _look(self, due: Mapping[str, Sequence[Depth]]) -> None:
        for name, frames in due.items():
            change = look(frames, self._rig[name].T_table_optical, self._surface, self._workspace)
            if change is not None:
                self._judge(name, change)

    def _judge(self, name: str, change: Change) -> None:
        off = change.at_table > AT_TABLE or (change.angle > ANGLE and not change.unseen)
        self._off[name] = min(TWICE, self._off[name] + 1) if off else max(0, self._off[name] - 1)
        moved = dict(self.moved)
        if off and (self._off[name] == TWICE or name in moved):
            moved[name] = change
        if not self._off[name]:
            moved.pop(name, None)
        self.moved = moved
