"""Videos with many episodes one after the other, as LeRobot has them."""

from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path

import av
import numpy as np

from wm_data.lerobot.layout import VIDEO, VIDEO_MB, LeRobotError, Place

CRF, KEYFRAMES = 18, 2  # a key frame every so many frames, LeRobot's own: training reads at random
TOLERANCE_S = 1e-4  # LeRobot's, between a row's time and its frame's


class VideoWriter:
    """One camera's videos: a file is full at VIDEO_MB, and no episode lies in two."""

    def __init__(self, folder: Path, key: str, fps: int) -> None:
        self._folder, self._key, self._fps = folder, key, fps
        self.place = Place()
        self._container: av.container.OutputContainer | None = None
        self._frames = 0  # of the file
        self._bytes = 0
        self.info: dict[str, object] = {}

    def begin(self) -> float:
        """An episode begins; returns the time [s] of its first frame in the file."""
        if self._frames and self._bytes > VIDEO_MB << 20:
            self.close()
            self.place = self.place.following()
            self._frames = self._bytes = 0
        return self._frames / self._fps

    def add(self, rgb: np.ndarray) -> None:
        """A frame (H, W, 3) uint8."""
        if self._container is None:
            self._open(rgb.shape[0], rgb.shape[1])
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
        frame.pts = self._frames
        self._mux(frame)
        self._frames += 1

    @property
    def time(self) -> float:
        """[s] at the end of what is written."""
        return self._frames / self._fps

    def close(self) -> None:
        if self._container is not None:
            self._mux(None)
            self._container.close()
            self._container = None

    def _open(self, height: int, width: int) -> None:
        file = self._folder / self.place.path(VIDEO, self._key)
        file.parent.mkdir(parents=True, exist_ok=True)
        self._container = av.open(str(file), "w")
        stream = self._container.add_stream("libx264", rate=self._fps)
        stream.height, stream.width = height, width
        stream.pix_fmt = "yuv444p" if height % 2 or width % 2 else "yuv420p"  # halved colours need even sizes
        stream.options = {"crf": str(CRF), "g": str(KEYFRAMES), "preset": "veryfast"}
        self._stream = stream
        self.info = {
            "video.height": height,
            "video.width": width,
            "video.codec": "h264",
            "video.pix_fmt": stream.pix_fmt,
            "video.fps": self._fps,
            "video.channels": 3,
            "has_audio": False,
            "video.g": KEYFRAMES,
            "video.crf": CRF,
            "is_depth_map": False,
        }

    def _mux(self, frame: av.VideoFrame | None) -> None:
        assert self._container is not None
        for packet in self._stream.encode(frame):
            self._bytes += packet.size
            self._container.mux(packet)


class VideoReader:
    """Frames of one file in order, episode by episode."""

    def __init__(self, file: Path, fps: float) -> None:
        self._file, self._fps = file, fps
        self._frames = self._decoded()

    def episode(self, from_s: float, length: int) -> Iterator[np.ndarray]:
        """Frames (H, W, 3) uint8 of an episode that begins at a time in the file; raises LeRobotError."""
        for i in range(length):
            due = from_s + i / self._fps
            time, rgb = self._until(due - TOLERANCE_S, i, length)
            if abs(time - due) > TOLERANCE_S:
                raise LeRobotError(
                    f"{self._file}: expected a frame at {due:.3f} s, got one at {time:.3f} s; export it again"
                )
            yield rgb

    def close(self) -> None:
        self._frames.close()

    def _until(self, due: float, i: int, length: int) -> tuple[float, np.ndarray]:
        for time, rgb in self._frames:
            if time >= due:
                return time, rgb
        raise LeRobotError(
            f"{self._file}: expected {length} frames of an episode, the video ends after {i}; copy it again or export it again"
        )

    def _decoded(self) -> Generator[tuple[float, np.ndarray], None, None]:
        try:
            with closing(av.open(str(self._file))) as container:
                stream = container.streams.video[0]
                for frame in container.decode(stream):
                    if frame.pts is not None and stream.time_base is not None:
                        yield float(frame.pts * stream.time_base), frame.to_ndarray(format="rgb24")
        except (av.FFmpegError, OSError, IndexError) as error:
            raise LeRobotError(f"{self._file}: expected a readable video, got: {error}; copy it again") from error
