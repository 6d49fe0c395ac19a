"""Test a temporal student on scenes of uneven length, in one process or in two."""

from __future__ import annotations

import os
import socket
import traceback
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
from forked import CONTEXT, restart

from bevdistill.datasets.infos import read_infos, write_infos

CONFIG = Path(__file__).resolve().parents[2] / 'configs' / 'synthetic' / 'bevformer' / 'bevformer_r50_1x_nus-3d.py'
SCENE_LENGTHS = (3, 1, 2)


def uneven_infos(infos: Path, folder: Path) -> Path:
    """An information file with the first frames of three training scenes."""
    content = read_infos(infos / 'nuscenes_infos_train.msgpack.gz')
    scenes = list(dict.fromkeys(info['scene_token'] for info in content['data_list']))
    keep = dict(zip(scenes, SCENE_LENGTHS, strict=False))
    chosen = [info for info in content['data_list'] if info['frame_idx'] < keep.get(info['scene_token'], 0)]
    return write_infos(folder / 'uneven.msgpack.gz', content | dict(data_list=chosen))


def write_predictions(root: Path, file: Path, work_dir: Path, launcher: str = 'none', **options: Any) -> None:
    """Predictions of a seeded student without training, in ``<work_dir>/predictions``."""
    from bevdistill.engine.config_file import read_config
    from bevdistill.engine.launch import build_runner
    from bevdistill.engine.process_group import distributed_run
    from bevdistill.engine.settings import set_format_only

    cfg = read_config(CONFIG)
    cfg.merge_from_dict(
        {
            'work_dir': str(work_dir),
            'launcher': launcher,
            'model.queue_length': 3,
            'env_cfg.dist_cfg.backend': 'gloo',
            'test_dataloader.batch_sampler': dict(type='SceneBatchSampler'),
            'test_dataloader.batch_size': 2,
            'test_dataloader.dataset.data_root': str(root),
            'test_dataloader.dataset.ann_file': str(file),
            'test_dataloader.dataset.metainfo.version': 'v1.0-mini',
            'test_dataloader.num_workers': 0,
            'test_dataloader.persistent_workers': False,
            'test_evaluator.data_root': str(root),
            'test_evaluator.ann_file': str(file),
            **options,
        }
    )
    set_format_only(cfg)
    with distributed_run(cfg):
        build_runner(cfg).test()


def _run_rank(rank: int, port: int, root: Path, file: Path, work_dir: Path) -> None:
    restart()
    torch.set_num_threads(1)
    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE='2', MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port)
    )
    # mmengine collects the parts of the processes in the current folder.
    os.chdir(work_dir)
    try:
        write_predictions(root, file, work_dir, 'pytorch')
    except Exception:
        (work_dir / f'error{rank}.txt').write_text(traceback.format_exc())
        raise


def start_ranks(root: Path, file: Path, work_dir: Path) -> list[BaseProcess]:
    """Begin; the caller may do its own part meanwhile."""
    work_dir.mkdir()
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    ranks = [CONTEXT.Process(target=_run_rank, args=(rank, port, root, file, work_dir)) for rank in range(2)]
    for rank in ranks:
        rank.start()
    return ranks
