"""The package and the versions that it works with.

``requirements/lock.txt`` pins one exact set inside these ranges; ``make`` installs that set. The ranges are what an
environment of your own has to meet.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

PYTHON_REQUIRES = '>=3.11,<3.12'  # the only version that the pinned set was built and run on

INSTALL_REQUIRES = [
    'torch>=2.1,<3',  # 2.1: the newest that mmcv 2.1.0 has prebuilt CUDA wheels for; the pinned 2.13 is what CI runs
    'mmengine>=0.10,<0.11',  # hooks and checkpoints lean on the runner of 0.10
    'mmcv>=2.1.0,<2.2.0',  # mmdet 3.3 and mmdet3d 1.4 assert < 2.2.0; has to hold compiled operators
    'mmdet>=3.3.0,<3.4.0',  # mmdet3d 1.4 asserts < 3.4.0
    'mmdet3d>=1.4.0,<1.5.0',  # its box conventions, registries and information files are ours
    'numpy>=1.23,<2',  # nuscenes-devkit needs < 2; 1.23 is the first with wheels for Python 3.11
    'numba>=0.57',  # the first for Python 3.11; the synthetic world and mmdet3d's box operations
    'scipy>=1.9',  # Hungarian assignment; the first with wheels for Python 3.11
    'nuscenes-devkit>=1.1.11,<1.3',  # the evaluator: 1.1.11 and 1.2.0 score a predefined split alike
    'matplotlib>=3.5,<3.11',  # 3.11 has not been tried
    'pandas<3',  # 3 needs numpy 2; imported by lyft-dataset-sdk, which mmdet3d's metrics import
    'plyfile<1.1',  # 1.1 needs numpy 2
    'pillow>=9',  # pictures of the synthetic data set and of reports
    'tqdm>=4',  # progress bars
]

EXTRAS_REQUIRE = {
    'lidar': ['spconv>=2.3.6,<2.4'],  # voxel teacher's sparse convolutions; on CUDA spconv-cu120 or its kin
    'backbones': ['mmpretrain>=1.2,<1.3'],  # ConvNeXt of the test-server row; 1.2 is the last release and the one tried
    'test': ['pytest>=8', 'pytest-xdist>=3.2'],  # 3.2: --dist worksteal
    'lint': ['ruff>=0.12,<0.18', 'mypy>=1.11,<3'],  # pyproject.toml's rules exist from 0.12, tried up to 0.17
}

if __name__ == '__main__':
    here = Path(__file__).resolve().parent
    setup(
        name='bevdistill',
        version=re.search(r"__version__ = '(.+)'", (here / 'bevdistill' / '__init__.py').read_text()).group(1),
        description="Cross-modal knowledge distillation in bird's-eye view, a plug-in of MMDetection3D",
        long_description=(here / 'README.md').read_text(),
        long_description_content_type='text/markdown',
        license='Apache-2.0',
        packages=find_packages(include=['bevdistill', 'bevdistill.*']),
        package_data={'bevdistill': ['py.typed']},
        python_requires=PYTHON_REQUIRES,
        install_requires=INSTALL_REQUIRES,
        extras_require=EXTRAS_REQUIRE,
        zip_safe=False,
    )
