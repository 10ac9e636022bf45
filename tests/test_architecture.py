"""Rules of docs/architecture.md that no linter knows, checked on the source of all packages."""

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import source_files
from catkin_pkg.package import parse_package

import doctor

ROOT, PACKAGES, PYTHON_PACKAGES = source_files.ROOT, source_files.PACKAGES, source_files.PYTHON_PACKAGES
imports, sources, names = source_files.imports, source_files.sources, source_files.names

# A package imports only what stands in a line before its own: data flows down the list, never sideways (docs/architecture.md).
ROOMS = (
    {"wm_core", "wm_description", "wm_msgs"},
    {"wm_perception", "wm_dynamics", "wm_guard", "wm_sim", "wm_bags"},
    {"wm_planner"},
    {"wm_tasks"},
    {"wm_data"},
    {"wm_learning"},
    {"wm_evaluation"},
    {"wm_bringup"},
)
TRAIN = {"wm_learning", "wm_evaluation"}  # the others run on robots, without torch
DEVELOPMENT = TRAIN | {"wm_data"}

# Not listed by Python's metadata: installed by a .pth file, or a module without a package.
BESIDE_METADATA = {"pinocchio": ["pin"], "coal": ["coal"], "ruckig": ["ruckig"]}


@pytest.mark.parametrize("package", PYTHON_PACKAGES, ids=lambda package: package.name)
def test_only_learning_and_evaluation_import_torch(package: Path):
    if package.name not in TRAIN:
        assert not [path for path in sources(package) if "torch" in names(path)]


@pytest.mark.parametrize("package", PYTHON_PACKAGES, ids=lambda package: package.name)
def test_a_package_imports_only_rooms_before_its_own(package: Path):
    own = next(i for i, rooms in enumerate(ROOMS) if package.name in rooms)
    before = set().union(*ROOMS[: own or 1]) | {package.name}
    for path in sources(package):
        other = {name for name in names(path) if name.startswith("wm_")} - before
        assert not other, f"{path} imports {other}"


@pytest.mark.parametrize("package", PYTHON_PACKAGES, ids=lambda package: package.name)
def test_nobody_imports_the_node_of_another_package(package: Path):
    for path in sources(package):
        if path.name == "composed.py":  # the process of several nodes
            continue
        other = {name for name in imports(path) if re.fullmatch(r"wm_\w+\.node", name)}
        assert other <= {f"{package.name}.node"}, path


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_package_xml_is_valid_so_that_colcon_installs_a_ros_package(package: Path):
    """Of an invalid one colcon installs bare Python, without saying so, and `ros2 launch` does not find the package."""
    found: list[str] = []
    parsed = parse_package(str(package), warnings=found)
    assert parsed.get_build_type() in {"ament_python", "ament_cmake"} and not found


@pytest.mark.parametrize("package", PYTHON_PACKAGES, ids=lambda package: package.name)
def test_what_a_package_imports_is_in_its_package_xml(package: Path):
    declared = set(re.findall(r"<\w*depend[^>]*>([\w-]+)</", (package / "package.xml").read_text()))
    workspace = {other.name for other in PACKAGES} - {package.name}
    used = {name for path in sources(package) for name in names(path)}
    ros = {name for name in used if name == "rclpy" or name.endswith(("_msgs", "_srvs", "_interfaces"))}
    assert (used & workspace) | ros <= declared


@pytest.mark.parametrize("package", PYTHON_PACKAGES, ids=lambda package: package.name)
def test_what_a_package_imports_is_in_the_requirements(package: Path):
    files = ["requirements.txt"] + (["requirements-dev.txt"] if package.name in DEVELOPMENT else [])
    required = {name for file in files for name, _, _ in doctor.requirements((ROOT / file).read_text())}
    installed = {**packages_distributions(), **BESIDE_METADATA}
    ours = {other.name for other in PACKAGES} | {"launch", "launch_ros"}  # these two come with ROS 2
    for path in sources(package):
        for name in names(path) - ours - set(sys.stdlib_module_names) - {"__future__"}:
            if name == "rclpy" or name.endswith(("_msgs", "_srvs", "_interfaces")) or name.startswith("ament_index"):
                continue
            assert required & set(installed.get(name, ())), f"{path}: {name} is in none of {files}"


