"""wm_bundle_manager: brings the promoted bundle into the running nodes at a safe moment, and back out when it predicts worse.

Control never waits for this node: it asks services and listens. Without it the nodes go on with the bundle they have.
"""

import math
import time
from contextlib import suppress
from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from std_msgs.msg import Bool
from wm_msgs.msg import Belief, Command, Goal, GoalEvent, Observation, PredictionError
from wm_msgs.srv import PrepareBundle, UseBundle

from wm_bringup.bundle_news import BundleNews
from wm_bringup.supervision.watcher import watch_supervisor
from wm_bringup.swap import VISIBLE, Scene, Swap, Used
from wm_bringup.swap_watch import ACCEPTED, WORSE, Finding, Records
from wm_core.conversions import object_xy, tool_state
from wm_core.given_parameters import check_types, refuse_unknown
from wm_core.node_process import run
from wm_core.qos import LATCHED, STATE
from wm_core.registry import REFUSED, ROLLED_BACK, Registry
from wm_core.stamps import to_ns
from wm_core.steady import steady_clock

# Cycles are counted, however late this node gets its turn.
EVERY = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)
NODES = ("wm_perception", "wm_dynamics", "wm_planner")
TICK_S = 0.05
LOOK_S = 1.0  # between two looks at the registry
SETTLED_S = 3.0  # after the first belief: all nodes are there, and have discovered this one
COMMANDS_AFTER = 10  # commands of the new bundle until missed cycles are counted
# Ends of goals that say nothing of the bundle.
NOT_THE_BUNDLE = ("cancelled", "preempted", "emergency stop", "the planner was deactivated", "the planner shuts down")
RETRY_S = 5.0  # until the way back is tried again


