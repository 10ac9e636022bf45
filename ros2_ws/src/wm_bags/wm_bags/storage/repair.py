"""Makes a bag whole again after a crash or damage: index, checksums and metadata.yaml up to the last complete chunk.

A bag is never less than before. The original of a file stays until its repaired copy is complete, the bytes that could not be used
stay beside it, and a metadata.yaml that says what the files hold is not touched, whoever wrote it.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from wm_bags.storage.errors import BagError
from wm_bags.storage.files import OTHERS, ZSTD, gaps, is_storage, number, plain_name
from wm_bags.storage.mcap_file import lock
from wm_bags.storage.metadata import FILE, write_metadata
from wm_bags.storage.packing import CUT, pack
from wm_bags.storage.repair_file import FileState, inspect, mend
from wm_bags.storage.repair_metadata import Before, fits, information, read_before


@dataclass(frozen=True)
class Repair:
    """What was done to a bag: files as they were found, whether metadata.yaml was written anew, and what else there is to say."""

    folder: Path
    files: list[FileState]
    metadata: bool
    notes: tuple[str, ...] = ()

    def describe(self) -> str:
        lines = [file.describe() for file in self.files]
        for file in self.files:
            if not file.whole:
                lines.append(f"{file.path.name}: repaired, {file.index.messages} messages kept{_aside(file)}")
        lines += self.notes
        lines.append(f"{FILE}: {'written anew' if self.metadata else 'right as it is'}")
        return "\n".join(lines)


def repair(folder: Path, incomplete: bool = False) -> Repair:
    """Repair what needs it in a bag of MCAP files, also such that are compressed as wholes.

    `incomplete`: go on without files that are missing, which nobody would know of any more. Raises BagError, and OSError with
    everything as it was.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise BagError(f"{folder}: expected a bag's folder, got {'a file' if folder.exists() else 'nothing'}")
    paths = _files(folder)
    with ExitStack() as locks:
        for path in paths:
            locks.enter_context(_locked(path))
        before = read_before(folder)
        missing = _missing(paths, before)
        if missing and not incomplete:
            raise BagError(
                f"{folder}: expected all files of the split recording, {', '.join(missing)} is missing; copy it there, or, if it is"
                " lost, make a bag of what is left with --incomplete"
            )
        files, notes = _each_once([inspect(path) for path in paths], before)
        notes += [f"{name}: missing, left out" for name in missing]
        for file in files:
            if not file.whole:
                mend(file)
        if fits(before, files):
            return Repair(folder, files, False, tuple(notes))
        packed = _packed_alike(files)
        notes += [f"{file.path.name}: compressed, as the others of the bag are" for file in packed if file not in files]
        write_metadata(folder, information(packed, before))
        for file, copy in zip(files, packed, strict=True):
            if file is not copy:
                file.path.unlink()
    return Repair(folder, files, True, tuple(notes))


def _aside(file: FileState) -> str:
    """In words: what of a file lies beside it."""
    if file.packed:
        return f", the file as it was put aside in {file.path.name}{CUT}"
    cut = sum(damage.end - damage.start for damage in file.damages)
    return f", {cut} bytes put aside in {file.path.name}{CUT}" if cut else ""


def _files(folder: Path) -> list[Path]:
    """The MCAP files of a bag in order. Raises BagError where there are none, or others, which a new metadata.yaml would lack."""
    inside = sorted(folder.iterdir(), key=number)
    paths = [path for path in inside if is_storage(path) and path.is_file()]
    mcap = [path for path in paths if Path(plain_name(path)).suffix == ".mcap"]
    if not mcap:
        raise BagError(f"{folder}: expected .mcap files, got none; sqlite3 is repaired by 'ros2 bag reindex'")
    if mcap != paths:
        others = ", ".join(path.name for path in paths if path not in mcap)
        raise BagError(f"{folder}: expected files of one storage, got .mcap and {others}; move those of the other away")
    if strange := [path.name for path in inside if path.suffix in OTHERS and is_storage(path.with_suffix(""))]:
        raise BagError(
            f"{folder}: expected .mcap files or such that rosbag2 compressed ({ZSTD}), got {', '.join(strange)}; unpack them first"
        )
    return mcap


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Nobody writes the file meanwhile: what a recorder adds to a file that was replaced would be lost."""
    writable = os.access(path, os.W_OK)  # NFS locks only what is open to be written
    with open(path, "rb+" if writable else "rb") as stream:
        try:
            lock(stream.fileno())
        except BlockingIOError as error:
            raise BagError(f"{path}: is being recorded or repaired; end the recording first") from error
        yield


def _missing(paths: list[Path], before: Before) -> list[str]:
    """Files of a split recording that are not there: by metadata.yaml or, without one, by their numbers."""
    if not before.whole:
        return [f"number {gap} of the split" for gap in gaps(paths)]
    present = {plain_name(path) for path in paths}
    return [name for name in before.files if plain_name(name) not in present]


def _each_once(states: list[FileState], before: Before) -> tuple[list[FileState], list[str]]:
    """Of a file that is there both compressed and not, the one that holds more, and what is said of the other.

    Whoever is killed while he compresses or unpacks leaves both.
    """
    best: dict[str, FileState] = {}
    left: list[FileState] = []
    for state in states:
        name = plain_name(state.path)
        other = best.setdefault(name, state)
        if other is not state:
            best[name] = max(state, other, key=lambda each: _worth(each, before))
            left.append(other if best[name] is state else state)
    return list(best.values()), [
        f"{state.path.name}: another copy of {plain_name(state.path)}, not used" for state in left
    ]


def _worth(state: FileState, before: Before) -> tuple[bool, int, bool, bool]:
    return state.whole, state.index.messages, state.path.name in before.files, not state.packed


def _packed_alike(files: list[FileState]) -> list[FileState]:
    """Compress the rest where some are: rosbag2 plays either. What they are copies of is still there."""
    if not any(file.packed for file in files):
        return files
    packed = []
    for file in files:
        if not file.packed:
            target = file.path.with_name(file.path.name + ZSTD)
            pack(file.path, target)
            file = replace(file, path=target)
        packed.append(file)
    return packed
