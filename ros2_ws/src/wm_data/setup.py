from setuptools import find_packages, setup

PACKAGE = "wm_data"

setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
    ],
    install_requires=["setuptools", "numpy", "rosbags", "pyarrow"],
    zip_safe=True,
    maintainer="The wm developers",
    maintainer_email="maintainers@wm.invalid",
    description="From bags to datasets: collection, conversion, checks, LeRobot.",
    license="Apache-2.0",
)
