"""Made-up work dirs of runs: config, log, result, predictions of the tiny synthetic world."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

MODEL = {
    'type': 'BEVFormer',
    'data_preprocessor': {'type': 'BEVDataPreprocessor', 'mean': [1.0, 2.0, 3.0]},
    'pts_bbox_head': {'grid': {'point_cloud_range': [-25.6, -25.6, -5.0, 25.6, 25.6, 3.0], 'rows': 8}},
}
WriteRun = Callable[..., Path]


def made_up_config(data_root: str = 'nowhere', **changes: Any) -> dict[str, Any]:
    data = {'type': 'SequenceNuScenesDataset', 'data_root': data_root, 'ann_file': 'nuscenes_infos_val.msgpack.gz'}
    config = {
        'model': copy.deepcopy(MODEL),
        'test_dataloader': {'batch_size': 1, 'dataset': data},
        'test_evaluator': {'type': 'BEVNuScenesMetric', 'class_range': 25.0},
        'optim_wrapper': {'optimizer': {'lr': 1e-3}},
        'randomness': {'seed': 0},
        'helper': 1,
    }
    return config | changes


def distilled(config: Mapping[str, Any], **losses: Any) -> dict[str, Any]:
    """The config of a distiller around the student of another."""
    student = {key: value for key, value in config['model'].items() if key != 'data_preprocessor'}
    model = {'type': 'BEVDistiller', 'data_preprocessor': config['model']['data_preprocessor'], 'student': student}
    return {**config, 'model': {**model, 'teacher': {'type': 'ObjectDGCNN'}, 'losses': losses}}


def made_up_run(
    folder: Path,
    config: Mapping[str, Any] | None = None,
    logs: Sequence[Sequence[Mapping[str, Any] | str]] = (),
    metrics: Mapping[str, float] | None = None,
    files: Mapping[str, Any] | None = None,
) -> Path:
    """Write a work dir; each log is the lines of one training."""
    folder.mkdir(parents=True)
    for place, lines in enumerate([*logs, *([()] if metrics is not None else [])]):
        time = folder / f'20260101_00000{place}'
        (time / 'vis_data').mkdir(parents=True)
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        (time / 'vis_data' / 'scalars.json').write_text(''.join(f'{text}\n' for text in texts))
        if config is not None:
            text = ''.join(f'{key} = {value!r}\n' for key, value in config.items())
            (time / 'vis_data' / 'config.py').write_text(text)
    if metrics is not None:
        (time / f'{time.name}.json').write_text(json.dumps({f'nuscenes/{key}': v for key, v in metrics.items()}))
    for file, content in (files or {}).items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


@pytest.fixture
def write_run(tmp_path: Path) -> WriteRun:
    """``write_run(name, ...)``: a work dir of :func:`made_up_run` in an empty folder."""
    return lambda name, *args, **options: made_up_run(tmp_path / name, *args, **options)


def steps(*values: float, term: str = 'loss', every: int = 10, **others: float) -> list[dict[str, float]]:
    """Lines of a log: a value at each of the steps 10, 20, ..."""
    return [{'loss': 1.0, term: value, 'step': every * place, **others} for place, value in enumerate(values, start=1)]
