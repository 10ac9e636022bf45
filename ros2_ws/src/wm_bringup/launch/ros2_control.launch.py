"""A robot's arm and controllers: ros2 launch wm_bringup ros2_control.launch.py robot:=ur5e [use_mock_hardware:=false robot_ip:=...]"""

from launch import LaunchDescription
from wm_bringup.graph_ros2_control import ros2_control
from wm_bringup.launch_arguments import CONTROL_ARGUMENTS
from wm_bringup.ros_launch import description


def generate_launch_description() -> LaunchDescription:
    return description(CONTROL_ARGUMENTS, ros2_control)
