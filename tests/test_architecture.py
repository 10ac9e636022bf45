"""Rules of docs/architecture.md that no linter knows, checked on the source of all packages."""

import ast
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

import doctor

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = sorted(path.parent for path in (ROOT / "ros2_ws/src").glob("*/package.xml"))
PYTHON_PACKAGES = [package for package in PACKAGES if (package / "setup.py").is_file()]

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


def imports(path: Path) -> set[str]:
    """Returns the dotted names of the modules that a file imports."""
    found = set()
    for statement in ast.walk(ast.parse(path.read_text())):
        if isinstance(statement, ast.Import):
            found |= {alias.name for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom) and not statement.level:
            found |= {statement.module or ""} | {f"{statement.module}.{alias.name}" for alias in statement.names}
    return found


def sources(package: Path) -> list[Path]:
    return sorted((package / package.name).rglob("*.py"))


def names(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports(path)}


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


# -- each in one place -----------------------------------------------------------------------------------------------

# What is called in one place: others go through it. Paths of source files, tests aside.
ONLY_IN = {
    "PlannerCore": {"wm_planner/factory.py"},  # what plans with a bundle is put together by make_planner_core
    "BeliefFilter": {
        "wm_dynamics/node.py",
        "wm_tasks/estimator.py",  # the only one in one process
        "wm_data/beliefs.py",  # of embeddings that were computed before
    },
    "PerceptionPipeline": {"wm_perception/node.py", "wm_tasks/estimator.py"},
    "set_target": {"wm_sim/arm_sim.py", "wm_sim/driver.py", "wm_sim/action_driver.py"},  # by trajectories, by actions
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


# -- committed files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("package", PYTHON_PACKAGES, ids=lambda package: package.name)
def test_only_verbs_read_the_command_line(package: Path):
    mechanism = ROOT / "ros2_ws/src/wm_core/wm_core/command_line.py"
    for path in sources(package):
        if "argparse" in names(path):
            assert path == mechanism or path.relative_to(package).parts[1] == "cli", f"{path} is no verb"


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_the_readme_of_a_package_names_all_that_is_in_it(package: Path):
    """Modules and folders of a Python package (`name.py`, `name/`), files of interfaces; and nothing that is not there."""
    text = (package / "README.md").read_text()
    if package in PYTHON_PACKAGES:
        inside = (package / package.name).iterdir()
        found = {f"{path.name}{'/' * path.is_dir()}" for path in inside if not path.name.startswith("__")}
    else:
        found = {
            str(path.relative_to(package)) for kind in ("msg", "srv", "action") for path in package.glob(f"{kind}/*")
        }
    assert not {name for name in found if not re.search(rf"(?<![\w/]){re.escape(name)}", text)}
    table = "\n".join(line for line in text.splitlines() if line.startswith("|"))
    named = set(re.findall(r"(?<![\w./])[\w/]+\.(?:py|msg|srv|action)\b", table))
    known = {path.name for path in package.rglob("*") if path.is_file()}
    assert not {name for name in named if Path(name).name not in known}


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


def test_every_decision_is_in_the_list_of_them():
    decisions = ROOT / "docs/decisions"
    listed = re.findall(r"\(decisions/([\w.]+)\)", (ROOT / "docs/architecture.md").read_text())
    assert sorted(listed) == sorted(path.name for path in decisions.glob("*.md"))


# Words that only people of this project would understand, and what to write instead.
PRIVATE_WORDS = {
    "mind": "model, planner or bundle",
    "eyes": "perception, encoder or camera",
    "urge": "exploration target",
    "thing": "object, or what it is",
    "told": "published, reported, sent, given",
}


def committed(*suffixes: str) -> list[Path]:
    """Files of this checkout with these suffixes, also new ones that are not committed yet; this file aside."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    paths = (ROOT / name for name in files if name.endswith(suffixes))
    return [path for path in paths if path.is_file() and path != Path(__file__).resolve()]


def words(text: str) -> set[str]:
    """The words of a text in lower case and singular; `urge_of_arm`, `UrgeGoal` and `urges` have the word urge."""
    parts = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", text)
    return {word for part in parts for word in (part.lower(), part.lower().removesuffix("s"))}


@pytest.mark.parametrize(
    "text", ["an urge", "Things", "self._told", "UrgeGoal", "THING = 1", "draw_urges(2)", "cli/things/x", "Eyes"]
)
def test_private_words_are_found(text: str):
    assert words(text) & set(PRIVATE_WORDS)


def test_words_that_contain_a_private_one_are_not_it():
    assert not words("nothing surges, everything reminds of a threshold; do_anything, insurgent, eyelet") & set(
        PRIVATE_WORDS
    )


def test_code_documentation_and_messages_use_the_words_of_the_field():
    found = [
        f"{path.relative_to(ROOT)}:{number}: {word}: write {PRIVATE_WORDS[word]}"
        for path in committed(".py", ".md", ".msg", ".srv", ".action", ".yaml", ".sh")
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        for word in sorted(words(line) & set(PRIVATE_WORDS))
    ]
    assert not found, "\n".join(found)


def test_lines_of_documentation_are_at_most_140_characters():
    """Tables and indented blocks aside: they cannot be split. docs/benchmarks.md is made by a program."""
    found = [
        f"{path.relative_to(ROOT)}:{number}: {len(line)} characters"
        for path in committed(".md")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if len(line) > 140 and not line.startswith(("|", "    ")) and path != ROOT / "docs/benchmarks.md"
    ]
    assert not found, "\n".join(found)


def test_no_committed_file_names_a_folder_of_one_machine():
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, tracked.stdout.split("\0")):
        path = ROOT / name
        if path.suffix in {".py", ".md", ".yaml", ".xml", ".sh", ".txt", ".toml", ""} and path.is_file():
            assert not re.search(r"/(root|home/\w+)/|/work/(main|shared)", path.read_text(errors="replace")), name


def literals(path: Path) -> list[ast.Constant]:
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)]


def number(node: ast.AST) -> float | None:
    """The value of a literal number, with its sign."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = number(node.operand)
        return None if value is None else -value
    return node.value if isinstance(node, ast.Constant) and type(node.value) in (int, float) else None


def written() -> list[Path]:
    """Python that is neither data nor a test."""
    code = [path for package in PYTHON_PACKAGES for path in sources(package)]
    code += [path for package in PYTHON_PACKAGES for path in (package / "scripts").glob("*.py")]
    return code + [path for path in (ROOT / "bench").glob("*.py") if not path.stem.endswith("_test")]


def test_no_joint_or_link_of_a_robot_is_named_in_python():
    """They stand in its profile and URDF; `pusher` is the tool that wm itself brings along, the rest are words of ROS."""
    common = {"world", "base_link", "base", "flange", "tool0", "pusher"}
    parts: set[str] = set()
    for file in (ROOT / "ros2_ws/src/wm_description/robots").glob("*/*.urdf"):
        root = ElementTree.parse(file).getroot()
        parts |= {part.get("name", "") for part in [*root.findall("link"), *root.findall("joint")]} - common
    parts |= {re.sub(r"\d+$", "", part) for part in parts if re.search(r"_\w*\d+$", part)}  # f"panda_joint{i}"
    pattern = re.compile(r"(?<![A-Za-z0-9_])(?:" + "|".join(sorted(map(re.escape, parts))) + r")(?![A-Za-z0-9_])")
    found = {
        f"{path}:{text.lineno}: {name}"
        for path in written()
        for text in literals(path)
        if isinstance(text.value, str)
        for name in pattern.findall(text.value)
    }
    assert not found


def test_no_box_of_a_table_stands_in_python():
    """Where tools, objects and goals may be is in the files of robots, worlds and tasks."""
    boxes = set()
    for file in (ROOT / "ros2_ws/src/wm_description/robots").glob("*/profile.yaml"):
        reach, space = (yaml.safe_load(file.read_text())[name] for name in ("reach", "workspace"))
        for box in (reach, space):
            boxes |= {(box["x"][end], box["y"][end]) for end in (0, 1)} | {tuple(box["x"]), tuple(box["y"])}
    for file in (ROOT / "sim_worlds/worlds").glob("*.yaml"):
        world = yaml.safe_load(file.read_text())
        boxes |= {tuple(world["table"]["size"]), tuple(world["table"]["centre"])}
        boxes |= {tuple(world[region][corner]) for region in ("start", "goal") for corner in ("lower", "upper")}
    found = []
    for path in written():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Tuple | ast.List):
                values = [number(element) for element in node.elts]
                pairs = set(zip(values, values[1:], strict=False)) & boxes
                found += [f"{path}:{node.lineno}: {pair}" for pair in pairs]
    assert not found


# A latent's, readout's or embedding's numbers have names (wm_core.layout); families build theirs from a StateSpec.
@pytest.mark.parametrize("package", PYTHON_PACKAGES, ids=lambda package: package.name)
def test_no_constant_says_where_a_number_lies(package: Path):
    for path in sources(package):
        places = [
            call.lineno
            for call in ast.walk(ast.parse(path.read_text()))
            if isinstance(call, ast.Call)
            and isinstance(call.func, ast.Name)
            and call.func.id == "slice"
            and any(
                isinstance(bound, ast.Constant) and isinstance(bound.value, int) and bound.value for bound in call.args
            )
        ]
        assert not places, f"{path}: slices by number in the lines {places}"
