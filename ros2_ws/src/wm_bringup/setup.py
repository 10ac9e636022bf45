from glob import glob
from pathlib import Path

from setuptools import find_packages, setup

PACKAGE = "wm_bringup"
EXAMPLES = [(f"share/{PACKAGE}/{path}", glob(f"{path}/*")) for path in map(str, Path("examples").glob("*"))]
BUNDLES = [(f"share/{PACKAGE}/{path}", glob(f"{path}/*")) for path in map(str, Path("bundles").glob("*"))]

setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
        (f"share/{PACKAGE}/launch", glob("launch/*.py")),
        (f"share/{PACKAGE}/config", glob("config/*")),
        *EXAMPLES,
        *BUNDLES,
    ],
    install_requires=["setuptools", "numpy", "matplotlib", "av"],
    zip_safe=True,
    maintainer="The wm developers",
    maintainer_email="maintainers@wm.invalid",
    description="Launch files, configuration, lifecycle bring-up, episodes with reports, and the shipped model bundles.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "wm = wm_core.command_line:main",
            "wm_bundle_manager = wm_bringup.bundle_manager:main",
            "wm_composed = wm_bringup.composed:main",
            "wm_scene_view = wm_bringup.scene_view:main",
            "wm_lifecycle_manager = wm_bringup.lifecycle_manager:main",
        ]
    },
)
