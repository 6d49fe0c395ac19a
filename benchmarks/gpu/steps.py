"""One step of every CPU-sized config: the CPU's losses, half precision, waits of the host, torch.compile."""

from __future__ import annotations

import math
import re
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import nn

from bevdistill.engine.launch import load_config
from bevdistill.teacher_cache import leaf_datasets

from ..models import build, drop_pretrained, load, random_teacher, set_up
from .block import Check

REPO = Path(__file__).resolve().parents[2]
TOLERANCE = 1e-3
KINDS = dict(
    student='configs/synthetic/bevformer/bevformer_r50_1x_nus-3d.py',
    temporal='configs/synthetic/bevformer/bevformer-t_r50_2x_nus-3d.py',
    teacher='configs/synthetic/object_dgcnn/teacher_pillar02_cbgs_20e_nus-3d.py',
    distiller='configs/synthetic/bevdistill/bevdistill_r50_1x_nus-3d.py',
)
"""One config of each kind."""
HALF = dict(float16=torch.float16, bfloat16=torch.bfloat16)


def configs() -> Iterator[Path]:
    """CPU-sized configs of the package and of the projects, without those that differ in data alone or need a file."""
    files = [*REPO.glob('configs/synthetic/*/*.py'), *REPO.glob('projects/*/configs/synthetic/*.py')]
    left_out = ('few-labels', 'pretrained', 'voxel01', 'convnext')
    for file in sorted(files):
        apart = file.parent.name in ('_base_', 'ablations', 'matrix', 'studies')
        if not apart and not any(word in file.name for word in left_out):
            yield file


def prepare(file: Path, check: Check) -> tuple[Config, dict[str, Any]]:
    """Load a config on the small data with random weights, and a batch of two."""
    cfg = load_config(file)
    drop_pretrained(cfg.model)
    for leaf in leaf_datasets(cfg.train_dataloader.dataset):
        leaf.data_root = f'{check.data}/'
    if cfg.model.get('teacher') is not None:
        torch.manual_seed(0)
        random_teacher(cfg, check.out / 'random_teacher.pth')
    from mmengine.logging import MessageHub

    MessageHub.get_current_instance().update_info_dict(dict(iter=50, max_iters=100))
    return cfg, load(cfg, 2)


def without_chance(model: nn.Module) -> nn.Module:
    """Switch dropout off: the generators of two devices differ."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        elif isinstance(module, nn.MultiheadAttention):
            module.dropout = 0.0
    return model


def step(model: Any, batch: dict[str, Any], dtype: torch.dtype | None = None) -> dict[str, float]:
    """Compute losses and the norm of the gradient."""
    batch = deepcopy(batch)
    device = next(model.parameters()).device.type
    model.zero_grad()
    with torch.autocast(device, dtype or torch.bfloat16, enabled=dtype is not None):
        data = model.data_preprocessor(batch, True)
        total, logged = model.parse_losses(model(**data, mode='loss'))
    (total * (1024 if dtype is torch.float16 else 1)).backward()
    gradients = [parameter.grad.float().norm() for parameter in model.parameters() if parameter.grad is not None]
    norm = float(torch.stack(gradients).norm()) / (1024 if dtype is torch.float16 else 1)
    return {name: float(value.detach()) for name, value in logged.items()} | {'gradient': norm}


def apart(first: dict[str, float], second: dict[str, float]) -> float:
    """Largest relative difference of two steps; losses below 1e-3 are compared with that."""
    return max(abs(first[name] - second[name]) / max(abs(first[name]), 1e-3) for name in first)


def steps(check: Check) -> bool:
    """Compare a step of every config on the CPU and on the device, then take it in half precision."""
    set_up(max(1, torch.get_num_threads()))
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    rows: dict[str, Any] = {}
    chosen = [REPO / file for file in KINDS.values()] if check.device == 'cpu' else list(configs())
    for file in chosen:
        row: dict[str, Any] = {}
        try:
            cfg, batch = prepare(file, check)
            host = without_chance(build(cfg.model, 'cpu'))
            on_host = step(host, batch)
            model = host if check.device == 'cpu' else host.to(check.device)
            row['difference'] = apart(on_host, step(model, batch))
            for name, dtype in HALF.items():
                if check.device == 'cpu' and name == 'float16':
                    continue
                half = step(model, batch, dtype)
                row[name] = apart(on_host, half) if all(map(math.isfinite, half.values())) else 'not finite'
        except Exception as error:  # the other configs are looked at all the same
            traceback.print_exc()
            row['error'] = f'{type(error).__name__}: {error}'
        rows[file.stem] = row
        good = [name for name, row in rows.items() if row.get('difference', 1) < TOLERANCE]
        wrong = [name for name, row in rows.items() if 'error' in row or 'not finite' in row.values()]
        check.tell(
            f"{len(good)} of {len(chosen)} configs give the CPU's losses to {TOLERANCE:g}, {len(wrong)} fail or are "
            f'not finite in half precision{": " if wrong else ""}{", ".join(wrong[:3])}',
            configs=rows,
        )
    return len(good) == len(chosen) and not wrong


def waits(check: Check) -> bool:
    """Count where the host waits for the device in the second step of each kind of model."""
    if check.device == 'cpu':
        check.skip('torch.cuda.set_sync_debug_mode needs a GPU')
        return True
    set_up(1)
    counts: dict[str, dict[str, int]] = {}
    for file in (REPO / name for name in KINDS.values()):
        cfg, batch = prepare(file, check)
        from mmengine.optim import build_optim_wrapper

        model = build(cfg.model, check.device)
        optimizer = build_optim_wrapper(model, cfg.optim_wrapper)
        model.train_step(deepcopy(batch), optimizer)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            torch.cuda.set_sync_debug_mode('warn')
            model.train_step(deepcopy(batch), optimizer)
            torch.cuda.set_sync_debug_mode('default')
        places = Counter(
            f'{re.sub(r".*(site-packages|bevdistill)/", "", item.filename)}:{item.lineno}'
            for item in caught if 'synchronizing' in str(item.message)
        )  # fmt: skip
        counts[file.stem] = dict(places.most_common())
        shown = ', '.join(f'{name} {sum(places.values())}' for name, places in counts.items())
        check.tell(f'waits and blocking copies in a step: {shown}', waits=counts)
    return True


def compile(check: Check) -> bool:
    """Compare a student's step before and after torch.compile of its backbone."""
    set_up(1)
    cfg, batch = prepare(REPO / KINDS['student'], check)
    model = without_chance(build(cfg.model, check.device))
    plain = step(model, batch)
    for part in ('img_backbone', 'img_neck'):
        getattr(model, part).compile()
    found = apart(plain, step(model, batch))
    check.tell(f'backbone and neck compiled: losses and gradient differ by {found:.1e}', difference=found)
    return found < 1e-2
