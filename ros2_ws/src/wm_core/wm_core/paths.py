"""Where installed or checked-out data files of wm are: robot description, worlds, camera rigs, bundles."""

import os
from pathlib import Path

_SOURCE = Path(__file__).resolve().parents[2]  # ros2_ws/src in a checkout or a symlink install


def _first(kind: str, *candidates: Path) -> Path:
    for path in candidates:
        if path.exists():
            return path
    raise FileNotFoundError(
        f"no {kind} found; looked in {', '.join(map(str, candidates))}; build the workspace (./wm build)"
    )


def share(package: str) -> Path:
    """Share folder of a built package; the package's source folder in a checkout that is not built."""
    try:
        from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
    except ImportError:
        return _SOURCE / package
    try:
        return Path(get_package_share_directory(package))
    except (PackageNotFoundError, OSError):  # not built, or no workspace environment
        return _SOURCE / package


def robots_dir() -> Path:
    """Folder of the shipped robots, one folder each."""
    return _first("robot folder", _SOURCE / "wm_description/robots", share("wm_description") / "robots")


def sim_meshes_dir() -> Path:
    """Folder of the meshes that the simulator draws objects with."""
    return _first("mesh folder", _SOURCE / "wm_sim/meshes", share("wm_sim") / "meshes")


def worlds_dir() -> Path:
    """Folder of world files."""
    return _first("world folder", _SOURCE.parents[1] / "sim_worlds/worlds", share("wm_sim") / "sim_worlds/worlds")


def rigs_dir() -> Path:
    """Folder of camera rig files."""
    return _first("rig folder", _SOURCE.parents[1] / "sim_worlds/rigs", share("wm_sim") / "sim_worlds/rigs")


def rig_path(name_or_path: str | Path) -> Path:
    """A camera rig by name (sim_worlds/rigs/NAME.yaml) or by path."""
    return _named(rigs_dir(), name_or_path)


def sensor_path(name_or_path: str | Path) -> Path:
    """A sensor model by name (sim_worlds/sensors/NAME.yaml) or by path."""
    return _named(rigs_dir().parent / "sensors", name_or_path)


def camera_profile_path(name_or_path: str | Path) -> Path:
    """What a camera's driver publishes, by name (sim_worlds/cameras/NAME.yaml) or by path."""
    return _named(rigs_dir().parent / "cameras", name_or_path)


def _named(folder: Path, name_or_path: str | Path) -> Path:
    file = Path(name_or_path).expanduser()
    return file if file.suffix in (".yaml", ".yml") else folder / f"{name_or_path}.yaml"


def tasks_dir() -> Path:
    """Folder of task files."""
    return _first("task folder", _SOURCE / "wm_tasks/tasks", share("wm_tasks") / "tasks")


def bundles_dir() -> Path:
    """Folder of the shipped model bundles."""
    return _first("bundle folder", _SOURCE / "wm_bringup/bundles", share("wm_bringup") / "bundles")


def registry_dir() -> Path:
    """Folder of the registry of bundles: WM_REGISTRY, runs/registry in a checkout, or the user's own data folder."""
    if given := os.environ.get("WM_REGISTRY"):
        return Path(given).expanduser().absolute()
    checkout = _SOURCE.parents[1]
    if (checkout / "sim_worlds").is_dir():
        return checkout / "runs/registry"
    return Path.home() / ".local/share/wm/registry"
