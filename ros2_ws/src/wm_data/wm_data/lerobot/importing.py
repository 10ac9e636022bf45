"""A LeRobot dataset v3.0 -> a dataset of wm."""

from pathlib import Path

from wm_bags.steps.step_spec import DEFAULT_STEPS, StepSpec
from wm_core.atomic import new_folder
from wm_core.kinematics import Kinematics
from wm_core.robot import DEFAULT_ROBOT, load_robot, robot_names
from wm_data.dataset import Dataset
from wm_data.dataset_build import Converter, merge_parts, write_part
from wm_data.lerobot.layout import read_info
from wm_data.lerobot.source import Source


def import_dataset(folder: Path, out: Path, rig: Path | None = None, steps: StepSpec = DEFAULT_STEPS) -> Dataset:
    """Build the dataset in `out`; it appears when it is complete. `steps`: that the source must have. Raises LeRobotError and BagError.

    What `wm lerobot export` wrote of bags gives the dataset that the bags give, but for the videos' loss.
    """
    robot = read_info(Path(folder)).get("robot_type")
    kinematics = Kinematics(load_robot(robot if robot in robot_names() else DEFAULT_ROBOT))
    source = Source.open(folder, kinematics, rig, steps)
    with new_folder(Path(out)) as work:
        converter = Converter(source.folder, source.profile, steps)
        for i, (facts, episodes) in enumerate(source.bags):
            write_part(source.folder, work / f"{i:05d}", converter, source.steps(episodes))
            print(f"lerobot: {facts['name']} ({i + 1} of {len(source.bags)} bags)", flush=True)
        for note in source.places.stale:
            print(f"lerobot: {note}", flush=True)
        merge_parts(work, list(range(len(source.bags))), [facts for facts, _ in source.bags], steps)
    return Dataset.load(out)
