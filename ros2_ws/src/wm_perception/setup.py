from setuptools import find_packages, setup

PACKAGE = "wm_perception"

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
    description="Cameras and joints to observation embedding and object geometry.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "wm_perception = wm_perception.node:main",
            "wm_perception_truth = wm_perception.truth:main",
            "wm_scene_perception = wm_perception.scene_node:main",
        ]
    },
)
