from setuptools import find_packages, setup

PACKAGE = "wm_learning"

setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
    ],
    install_requires=["setuptools", "numpy", "torch", "onnx", "rosbags", "matplotlib", "pyarrow"],
    zip_safe=True,
    maintainer="The wm developers",
    maintainer_email="maintainers@wm.invalid",
    description="Collects bags, builds datasets from them, trains world models and exports model bundles.",
    license="Apache-2.0",
)
