"""What launch files check of their arguments before anything is started. Every function raises LaunchError, which names the argument."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from wm_bringup.graph_parts import Node
from wm_bringup.launch_arguments import LaunchError
from wm_bringup.params_file import check_params_file
from wm_core.bundle import Bundle, BundleError
from wm_core.compatibility import FitError, check_fit, check_robot
from wm_core.paths import bundles_dir
from wm_core.registry import Registry
from wm_core.robot import RobotError, RobotProfile, load_robot, robot_names
from wm_core.task import Task, TaskError, load_task
from wm_guard.limits import Limits
from wm_planner.policy import POLICY

COMMANDS_MISSED = 1.5  # control periods without a command until the guard holds the arm
PROMOTED = "promoted"  # the bundle of which the registry says so
Loaded = TypeVar("Loaded")


def checked(argument: str, load: Callable[[], Loaded], *errors: type[Exception]) -> Loaded:
    """What `load` returns; one of `errors` says what is wrong with the argument."""
    try:
        return load()
    except errors as error:
        raise LaunchError(f"argument '{argument}': {error}") from error


def bundle_folders(value: str) -> tuple[str, str]:
    """Folders of the bundle to start with and of the registry to follow; the latter empty: none."""
    if value == PROMOTED:
        return checked("bundle", _promoted, ValueError, OSError)
    folder = Path(value).expanduser().absolute() if value else bundles_dir() / "default"
    if value and not (folder / "bundle.yaml").is_file():
        raise LaunchError(f"argument 'bundle': expected a folder with bundle.yaml, found none at {folder}")
    return str(folder), ""


def _promoted() -> tuple[str, str]:
    registry = Registry()
    return str(registry.path(registry.promoted().id)), str(registry.folder)


def robot_of(value: str, prefix: str = "") -> tuple[RobotProfile, str]:
    """The profile of a robot, and how it is given to nodes: by name, or by the absolute path of its file."""
    profile = checked("robot", lambda: load_robot(value, prefix), RobotError)
    return profile, value if value in robot_names() else str(profile.file)


def task_of(value: str, bundle: str, robot: RobotProfile) -> tuple[Task, str]:
    """A task that bundle and robot fit, and how it is given to nodes: by name, or by the absolute path of its file."""
    loaded = checked("bundle", lambda: Bundle.load(bundle), BundleError)

    def fitting() -> Task:
        task = load_task(value)
        check_fit(task, loaded)
        check_robot(task, robot)
        return task

    task = checked("task", fitting, TaskError, FitError)
    return task, value if value == task.name else str(task.path)


def silence_of(task: Task) -> dict[str, float]:
    """The guard's parameter for how long no command may come, where a task's are farther apart than its default allows."""
    longest = COMMANDS_MISSED * task.step_duration
    return {"timeout": longest} if longest > Limits.timeout + 1e-9 else {}


def check_planner(planner: str, bundle: str) -> None:
    """A policy is a planner only where the bundle has one."""
    if planner == POLICY and not (Path(bundle) / "policy.onnx").is_file():
        raise LaunchError(
            f"argument 'planner': expected a bundle with a policy, {bundle} has none; train one with ./wm policy, or choose another planner"
        )


def params_files(value: str, nodes: Sequence[Node], namespace: str) -> list[Path]:
    """The parameter file of the user, or none."""
    if not value:
        return []
    set_here = {node.name: node.parameters for node in nodes}
    return [check_params_file(value, {node.name: node.module for node in nodes}, set_here, namespace)]
