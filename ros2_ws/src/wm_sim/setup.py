from pathlib import Path

from setuptools import find_packages, setup

PACKAGE = "wm_sim"
WORLDS = Path(
    "../../../sim_worlds"
)  # worlds live at the root of the repository, they are data for more than this package


def files(pattern: str, root: str = ".") -> list[str]:
    return sorted(map(str, Path(root).glob(pattern)))


setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
        (f"share/{PACKAGE}/meshes", files("meshes/*.obj")),
        (f"share/{PACKAGE}/sim_worlds/worlds", files("worlds/*.yaml", str(WORLDS))),
        (f"share/{PACKAGE}/sim_worlds/scenes", files("scenes/*.yaml", str(WORLDS))),
        (f"share/{PACKAGE}/sim_worlds/objects", files("objects/*.yaml", str(WORLDS))),
        (f"share/{PACKAGE}/sim_worlds/rigs", files("rigs/*.yaml", str(WORLDS))),
        (f"share/{PACKAGE}/sim_worlds/cameras", files("cameras/*.yaml", str(WORLDS))),
        (f"share/{PACKAGE}/sim_worlds/sensors", files("sensors/*.yaml", str(WORLDS))),
    ],
    install_requires=["setuptools", "numpy", "pyyaml", "jsonschema", "pybullet", "gymnasium", "scipy"],
    zip_safe=True,
    maintainer="The wm developers",
    maintainer_email="maintainers@wm.invalid",
    description="A simulated arm on a table (PyBullet) as a lifecycle node and as Gymnasium environments.",
    license="Apache-2.0",
    entry_points={"console_scripts": ["wm_sim = wm_sim.node:main"]},
)
