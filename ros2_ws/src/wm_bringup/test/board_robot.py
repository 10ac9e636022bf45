"""A robot that holds a board before a camera: follows trajectories to the letter, publishes joints and what the camera sees."""

import threading
import time

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import CameraInfo, Image, JointState
from trajectory_msgs.msg import JointTrajectory

from wm_core.kinematics import Kinematics
from wm_core.qos import SENSOR, STATE
from wm_core.rig import Camera, looking_at
from wm_core.rotations import pose_of
from wm_core.stamps import to_ns
from wm_perception.calibration.board import Board
from wm_sim.plates import Look, image_of

PLACE, TARGET = np.array([0.5, 0.72, 0.72]), np.array([0.5, 0.0, 0.1])
K = np.array([[600.0, 0, 322], [0, 600, 236], [0, 0, 1]])
D = np.array([0.05, -0.08, 0.0004, -0.0003, 0.0])
SHAPE = (480, 640)
CAMERA = Camera("camera_left", SHAPE[1], SHAPE[0], K, pose_of(looking_at(PLACE, TARGET), PLACE), 0.1, 3.0)
JOINTS_S, IMAGES_S = 0.02, 0.2


def rig_file(path, position=PLACE, target=TARGET):
    """A rig as a person with a tape measure writes it."""
    path.write_text(
        f"# measured by hand\nframe_id: table\ncameras:\n  - {{name: camera_left, width: 640, height: 480, fov_y_deg: 43,"
        f" position: {np.round(position, 3).tolist()}, look_at: {np.round(target, 3).tolist()}}}  # the left one\n"
    )
    return path


class BoardRobot:
    """Runs in threads of its own until `close`."""

    def __init__(
        self,
        kinematics: Kinematics,
        board: Board,
        held: np.ndarray,
        namespace: str,
        camera: Camera = CAMERA,
        controller_topic: str = "",
    ) -> None:
        self.kinematics, self.board, self.held, self.camera = kinematics, board, held, camera
        self.q = np.array(kinematics.robot.home.joints, float)
        self._motion: tuple[int, np.ndarray, np.ndarray] | None = None
        self._pattern, self._rng, self._ends = board.pattern(), np.random.default_rng(0), False
        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        self._node = rclpy.create_node("board_robot", namespace=namespace, context=self._context)
        self._joints = self._node.create_publisher(JointState, "joint_states", STATE)
        self._images = self._node.create_publisher(Image, "camera_left/color/image_raw", SENSOR)
        self._infos = self._node.create_publisher(CameraInfo, "camera_left/color/camera_info", SENSOR)
        topic = controller_topic or kinematics.robot.controller_topic
        self._node.create_subscription(JointTrajectory, topic, self._on_trajectory, STATE)
        self._node.create_timer(JOINTS_S, self._publish_joints)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._serve, self._see)]
        for thread in self._threads:
            thread.start()

    def place(self, q: np.ndarray) -> None:
        """As a person who guides it: to joints (n,) [rad]."""
        self._motion, self.q = None, np.array(q, float)

    def close(self) -> None:
        self._ends = True
        for thread in self._threads:
            thread.join()
        self._node.destroy_node()
        rclpy.try_shutdown(context=self._context)

    def _serve(self) -> None:
        while not self._ends:
            self._executor.spin_once(timeout_sec=0.05)

    def _on_trajectory(self, message: JointTrajectory) -> None:
        now = self._node.get_clock().now().nanoseconds
        begin = to_ns(message.header.stamp) or now
        seconds = [to_ns(point.time_from_start) for point in message.points]
        times = begin + np.array(seconds, np.int64)
        self._motion = (now, np.append(now, times), np.vstack([self.q, *(point.positions for point in message.points)]))

    def _publish_joints(self) -> None:
        now = self._node.get_clock().now()
        if self._motion is not None:
            _, times, places = self._motion
            self.q = np.array([np.interp(now.nanoseconds, times, column) for column in places.T])
        message = JointState(name=list(self.kinematics.joint_names), position=self.q.tolist())
        message.header.stamp = now.to_msg()
        self._joints.publish(message)

    def _see(self) -> None:
        kinematics, seen, image = Kinematics(self.kinematics.robot), None, None
        height, width = SHAPE
        while not self._ends:
            q, stamp = self.q, self._node.get_clock().now().to_msg()
            if seen is None or np.abs(q - seen).max() > 1e-5:
                position, rotation = kinematics.fk(q)
                pose = np.linalg.inv(self.camera.T_table_optical) @ pose_of(rotation, position) @ self.held
                image, seen = image_of(self._pattern, self.board.size, pose, K, D, SHAPE, self._rng, Look(samples=2)), q
            colour = Image(height=height, width=width, encoding="rgb8", step=3 * width, data=image.tobytes())
            info = CameraInfo(height=height, width=width, k=K.reshape(-1), d=D.tolist(), distortion_model="plumb_bob")
            colour.header.stamp = info.header.stamp = stamp
            self._infos.publish(info)
            self._images.publish(colour)
            time.sleep(IMAGES_S)
