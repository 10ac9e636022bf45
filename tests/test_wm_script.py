"""The entry script as a person meets it, and the steps of its setup."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def wm(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [ROOT / "wm", *arguments], capture_output=True, text=True, env={**os.environ, **environment}, timeout=100
    )


def test_help_names_every_command():
    done = wm("--help")
    assert done.returncode == 0
    for command in ("launch", "test", "doctor", "collect", "dataset", "train", "reproduce", "bench", "run", "build"):
        assert command in done.stdout
    assert wm().stdout == done.stdout


def test_empty_launch_arguments_are_defaults_with_a_sourced_ros_too(tmp_path: Path):
    """ros2 launch refuses `name:=` as malformed; compose files pass it for what is not set."""
    script = (ROOT / "wm").read_text()
    launch = script[script.index("launch() {") : script.index("\nrun_tests()")]
    around = "set -euo pipefail; set_up() { :; }; enter_workspace() { :; }; ros_is_sourced() { :; }; exec() { printf '%s|' \"$@\"; }\n"
    words = "launch arm_real.launch.py camera:= 'rig:=my rig.yaml' robot_ip:= --show-args"
    done = subprocess.run(["bash", "-c", f"{around}{launch}\n{words} || :"], capture_output=True, text=True)
    assert done.stdout.startswith("ros2|launch|wm_bringup|arm_real.launch.py|rig:=my rig.yaml|--show-args|"), (
        done.stderr
    )


@pytest.mark.parametrize(
    ("typed", "meant"), [("lanch", "launch"), ("tests", "test"), ("docter", "doctor"), ("trian", "train")]
)
def test_unknown_command_names_the_closest(typed: str, meant: str):
    done = wm(typed)
    assert done.returncode == 1
    assert f"no command '{typed}' (did you mean './wm {meant}'?)" in done.stderr


def test_unknown_command_far_from_all_names_none():
    assert "did you mean" not in wm("xylophone").stderr


@pytest.mark.parametrize(("arguments", "said"), [(("launch",), "which launch file?"), (("run",), "which command?")])
def test_missing_argument_is_said(arguments: tuple[str, ...], said: str):
    done = wm(*arguments)
    assert done.returncode == 1 and said in done.stderr


def test_unknown_benchmark_lists_those_there_are():
    done = wm("bench", "nothing")
    assert done.returncode == 1
    assert "the benchmarks are:" in done.stderr and "no benchmark 'nothing'" in done.stderr


def test_run_enters_the_workspace_and_passes_the_status_on():
    assert wm("run", "python", "-c", "import rclpy, wm_msgs.msg").returncode == 0
    assert wm("run", "bash", "-c", "exit 7").returncode == 7
    done = wm("run", "bash", "-c", "echo $OMP_NUM_THREADS $VIRTUAL_ENV", OMP_NUM_THREADS="3")
    assert done.stdout.split()[0] == "3"


def test_another_pinocchio_on_pythonpath_is_not_taken(tmp_path: Path):
    """As of a sourced distribution: it was imported in place of the environment's, and failed without a remedy."""
    for name in ("pinocchio", "numpy"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise ImportError('numpy.core.multiarray failed to import')")
    (tmp_path / "only_there.py").write_text("")
    script = "import only_there, pinocchio, numpy, wm_core.kinematics; print(pinocchio.__file__, numpy.__file__)"
    done = wm("run", "python", "-c", script, PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "site-packages" in done.stdout and str(tmp_path) not in done.stdout
    shutil.rmtree(tmp_path / "numpy")
    ahead = f'PYTHONPATH={tmp_path}:$PYTHONPATH exec "$0" "$@"'  # whoever does not start through ./wm
    done = wm("run", "bash", "-c", ahead, "python", "-c", "import wm_core.kinematics")
    assert f"got {tmp_path}/" in done.stderr and "unset PYTHONPATH" in done.stderr
    done = wm("run", "bash", "-c", ahead, "python", "tools/doctor.py")
    line = next(line for line in done.stdout.splitlines() if line.split()[1:2] == ["imports"])
    assert line.startswith("FAIL") and f"pinocchio of {tmp_path}/pinocchio/__init__.py" in line


def test_second_start_does_nothing():
    wm("build")
    done = wm("build")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.ros
def test_doctor_finds_nothing_missing():
    done = wm("doctor")
    assert done.returncode == 0, done.stdout
    for name in ("machine", "Debian packages", "Python packages", "workspace", "publish, subscribe", "model bundle"):
        assert any(line.startswith(("ok", "warn")) and name in line for line in done.stdout.splitlines()), done.stdout


def test_doctor_of_what_runs_is_a_verb():
    done = wm("doctor", "--live", "--help")
    assert done.returncode == 0 and "--html FILE" in done.stdout and "--controller-topic" in done.stdout


def test_scripts_pass_shellcheck():
    files = [file for folder in ("tools", "docker") for file in (ROOT / folder).glob("*.sh")]
    scripts = ["wm", ".ci/run", *(str(file.relative_to(ROOT)) for file in files)]
    done = subprocess.run(["shellcheck", "-x", *scripts], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


# --- Debian packages: nothing is installed without the right to ------------------------------------------------------

NO_PACKAGES = 'dpkg-query() { echo "make installed"; }\n'
NOT_ROOT = "id() { echo 1000; }\nsudo() { return 1; }\n"


def test_without_root_the_exact_command_is_printed_and_nothing_is_done(shell, checkout: Path):
    done = shell(NO_PACKAGES + NOT_ROOT + "set_up")
    assert done.returncode == 1
    assert "sudo apt-get update && sudo apt-get install -y --no-install-recommends cmake g++ python3-dev" in done.stderr
    assert " make" not in done.stderr.split("apt-get install")[1]  # what is there is not asked for
    assert not (checkout / ".wm/venv").exists()


def test_as_root_only_the_missing_are_installed_and_only_once(shell, checkout: Path):
    script = NO_PACKAGES + 'id() { echo 0; }\napt-get() { :; }\nenv() { echo "$*" >> $ROOT/asked; }\n'
    script += "for i in 1 2; do fresh packages x || ensure_packages x; done"
    done = shell(script)
    assert done.returncode == 0, done.stderr
    assert "[1/5] installing Debian packages: cmake g++" in done.stderr
    asked = (checkout / "asked").read_text().splitlines()
    assert len(asked) == 1 and "libusb-1.0-0" in asked[0] and "make " not in asked[0].replace("cmake", "")


@pytest.mark.parametrize(
    ("machine", "said"),
    [
        ("uname() { [[ $1 == -s ]] && echo Linux || echo aarch64; }", "wm runs on Linux x86-64, this is Linux aarch64"),
        ("getconf() { return 1; }", "musl"),
        ('getconf() { echo "glibc 2.27"; }', "glibc 2.28 or later, this is 2.27"),
    ],
)
def test_unknown_machine_is_said(shell, machine: str, said: str):
    done = shell(machine + "\nset_up")
    assert done.returncode == 1 and said in done.stderr


# --- stamps: interrupting and repeating is safe ---------------------------------------------------------------------


def test_stamp_holds_until_inputs_change(shell):
    done = shell("write_stamp a one; fresh a one && echo same; fresh a two || echo other; fresh b one || echo none")
    assert done.stdout.split() == ["same", "other", "none"]


def test_killed_install_makes_a_new_environment(shell):
    done = shell(
        'write_stamp packages "$(sha256sum $ROOT/packages.apt)"; write_stamp venv "$(venv_inputs)"; begin pip\n'
        "ensure_venv() { echo remade; return 1; }\n"
        "set_up"
    )
    assert done.stdout == "remade\n"


def test_failed_step_shows_the_end_of_its_log_and_leaves_no_stamp(shell):
    done = shell('work() { echo the reason; return 3; }\nstep 3 "working" work && write_stamp w x || fresh w x')
    assert done.returncode == 1
    assert "[3/5] working ... failed" in done.stderr and "the reason" in done.stderr


def test_package_is_built_again_when_its_build_files_change_but_not_for_python(shell, checkout: Path):
    package = checkout / "ros2_ws/src/wm_example"
    record = "declare -A inputs; read_build_inputs; "
    record += 'write_stamp package-wm_example "${inputs[wm_example]}"; stale_packages'
    assert shell("stale_packages").stdout == "wm_example\n"
    assert shell(record).stdout == ""
    (package / "node.py").write_text("print()")
    assert shell("stale_packages").stdout == ""
    (package / "package.xml").write_text("<package format='3'/>")
    assert shell("stale_packages").stdout == "wm_example\n"
    assert shell(record).stdout == ""
    (package / "config.yaml").write_text("a: 1")  # a new data file has to be installed
    assert shell("stale_packages").stdout == "wm_example\n"


def test_two_setups_at_once_follow_each_other(shell):
    done = shell("is_set_up() { return 1; }\nsteps() { echo begin; sleep 0.3; echo end; }\nset_up & set_up & wait")
    assert done.stdout.split() == ["begin", "end", "begin", "end"]


def test_sourced_ros_is_used_and_kept_apart(shell):
    done = shell(
        "ros2() { :; }\nexport ROS_DISTRO=jazzy AMENT_PREFIX_PATH=/opt/ros/jazzy\n"
        '. "$ROOT/tools/setup.sh"; echo $VENV; requirement_files; enter_venv; echo $AMENT_PREFIX_PATH'
    )
    venv, *files, prefix = done.stdout.split()
    assert venv.endswith(".wm/jazzy/venv")
    assert "requirements.txt" in files and "requirements-ros.txt" not in files
    assert prefix == "/opt/ros/jazzy"


# --- pybullet: compiled where there is no wheel, once, and said beforehand ------------------------------------------


def fake_python(checkout: Path, minor: int) -> None:
    """A virtual environment whose Python 3.MINOR has no pybullet; pip writes down what it is asked for, a wheel is an empty file."""
    program = checkout / ".wm/venv/bin/python"
    program.parent.mkdir(parents=True)
    program.write_text(f"""#!/usr/bin/env bash
case "$*" in
--version) echo "Python 3.{minor}.0" ;;
*"sys.version_info <"*) [[ {minor} -ge 12 ]] ;;
*"sys.version_info[:2]"*) echo cp3{minor} ;;
*"import pybullet"*) exit 1 ;;
*" wheel "*)
    echo compile >> {checkout}/asked
    while [[ $1 != --wheel-dir ]]; do shift; done
    touch "$2/pybullet-$(sed -n 's/^pybullet==//p' {checkout}/constraints.txt)-cp3{minor}-cp3{minor}-linux_x86_64.whl" ;;
*) echo "${{*: -1}}" >> {checkout}/asked ;;
esac
""")
    program.chmod(0o755)


STEP_3 = 'export PATH="$VENV/bin:$PATH"; cd $ROOT; announce_compiling; compile_pybullet'


def test_pybullet_is_compiled_once_and_that_is_said_before(shell, checkout: Path):
    fake_python(checkout, 13)
    first = shell(STEP_3)
    assert first.returncode == 0, first.stderr
    assert "Python 3.13.0 has no ready-made pybullet" in first.stderr and "11 minutes of CPU time" in first.stderr
    wheel = next((checkout / ".wm/wheels").iterdir())
    assert (checkout / "asked").read_text().split() == ["setuptools", "compile", str(wheel)]
    (checkout / "asked").unlink()
    shutil.rmtree(checkout / ".wm/venv")
    fake_python(checkout, 13)  # made anew
    again = shell(STEP_3)
    assert (again.returncode, again.stderr) == (0, "")
    assert (checkout / "asked").read_text().split() == [str(wheel)]


def test_a_wheel_of_another_python_or_version_is_not_taken(shell, checkout: Path):
    fake_python(checkout, 13)
    (checkout / ".wm/wheels").mkdir()
    for name in ("pybullet-3.2.7-cp312-cp312-linux_x86_64.whl", "pybullet-0.0.1-cp313-cp313-linux_x86_64.whl"):
        (checkout / ".wm/wheels" / name).touch()
    assert shell("pybullet_wheel").returncode == 1
    assert "compiles it" in shell("announce_compiling").stderr


def test_nothing_is_compiled_where_there_is_a_wheel(shell, checkout: Path):
    fake_python(checkout, 11)
    done = shell(STEP_3)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (checkout / "asked").exists() and not (checkout / ".wm/wheels").exists()


# --- all tests -------------------------------------------------------------------------------------------------------

RUN_TESTS = re.search(r"^run_tests\(\) {.*?^}\n", (ROOT / "wm").read_text(), re.M | re.S).group()


@pytest.mark.parametrize(
    ("fails", "status"),
    [
        ("nothing", 0),
        ("-m not ros", 1),  # what computes
        ("-m ros --last-failed", 0),  # not run, for nothing failed
        ("-m ros", 1),  # fails again alone, as it begins in the same way
        ("ruff", 1),
        ("mypy", 1),
    ],
)
def test_all_tests_pass_only_when_each_part_does(shell, fails, status):
    stand_ins = f"""
        set_up() {{ :; }}; enter_workspace() {{ :; }}; isolate_ros() {{ :; }}; nice() {{ shift 2; "$@"; }}
        step_fails() {{ [[ "$*" == *"{fails}"* ]]; }}
        python() {{ ! step_fails "$@"; }}; ruff() {{ ! step_fails ruff; }}; mypy() {{ ! step_fails mypy; }}
    """
    assert shell(f"{stand_ins}\n{RUN_TESTS}\nrun_tests").returncode == status


def test_a_session_of_tests_that_died_is_a_failure(shell):
    stand_ins = """
        set_up() { :; }; enter_workspace() { :; }; isolate_ros() { :; }; nice() { :; }; ruff() { :; }; mypy() { :; }
        python() { [[ "$*" != *"-m ros" ]] || return 139; }
    """
    assert shell(f"{stand_ins}\n{RUN_TESTS}\nrun_tests").returncode == 139


def test_tests_of_nodes_that_failed_beside_the_others_may_pass_alone(shell):
    stand_ins = """
        set_up() { :; }; enter_workspace() { :; }; isolate_ros() { :; }; nice() { :; }; ruff() { :; }; mypy() { :; }
        python() { [[ "$*" != *"-m ros" ]]; }
    """
    done = shell(f"{stand_ins}\n{RUN_TESTS}\nrun_tests")
    assert done.returncode == 0 and "they run again alone" in done.stderr
