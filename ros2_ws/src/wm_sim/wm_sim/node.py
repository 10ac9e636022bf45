"""The wm_sim node: a simulated arm behind the topics of a real one."""

import time
from collections.abc import Sequence
from math import isfinite

from rclpy.lifecycle import TransitionCallbackReturn
from std_srvs.srv import SetBool
from wm_msgs.srv import DisturbObject, ResetWorld, SimFault, StepWorld

from wm_core.lifecycle import OK, WARN, WmNode
from wm_core.node_process import run
from wm_core.params import ConfigError
from wm_core.robot_source import ROBOT_RETIRED, robot_of
from wm_core.stamps import to_msg
from wm_sim.arm_interface import ArmInterface
from wm_sim.arm_sim import PHYSICS_HZ, ArmSim
from wm_sim.conversions import pose_message
from wm_sim.driver import Driver
from wm_sim.faults import Faults
from wm_sim.following_arm import FollowingArm
from wm_sim.gripper_interface import GripperInterface
from wm_sim.limit_watch import LimitWatch
from wm_sim.parameters import PARAMETERS, arm_lag, camera_profile, frame_period, joint_options
from wm_sim.resets import Resets
from wm_sim.scene_arm import SceneArm
from wm_sim.sensors import Sensors
from wm_sim.simulated import simulated

TICK = 0.01  # [s] between bursts of physics steps in real time
MAX_LAG_NS = 250_000_000  # further behind the wall clock than this, simulated time is dropped
# The same where the arm goes by the wall clock: pictures of it must not have earlier stamps than what they show.
FOLLOWER_LAG_NS = 50_000_000
REPEAT_AFTER = 1.0  # [s] without a trajectory in lockstep until the frames are sent again: sensor topics may lose some
# Then, where trajectories came before, a period passes without one: the guard may send nothing, and waits by this clock.
REPEATS = 2
MAX_STEP_PERIODS = 100
WATCH_STEPS = 3  # physics steps between what the arm's observer says in real time: rest is known to within 13 ms


