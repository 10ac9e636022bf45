"""The latest picture of a run: whole at any moment, at most one a second, and no reason for a run to fail."""

import time

import cv2
import numpy as np
import pytest

from wm_core.paths import rig_path
from wm_core.rig import CameraRig
from wm_tasks import latest_picture
from wm_tasks.latest_picture import LatestPicture, announcement
from wm_tasks.video import SIDE, Shot, compose
from wm_tasks.views import seen_at


def shot(shade: int) -> Shot:
    return Shot(np.full((48, 48, 3), shade, np.uint8), None, f"shade {shade}")


def until(condition, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_the_file_shows_what_was_shown(tmp_path):
    file = tmp_path / "runs" / "latest.png"
    picture = LatestPicture(file, pytest.fail)
    assert picture.wants
    picture.show(Shot(np.tile(np.uint8([200, 100, 0]), (48, 48, 1)), None, "red"))
    picture.close()
    assert np.array_equal(
        cv2.imread(str(file))[..., ::-1], compose(Shot(np.tile(np.uint8([200, 100, 0]), (48, 48, 1)), None, "red"))
    )
    assert [path.name for path in file.parent.iterdir()] == ["latest.png"]


def test_at_most_one_in_a_period_and_never_half_of_one(tmp_path, monkeypatch):
    monkeypatch.setattr(latest_picture, "PERIOD_S", 0.3)
    file = tmp_path / "latest.png"
    picture = LatestPicture(file, pytest.fail)
    began, seen = time.monotonic(), set()
    while time.monotonic() < began + 1.0:
        if picture.wants:
            picture.show(shot(len(seen)))
        if file.exists():
            content = file.read_bytes()
            assert content.endswith(b"IEND\xaeB`\x82")
            seen.add(content)
        time.sleep(0.001)
    picture.close()
    assert 3 <= len(seen) <= 4


def test_to_show_takes_no_time(tmp_path, monkeypatch):
    monkeypatch.setattr(latest_picture, "compose", lambda shot: time.sleep(0.5) or compose(shot))
    picture = LatestPicture(tmp_path / "latest.png", pytest.fail)
    began = time.monotonic()
    picture.show(shot(1))
    assert time.monotonic() - began < 0.2
    picture.close()
    assert (tmp_path / "latest.png").exists()


def test_where_it_cannot_be_written_is_said_once(tmp_path, monkeypatch):
    monkeypatch.setattr(latest_picture, "PERIOD_S", 0.01)
    (tmp_path / "file").write_text("")
    said: list[str] = []
    picture = LatestPicture(tmp_path / "file" / "latest.png", said.append)
    for _ in range(3):
        until(lambda: picture.wants)
        picture.show(shot(1))
    picture.close()
    assert len(said) == 1 and str(tmp_path / "file") in said[0]


def test_a_run_says_what_it_does_and_where_it_is_seen():
    assert announcement("ten goals", "", "") == "ten goals"
    said = announcement("ten goals", "no display", "/runs/latest.png")
    assert (
        said == "ten goals; no window (no display); the latest picture, camera beside imagined future: /runs/latest.png"
    )


def test_the_goal_is_marked_where_the_camera_sees_it():
    camera = CameraRig.load(rig_path("two_cameras")).cameras[0]
    u, v = seen_at(camera, np.array([0.5, 0.0]))
    assert 0.3 < u < 0.7 and 0.3 < v < 0.7  # both cameras look at the middle of the table
    assert seen_at(camera, np.array([9.0, 0.0])) is None
    plain, marked = (compose(Shot(np.zeros((48, 48, 3), np.uint8), None, "", goal)) for goal in (None, (u, v)))
    rows, columns, _ = np.nonzero(plain != marked)
    assert abs(rows.mean() - (32 + SIDE * v)) < 2 and abs(columns.mean() - SIDE * u) < 2
