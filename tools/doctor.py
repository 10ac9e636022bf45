"""`./wm doctor`: checks every requirement of wm, one line each: ok, warn or FAIL with the remedy. Exits 1 on FAIL.

Needs nothing but Python's standard library, so that it also runs where nothing is set up yet. `./wm` tells it through
the environment: WM_STALE (packages of ros2_ws that are not built), WM_DISTRO (the sourced ROS 2, empty for the wheels).
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OK, WARN, FAIL = "ok", "warn", "FAIL"
GB = 1e9
SETUP = "run ./wm setup"
COMPILED = ("numpy", "pinocchio", "coal", "cv2", "onnxruntime")  # of which a distribution may have others


@dataclass(frozen=True)
class Finding:
    """What a check found: `level` ok, warn or FAIL; `remedy` is empty when ok."""

    level: str
    detail: str
    remedy: str = ""


def at_least(value: float, good: float, needed: float, detail: str, remedy: str) -> Finding:
    """FAIL below `needed`, warn below `good`, else ok."""
    level = FAIL if value < needed else WARN if value < good else OK
    return Finding(level, detail, "" if level == OK else remedy)


def requirements(text: str) -> Iterator[tuple[str, str, str]]:
    """Yields (name, version, marker) of the lines `name==version; marker  # reason` of a requirement file."""
    for line in text.splitlines():
        requirement, _, marker = line.split("#")[0].partition(";")
        name, separator, version = requirement.strip().partition("==")
        if separator:
            yield name.strip(), version.strip(), marker.strip()


def applies(marker: str, python: tuple[int, int], machine: str = platform.machine()) -> bool:
    """Whether a marker of ours holds: `python_version OP "3.N"` for `python` (major, minor), `platform_machine OP "NAME"`, or empty."""
    if not marker:
        return True
    if match := re.fullmatch(r'platform_machine (==|!=) "(\w+)"', marker):
        return (machine == match[2]) == (match[1] == "==")
    match = re.fullmatch(r'python_version (>=|<|==) "(\d+)\.(\d+)"', marker)
    if match is None:
        raise ValueError(f"expected a marker like 'python_version >= \"3.11\"', got {marker!r}")
    other = (int(match[2]), int(match[3]))
    return {">=": python >= other, "<": python < other, "==": python == other}[match[1]]


def wrong_pins(text: str) -> list[str]:
    """Returns what of a requirement file is not installed as pinned, for example 'numpy 2.1 (wanted 2.4.6)'."""
    wrong = []
    for name, version, marker in requirements(text):
        if not applies(marker, sys.version_info[:2]):
            continue
        try:
            found = metadata.version(name).split("+")[0]
        except metadata.PackageNotFoundError:
            found = "missing"
        if found != version:
            wrong.append(f"{name} {found} (wanted {version})")
    return wrong


def run(command: list[str], timeout: float = 60.0) -> str:
    """Returns the output of a command; RuntimeError with its last line when it fails or takes too long."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, cwd=ROOT)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"no answer within {timeout:.0f} s") from None
    if done.returncode:
        raise RuntimeError((done.stderr.strip() or f"exit status {done.returncode}").splitlines()[-1])
    return done.stdout.strip()


def distribution() -> str:
    """The sourced ROS 2 distribution; empty where the wheels are used."""
    return os.environ.get("WM_DISTRO", "")


def machine() -> Finding:
    libc, version = platform.libc_ver()
    system = platform.freedesktop_os_release() if Path("/etc/os-release").is_file() else {}
    detail = f"{system.get('PRETTY_NAME', platform.system())}, {platform.machine()}, {libc or 'no glibc'} {version}"
    if not distribution() and (platform.machine() != "x86_64" or libc != "glibc"):
        return Finding(FAIL, detail, "use Debian 12 or Ubuntu on x86-64, or source a ROS 2 distribution")
    if "debian" not in f"{system.get('ID', '')} {system.get('ID_LIKE', '')}":
        return Finding(WARN, detail, "not Debian or Ubuntu: install what packages.apt names yourself")
    return Finding(OK, detail)


def resources() -> Finding:
    cores = len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / GB
    detail = f"{cores} cores, {memory:.0f} GB memory"
    remedy = "10 Hz control with simulation wants two cores and 4 GB"
    return at_least(min(cores / 2, memory / 3.9), 1.0, 0.25, detail, remedy)


def disk() -> Finding:
    free = shutil.disk_usage(ROOT).free / GB
    return at_least(free, 5.0, 0.5, f"{free:.0f} GB free", "free some: setup needs 3 GB, training and bags more")


