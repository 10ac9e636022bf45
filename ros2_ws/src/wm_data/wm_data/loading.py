"""Data by place: datasets as they are, bags converted once."""

import os
from pathlib import Path

from wm_bags.steps.step_spec import DEFAULT_STEPS, StepSpec
from wm_bags.storage.reading import is_bag
from wm_core.config import SettingError
from wm_data.dataset import Dataset
from wm_data.dataset_build import Reading, bag_facts, build_dataset
from wm_data.dataset_files import DatasetError, read_facts


def find_bags(places: list[Path]) -> list[Path]:
    """The bags among some folders: each is one, or holds some. Raises SettingError for a folder without any, and for one twice."""
    bags = []
    for place in places:
        found = [place] if is_bag(place) else sorted(child for child in place.glob("*") if is_bag(child))
        if not found:
            raise SettingError(f"expected a dataset, a bag or a folder of bags, found none in {place}")
        bags += found
    if twice := [bag for i, bag in enumerate(bags) if bag.resolve() in {other.resolve() for other in bags[:i]}]:
        raise SettingError(f"expected different bags, got {twice[0]} twice: its held-out episodes would be trained on")
    return bags


def load_data(
    places: list[Path], work: Path, workers: int = 2, video: bool = False, steps: StepSpec | None = None
) -> Dataset:
    """The datasets in some folders and one built from the bags among them (once) under `work`, as one dataset.

    `video`: only cameras and joints are used. `steps`: those in which bags are read, and which datasets must have (default: bags in
    those of the default task, datasets as they are). Raises DatasetError, BagError and SettingError.
    """
    if not places:
        raise SettingError("expected data=FOLDER: a dataset, a bag or a folder of bags")
    stored = [place for place in places if (place / "dataset.json").is_file()]
    parts = [Dataset.load(place) for place in stored]
    for place, part in zip(stored, parts, strict=True):
        if steps and (differs := steps.mismatch(part.steps)):
            raise DatasetError(f"{place}: {differs}; build it again with the --task that is meant")
    if bags := find_bags([place for place in places if place not in stored]):
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:  # set by torchrun
            raise SettingError(
                "expected datasets, not bags, with several processes; build one first: wm dataset BAGS --out DATASET"
            )
        reading = Reading(video=video, steps=steps or DEFAULT_STEPS)
        parts.append(_built(bags, work / ("video" if video else "dataset"), workers, reading))
    return Dataset.join([part.as_video() for part in parts] if video else parts)


def _built(bags: list[Path], folder: Path, workers: int, reading: Reading) -> Dataset:
    """The dataset of some bags, as it is in `folder` when it was built from the same ones, in the same steps."""
    try:
        if read_facts(folder)["bags"] == [bag_facts(bag) for bag in bags]:
            data = Dataset.load(folder)
            if reading.steps.mismatch(data.steps) is None:
                return data
    except DatasetError:  # none yet, torn, or of an older version: the bags are here, so it is built again
        pass
    return build_dataset(bags, folder, workers, reading)