# What is called in one place: others go through it. Paths of source files, tests aside.
ONLY_IN = {
    "PlannerCore": {"wm_planner/factory.py"},  # what plans with a bundle is put together by make_planner_core
    "BeliefFilter": {
        "wm_dynamics/node.py",
        "wm_tasks/estimator.py",  # the only one in one process
        "wm_data/beliefs.py",  # of embeddings that were computed before
    },
    "PerceptionPipeline": {"wm_perception/node.py", "wm_tasks/estimator.py"},
    "set_target": {  # of the servos: by trajectories, by actions
        "wm_sim/sim_arm.py",
        "wm_sim/arm_sim.py",
        "wm_sim/driver.py",
        "wm_sim/scene_arm.py",
        "wm_sim/action_driver.py",
        "wm_sim/tool_driver.py",
    },
}


def calls(path: Path) -> set[str]:
    """Returns the last names of what a file calls: `b` of `a.b()`."""
    called = (node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    return {name.attr if isinstance(name, ast.Attribute) else getattr(name, "id", "") for name in called}


@pytest.mark.parametrize("name", ONLY_IN)
def test_what_is_made_in_one_place_is_made_nowhere_else(name: str):
    scripts = [*(ROOT / "bench").glob("*.py"), *(ROOT / "ros2_ws/src").glob("*/scripts/*.py")]
    files = [path for package in PYTHON_PACKAGES for path in sources(package)] + scripts
    found = {"/".join(path.parts[-2:]) for path in files if name in calls(path)}
    assert found == ONLY_IN[name]


FAMILIES = ROOT / "ros2_ws/src/wm_learning/wm_learning/families"
TRAINERS = re.compile(
    r"wm_data\b.*|wm_learning\.training\b.*|wm_learning\.families(\.\w+)?\.(training|seeing|video)\b.*"
)


@pytest.mark.parametrize("model", sorted(FAMILIES.glob("*/model.py")), ids=lambda model: model.parent.name)
def test_a_model_does_not_know_its_trainer(model: Path):
    """Nor does what it is made of: the modules of its family and of all families that it imports, and those that they import."""
    known, pending = set(), [model, FAMILIES / "base.py"]
    while pending:
        path = pending.pop()
        known.add(path)
        trainers = {name for name in imports(path) if TRAINERS.fullmatch(name)}
        assert not trainers, f"{path} imports {trainers}"
        inside = (name.split(".")[2:] for name in imports(path) if name.startswith("wm_learning.families."))
        modules = {FAMILIES.joinpath(*parts).with_suffix(".py") for parts in inside}
        pending += [module for module in modules if module.is_file() and module not in known]
    assert {model, FAMILIES / "parts.py", model.with_name("config.py")} <= known


@pytest.mark.parametrize("package", PYTHON_PACKAGES, ids=lambda package: package.name)
def test_only_verbs_read_the_command_line(package: Path):
    mechanism = ROOT / "ros2_ws/src/wm_core/wm_core/command_line.py"
    for path in sources(package):
        if "argparse" in names(path):
            assert path == mechanism or path.relative_to(package).parts[1] == "cli", f"{path} is no verb"


@pytest.mark.parametrize("package", PYTHON_PACKAGES, ids=lambda package: package.name)
def test_one_place_opens_bag_files(package: Path):
    storage = ROOT / "ros2_ws/src/wm_bags/wm_bags/storage"
    for path in sources(package):
        others = {
            name for name in imports(path) if re.match(r"mcap\b|sqlite3\b|rosbags\.(highlevel|rosbag2\.reader)", name)
        }
        assert not others or path.parent == storage, (
            f"{path} imports {others}; bags are read through wm_bags.storage.reading"
        )