class SimNode(WmNode):
    """Robot, table, object and cameras. Publishes what a robot's drivers would, takes joint trajectories.

    real_time: stamps are system time. fast: as fast as the machine allows, with `clock`. lockstep: with `clock`, one
    control period per accepted trajectory or `sim/step`, so the same seed and commands give the same bytes.
    """

    PARAMETERS = PARAMETERS
    RETIRED = ROBOT_RETIRED

    def __init__(self, **kwargs) -> None:
        super().__init__("wm_sim", **kwargs)
        if self.value("autostart"):
            for bring in (self.trigger_configure, self.trigger_activate):
                if bring() != TransitionCallbackReturn.SUCCESS:
                    raise ConfigError(
                        "expected parameters that work, see the error above; nobody else brings this node up"
                    )

    # -- lifecycle -----------------------------------------------------------------------------------------------

    def setup(self) -> None:
        profile, robot = camera_profile(self), robot_of(self)
        self._mode = self.value("mode")
        self._sim, rig, self._window = simulated(self, robot, profile)
        lockstep = self._mode == "lockstep"
        joints = joint_options(self)
        arm = self._sim.kinematics
        self._faults, self._watch = Faults(), LimitWatch(arm.description, arm.joint_names, 1 / PHYSICS_HZ)
        start_ns = round(self.value("start_time") * 1e9)
        self._resets = Resets(arm.joint_names, self._sim.home)
        self._period = frame_period(self, profile, len(rig.cameras))
        rate = None if joints is None or joints.dense else joints.rate
        self._driver = Driver(self._sim, self._period, rate, start_ns, self._watch, arm_lag(self))
        self._follower = FollowingArm(self, self._driver, self.value("follow")) if self.value("follow") else None
        self._sensors = Sensors(
            self,
            self._sim,
            rig,
            robot,
            profile=profile,
            joints=joints,
            clock=self._mode != "real_time",
            delayed=not lockstep,
            camera_clock_offset=self.value("camera_clock_offset"),
            faults=self._faults,
            watch=self._watch,
        )
        if isinstance(
            self._sim, SceneArm
        ):  # before the arm: in lockstep fingers go where the motion that comes with it goes
            GripperInterface(self, self._sim, robot)
        late = any(camera.sensor is not None and camera.sensor.delayed for camera in rig.cameras)
        if late and lockstep:
            self.get_logger().warning("latency and jitter need time that goes on by itself: in lockstep there are none")
        self._arm = self._follower or ArmInterface(
            self,
            self._driver,
            self._resets,
            self._faults,
            self.value("trajectory_topic") or robot.controller_topic,
            self.value("restart_time"),
            self.value("controller_state_rate"),
            self._on_accepted,
        )
        self.service(ResetWorld, "sim/reset", self._on_reset)
        self.service(DisturbObject, "sim/disturb", self._on_disturb)
        self.service(SetBool, "sim/pause", self._on_pause)
        self.service(StepWorld, "sim/step", self._on_step)
        self.service(SimFault, "sim/fault", self._on_fault)
        if self._mode == "real_time":
            fine = late or (joints is not None and joints.dense)
            self._pacer = self.every(1 / PHYSICS_HZ if fine else TICK, self._follow_wall_clock, wall=True)
        elif self._mode == "fast":
            self._pacer = self.every(0.001, self._advance_unless_paused, wall=True)
        else:
            self._pacer = self.every(0.1, self._repeat_frames, wall=True)
        self.every(1.0, self._report, wall=True)

    def start(self) -> None:
        self._paused = False
        self._owed = False  # a trajectory was accepted while paused in lockstep: its period is still to come
        self._published_at = -REPEAT_AFTER
        if not self.value("controller_active"):
            self._driver.deactivate()
        self._reset(self.value("seed"))
        self._reported = (time.monotonic_ns(), self._driver.now_ns)

    def teardown(self) -> None:
        if hasattr(self, "_sim"):
            self._sim.close()
            del self._sim
            if self._window is not None:
                self._window.close()

    # -- the arm -------------------------------------------------------------------------------------------------

    def _on_accepted(self, stamp_ns: int) -> None:
        # One that answers an older frame moves the arm but no time: else an extra one, say a hold of the guard, would
        # leave two frames under way for ever.
        if self._mode == "lockstep" and (stamp_ns == 0 or stamp_ns >= self._driver.now_ns):
            self._owed, self._repeats_left = True, REPEATS
            self._advance_if_owed()

    # -- time ----------------------------------------------------------------------------------------------------

    def _wall_ns(self) -> int:
        """Real time by the robot's clock."""
        return time.time_ns() + round(1e9 * self.value("clock_offset"))

    def _follow_wall_clock(self) -> None:
        if self._paused:
            return
        behind_ns, most_ns = self._wall_ns() - self._driver.now_ns, FOLLOWER_LAG_NS if self._follower else MAX_LAG_NS
        if not -1_000_000_000 < behind_ns < most_ns:  # the machine slept or was too slow, or the system clock was set
            self._driver.set_now(self._wall_ns())
            return
        for _ in range(behind_ns * PHYSICS_HZ // 1_000_000_000):
            self._step()

    def _advance_unless_paused(self) -> None:
        if not self._paused:
            self._advance()

    def _advance_if_owed(self) -> None:
        if self._owed and not self._paused:
            self._owed = False
            self._advance()

    def _advance(self) -> None:
        """One control period, up to and with its frames."""
        while not self._step():
            pass

    def _step(self) -> bool:
        """One physics step and the messages that are due; True when frames were."""
        self._arm.look()
        due = self._driver.step()
        self._sensors.stepped(self._driver.now_ns)
        if due.frames:
            self._publish_frames()
        elif due.joints:
            self._publish_joints()
        elif self._mode == "real_time" and self._driver.steps % WATCH_STEPS == 0:
            self._sensors.publish_watch(self._driver.now_ns)
        return due.frames

    def _reset(self, seed: int, object_xy: Sequence[float] | None = None) -> None:
        before_ns = self._driver.now_ns
        self._driver.reset(seed, object_xy)
        self._watch.placed()
        self._sensors.begin()
        if self._window is not None:
            self._window.reset(seed, object_xy)
        self._owed = False
        self._repeats_left = -1  # in lockstep; below 0 until a trajectory is accepted
        self._go_on(before_ns)
        if self._follower is not None:
            self._follower.place()
        else:  # No arm gets home in an instant by its own power: who watches over its joint states hears of it before.
            self._sensors.publish_placed(self._driver.now_ns)
        # Otherwise what answers an earlier frame may start up to a period later.
        grace = 0.0 if self._mode == "lockstep" else self._period
        self._resets.happened(self._driver.now_ns + round(grace * 1e9))

    def _go_on(self, since_ns: int) -> None:
        """Time starts or continues: in real time the present is now, but stamps never run back."""
        if self._mode == "real_time":
            self._driver.set_now(max(self._wall_ns(), since_ns))
            self._sensors.started()
            self._pacer.reset()  # physics ticks in phase with the frames: these are published when they are due

    def _repeat_frames(self) -> None:
        if self._paused or time.monotonic() - self._published_at < REPEAT_AFTER:
            return
        if self._repeats_left == 0:
            self._advance()
            return
        if self._repeats_left > 0:
            self._repeats_left -= 1
        self._publish_frames()

    # -- publishing ----------------------------------------------------------------------------------------------

    def _publish_joints(self) -> None:
        self._sensors.publish_joints(self._driver.now_ns)
        if self._window is not None and isinstance(self._sim, ArmSim):
            self._window.show(self._sim)

    def _publish_frames(self) -> None:
        """Everything there is to measure at this instant; images last, they start the next cycle."""
        self._publish_joints()
        self._sensors.publish_frames(self._driver.now_ns)
        self._published_at = time.monotonic()

    def _report(self) -> None:
        wall, simulated = time.monotonic_ns(), self._driver.now_ns
        factor = (simulated - self._reported[1]) / max(1, wall - self._reported[0])
        refused = self._arm.rejected > self._arm.rejected_before
        slow = self._mode == "real_time" and not self._paused and factor < 0.95
        problem = "too slow for real time" if slow else "trajectories refused" if refused else ""
        self.diagnose(
            WARN if problem else OK,
            problem or ("paused" if self._paused else "running"),
            mode=self._mode,
            world=self._sim.world.name,
            real_time_factor=f"{factor:.2f}",
            time_s=f"{simulated / 1e9:.3f}",
            controller="active" if self._driver.controlled else "inactive",
            trajectories_accepted=self._arm.accepted,
            trajectories_rejected=self._arm.rejected,
            trajectories_ignored=self._arm.ignored,
            last_rejection=self._arm.last_rejection,
        )
        self._reported, self._arm.rejected_before = (wall, simulated), self._arm.rejected

    # -- services ------------------------------------------------------------------------------------------------

    def _on_reset(self, request: ResetWorld.Request, response: ResetWorld.Response) -> ResetWorld.Response:
        self._require_active()
        self._reset(request.seed, request.object_xy if request.set_object else None)
        self._publish_frames()
        response.object = pose_message(*self._sim.object_pose())
        response.success, response.message = True, f"reset with seed {request.seed}"
        return response

    def _on_disturb(self, request: DisturbObject.Request, response: DisturbObject.Response) -> DisturbObject.Response:
        self._require_active()
        impulse, displacement = ([v.x, v.y, v.z] for v in (request.impulse, request.displacement))
        if not all(map(isfinite, impulse + displacement)):
            raise ValueError(f"expected finite impulse and displacement, got {impulse} and {displacement}")
        self._sim.disturb(impulse, displacement, request.hidden, request.object)
        response.success, response.message = True, "object hidden" if request.hidden else "object visible"
        return response

    def _on_fault(self, request: SimFault.Request, response: SimFault.Response) -> SimFault.Response:
        self._require_active()
        if not request.target:
            self._faults.clear()
        else:
            fault = request.target, request.kind, request.amount, request.duration
            self._faults.begin(*fault, self._driver.now_ns)
            if self._faults.arm(self._driver.now_ns) == "inactive":  # the arm stays where its controller was
                self._driver.controller.reset(self._driver.controller.sample(self._driver.now_ns))
        response.success, response.message = True, ", ".join(self._faults.names) or "no faults"
        return response

    def _on_pause(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self._require_active()
        if self._paused and not request.data:
            self._go_on(self._driver.now_ns)
        self._paused = request.data
        self._advance_if_owed()
        response.success, response.message = True, "paused" if request.data else "running"
        return response

    def _on_step(self, request: StepWorld.Request, response: StepWorld.Response) -> StepWorld.Response:
        self._require_active()
        if self._mode != "lockstep" and not self._paused:
            raise ValueError("expected a paused or lockstep simulation; call sim/pause first")
        if not 1 <= request.periods <= MAX_STEP_PERIODS:
            raise ValueError(f"expected 1 to {MAX_STEP_PERIODS} periods, got {request.periods}")
        self._go_on(self._driver.now_ns)
        for _ in range(request.periods):
            self._advance()
        response.success, response.message = True, f"advanced {request.periods} periods"
        response.time = to_msg(self._driver.now_ns)
        return response

    def _require_active(self) -> None:
        if not self.active:
            raise ValueError("expected an active simulator; activate wm_sim first")


def main() -> int:
    return run(SimNode)


if __name__ == "__main__":
    raise SystemExit(main())
