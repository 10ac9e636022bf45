"""What takes commands for the arm: a trajectory controller that can be activated, deactivated and restarted.

Its services stand for those of ros2_control's controller manager, whose messages are in no wheel: `controller/activate` (SetBool) and
`controller/restart` (Trigger). What comes while it is inactive is ignored, as by a real controller. Activated, it holds the arm
where it is.
"""

from collections.abc import Callable

from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory

from wm_core.lifecycle import WmNode
from wm_core.qos import STATE
from wm_sim.controller import TrajectoryError
from wm_sim.controller_states import ControllerStates
from wm_sim.conversions import from_trajectory
from wm_sim.driver import Driver
from wm_sim.faults import ARM, Faults
from wm_sim.links import Incoming
from wm_sim.resets import OutdatedError, Resets


class ArmInterface:
    """Counts what was accepted, rejected and ignored; `on_accepted` gets the stamp [ns] of each that was accepted."""

    def __init__(
        self,
        node: WmNode,
        driver: Driver,
        resets: Resets,
        faults: Faults,
        topic: str,
        restart_time: float,
        state_rate: float,
        on_accepted: Callable[[int], None],
    ) -> None:
        """`restart_time` [s]: how long a restart takes; `state_rate` [Hz]: of what the controller says of itself, 0: nothing."""
        self._node, self._driver, self._resets, self._faults = node, driver, resets, faults
        self._restart_ns = round(1e9 * restart_time)
        self._on_accepted = on_accepted
        self.accepted = self.rejected = self.ignored = 0
        self.rejected_before = 0  # of which it was said, or which are no news
        self.last_rejection = ""
        self._active_at_ns: int | None = None  # a restart ends then
        self._states = ControllerStates(node, driver, topic, state_rate)
        self._trajectories = Incoming(node, JointTrajectory, topic, self._on_trajectory, STATE)
        node.service(SetBool, "controller/activate", self._on_activate)
        node.service(Trigger, "controller/restart", self._on_restart)

    def look(self) -> None:
        """Before each physics step: what faults and a restart make of it."""
        now_ns = self._driver.now_ns
        self._driver.stuck = self._faults.arm(now_ns) == "stuck"
        self._driver.push(self._faults.push(now_ns))
        self._trajectories.cut(self._faults.cut(ARM, now_ns))
        if self._active_at_ns is not None and now_ns >= self._active_at_ns:
            self._active_at_ns = None
            self._driver.activate()
        if self._active:
            self._states.publish(now_ns)

    @property
    def _active(self) -> bool:
        return self._driver.controlled and self._faults.arm(self._driver.now_ns) != "inactive"

    def _on_trajectory(self, message: JointTrajectory) -> None:
        now_ns = self._driver.now_ns
        if not self._active:
            self.ignored += 1
            return
        try:
            names, stamp_ns, points = from_trajectory(message)
            self._resets.check(names, stamp_ns, points)
            self._driver.controller.accept(names, stamp_ns, points, now_ns)
        except TrajectoryError as error:
            self.rejected += 1
            self.last_rejection = str(error)
            if isinstance(error, OutdatedError) and self._resets.recent:
                self.rejected_before += 1  # no news
            else:
                self._node.get_logger().warning(f"trajectory refused: {error}", throttle_duration_sec=1.0)
            return
        self.accepted += 1
        self._on_accepted(stamp_ns)

    def _on_activate(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self._require_active()
        self._active_at_ns = None
        changed = request.data != self._driver.controlled
        if changed:
            (self._driver.activate if request.data else self._driver.deactivate)()
        state = "active" if request.data else "inactive"
        response.success, response.message = True, state if changed else f"{state} before"
        return response

    def _on_restart(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._require_active()
        self._driver.deactivate()
        self._active_at_ns = self._driver.now_ns + self._restart_ns
        response.success, response.message = True, f"active again in {self._restart_ns / 1e9:.1f} s"
        return response

    def _require_active(self) -> None:
        if not self._node.active:
            raise ValueError("expected an active simulator; activate wm_sim first")
