from setuptools import find_packages, setup

PACKAGE = "wm_evaluation"

setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
    ],
    install_requires=["setuptools", "numpy", "matplotlib"],
    zip_safe=True,
    maintainer="The wm developers",
    maintainer_email="maintainers@wm.invalid",
    description="Judges model bundles: measurements, reports, and the gate before promotion.",
    license="Apache-2.0",
)
