"""The images and compose files: they pass the linter, name what exists, and their health check tells the truth."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = ROOT / "docker/Dockerfile"
COMPOSE = sorted((ROOT / "docker").glob("compose*.yaml"))
SERVICES = [(file.name, name) for file in COMPOSE for name in yaml.safe_load(file.read_text())["services"]]


def words(command: str | list[str]) -> list[str]:
    """Of a command as compose takes it, a list or one text; variables have their defaults."""
    text = command if isinstance(command, str) else shlex.join(command)
    return shlex.split(re.sub(r"\$\{\w+(?::-([^}]*))?\}", r"\1", text))


def service(file: str, name: str) -> dict:
    return yaml.safe_load((ROOT / "docker" / file).read_text())["services"][name]


def test_the_dockerfile_passes_its_linter():
    linter = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([linter, DOCKERFILE], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_a_robot_gets_what_it_needs_to_run_and_no_compiler():
    """By the command of the Dockerfile."""
    (script,) = set(re.findall(r"sed (-e '1,/.*') packages.apt", DOCKERFILE.read_text()))
    packages = subprocess.run(["bash", "-c", f"sed {script} packages.apt"], cwd=ROOT, capture_output=True, text=True)
    names = packages.stdout.split()
    assert {"python3-venv", "libegl1", "libgomp1"} <= set(names)
    assert not {"g++", "cmake", "#"} & set(names)


# Kinds of objects that are kept for tests have meshes of pybullet_data; where it is not, they say so.
MESHES_OF_TESTS = ["ros2_ws/src/wm_sim/wm_sim/kinds.py"]


def test_what_a_robot_is_not_given_is_used_nowhere():
    """Of Python packages; that everything can still be imported, the health check of the built image says."""
    left_out = re.findall(r"-name (\w+)", DOCKERFILE.read_text().partition("AS slim")[2])
    assert "pybullet_data" in left_out
    used = subprocess.run(
        ["grep", "-rlwE", "--include=*.py", "--exclude-dir=test", "|".join(left_out), "ros2_ws/src", "tools"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert used.stdout.split() == MESHES_OF_TESTS


@pytest.mark.parametrize(("file", "name"), SERVICES)
def test_a_service_is_built_from_a_stage_and_arguments_that_exist(file, name):
    text, build = DOCKERFILE.read_text(), service(file, name)["build"]
    assert (ROOT / "docker" / build["context"] / build["dockerfile"]).samefile(DOCKERFILE)
    assert build["target"] in re.findall(r"^FROM .* AS (\w+)$", text, re.M)
    assert set(build["args"]) <= set(re.findall(r"^ARG (\w+)", text, re.M))


@pytest.mark.parametrize(("file", "name"), [each for each in SERVICES if each[1] != "workstation"])
def test_a_service_launches_a_file_with_arguments_that_it_has(file, name):
    verb, launch_file, *arguments = words(service(file, name)["command"])
    shown = subprocess.run([ROOT / "wm", verb, launch_file, "--show-args"], capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
    known = re.findall(r"^ {4}'(\w+)':", shown.stdout, re.M)
    assert {argument.split(":=")[0] for argument in arguments} <= set(known)


def test_a_command_is_a_list_or_a_text_of_words():
    assert words(["launch", "robot:=${WM_ROBOT:-ur5e}"]) == ["launch", "robot:=ur5e"]
    assert words("launch robot:=${WM_ROBOT:-ur5e}\n${WM_ARGUMENTS:-}\n") == ["launch", "robot:=ur5e"]


@pytest.mark.parametrize(("file", "name"), [each for each in SERVICES if each[1] != "stand_in"])
def test_what_the_documented_commands_write_outlives_the_container(file, name):
    """A container that is run with --rm leaves nothing behind but its volumes."""
    written = re.findall(r"\b(?:data=|out=)(\w+)/", (ROOT / "docs/containers.md").read_text())
    folders = {f"/opt/wm/{each}" for each in (*written, "bags", "runs")}
    data = yaml.safe_load((ROOT / "docker" / file).read_text())
    mounted = dict(each.split(":")[:2][::-1] for each in data["services"][name]["volumes"] if each[0].isalpha())
    assert folders <= set(mounted) and {mounted[each] for each in folders} <= set(data["volumes"])
    registry = re.search(r"WM_REGISTRY=(\S+)", DOCKERFILE.read_text())[1]
    assert any(Path(registry).is_relative_to(each) for each in folders)


@pytest.mark.ros
@pytest.mark.parametrize(
    ("status", "options", "healthy"),
    [("active", [], True), ("recovering", [], False), (None, [], False), (None, ["--joints"], True)],
)
def test_the_health_check(status, options, healthy, monkeypatch):
    monkeypatch.setenv("ROS_DOMAIN_ID", "77")
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    import rclpy
    from sensor_msgs.msg import JointState
    from std_msgs.msg import String

    from wm_core.qos import LATCHED, SENSOR

    rclpy.init(args=[])
    try:
        node = rclpy.create_node("robot")
        said = node.create_publisher(String, "wm/bringup", LATCHED)
        joints = node.create_publisher(JointState, "joint_states", SENSOR)
        if status is not None:
            said.publish(String(data=status))
        check = subprocess.Popen(
            [sys.executable, ROOT / "docker/healthy.py", *options], stdout=subprocess.PIPE, text=True
        )
        while check.poll() is None:
            joints.publish(JointState())
            try:
                check.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
        assert (check.returncode == 0) == healthy, check.stdout.read()
        node.destroy_node()
    finally:
        rclpy.try_shutdown()
