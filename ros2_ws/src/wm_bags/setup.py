from setuptools import find_packages, setup

PACKAGE = "wm_bags"

setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
    ],
    install_requires=[
        "setuptools",
        "numpy",
        "pyyaml",
        "rosbags",
        "mcap",
        "lz4",
        "zstandard",
        "jsonschema",
        "matplotlib",
    ],
    zip_safe=True,
    maintainer="The wm developers",
    maintainer_email="maintainers@wm.invalid",
    description="Records, replays, checks and repairs rosbag2 bags; reads bags of anyone's making.",
    license="Apache-2.0",
    entry_points={"console_scripts": ["wm_recorder = wm_bags.record.recorder:main"]},
)