class BundleManager(Node):
    def __init__(self) -> None:
        super().__init__("wm_bundle_manager")
        defaults: dict[str, Any] = {
            "bundle": "",  # folder of the one that the nodes start with
            "registry": "",  # folder; empty: nothing is followed
            "prepare_timeout": 60.0,  # [s]
            "patience": 300.0,  # [s] of waiting for a safe moment
            "answer_timeout": 10.0,  # [s] from the change to the first command
        }
        check_types(self, defaults)
        self._value = {name: self.declare_parameter(name, default).value for name, default in defaults.items()}
        refuse_unknown(self, {})
        self._registry = Registry(self._value["registry"]) if self._value["registry"] else None
        self._active = Used.read(self._value["bundle"])
        self._before: Used | None = None
        self._swap: Swap | None = None
        self._given_up = ""
        self._records = Records()
        self._looked = 0.0
        self._not_before = 0.0
        self._heard = math.inf  # when the first belief came
        self._scene = Scene()
        self._prepare = {name: self.create_client(PrepareBundle, f"{name}/prepare_bundle") for name in NODES}
        self._use = self.create_client(UseBundle, "wm_perception/use_bundle")
        self._news = BundleNews(self)
        self.create_subscription(Observation, "wm/observation", self._on_observation, STATE)
        self.create_subscription(Belief, "wm/belief", self._on_belief, STATE)
        self.create_subscription(PredictionError, "wm/prediction_error", self._on_error, STATE)
        self.create_subscription(GoalEvent, "wm/goal", self._on_goal, STATE)
        self.create_subscription(Command, "wm/command", self._on_command, EVERY)
        self.create_subscription(Bool, "wm/e_stopped", self._on_stopped, LATCHED)
        wall = steady_clock()
        self.create_timer(TICK_S, self._tick, clock=wall)
        self.create_timer(1.0, self._report, clock=wall)
        watch_supervisor(self)
        self._announce("started", "")

    # -- what is heard -------------------------------------------------------------------------------------------

    def _on_observation(self, message: Observation) -> None:
        if not message.objects:
            return
        x, y = map(float, object_xy(message.objects))
        seen = message.objects[0].visibility > VISIBLE
        self._records.observe(message.model_id, to_ns(message.header.stamp), x, y, seen)

    def _on_error(self, message: PredictionError) -> None:
        self._heed(self._records.error(message.model_id, to_ns(message.header.stamp), message.error))

    def _on_goal(self, message: GoalEvent) -> None:
        says_something = message.success or message.message not in NOT_THE_BUNDLE
        if message.event == GoalEvent.END and message.goal.kind == Goal.OBJECT_POSE and says_something:
            self._heed(self._records.goal(message.model_id, message.success))

    def _on_belief(self, message: Belief) -> None:
        if not message.objects:
            return
        scene, now = self._scene, time.monotonic()
        track = message.objects[0]
        scene.apart = float(np.linalg.norm(tool_state(message.tool).xy - object_xy(message.objects)))
        scene.in_sight = track.visibility > VISIBLE and track.time_unseen == 0
        scene.believed_at, self._heard = now, min(self._heard, now)
        if self._swap is not None and message.model_id == self._swap.target.id:
            self._swap.first_ns = self._swap.first_ns or to_ns(message.header.stamp)
        elif self._swap is None and message.model_id != self._active.id:
            self._found(message)

    def _on_command(self, message: Command) -> None:
        newest = (to_ns(message.header.stamp), time.monotonic())
        self._scene.idle = message.status == Command.IDLE
        self._scene.commands.append(newest)
        if self._swap is not None and self._swap.phase in ("use", "confirm"):
            self._swap.commands.append(newest)

    def _on_stopped(self, message: Bool) -> None:
        self._scene.stopped = message.data

    # -- a change, step by step ----------------------------------------------------------------------------------

    def _tick(self) -> None:
        due = time.monotonic() - self._looked > LOOK_S and time.monotonic() - self._heard > SETTLED_S
        if self._registry is not None and due and (self._swap is None or self._swap.phase in ("prepare", "wait")):
            self._looked = time.monotonic()
            self._look(self._registry)
        swap = self._swap
        if swap is None:
            return
        if swap.phase == "prepare":
            self._preparing(swap)
        elif swap.phase == "wait":
            self._waiting(swap)
        elif swap.phase == "use":
            self._using(swap)
        else:
            self._confirming(swap)

    def _look(self, registry: Registry) -> None:
        """Begin a change when the registry points elsewhere; give up one that it does not ask for any more."""
        try:
            state = registry.state()
        except (ValueError, OSError) as error:
            self._news.complain(str(error))
            return
        if self._swap is not None:
            if state.promoted != self._swap.target.id and not self._swap.at_once:
                self._news.say(f"{self._swap.target.id} is not wanted any more")
                self._swap = None
            return
        if state.promoted == self._active.id:
            self._given_up, self._news.problem = "", ""
        elif state.promoted != self._given_up and time.monotonic() > self._not_before:
            event = next(event for event in reversed(state.history) if event.kind != REFUSED)
            try:
                target = Used.read(str(registry.path(state.promoted)))
            except (ValueError, OSError) as error:
                self._withdraw(state.promoted, str(error))
                return
            self._begin(Swap(target, f"{event.kind}: {event.why}", watched=event.kind != ROLLED_BACK))

    def _begin(self, swap: Swap) -> None:
        self._news.say(f"preparing {swap.target.id} ({swap.reason})")
        self._swap = swap
        if swap.watched:
            self._records.forget(swap.target.id)  # what it did in another time

    def _preparing(self, swap: Swap) -> None:
        for name, client in self._prepare.items():
            if name not in swap.answers and client.service_is_ready():
                swap.answers[name] = client.call_async(PrepareBundle.Request(folder=swap.target.folder))
        done = {name: answer.result() for name, answer in swap.answers.items() if answer.done()}
        for name, answer in done.items():
            if not answer.success:
                self._fail(f"{name} cannot load it: {answer.message}")
                return
        if len(done) == len(NODES):
            swap.go_on("wait")
            self._news.say(f"{swap.target.id} is prepared, waiting for a safe moment")
        elif swap.seconds > self._value["prepare_timeout"]:
            silent = [name for name in NODES if name not in done]
            self._fail(f"not prepared within {self._value['prepare_timeout']:.0f} s by {', '.join(silent)}")

    def _waiting(self, swap: Swap) -> None:
        if swap.at_once or self._scene.safe(time.monotonic()):
            swap.go_on("use")
            swap.commands = list(self._scene.commands)
            swap.answers["use"] = self._use.call_async(UseBundle.Request(model_id=swap.target.id))
        elif swap.seconds > self._value["patience"]:
            self._given_up, self._swap = swap.target.id, None
            self._news.complain(
                f"gave up on {swap.target.id}: no safe moment within {self._value['patience']:.0f} s; stop the goals and"
                " promote it again, or restart"
            )

    def _using(self, swap: Swap) -> None:
        answer = swap.answers["use"]
        if answer.done():
            result = answer.result()
            if result.success:
                swap.phase = "confirm"
            else:
                self._fail(f"wm_perception does not use it: {result.message}")
        elif swap.seconds > self._value["answer_timeout"]:
            self._fail("wm_perception does not answer")

    def _confirming(self, swap: Swap) -> None:
        """Until commands answer what was seen with the new bundle."""
        if swap.answered >= COMMANDS_AFTER:
            self._changed(swap)
            self._news.say(f"{swap.target.id} in use ({swap.reason}): {swap.cost()}")
        elif swap.seconds > self._value["answer_timeout"]:
            self._changed(swap)
            self._go_back(f"{swap.answered} commands within {self._value['answer_timeout']:.0f} s")

    def _changed(self, swap: Swap) -> None:
        """The nodes compute with the new bundle."""
        before, self._active, self._swap = self._active, swap.target, None
        self._before = before
        self._announce(swap.reason, before.id, swap.first_ns)
        self._records.stop_watching()
        if swap.watched:
            self._records.watch(self._active.id, before.id, self._active.metric)

    # -- back ----------------------------------------------------------------------------------------------------

    def _heed(self, finding: Finding | None) -> None:
        """What the watch over the bundle in use has found."""
        if finding is None or self._swap is not None:
            return
        if finding.verdict == WORSE:
            self._go_back(finding.text)
        elif finding.verdict == ACCEPTED:
            self._news.say(f"{self._active.id} accepted: {finding.text}")
            self._records.stop_watching()

    def _go_back(self, why: str) -> None:
        """From the bundle in use to the one before, in the registry and in the nodes."""
        bad, before = self._active, self._before
        self._news.complain(f"{bad.id}: {why}; going back")
        self._records.stop_watching()
        self._withdraw(bad.id, why, announce=False)
        if before is None or not before.folder:
            self._news.complain(f"expected a bundle before {bad.id} to go back to, none is known")
            return
        self._begin(Swap(before, f"rolled back: {why}", watched=False, at_once=True))

    def _fail(self, why: str) -> None:
        """A change that did not come about: the nodes go on with what they have."""
        assert self._swap is not None
        swap, self._swap = self._swap, None
        self._news.complain(f"{swap.target.id}: {why}")
        self._not_before = time.monotonic() + RETRY_S
        if swap.watched:
            self._withdraw(swap.target.id, why)

    def _withdraw(self, id: str, why: str, announce: bool = True) -> None:
        """Point the registry back, unless somebody has pointed it elsewhere meanwhile; the nodes use what they used."""
        if announce:
            self._announce(f"rolled back: {id}: {why}", self._before.id if self._before else "")
        if self._registry is None:
            return
        try:
            self._registry.rollback(why, only_from=id)
        except (ValueError, OSError) as error:
            self._news.complain(f"the registry still points to {id}: {error}")
            self._given_up = id

    def _found(self, message: Belief) -> None:
        """The nodes use another bundle than this node knew, because it was restarted or somebody else changed it."""
        found = Used(message.model_id, "")
        if self._registry is not None:
            with suppress(ValueError, OSError):  # not from the registry
                found = Used.read(str(self._registry.path(message.model_id)))
        before, self._active = self._active, found
        self._before = before
        self._records.stop_watching()
        self._announce("found in use", before.id, to_ns(message.header.stamp))

    # -- what is said --------------------------------------------------------------------------------------------

    def _announce(self, reason: str, previous: str, stamp_ns: int | None = None) -> None:
        self._news.in_use(self._active, reason, previous, stamp_ns)

    def _report(self) -> None:
        registry = "" if self._registry is None else str(self._registry.folder)
        state = self._swap.phase if self._swap else "watching" if self._records.watching else "following"
        self._news.report(self._active, registry=registry, state=state)


def main() -> int:
    return run(BundleManager)


if __name__ == "__main__":
    raise SystemExit(main())
