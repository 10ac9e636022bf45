from glob import glob

from setuptools import find_packages, setup

PACKAGE = "wm_tasks"

setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
        (f"share/{PACKAGE}/tasks", glob("tasks/*")),
        (f"share/{PACKAGE}/scene_tasks", glob("scene_tasks/*")),
    ],
    install_requires=["setuptools", "numpy", "matplotlib", "av"],
    zip_safe=True,
    maintainer="The wm developers",
    maintainer_email="maintainers@wm.invalid",
    description="Tasks as data, explorers, scripted experts, episodes, the closed loop in one process, and the report.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "wm_episodes = wm_tasks.episodes:main",
            "wm_explorer = wm_tasks.explorer:main",
            "wm_scene_episodes = wm_tasks.scene_episodes:main",
        ]
    },
)
