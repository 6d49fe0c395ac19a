"""Times and memory of full-size steps, of sampling by each backend, and of voxels."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from mmdet3d.structures import LiDARInstance3DBoxes
from mmengine.config import Config
from mmengine.structures import InstanceData

from bevdistill.apis.made_up_sensors import MadeUpSensors
from bevdistill.engine.launch import load_config
from bevdistill.layers import FeatureLevels
from bevdistill.layers import sampling as backends
from bevdistill.teacher_cache import leaf_datasets

from ..clock import Clock, Run, peak_bytes
from ..models import build, drop_pretrained, forward, random_teacher, set_up, training_step, with_queue
from .block import Check
from .steps import KINDS, REPO

FULL = dict(
    bevformer_r50_1x='configs/bevformer/bevformer_r50_1x_nus-3d.py',
    bevformer_base='configs/bevformer/bevformer_base_24e_nus-3d.py',
    bevdistill_r50_1x='configs/bevdistill/bevdistill_r50_1x_nus-3d.py',
)
VOXELS = dict(
    pillar02='configs/object_dgcnn/teacher_pillar02_cbgs_20e_nus-3d.py',
    voxel01='configs/object_dgcnn/object-dgcnn_voxel01_20e_nus-3d.py',
)
PRECISIONS = ('float32', 'tf32', 'bfloat16')
GIB = 2**30
Numbers = dict[str, Any]


def measured(run: Run, check: Check, repeats: int = 3) -> Numbers:
    """Seconds (the least of some, after one that warms up) and the peak of memory in GiB; or why there are none."""
    try:
        run()
        seconds = min(Clock(check.device).seconds(run) for _ in range(repeats))
        return dict(seconds=seconds, gib=peak_bytes(run, check.device) / GIB)
    except Exception as error:  # memory, or a kernel that this build lacks
        return dict(error=f'{type(error).__name__}: {str(error).splitlines()[0]}')
    finally:
        gc.collect()
        if check.device == 'cuda':
            torch.cuda.empty_cache()


def made_up_batch(cfg: Config, image_size: tuple[int, int], boxes: int = 40) -> dict[str, Any]:
    """One training sample of a config's size with made-up sensors and boxes."""
    dataset = next(leaf_datasets(cfg.test_dataloader.dataset))
    batch = MadeUpSensors(dataset, image_size).batch(0)
    batch = with_queue(batch, queue_length(cfg))
    generator = np.random.default_rng(0)
    places = generator.uniform(-45, 45, (boxes, 2))
    sizes, rest = generator.uniform(1, 5, (boxes, 3)), generator.uniform(-1, 1, (boxes, 3))
    tensor = np.concatenate([places, np.full((boxes, 1), -1.0), sizes, rest], axis=1).astype(np.float32)
    for sample in batch['data_samples']:
        sample.gt_instances_3d = InstanceData(
            bboxes_3d=LiDARInstance3DBoxes(torch.from_numpy(tensor), box_dim=9),
            labels_3d=torch.from_numpy(generator.integers(0, 10, boxes)),
        )
    return batch


def queue_length(cfg: Config) -> int:
    """Frames of a training sample."""
    dataset = next(leaf_datasets(cfg.train_dataloader.dataset))
    return int(dataset.get('queue_length', 1))


@contextmanager
def precision(name: str) -> Iterator[None]:
    """Use TF32, or none, for matrix products of float32."""
    allowed = name == 'tf32'
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def full_size(check: Check) -> bool:
    """Take training steps of the full-size configs, batch 1, in each precision."""
    set_up(max(1, torch.get_num_threads()))
    rows: dict[str, Any] = {}
    files = FULL if check.device == 'cuda' else {'student (CPU-sized)': KINDS['student']}
    for name, file in files.items():
        cfg = load_config(REPO / file)
        drop_pretrained(cfg.model)
        rows[name] = {}
        try:
            if cfg.model.get('teacher') is not None:
                random_teacher(cfg, check.out / 'full_teacher.pth')
            batch = made_up_batch(cfg, (900, 1600) if check.device == 'cuda' else (64, 176))
            for kind in PRECISIONS if check.device == 'cuda' else PRECISIONS[:1]:
                rows[name][kind] = full_step(cfg, batch, kind, check)
        except Exception as error:  # no spconv for this CUDA, above all
            rows[name]['error'] = f'{type(error).__name__}: {str(error).splitlines()[0]}'
        check.tell('; '.join(f'{name} {shown(row)}' for name, row in rows.items()), steps=rows)
    return all('error' not in row for row in rows.values())


