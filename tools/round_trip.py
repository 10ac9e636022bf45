"""Publishes an image in one process and receives it in another through the middleware; prints the milliseconds it took.

Run in the workspace environment. Exit status 1 when nothing arrived within ten seconds.
"""

from __future__ import annotations

import array
import subprocess
import sys
import time

import rclpy
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

TOPIC = "_wm_doctor/image"  # hidden: no camera of a robot in this domain
WIDTH, HEIGHT = 640, 480
PATIENCE = 10.0  # s


def publish() -> None:
    """Publishes images with the time of sending in the header, until it is stopped."""
    node = rclpy.create_node("wm_doctor_publisher")
    publisher = node.create_publisher(Image, TOPIC, qos_profile_sensor_data)
    message = Image(width=WIDTH, height=HEIGHT, encoding="rgb8", step=3 * WIDTH)
    message.data = array.array("B", bytes(3 * WIDTH * HEIGHT))
    while True:
        message.header.stamp = node.get_clock().now().to_msg()
        publisher.publish(message)
        time.sleep(0.1)


def receive() -> float | None:
    """Returns the latency [ms] of the second image that arrives (the first ones pay for the connection), or None."""
    node = rclpy.create_node("wm_doctor_subscriber")
    latencies: list[float] = []

    def arrived(message: Image) -> None:
        stamp = message.header.stamp
        now = node.get_clock().now().nanoseconds
        latencies.append((now - stamp.sec * 10**9 - stamp.nanosec) / 1e6)

    node.create_subscription(Image, TOPIC, arrived, qos_profile_sensor_data)
    end = time.monotonic() + PATIENCE
    while len(latencies) < 2 and time.monotonic() < end:
        rclpy.spin_once(node, timeout_sec=0.1)
    return latencies[-1] if latencies else None


def main() -> int:
    rclpy.init()
    if sys.argv[1:] == ["publish"]:
        publish()
    publisher = subprocess.Popen([sys.executable, __file__, "publish"])
    try:
        latency = receive()
    finally:
        publisher.kill()
        publisher.wait()
    if latency is None:
        print(f"no image arrived within {PATIENCE:.0f} s", file=sys.stderr)
        return 1
    print(f"{latency:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
