"""wm_dynamics for scenes of several objects: observed poses and executed motions in, the belief about the scene out."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from sensor_msgs.msg import JointState
from wm_msgs.msg import Belief, Command, Observation

from wm_core.conversions import scene_state, tool_state
from wm_core.executed import ExecutedMotion
from wm_core.hand import OPENING
from wm_core.lifecycle import OK, WARN, WmNode
from wm_core.node_process import run
from wm_core.params import ConfigError, Param
from wm_core.paths import bundles_dir
from wm_core.pose_noise import PoseNoise
from wm_core.qos import LATCHED, STATE
from wm_core.scene import SceneState, ToolState
from wm_core.scene_bundle import SceneBundle
from wm_core.stamps import to_ns
from wm_dynamics.conversions import record_executed
from wm_dynamics.scene_adaptation import SceneAdaptation
from wm_dynamics.scene_belief import SceneBelief
from wm_dynamics.scene_messages import scene_belief_message
from wm_dynamics.scene_model import SceneModel
from wm_dynamics.scene_tracker import SceneTracker

STALE_S = 1.0
LEAP = 0.08  # [m] that the tool does not move in a step: somebody has put it elsewhere
OTHER_SHAPE = 0.005  # [m] by which outlines of the same object do not differ
MOST_MISSED = 5  # observations in a row that are bridged by the model; after more the scene is believed anew


class SceneDynamicsNode(WmNode):
    """Answers every observation with a belief."""

    PARAMETERS = (
        Param("bundle", "", "bundle of scenes; empty: the shipped one"),
        Param("table", [0.0, -0.6, 1.0, 0.6], "[m] lower and upper corner of the table's top: x, y, x, y", -5.0, 5.0),
        Param("position_noise", PoseNoise.position, "[m] standard deviation of observed positions", 1e-5, 0.1),
        Param(
            "rotation_noise", round(PoseNoise.rotation, 4), "[rad] standard deviation of observed rotations", 1e-4, 1.0
        ),
        Param("adapt", True, "friction and mass of each object are inferred from how it moves"),
        Param("threads", 1, "onnxruntime threads", 1, 64),
        Param(
            "placed_topic",
            "arm_placed",
            "where a simulator says that a reset has put the arm: the scene is another one",
        ),
    )

    def __init__(self, **kwargs: object) -> None:
        super().__init__("wm_dynamics", **kwargs)

    def setup(self) -> None:
        table = np.array(self.value("table"))
        if table.shape != (4,) or (table[:2] >= table[2:]).any():
            raise ConfigError(
                f"parameter 'table': expected x, y of the lower corner, then of the upper one, got {table.tolist()}"
            )
        folder = Path(self.value("bundle") or bundles_dir() / "scene")
        self._bundle = SceneBundle.load(folder, self.value("threads"))
        self._model = SceneModel(self._bundle, table)
        self._tracker = SceneTracker(
            self._model,
            PoseNoise(self.value("position_noise"), self.value("rotation_noise")),
            self._bundle.step_duration,
        )
        self._adaptation = SceneAdaptation(self._model) if self.value("adapt") else None
        self._beliefs = self.publisher(Belief, "wm/belief", STATE)
        # What was executed first: the executor serves what has arrived in this order.
        self.subscribe(Command, "wm/executed", self._on_executed, STATE)
        self.subscribe(Observation, "wm/observation", self._on_observation, STATE)
        self.subscribe(JointState, self.value("placed_topic"), self._on_placed, LATCHED)
        self.every(1.0, self._report, wall=True)

    def start(self) -> None:
        self._motion = ExecutedMotion()
        self._received = time.monotonic()
        self._forget()

    def _forget(self) -> None:
        """The scene is another one."""
        self._tracker.reset()
        if self._adaptation is not None:
            self._adaptation.reset()
        self._last: tuple[int, np.ndarray] | None = None  # stamp [ns] and tool (6,) of the last observation
        self._move, self._opening = np.zeros(6), float("nan")  # nan: nothing was commanded
        self._unseen: dict[str, float] = {}
        self._answered: tuple[int, Belief] | None = None

    def _on_placed(self, message: JointState) -> None:
        self.counts["restarts"] += 1
        self._forget()

    # -- the latency path ----------------------------------------------------------------------------------------

    def _on_executed(self, message: Command) -> None:
        try:
            record_executed(self._motion, message)
        except ValueError as error:
            self.reject("bad_executed", str(error))
            return
        if np.isfinite(message.tool_end.opening):
            self._opening = message.tool_end.opening

    def _on_observation(self, message: Observation) -> None:
        began = time.perf_counter()
        self._received = time.monotonic()
        stamp_ns = to_ns(message.header.stamp)
        if message.model_id != self._bundle.id:
            self.reject(
                "wrong_model",
                f"expected observations of model '{self._bundle.id}', got '{message.model_id}'; use one bundle in all nodes",
            )
            return
        if self._answered is not None and self._answered[0] == stamp_ns:
            self._beliefs.publish(self._answered[1])  # a simulator in lockstep still waits
            self.counts["repeated"] += 1
            return
        seen, tool = self._tracker.believable(scene_state(message.objects)), self._tool(message)
        if not np.isfinite(tool).all() or not seen.slots or seen.shape.shape[-1] == 0:
            self.reject("bad_observation", "expected objects with outlines and a finite tool state, got others")
            return
        belief = self._update(seen, tool, stamp_ns)
        visible = np.isfinite(seen.position).all(-1)
        self._unseen = {
            name: 0.0 if there else self._unseen.get(name, 0.0) + self._bundle.step_duration
            for name, there in zip(seen.identities, visible, strict=True)
        }
        target = self._motion.target(stamp_ns) if len(self._motion) else ToolState(tool)
        answer = scene_belief_message(
            message.header,
            self._bundle.id,
            belief,
            ToolState(tool),
            target,
            visible.astype(float),
            list(self._unseen.values()),
        )
        answer.surprise = float(self._tracker.surprise)
        answer.filter_ms = 1e3 * (time.perf_counter() - began)
        self._answered = stamp_ns, answer
        self._beliefs.publish(answer)
        self.counts["beliefs"] += 1
        self.timed("filter_ms", answer.filter_ms)

    def _update(self, seen: SceneState, tool: np.ndarray, stamp_ns: int) -> SceneBelief:
        """The belief at this observation; steps of which none came are bridged."""
        if self._last is not None:
            steps = round((stamp_ns - self._last[0]) / (1e9 * self._bundle.step_duration))
            leapt = float(np.linalg.norm((tool - self._last[1])[:3])) > LEAP * max(steps, 1)
            if not 1 <= steps <= 1 + MOST_MISSED or leapt:
                self.counts["restarts"] += 1
                self._forget()
            elif not self._same_objects(seen):
                self.counts["renewals"] += 1
                if self._adaptation is not None:
                    self._adaptation.reset()
                self._last = stamp_ns, tool
                return self._tracker.renew(seen)
        if self._last is None:
            self._last = stamp_ns, tool
            return self._tracker.renew(seen)
        before_ns, at = self._last
        steps = round((stamp_ns - before_ns) / (1e9 * self._bundle.step_duration))
        move = (tool - at) / steps
        hidden = replace(seen, position=np.full_like(seen.position, np.nan))
        for _ in range(steps - 1):
            self._tracker.update(hidden, at, move, self._move)
            at, self._move = at + move, move
        if self._adaptation is not None:
            self._tracker.adopt(self._adaptation.update(self._tracker.belief, at, move, self._move))
        belief = self._tracker.update(seen, at, move, self._move)
        self._last, self._move = (stamp_ns, tool), move
        return belief

    def _same_objects(self, seen: SceneState) -> bool:
        """Whether names and shapes are those of the belief; what was never seen is not in it."""
        belief = self._tracker.belief
        outlines = belief.outline.reshape(belief.slots, -1)
        return belief.identities == seen.identities and bool(np.abs(outlines - seen.shape).max() < OTHER_SHAPE)

    def _tool(self, message: Observation) -> np.ndarray:
        """Measured (6,), with the commanded opening: fingers that hold something are commanded to be closer than they are."""
        tool = tool_state(message.tool).values.copy()
        if np.isfinite(self._opening):
            tool[OPENING] = self._opening
        elif not np.isfinite(tool[OPENING]):
            tool[OPENING] = 0.0
        return tool

    def _report(self) -> None:
        stale = time.monotonic() - self._received > STALE_S
        self.diagnose(
            WARN if stale else OK,
            "no observations" if stale else "predicting",
            model_id=self._bundle.id,
            surprise=f"{self._tracker.surprise:.2f}",
            **self.record(),
        )


def main() -> int:
    return run(SceneDynamicsNode)


if __name__ == "__main__":
    raise SystemExit(main())
