"""wm_dynamics: observations in; belief, prediction error and imagined futures out."""

import math
import time
from dataclasses import dataclass

import numpy as np
from sensor_msgs.msg import Image
from visualization_msgs.msg import MarkerArray
from wm_msgs.msg import Belief, Command, Drift, Future, Observation, Plan, PredictionError
from wm_msgs.srv import Imagine

from wm_core.bundle import Bundle
from wm_core.bundle_slot import BundleSlot
from wm_core.conversions import object_xy, tool_state
from wm_core.executed import ExecutedMotion
from wm_core.lifecycle import OK, WARN, WmNode
from wm_core.node_process import run
from wm_core.params import Param
from wm_core.qos import STATE
from wm_core.scene import ToolState
from wm_core.stamps import to_ns
from wm_dynamics.belief import VISIBLE, BeliefFilter, BeliefState
from wm_dynamics.calibration import Calibration
from wm_dynamics.conversions import (
    belief_message,
    drift_message,
    error_message,
    future_message,
    image_message,
    record_executed,
    stamp_header,
)
from wm_dynamics.drift import DriftState, DriftWatch
from wm_dynamics.imagine import draw, draw_steps, parse_actions
from wm_dynamics.markers import future_markers
from wm_dynamics.rollout import RolloutEngine

IMAGES = 4  # decoded views of a future
STALE_S = 1.0


@dataclass(frozen=True)
class Predictor:
    """What believes and imagines with one bundle."""

    bundle: Bundle
    calibration: Calibration | None
    filter: BeliefFilter
    engine: RolloutEngine
    drift: DriftWatch


def predictor(bundle: Bundle) -> Predictor:
    """Warmed up: the first calls of a network are slow, and a robot must not wait for them."""
    drift = DriftWatch(bundle.moving_error, round(1e9 * bundle.step_duration))
    made = Predictor(bundle, Calibration.of(bundle), BeliefFilter(bundle), RolloutEngine(bundle), drift)
    hidden, motion = np.zeros(bundle.embedding_size, np.float32), ExecutedMotion()
    for stamp in range(3):
        made.filter.update(stamp * 10**8 + 1, hidden, 0.0, ToolState.at(0.0, 0.0, 0.0), motion)
    made.filter.reset()
    actions = np.zeros((1, bundle.horizon, bundle.action_size), np.float32)
    futures = made.engine.rollout(bundle.initial_mean, actions)
    draw(made.engine, bundle.initial_mean, futures, draw_steps(bundle.horizon, IMAGES))
    return made


