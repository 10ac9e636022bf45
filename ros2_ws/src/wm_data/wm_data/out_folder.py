"""Guards the folder that a verb is to write: what somebody has there is not lost for a slip of the hand."""

from pathlib import Path

DATASET, LEROBOT = "dataset.json", "meta/info.json"  # by which a dataset of wm, and one of LeRobot, are known


def check_out(folder: Path, replace: bool, mark: str = DATASET, name: str = "--out") -> None:
    """Raise FileExistsError unless `folder` is new or empty, or, with `replace`, holds the file `mark`.

    `name`: of the option or argument that gave the folder.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / mark).is_file():
        raise FileExistsError(
            f"{name}: expected a new folder, {folder} holds something else than a dataset with {mark};"
            " give the folder to be written, as the last argument where it has no option"
        )
    if not replace:
        raise FileExistsError(
            f"{name}: expected a new folder, {folder} is there; --replace puts the new dataset in its place"
        )
