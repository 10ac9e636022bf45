"""In which file an episode lies: as meta/episodes says, or, where that index is stale, as the data says itself.

Datasets that were recorded in several goes, merged or cut may have episodes at the boundary of two files whose index still names the
file before (or after). Rows carry their episode's number; a video's frames are those of its episodes, one after the other.
"""

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import av

from wm_data.lerobot.layout import VIDEO, LeRobotError, Place, read_table

SLACK = 0.5  # frames by which a time may be off


class Places:
    """The files of a dataset's episodes. `stale`: what was found elsewhere than the index says, in words."""

    def __init__(self, folder: Path, info: dict[str, Any], rows: list[dict[str, Any]]) -> None:
        self._folder, self._info, self._rows = folder, info, rows
        self._episodes: dict[Path, set[int]] = {}  # by file
        self._videos: dict[str, list[tuple[Path, float]]] = {}
        self.stale: list[str] = []

    def rows_of(self, number: int) -> Path:
        """The Parquet file with the rows of an episode; raises LeRobotError naming the index that is stale."""
        row = self._rows[number]
        said = self._folder / Place(row["data/chunk_index"], row["data/file_index"]).path(self._info["data_path"])
        if number in self._episodes_in(said):
            return said
        found = [file for file in self._files(self._info["data_path"]) if number in self._episodes_in(file)]
        if not found:
            return said  # whoever reads it says what is wrong with it
        if len(found) > 1:
            raise LeRobotError(
                f"{self._folder / 'meta/episodes'}: episode {number}: data/file_index is stale: it names {said.name}, which lacks"
                f" the episode, and {', '.join(file.name for file in found)} all have rows of it; leave it in one of them"
            )
        self._note(number, "data/file_index", said, found[0])
        return found[0]

    def video_of(self, number: int, key: str) -> tuple[Path, float]:
        """The video with the frames of an episode, and the time [s] of its first in it; raises LeRobotError."""
        if key not in self._videos:
            self._videos[key] = self._placed(key)
        return self._videos[key][number]

    # -- inside --------------------------------------------------------------------------------------------------

    def _placed(self, key: str) -> list[tuple[Path, float]]:
        said = [self._said(row, key) for row in self._rows]
        lengths, fps = [row["length"] for row in self._rows], self._info["fps"]
        frames = {file: _frames(file) for file in sorted({file for file, _ in said if file.exists()})}
        if any(count is None for count in frames.values()):
            return said
        wrong = _wrong(said, lengths, frames, fps)
        if not wrong:
            return said
        files = self._files(self._info.get("video_path") or VIDEO, key)
        packed = _packed(lengths, {file: _frames(file) for file in files}, fps)
        if packed is None:
            if len(files) == 1:
                return said  # a video that was cut; whoever reads it says where it ends
            raise LeRobotError(
                f"{self._folder / 'meta/episodes'}: videos/{key}/file_index or from_timestamp is stale for the episodes {wrong}, and"
                f" the frames of {', '.join(file.name for file in files)} do not tell which are theirs; correct these rows: an"
                " episode begins where the one before it in its file ends"
            )
        for number, (before, after) in enumerate(zip(said, packed, strict=True)):
            if before[0] != after[0] or abs(before[1] - after[1]) * fps > SLACK:
                self._note(number, f"videos/{key}", before[0], after[0])
        return packed

    def _said(self, row: dict[str, Any], key: str) -> tuple[Path, float]:
        prefix = f"videos/{key}"
        try:
            place = Place(row[f"{prefix}/chunk_index"], row[f"{prefix}/file_index"])
            from_s = float(row[f"{prefix}/from_timestamp"])
        except KeyError as error:
            raise LeRobotError(
                f"{self._folder / 'meta/episodes'}: expected the column {error}; copy it again"
            ) from error
        return self._folder / place.path(self._info.get("video_path") or VIDEO, key), from_s

    def _files(self, template: str, key: str = "") -> list[Path]:
        """The files of a kind, in order."""
        pattern = re.sub(r"\{(chunk|file)_index[^}]*\}", "*", template).replace("{video_key}", key)
        return sorted(self._folder.glob(pattern))

    def _episodes_in(self, file: Path) -> set[int]:
        if file not in self._episodes:
            try:
                self._episodes[file] = set(read_table(file, ["episode_index"])["episode_index"].unique().to_pylist())
            except LeRobotError:  # whoever needs it says so
                self._episodes[file] = set()
        return self._episodes[file]

    def _note(self, number: int, index: str, said: Path, found: Path) -> None:
        self.stale.append(
            f"episode {number}: {index} in meta/episodes is stale: it names {said.name}, the data is in {found.name} and was read"
            " there"
        )


def _frames(file: Path) -> int | None:
    """How many frames a video has; None where it cannot be read."""
    try:
        with av.open(str(file)) as container:
            stream = container.streams.video[0]
            return stream.frames or sum(packet.size > 0 for packet in container.demux(stream))
    except (av.FFmpegError, OSError, IndexError):
        return None


def _wrong(said: list[tuple[Path, float]], lengths: list[int], frames: dict[Path, int | None], fps: float) -> list[int]:
    """Episodes whose frames are not in the file that is said, or which claim the frames of another one."""
    spans = [
        (file, round(from_s * fps), round(from_s * fps) + length, i)
        for i, ((file, from_s), length) in enumerate(zip(said, lengths, strict=True))
    ]
    wrong = {i for file, _, end, i in spans if end > (frames.get(file) or 0)}
    for (file, _, end, i), (other, begin, _, j) in pairwise(sorted(spans)):
        if file == other and begin < end:
            wrong |= {i, j}
    return sorted(wrong)


def _packed(lengths: list[int], frames: dict[Path, int | None], fps: float) -> list[tuple[Path, float]] | None:
    """Files and times of episodes that fill files one after the other; None where they do not fill them exactly."""
    placed: list[tuple[Path, float]] = []
    for file, count in frames.items():
        at = 0
        for length in lengths[len(placed) :]:
            if at + length > (count or 0):
                break
            placed.append((file, at / fps))
            at += length
        if at != count:
            return None
    return placed if len(placed) == len(lengths) else None
