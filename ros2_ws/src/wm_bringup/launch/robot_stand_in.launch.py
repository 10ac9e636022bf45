"""A robot to rehearse on: ros2 launch wm_bringup robot_stand_in.launch.py robot:=ur5e camera:=realsense [sensor:=realistic ...]"""

from launch import LaunchDescription
from wm_bringup.graph_stand_in import robot_stand_in
from wm_bringup.launch_arguments import STAND_IN_ARGUMENTS
from wm_bringup.ros_launch import description


def generate_launch_description() -> LaunchDescription:
    return description(STAND_IN_ARGUMENTS, robot_stand_in)