def debian_packages() -> Finding:
    if not shutil.which("dpkg-query"):
        return Finding(WARN, "no dpkg here, not checked", "install what packages.apt names")
    wanted = [line.split()[0] for line in (ROOT / "packages.apt").read_text().splitlines() if line[:1] not in ("", "#")]
    lines = run(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n"]).splitlines()
    missing = [name for name in wanted if f"{name} installed" not in lines]
    if missing:
        return Finding(FAIL, f"missing: {' '.join(missing)}", f"sudo apt-get install {' '.join(missing)}")
    return Finding(OK, f"all {len(wanted)} of packages.apt")


def python() -> Finding:
    detail = f"{platform.python_version()} at {sys.executable}"
    if not (3, 10) <= sys.version_info[:2] <= (3, 13):
        return Finding(FAIL, detail, "install Python 3.10 to 3.13, then run ./wm setup")
    if sys.prefix == sys.base_prefix:
        return Finding(FAIL, f"{detail}, no virtual environment yet", SETUP)
    return Finding(OK, detail)


def ros() -> Finding:
    script = "import rclpy; from importlib.metadata import version; print(version('rclpy'))"
    return Finding(OK, f"{distribution() or 'Jazzy wheels'}, rclpy {run([sys.executable, '-c', script])}")


def pins() -> Finding:
    files = ["requirements.txt", "requirements-colcon.txt"] + ([] if distribution() else ["requirements-ros.txt"])
    wrong = [pin for name in files for pin in wrong_pins((ROOT / name).read_text())]
    return Finding(FAIL, ", ".join(wrong), SETUP) if wrong else Finding(OK, f"as pinned in {', '.join(files)}")


def imports() -> Finding:
    """Whether compiled packages are the environment's own: PYTHONPATH, as a distribution sets it, comes ahead of them."""
    script = (
        "import importlib.util as util, sys; "
        f"found = {{name: util.find_spec(name) for name in {COMPILED}}}; "
        "print(*(f'{n} of {s.origin}' for n, s in found.items() if s and s.origin and not s.origin.startswith(sys.prefix)), "
        "sep=', ')"
    )
    if other := run([sys.executable, "-c", script]):
        return Finding(FAIL, f"PYTHONPATH puts others ahead: {other}", "start through ./wm, or: unset PYTHONPATH")
    run([sys.executable, "-c", f"import {', '.join(COMPILED)}"])
    return Finding(OK, f"{', '.join(COMPILED)} are the environment's")


def development() -> Finding:
    wrong = wrong_pins((ROOT / "requirements-dev.txt").read_text())
    if wrong:
        return Finding(OK, "not installed; ./wm test and ./wm train do that when they need them")
    return Finding(OK, "as pinned in requirements-dev.txt")


def overlay() -> Finding:
    stale = os.environ.get("WM_STALE", "")
    return Finding(FAIL, f"not built: {stale}", "run ./wm build") if stale else Finding(OK, "all packages are built")


def interfaces() -> Finding:
    run([sys.executable, "-c", "import wm_msgs.msg, wm_msgs.srv, wm_msgs.action"])
    return Finding(OK, "wm_msgs imports")


def shared_memory() -> Finding:
    free = shutil.disk_usage("/dev/shm").free / 1e6
    remedy = "in Docker: --shm-size=1g; else mount -o remount,size=1g /dev/shm"
    return at_least(free, 500, 100, f"{free:.0f} MB free in /dev/shm", remedy)


def dds_profile() -> Finding:
    path = os.environ.get("FASTRTPS_DEFAULT_PROFILES_FILE")
    if not path:
        return Finding(WARN, "none set: large images get lost", "use ./wm, or set FASTRTPS_DEFAULT_PROFILES_FILE")
    xml.etree.ElementTree.parse(path)
    return Finding(OK, os.path.relpath(path, ROOT))


def round_trip() -> Finding:
    milliseconds = run([sys.executable, str(ROOT / "tools/round_trip.py")], timeout=30)
    return Finding(OK, f"an image from process to process in {milliseconds} ms")


def bundle() -> Finding:
    script = (
        "from wm_core.bundle import Bundle; from wm_core.paths import bundles_dir; "
        "print(Bundle.load(bundles_dir() / 'default').id)"
    )
    return Finding(OK, f"default: {run([sys.executable, '-c', script])}")


# (name, check, remedy when the check itself breaks)
CHECKS: tuple[tuple[str, Callable[[], Finding], str], ...] = (
    ("machine", machine, "report this"),
    ("cores and memory", resources, "report this"),
    ("disk", disk, "report this"),
    ("Debian packages", debian_packages, "report this"),
    ("Python", python, "report this"),
    ("ROS 2", ros, SETUP),
    ("Python packages", pins, SETUP),
    ("imports", imports, "unset PYTHONPATH and LD_LIBRARY_PATH, then run ./wm doctor again; else ./wm setup"),
    ("test and training", development, "run ./wm test"),
    ("workspace", overlay, "run ./wm build"),
    ("interfaces", interfaces, "run ./wm build"),
    ("shared memory", shared_memory, "mount a tmpfs of 1 GB at /dev/shm"),
    ("Fast DDS profile", dds_profile, "mend the XML, or unset FASTRTPS_DEFAULT_PROFILES_FILE"),
    ("publish, subscribe", round_trip, "check firewall and /dev/shm; other programs on ROS_DOMAIN_ID?"),
    ("model bundle", bundle, "restore ros2_ws/src/wm_bringup/bundles with git, or run ./wm reproduce"),
)


def main() -> int:
    failed = 0
    for name, check, remedy in CHECKS:
        try:
            finding = check()
        except Exception as error:  # a check that breaks is a finding, and the others still run
            finding = Finding(FAIL, f"{type(error).__name__}: {error}", remedy)
        print(f"{finding.level:5}{name:20}{finding.detail}", flush=True)
        if finding.remedy:
            print(f"{'':25}-> {finding.remedy}", flush=True)
        failed += finding.level == FAIL
    print(f"{failed} of {len(CHECKS)} checks failed" if failed else "everything that wm needs is there")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
