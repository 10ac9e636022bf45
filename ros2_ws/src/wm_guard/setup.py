from setuptools import find_packages, setup

PACKAGE = "wm_guard"

setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
    ],
    install_requires=["setuptools", "numpy", "ruckig"],
    zip_safe=True,
    maintainer="The wm developers",
    maintainer_email="maintainers@wm.invalid",
    description="The last word before the arm: checks every trajectory, holds on silence, latches the e-stop.",
    license="Apache-2.0",
    entry_points={"console_scripts": ["wm_guard = wm_guard.node:main"]},
)