class DynamicsNode(WmNode):
    PARAMETERS = (
        Param("bundle", "", "model bundle folder; empty: the shipped one"),
        Param("future_rate", 2.0, "[Hz] of the imagined future of the current plan; 0 turns it off", 0.0, 30.0),
        Param("threads", 1, "onnxruntime threads", 1, 64),
    )
    RETIRED = {"base_frame": "is that of the observations now: leave it out"}

    def __init__(self, **kwargs: object) -> None:
        super().__init__("wm_dynamics", **kwargs)

    def setup(self) -> None:
        self._slot = BundleSlot(self, predictor)
        self._motion = ExecutedMotion()
        self._state: BeliefState | None = None
        self._drift: DriftState | None = None
        self._plan: Plan | None = None
        self._answered: tuple[Observation, Belief] | None = None  # the newest, and what was believed then
        self._frame = ""  # of all positions: the observations'
        self._beliefs = self.publisher(Belief, "wm/belief", STATE)
        self._errors_out = self.publisher(PredictionError, "wm/prediction_error", STATE)
        self._drifts = self.publisher(Drift, "wm/drift", STATE)
        self._futures = self.publisher(Future, "wm/future", STATE)
        self._markers = self.publisher(MarkerArray, "wm/future_markers", STATE)
        self._images = self.publisher(Image, "wm/imagined_image", STATE)
        # What was executed first: the executor serves what has arrived in this order.
        self.subscribe(Command, "wm/executed", self._on_executed, STATE)
        self.subscribe(Observation, "wm/observation", self._on_observation, STATE)
        self.subscribe(Plan, "wm/plan", self._on_plan, STATE)
        self.service(Imagine, "wm/imagine", self._on_imagine)
        self.every(1.0, self._report, wall=True)

    def teardown(self) -> None:
        if hasattr(self, "_slot"):
            self._slot.close()

    def start(self) -> None:
        self._slot.current.filter.reset()
        self._slot.current.drift.reset()
        self._motion.clear()
        self._state = self._drift = self._answered = None
        self._received = time.monotonic()
        self._imagined_at = -math.inf

    # -- the latency path ----------------------------------------------------------------------------------------

    def _on_observation(self, message: Observation) -> None:
        self._received = time.monotonic()
        self._frame = message.header.frame_id
        if message.model_id != self._slot.current.bundle.id and not self._follow(message.model_id):
            return
        if self._answered is not None and _same(message, self._answered[0]):
            # A simulator in lockstep still waits, since nobody heard what was believed of its frames.
            self._beliefs.publish(self._answered[1])
            self.counts["repeated"] += 1
            return
        bundle = self._slot.current.bundle
        stamp_ns = to_ns(message.header.stamp)
        if len(message.objects) != bundle.state.objects:
            self.reject("bad_observation", f"expected {bundle.state.objects} objects, got {len(message.objects)}")
            return
        try:
            state = self._slot.current.filter.update(
                stamp_ns,
                np.asarray(message.embedding, np.float32),
                message.objects[0].visibility,
                tool_state(message.tool),
                self._motion,
            )
        except ValueError as error:
            self.reject("bad_observation", str(error))
            return
        self._state = state
        self._answered = (message, belief_message(message.header, bundle, state, message))
        self._beliefs.publish(self._answered[1])
        self._errors_out.publish(error_message(message.header, bundle.id, state))
        seen = object_xy(message.objects) if message.objects[0].visibility > VISIBLE else None
        self._drift = self._slot.current.drift.update(stamp_ns, state.error, seen, state.restarted)
        self._drifts.publish(drift_message(message.header, bundle.id, self._drift))
        self.counts["beliefs"] += 1
        self.counts["restarts"] += state.restarted
        self.counts["surprising"] += state.surprise > 1
        self.counts["new"] += state.novelty.value > 1
        self.timed("filter_ms", state.filter_ms)
        self._publish_future()

    def _follow(self, model_id: str) -> bool:
        """Perception computes with another bundle: so does this node if it was prepared, from the belief it has."""
        before = self._slot.adopt(model_id)
        if before is None:
            self.reject(
                "wrong_model",
                f"expected observations of model '{self._slot.current.bundle.id}', got '{model_id}'; use one bundle in all nodes",
            )
            return False
        self._slot.current.filter.take_over(before.filter)
        self._plan = self._state = self._drift = None  # of the bundle before
        return True

    def _on_executed(self, message: Command) -> None:
        try:
            record_executed(self._motion, message)
        except ValueError as error:
            self.reject("bad_executed", str(error))

    def _on_plan(self, message: Plan) -> None:
        self._plan = message

    # -- imagination ---------------------------------------------------------------------------------------------

    def _publish_future(self) -> None:
        """Now and then the future under the current plan, for people; skipped while nobody looks.

        Right after a belief, when there is most time until the next observation.
        """
        rate = self.value("future_rate")
        if rate == 0 or self._received - self._imagined_at < 1 / rate:
            return
        topics = ("wm/future", "wm/future_markers", "wm/imagined_image")
        if self._state is None or self._plan is None or not any(self.count_subscribers(topic) for topic in topics):
            return
        plan, state, using = self._plan, self._state, self._slot.current
        if not plan.horizon or len(plan.actions) != plan.horizon * using.bundle.action_size:
            return
        self._imagined_at = self._received
        actions = np.asarray(plan.actions, np.float32).reshape(1, plan.horizon, -1)
        futures = using.engine.rollout(state.mean, actions)
        steps = draw_steps(actions.shape[1], IMAGES)
        pictures = draw(using.engine, state.mean, futures, steps)
        header = stamp_header(state.stamp_ns, self._frame)
        self._futures.publish(
            future_message(
                header,
                using.bundle.id,
                using.bundle.step_duration,
                actions,
                futures,
                pictures,
                steps,
                using.calibration,
            )
        )
        self._markers.publish(future_markers(header, futures))
        self._images.publish(image_message(header, np.concatenate(list(pictures), 1)))

    def _on_imagine(self, request: Imagine.Request, response: Imagine.Response) -> Imagine.Response:
        if self._state is None or not self.active:
            raise ValueError("expected a belief to start from, none yet; wait for wm/observation and activate the node")
        using, state = self._slot.current, self._state
        actions = parse_actions(request.actions, request.branches, request.horizon, using.bundle.action_size)
        futures = using.engine.rollout(state.mean, actions)
        steps = draw_steps(request.horizon, IMAGES) if request.decode else []
        pictures = draw(using.engine, state.mean, futures, steps) if steps else np.empty((0, 0, 0, 3), np.uint8)
        header = stamp_header(state.stamp_ns, self._frame)
        response.success = True
        response.future = future_message(
            header,
            using.bundle.id,
            using.bundle.step_duration,
            actions,
            futures,
            pictures,
            steps,
            using.calibration,
        )
        return response

    # -- diagnostics ---------------------------------------------------------------------------------------------

    def _report(self) -> None:
        stale = time.monotonic() - self._received > STALE_S
        surprise = self._state.surprise if self._state else 0.0
        novelty = self._state.novelty if self._state else None
        new = novelty is not None and novelty.value > 1
        drift = self._drift
        drifting = drift is not None and drift.level > 1
        if stale:
            summary = "no observations"
        elif drift is not None and drifting:
            summary = (
                f"drifting: errors of {1000 * drift.error:.1f} mm a step where {1000 * drift.expected:.1f} are usual; record what"
                " happens and fine-tune"
            )
        elif surprise > 1:
            summary = "surprised: the world behaves unlike the model"
        elif novelty is not None and new:
            summary = f"new: unlike the data of the model's calibration ({novelty.cause})"
        else:
            summary = "predicting"
        self.diagnose(
            WARN if stale or drifting or surprise > 1 or new else OK,
            summary,
            model_id=self._slot.current.bundle.id,
            surprise=f"{surprise:.3f}",
            threshold=f"{self._slot.current.bundle.surprise_threshold:.3f}",
            drift=f"{drift.level if drift else 0.0:.3f}",
            novelty=f"{novelty.value if novelty else 0.0:.3f}",
            novelty_cause=novelty.cause if novelty else "",
            **self.record(),
        )


def _same(message: Observation, other: Observation) -> bool:
    """Whether an observation is another one sent again; fields that nobody measured are NaN, so the messages are never equal."""
    return (
        message.header == other.header
        and message.model_id == other.model_id
        and np.array_equal(message.embedding, other.embedding)
    )


def main() -> int:
    return run(DynamicsNode)


if __name__ == "__main__":
    raise SystemExit(main())
