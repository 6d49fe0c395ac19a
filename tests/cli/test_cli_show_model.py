"""`show model` with toy models: pages of a pair, and errors, through the script of the old name."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

REPO = Path(__file__).resolve().parents[2]
TOOL = REPO / 'tools' / 'analysis_tools' / 'visualize.py'


@pytest.fixture(scope='module')
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with camera.py, lidar.py and weights for both."""
    folder = tmp_path_factory.mktemp('models')
    weights = dict(state_dict=dict(bev=torch.randn(4, 10, 40)), meta={})
    torch.save(weights, folder / 'weights.pth')
    for name, sensor in (('camera', 'img'), ('lidar', 'points')):
        modality = dict(use_camera=name == 'camera', use_lidar=name == 'lidar')
        (folder / f'{name}.py').write_text(
            "custom_imports = dict(imports=['toy_models'])\n"
            "default_scope = 'mmdet3d'\n"
            f"model = dict(type='PictureDetector', sensor='{sensor}')\n"
            f"test_dataloader = dict(dataset=dict(type='ToyData', data_root='here', modality={modality!r}))\n"
        )
    return folder


def _run(*arguments: object) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(REPO), str(REPO / 'tests' / 'visualization')])
    command = [sys.executable, str(TOOL), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, 'PYTHONPATH': path}, timeout=300)


def test_pair_of_models(models: Path, tmp_path: Path) -> None:
    weights = models / 'weights.pth'
    beside = ('--teacher', models / 'lidar.py', weights, '--beside', 'another', models / 'camera.py', weights)
    done = _run(models / 'camera.py', weights, *beside, '--out', tmp_path, '--num', 2, '--title', 'a student')
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.glob('*.png')) == [
        '00001_t1.png', '00001_t1_beside.png', '00003_t3.png', '00003_t3_beside.png'
    ]  # fmt: skip
    assert done.stdout.count('saved') == 4


def test_errors_are_one_line(models: Path, tmp_path: Path) -> None:
    failed = _run(models / 'camera.py', models / 'absent.pth', '--out', tmp_path)
    assert failed.returncode != 0
    assert failed.stderr.strip().splitlines()[-1].startswith('visualize.py: error: no checkpoint')
    assert 'Traceback' not in failed.stderr
