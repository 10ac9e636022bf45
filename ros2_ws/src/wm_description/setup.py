from pathlib import Path

from setuptools import find_packages, setup

PACKAGE = "wm_description"


def robots() -> list[tuple[str, list[str]]]:
    """All files of robots/, each folder to where it is in the share folder."""
    folders = sorted({path.parent for path in Path("robots").rglob("*") if path.is_file()})
    return [
        (f"share/{PACKAGE}/{folder}", sorted(str(path) for path in folder.iterdir() if path.is_file()))
        for folder in folders
    ]


setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
        *robots(),
    ],
    install_requires=["setuptools", "numpy", "pyyaml", "pybullet"],
    zip_safe=True,
    maintainer="The wm developers",
    maintainer_email="maintainers@wm.invalid",
    description="Robots as data: a profile, a URDF and light meshes for each, and commands that check and propose profiles.",
    license="Apache-2.0",
)
