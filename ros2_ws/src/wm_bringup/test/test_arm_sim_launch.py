"""arm_sim.launch.py under ROS 2's own launch, wherever launch_pytest is installed; the same assertions as the embedded runner's."""

from pathlib import Path

import checks
import pytest

launch_pytest = pytest.importorskip("launch_pytest")
pytest.importorskip("launch_ros.actions")

from launch.actions import ExecuteProcess, IncludeLaunchDescription, SetEnvironmentVariable  # noqa: E402
from launch.launch_description_sources import PythonLaunchDescriptionSource  # noqa: E402
from launch_pytest.tools import process as process_tools  # noqa: E402

from launch import LaunchDescription  # noqa: E402

pytestmark = [pytest.mark.ros, pytest.mark.slow]
LAUNCH_FILE = Path(__file__).resolve().parents[1] / "launch/arm_sim.launch.py"


@pytest.fixture
def report(tmp_path):
    return tmp_path / "report.json"


@pytest.fixture
def sentinel(report):
    """Ends when the report's film, which is written last, is there."""
    film = report.with_suffix(".mp4")
    return ExecuteProcess(
        cmd=["sh", "-c", f"until [ -f '{film}' ]; do sleep 0.2; done; echo written"], cached_output=True
    )


@launch_pytest.fixture
def arm_sim(report, sentinel):
    arguments = {**checks.ARGUMENTS, "report": str(report)}
    return LaunchDescription(
        [
            SetEnvironmentVariable("ROS_DOMAIN_ID", "65"),
            SetEnvironmentVariable("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST"),
            sentinel,
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(str(LAUNCH_FILE)), launch_arguments=arguments.items()
            ),
            launch_pytest.actions.ReadyToTest(),
        ]
    )


@pytest.mark.launch(fixture=arm_sim)
def test_one_goal_from_pixels_in_lockstep(sentinel, report, launch_context):
    process_tools.wait_for_output_sync(launch_context, sentinel, lambda output: "written" in output, timeout=240)
    checks.check_report(report)
