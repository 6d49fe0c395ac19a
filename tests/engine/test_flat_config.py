"""A flat config is what the run of the original reads, and mmdet3d's own browser draws it."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import mmdet3d
import numpy as np
import pytest
from mmdet3d.registry import DATASETS
from mmengine.config import Config
from PIL import Image

from bevdistill.engine.config_file import read_config
from bevdistill.engine.flat_config import flat_text
from bevdistill.engine.overrides import READ

REPO = Path(__file__).resolve().parents[2]
BROWSE = Path(mmdet3d.__file__).parent / '.mim/tools/misc/browse_dataset.py'
TWINS = REPO / 'configs/synthetic'
CAMERA, TEMPORAL = 'bevformer/bevformer_r50_1x_nus-3d.py', 'bevformer/bevformer-t_r50_2x_nus-3d.py'
DISTILLER, LIDAR = 'bevdistill/bevdistill_r50_1x_nus-3d.py', 'object_dgcnn/teacher_pillar02_cbgs_20e_nus-3d.py'
QUEUE, POINTS, SWEEPS, BOXES = 'ImageQueue', 'LoadLidarPoints', 'LoadLidarSweeps', 'LoadAnnotations3D'


def flat(name: str, folder: Path, **changes: Any) -> tuple[Config, Path]:
    source = TWINS / name
    cfg, file = read_config(source, changes), folder / f'{source.stem}.py'
    file.write_text(flat_text(cfg, source))
    return cfg, file


def run_entries(cfg: Config) -> list[Any]:
    """What a run reads, with the order of keys, which decides in which order losses are added."""
    return [(key, repr(value)) for key, value in cfg.to_dict().items() if key in READ]


@pytest.mark.parametrize(
    ('name', 'train', 'test'),
    [
        (CAMERA, [BOXES, QUEUE, 'ObjectRangeFilter'], [QUEUE]),
        (DISTILLER, [BOXES, QUEUE, POINTS, SWEEPS, 'PointsRangeFilter', 'ObjectRangeFilter', 'PointShuffle'], [QUEUE]),
        (LIDAR, [BOXES, POINTS, SWEEPS, 'PointsRangeFilter', 'ObjectRangeFilter', 'PointShuffle'],
         [POINTS, SWEEPS, 'PointsRangeFilter']),
    ],
    ids=['camera', 'distiller', 'lidar'],
)  # fmt: skip
def test_a_run_reads_the_same_and_scripts_read_lists(name: str, train: list[str], test: list[str], tmp_path: Path):
    original, file = flat(name, tmp_path)
    copy = read_config(file)
    assert run_entries(copy) == run_entries(original)
    cfg = Config.fromfile(str(file), import_custom_modules=False)
    assert 'work_dir' not in cfg and 'cpu_range' not in cfg
    for pipeline, types in ((cfg.train_pipeline, train), (cfg.test_pipeline, test)):
        assert [stage.type for stage in pipeline] == [*types, 'PackBEVInputs'] and pipeline[-1].one_frame
    limits = [stage.point_cloud_range for stage in cfg.train_pipeline if 'RangeFilter' in stage.type]
    assert limits[0] == [-25.6, -25.6, -5.0, 25.6, 25.6, 3.0], 'the numbers of the CPU-sized config'
    if QUEUE in train:
        assert [stage.type for stage in cfg.train_pipeline[1].transforms] == ['LoadCameraImages', 'ResizeCropCameras']
    assert flat_text(copy, file) == file.read_text()


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    source = tmp_path / 'odd.py'
    source.write_text("model = dict(type='X', limit=float('inf'))\nwork_dir = 'mine'\n")
    with pytest.raises(ValueError, match=r"odd\.py: model: expected plain values.*found \{'type': 'X', 'limit': inf\}"):
        flat_text(read_config(source), source)
    source.write_text("model = dict(type='X')\nwork_dir = 'mine'\nvariable = 1\ntrain_dataloader = dict()\n")
    assert 'variable' not in flat_text(read_config(source), source)
    for dataset in ('pipeline=5', 'pipeline=dict(a=3)', 'dataset=3', 'datasets=[]', "pipeline={1: dict(type='A')}"):
        source.write_text(f"model = dict(type='X')\ntrain_dataloader = dict(dataset=dict({dataset}))\n")
        with pytest.raises(ValueError, match=r'^train_dataloader.dataset of the config cannot be built \(\w+Error: '):
            flat_text(read_config(source), source)
    source.write_text("model = dict(type='X')\nwork_dir = 'mine'\n")
    assert flat_text(read_config(source), source).splitlines()[-2:] == ["model = {'type': 'X'}", "work_dir = 'mine'"]


@pytest.mark.skipif(not BROWSE.is_file(), reason='this mmdet3d was installed without its tools')
@pytest.mark.parametrize(('name', 'augmented'), [(TEMPORAL, True), (DISTILLER, False)])
def test_mmdet3ds_browser_draws_it(
    name: str, augmented: bool, tmp_path: Path, synthetic_root: Path, synthetic_infos: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    infos = str(synthetic_infos / 'nuscenes_infos_train.msgpack.gz')
    part = 'train_dataloader.dataset.dataset'
    _, file = flat(name, tmp_path, **{f'{part}.data_root': str(synthetic_root), f'{part}.ann_file': infos})
    words = [str(file), '--task', 'mono_det', '--output-dir', str(tmp_path / 'pictures'), '--not-show']
    options = ['visualizer.type=Det3DLocalVisualizer', f'visualizer.name={tmp_path.name}']
    options += ['train_dataloader.dataset.indices=[1]']
    monkeypatch.setattr(sys, 'argv', ['x', *words, *['--aug'] * augmented, '--cfg-options', *options])
    runpy.run_path(str(BROWSE), run_name='__main__')
    assert [path.name for path in (tmp_path / 'pictures').iterdir()] == ['0.jpg']
    drawn = np.asarray(Image.open(tmp_path / 'pictures/0.jpg')).astype(int)
    raw = DATASETS.build(read_config(file).train_dataloader.dataset)[1]['inputs']['img'][-1].numpy()
    height, width = raw.shape[-2:]
    assert drawn.shape == (2 * height, 3 * width, 3)
    panels = drawn.reshape(2, height, 3, width, 3).transpose(0, 2, 1, 3, 4).reshape(6, height, width, 3)
    changed = np.abs(panels - raw[:, ::-1].transpose(0, 2, 3, 1)).max(axis=3) > 40
    shares = sorted(changed.mean(axis=(1, 2)))
    assert shares[0] < 0.1, 'an image of the current frame with few boxes'
    assert shares[-1] > 0.2, 'one that the script makes smaller, since a box leaves it'
