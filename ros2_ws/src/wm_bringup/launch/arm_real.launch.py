"""wm on a robot: ros2 launch wm_bringup arm_real.launch.py robot:=ur5e rig:=my/rig.yaml [robot_ip:=192.168.1.10 ...]; docs/hardware.md"""

from launch import LaunchDescription
from wm_bringup.graph_real import arm_real
from wm_bringup.launch_arguments import REAL_ARGUMENTS
from wm_bringup.ros_launch import description


def generate_launch_description() -> LaunchDescription:
    return description(REAL_ARGUMENTS, arm_real)