def full_step(cfg: Config, batch: dict[str, Any], kind: str, check: Check) -> Numbers:
    """Measure one config in one precision."""
    from bevdistill.engine.settings import set_amp

    cfg = cfg.copy()
    if kind == 'bfloat16':
        set_amp(cfg, 'bfloat16')
    with precision(kind):
        return measured(training_step(cfg, build(cfg.model, check.device), batch), check)


def shown(row: Mapping[str, Any]) -> str:
    """Samples per second and memory of each precision, and what went wrong."""
    parts = [f'{kind} {1 / found["seconds"]:.2f}/s {found["gib"]:.1f} GiB' if 'seconds' in found else f'{kind} failed'
             for kind, found in row.items() if isinstance(found, dict)]  # fmt: skip
    if 'error' in row:
        parts.append(str(row['error']))
    return ', '.join(parts)


def sampling(check: Check) -> bool:
    """Compare the backends at the size of BEVFormer-base: the operator, and the student's forward pass with each."""
    cuda = check.device == 'cuda'
    sizes = ((116, 200), (58, 100), (29, 50), (15, 25)) if cuda else ((15, 25), (8, 13))
    count = 9600 if cuda else 300
    levels = FeatureLevels.of(sizes, check.device)
    torch.manual_seed(0)
    rows: dict[str, Numbers] = {}
    for name in ('triton', 'mmcv', 'reference') if cuda else ('host', 'reference'):
        value = torch.randn(6, levels.num_tokens, 8, 32, device=check.device, requires_grad=True)
        places = torch.rand(6 * count, 8, len(sizes), 8, 2, device=check.device, requires_grad=True)
        weights = torch.rand(6 * count, 8, len(sizes), 8, device=check.device, requires_grad=True)
        image = torch.arange(6, device=check.device).repeat_interleave(count)
        row = torch.arange(6 * count, device=check.device) % (4 * count)

        def run() -> None:
            with chosen(name):  # noqa: B023
                result = backends.sample_images(value, levels, places, weights, image, row, 4 * count)  # noqa: B023
                result.sum().backward()

        rows[name] = measured(run, check)
    attention = with_each_backend(check, list(rows))
    first, *others = rows
    text = [f'{name} {found["seconds"] * 1e3:.2f} ms {found["gib"]:.2f} GiB' if 'seconds' in found else f'{name}: no'
            for name, found in rows.items()]  # fmt: skip
    for other in others:
        if 'seconds' in rows[first] and 'seconds' in rows[other]:
            text.append(f'{first} {rows[other]["seconds"] / rows[first]["seconds"]:.2f} x as fast as {other}')
    check.tell(f'forward + backward: {", ".join(text)}', operator=rows, student_forward=attention)
    return 'seconds' in rows[first]


def with_each_backend(check: Check, names: list[str]) -> dict[str, Numbers]:
    """Measure the forward pass of a full-size student, whose lists are padded or not as the backend wants them."""
    cuda = check.device == 'cuda'
    set_up(max(1, torch.get_num_threads()))
    cfg = load_config(REPO / (FULL['bevformer_r50_1x'] if cuda else KINDS['student']))
    drop_pretrained(cfg.model)
    batch = made_up_batch(cfg, (900, 1600) if cuda else (64, 176))
    model = build(cfg.model, check.device)
    found = {}
    for name in names:
        with chosen(name):
            found[name] = measured(forward(model, batch), check)
    return found


def chosen(name: str) -> Any:
    """Sample by one backend."""
    return backends.use_backend(next(backend for backend in backends.BACKENDS if backend == name))


def voxels(check: Check) -> bool:
    """Measure the preprocessing of 250,000 points."""
    from mmdet3d.registry import MODELS

    set_up(1)
    rows: dict[str, Numbers] = {}
    for name, file in VOXELS.items():
        cfg = load_config(REPO / file)
        dataset = next(leaf_datasets(cfg.test_dataloader.dataset))
        batch = MadeUpSensors(dataset, None).batch(0)
        preprocessor = MODELS.build(cfg.model.data_preprocessor).to(check.device)
        rows[name] = measured(lambda: preprocessor(batch, False), check)  # noqa: B023
    text = [f'{name} {found["seconds"] * 1e3:.1f} ms' if 'seconds' in found else f'{name} failed'
            for name, found in rows.items()]  # fmt: skip
    check.tell('250,000 points: ' + ', '.join(text), voxels=rows)
    return all('seconds' in found for found in rows.values())
