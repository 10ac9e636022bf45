"""A film of a run: what the camera saw beside what the model imagined."""

from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np

RATE = 5  # frames a second
MOST_FRAMES = 300
SIDE = 288  # [px] of the camera's picture
MARK = (60, 255, 60)  # colour of the goal
FRAME = 24  # grey level around pictures


@dataclass(frozen=True)
class Shot:
    """One frame: camera picture (H, W, 3) uint8, imagined strip (h, k w, 3) uint8 or None, and a line of text.

    `goal`: where the camera sees it, shares of the picture's width and height.
    """

    camera: np.ndarray
    imagined: np.ndarray | None
    text: str
    goal: tuple[float, float] | None = None


def write_video(shots: list[Shot], file: Path) -> None:
    """Write an H.264 MP4 of the first MOST_FRAMES shots; well under 2 MB."""
    partial = file.with_name(f".{file.name}.part.mp4")
    with av.open(str(partial), "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.options = {"crf": "27", "preset": "veryfast"}
        stream.pix_fmt = "yuv420p"
        stream.height, stream.width = compose(shots[0]).shape[:2]
        for shot in shots[:MOST_FRAMES]:
            for packet in stream.encode(av.VideoFrame.from_ndarray(compose(shot), format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    partial.replace(file)


def compose(shot: Shot, views: int = 4) -> np.ndarray:
    """Picture (SIDE + 32, ...) with the camera on the left and the imagined top views, numbered in time, in a 2 x 2 grid on the right."""
    camera = cv2.resize(shot.camera, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    height, width = SIDE // 2, SIDE * 5 // 8  # a top view has 4 rows for 5 columns
    canvas = np.full((SIDE + 32, SIDE + 2 * width, 3), FRAME, np.uint8)
    if shot.goal is not None:
        place = tuple(round(SIDE * share) for share in shot.goal)
        cv2.drawMarker(camera, place, MARK, cv2.MARKER_CROSS, 14, 1, cv2.LINE_AA)
        cv2.circle(camera, place, 7, MARK, 1, cv2.LINE_AA)
    canvas[32:, :SIDE] = camera
    if shot.imagined is not None:
        for i, view in enumerate(np.array_split(shot.imagined, views, axis=1)):
            top, left = 32 + (i // 2) * height, SIDE + (i % 2) * width
            # x away from the robot is up, y to the left, as REP-103 has it
            canvas[top : top + height, left : left + width] = cv2.resize(
                view[::-1, ::-1], (width, height), interpolation=cv2.INTER_CUBIC
            )
            canvas[top : top + 1, left:], canvas[top:, left : left + 1] = FRAME, FRAME
            _write(canvas, str(i + 1), left + 8, top + height - 10, 0.42)
    _write(
        canvas,
        "imagined future, from above" if shot.imagined is not None else "nothing imagined yet",
        SIDE + 8,
        50,
        0.42,
    )
    _write(canvas, shot.text, 8, 21, 0.48)
    even = canvas[: canvas.shape[0] // 2 * 2, : canvas.shape[1] // 2 * 2]  # H.264 needs even sizes
    return np.ascontiguousarray(even)


def _write(canvas: np.ndarray, text: str, left: int, bottom: int, size: float) -> None:
    cv2.putText(canvas, text, (left, bottom), cv2.FONT_HERSHEY_SIMPLEX, size, (245, 245, 245), 1, cv2.LINE_AA)
