"""The closed loop in simulation: ros2 launch wm_bringup arm_sim.launch.py [world:=tabletop_mug episodes:=10 report:=FILE ...]"""

from launch import LaunchDescription
from wm_bringup.graph import arm_sim
from wm_bringup.launch_arguments import ARGUMENTS
from wm_bringup.ros_launch import description


def generate_launch_description() -> LaunchDescription:
    return description(ARGUMENTS, arm_sim)
