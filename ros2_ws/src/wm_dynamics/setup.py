from setuptools import find_packages, setup

PACKAGE = "wm_dynamics"

setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
    ],
    install_requires=["setuptools", "numpy"],
    zip_safe=True,
    maintainer="The wm developers",
    maintainer_email="maintainers@wm.invalid",
    description="Belief filter, imagined futures and prediction error of the world model.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": ["wm_dynamics = wm_dynamics.node:main", "wm_scene_dynamics = wm_dynamics.scene_node:main"]
    },
)
