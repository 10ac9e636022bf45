"""What must hold after arm_sim has run one episode, however it was started."""

import json
import os
import subprocess
import sys
from pathlib import Path

ARGUMENTS = {"real_time": "false", "episodes": "1", "seed": "10000"}


def launch(*arguments: str, domain: int) -> subprocess.Popen:
    """arm_sim.launch.py under the embedded runner, in a ROS domain of its own."""
    environment = {**os.environ, "ROS_DOMAIN_ID": str(domain), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    command = [sys.executable, "-m", "wm_bringup.cli", "launch", "arm_sim.launch.py", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)


def check_report(file: Path) -> None:
    """The report of one episode from pixels: reached, complete, with picture and film beside it."""
    report = json.loads(file.read_text())
    (episode,) = report["episodes"]
    assert report["success_rate_2cm"] == 1.0, (
        f"the goal was missed by {1000 * episode['final_distance_m']:.0f} mm: {episode['message']}"
    )
    assert episode["message"] == "reached" and 0 < episode["time_s"] <= 10
    assert report["seed"] == 10000 and report["world"] == "tabletop_block"
    assert report["cycles"] > 0 and report["deadline_misses"] == 0
    for name in ("camera_to_command", "encode", "filter", "plan"):
        assert report["latency_ms"][name]["p50"] > 0, name
    assert file.with_suffix(".png").stat().st_size > 0
    assert 0 < file.with_suffix(".mp4").stat().st_size < 2e6
