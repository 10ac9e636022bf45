"""The Python tools behind the entry script: mending the wheels, reading and locking the pins."""

import sys
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import animation
import doctor
import lock
import mend_wheels

ROOT = Path(__file__).resolve().parents[1]
NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True)
VERSIONS = st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){0,3}", fullmatch=True)
PYTHONS = st.tuples(st.just(3), st.integers(8, 20))

BAKED = "/opt/python/cp311-cp311/include/python3.11;/opt/python/cp311-cp311/lib/python3.11/site-packages/numpy/_core"


def test_baked_paths_are_replaced():
    assert mend_wheels.mend_text(BAKED, "/inc", "/site") == "/inc;/site/numpy/_core"


@given(st.text(), st.text(max_size=20), st.text(max_size=20))
def test_other_text_is_left_alone(text: str, include: str, site_packages: str):
    if "/opt/python/" not in text:
        assert mend_wheels.mend_text(text, include, site_packages) == text
        # any folder name survives, also one with backslashes
        assert mend_wheels.mend_text(text + BAKED, include, site_packages).endswith(f";{site_packages}/numpy/_core")


def test_files_are_mended_once(tmp_path: Path):
    cmake = tmp_path / "share/msgs/cmake/export.cmake"
    cmake.parent.mkdir(parents=True)
    cmake.write_text(BAKED)
    assert mend_wheels.mend(tmp_path, "/inc", "/site") == 1
    assert cmake.read_text() == "/inc;/site/numpy/_core"
    assert mend_wheels.mend(tmp_path, "/inc", "/site") == 0
    assert [path.name for path in cmake.parent.iterdir()] == ["export.cmake"]


@given(NAMES, VERSIONS, st.sampled_from(["", '; python_version >= "3.11"']), st.sampled_from(["", "   # why"]))
def test_requirement_lines_are_read(name: str, version: str, marker: str, reason: str):
    text = f"# header\n\n{name}=={version}{marker}{reason}\n"
    assert list(doctor.requirements(text)) == [(name, version, marker.lstrip("; "))]


@given(st.sampled_from(["<", ">=", "=="]), PYTHONS, PYTHONS)
def test_markers_compare_versions_as_numbers(operator: str, wanted: tuple[int, int], python: tuple[int, int]):
    expected = {"<": python < wanted, ">=": python >= wanted, "==": python == wanted}[operator]
    assert doctor.applies(f'python_version {operator} "{wanted[0]}.{wanted[1]}"', python) == expected


def test_a_marker_may_name_machines():
    for machine in ("x86_64", "aarch64"):
        assert doctor.applies('platform_machine == "x86_64"', (3, 11), machine) == (machine == "x86_64")
        assert doctor.applies('platform_machine != "x86_64"', (3, 11), machine) == (machine != "x86_64")


def test_unknown_marker_is_refused():
    with pytest.raises(ValueError, match="sys_platform"):
        doctor.applies('sys_platform == "linux"', (3, 11))


def test_wrong_pins_are_named():
    assert doctor.wrong_pins("pytest==0.1\nno-such-package==1.0\n") == [
        f"pytest {pytest.__version__} (wanted 0.1)",
        "no-such-package missing (wanted 1.0)",
    ]


@pytest.mark.parametrize("value", [0.0, 1.0, 2.0, 3.0])
def test_levels(value: float):
    finding = doctor.at_least(value, good=2.0, needed=1.0, detail="d", remedy="r")
    assert finding.level == {0.0: "FAIL", 1.0: "warn", 2.0: "ok", 3.0: "ok"}[value]
    assert bool(finding.remedy) == (finding.level != "ok")


def test_versions_that_differ_between_pythons_get_markers():
    merged = lock.merge({"3.10": {"numpy": "2.2", "mcap": "1.6"}, "3.11": {"numpy": "2.4", "mcap": "1.6", "av": "18"}})
    assert merged == [
        "av==18",
        "mcap==1.6",
        'numpy==2.2; python_version == "3.10"',
        'numpy==2.4; python_version == "3.11"',
    ]


@pytest.mark.parametrize("name", [path.name for path in ROOT.glob("requirements*.txt")])
def test_every_requirement_is_pinned_and_in_the_constraints(name: str):
    lines = [line.split("#")[0].strip() for line in (ROOT / name).read_text().splitlines()]
    assert all("==" in line for line in lines if line)
    constraints = {entry[0].lower().replace("_", "-"): set() for entry in doctor.requirements(_constraints())}
    for entry, version, _ in doctor.requirements(_constraints()):
        constraints[entry.lower().replace("_", "-")].add(version)
    for entry, version, marker in doctor.requirements((ROOT / name).read_text()):
        if doctor.applies(marker, sys.version_info[:2]):
            assert version in constraints[entry.lower().replace("_", "-")], entry


def _constraints() -> str:
    return (ROOT / "constraints.txt").read_text()


# --- the animation of README.md --------------------------------------------------------------------------------------


def film(file: Path, count: int) -> None:
    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=5)
        stream.pix_fmt, stream.width, stream.height = "yuv420p", 640, 320
        for i in range(count):
            picture = np.full((320, 640, 3), 20 * i, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def test_a_film_becomes_an_animation(tmp_path: Path):
    film(tmp_path / "run.mp4", 8)
    images = animation.frames(tmp_path / "run.mp4", 2, 7)
    animation.write_gif(images, tmp_path / "run.gif")
    with Image.open(tmp_path / "run.gif") as gif:
        assert (gif.n_frames, gif.size, gif.info["loop"]) == (5, (480, 240), 0)
        gif.seek(4)
        assert abs(int(np.asarray(gif.convert("RGB")).mean()) - 120) < 10
    with pytest.raises(SystemExit, match="no frames from 9"):
        animation.frames(tmp_path / "run.mp4", 9, None)


def test_the_animation_of_the_readme_is_small():
    file = ROOT / "docs/run.gif"
    assert file.stat().st_size < 2e6
    with Image.open(file) as gif:
        assert gif.n_frames > 30 and gif.width == animation.WIDTH
