"""Measure one model, in a process of its own."""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

MEMORY = 'out of memory'
GIB = 2**30


@dataclass(frozen=True)
class Task:
    """What to measure.

    Args:
        name: What the result is called.
        config: Full-scale config.
        is_step: Training steps in place of forward passes.
        keyframe: Folder of the keyframe.
        ann_file: Its information file.
        scale: Image scale, None for the config's own.
        device: Where the model runs.
        runs: Timed runs after one that warms up.
        threads: Of torch.
        memory_limit: GiB that the process may take.
    """

    name: str
    config: str
    is_step: bool
    keyframe: str
    ann_file: str
    scale: float | None
    device: str
    runs: int
    threads: int
    memory_limit: float


def measure(task: Task, sender: Connection) -> None:
    """Measure and send the result, ``{MEMORY: True}``, or ``{'error': text}``."""
    try:
        limit_memory(task.memory_limit)
        sender.send(results_of(task))
    except Exception as error:  # Whatever happens must reach the parent, which has nothing but this pipe.
        sender.send({MEMORY: True} if ran_out_of_memory(error) else {'error': f'{type(error).__name__}: {error}'})


def limit_memory(gib: float) -> None:
    """Make allocations beyond a limit fail, where the system can: better than being ended by it, or ending others."""
    resource.setrlimit(resource.RLIMIT_DATA, (int(gib * GIB), int(gib * GIB)))


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory could not be had."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or "can't allocate memory" in text or 'out of memory' in text


def results_of(task: Task) -> dict[str, Any]:
    """Build the model and its data, run, and report."""
    import torch
    from mmdet3d.registry import DATASETS, MODELS
    from mmengine.dataset import pseudo_collate
    from mmengine.logging import MMLogger
    from mmengine.registry import init_default_scope

    from benchmarks.models import drop_pretrained, random_teacher
    from bevdistill.engine.launch import load_config
    from bevdistill.teacher_cache import leaf_datasets

    from .keyframe_data import set_image_scale, use_keyframe

    # Silence the log of weight initialisation.
    MMLogger.get_instance('full_size', logger_name='full_size', log_level='ERROR')
    torch.set_num_threads(task.threads)
    torch.manual_seed(0)
    cfg = load_config(task.config)
    init_default_scope(cfg.default_scope)
    use_keyframe(cfg, task.keyframe, task.ann_file)
    drop_pretrained(cfg.model)
    if task.scale is not None:
        set_image_scale(cfg, task.scale)
    loader = cfg.train_dataloader if task.is_step else cfg.test_dataloader
    dataset = DATASETS.build(next(leaf_datasets(loader.dataset)))
    start = time.perf_counter()
    batch = pseudo_collate([dataset[0]])
    load_seconds = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder:
        if task.is_step:
            random_teacher(cfg, Path(folder) / 'teacher.pth')
        model = MODELS.build(cfg.model)
        model.init_weights()
    model.to(task.device)
    run = training_step(cfg, model, batch) if task.is_step else forward_pass(model, batch)
    seconds, cpu_seconds, answer = timed(run, task)
    images = batch['inputs'].get('img')
    return dict(
        model=task.name,
        what='training step' if task.is_step else 'forward',
        samples=len(batch['data_samples']),
        image=None if images is None else [images[0].shape[1], *images[0].shape[-2:]],
        bev=[model.grid.rows, model.grid.cols],
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        load_seconds=load_seconds,
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        peak_gib=peak_gib(task.device),
        answer=answer,
    )


def forward_pass(model: Any, batch: dict[str, Any]) -> Callable[[], str]:
    """From a loaded sample to decoded boxes."""
    import torch

    # Not model.eval(): backbones of mmdet return nothing from it.
    model.train(False)

    def run() -> str:
        with torch.no_grad():
            predicted = model.test_step(batch)[0].pred_instances_3d
        finite = bool(torch.isfinite(predicted.bboxes_3d.tensor).all())
        return f'{len(predicted.scores_3d)} boxes, {"all finite" if finite else "NOT all finite"}'

    return run


def training_step(cfg: Any, model: Any, batch: dict[str, Any]) -> Callable[[], str]:
    """From a loaded sample to updated weights."""
    from mmengine.logging import MessageHub
    from mmengine.optim import build_optim_wrapper

    # A loss weight with a schedule asks how far the training is.
    MessageHub.get_current_instance().update_info_dict(dict(iter=1, max_iters=2))
    model.train()
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)

    def run() -> str:
        logged = model.train_step(batch, optim_wrapper)
        shown = {name: value for name, value in logged.items() if name == 'loss' or name.startswith('distill')}
        terms = {name: float(value.detach()) for name, value in shown.items()}
        return ', '.join(f'{name} {value:.4g}' for name, value in terms.items())

    return run


def timed(run: Callable[[], str], task: Task) -> tuple[list[float], list[float], str]:
    """Seconds by the clock and of processor time of each timed run, and the last answer; tells of every run."""
    import torch

    seconds: list[float] = []
    cpu_seconds: list[float] = []
    answer = ''
    for number in range(task.runs + 1):
        start, cpu_start = time.perf_counter(), time.process_time()
        answer = run()
        if task.device == 'cuda':
            torch.cuda.synchronize()
        spent = time.perf_counter() - start
        seconds.append(spent)
        cpu_seconds.append(time.process_time() - cpu_start)
        what = f'run {number} of {task.runs}' if number else 'warm-up'
        left = (task.runs - number) * spent
        print(f'  {what}: {spent:.1f} s, {peak_gib(task.device):.2f} GiB, about {left:.0f} s left', flush=True)
    return seconds[1:], cpu_seconds[1:], answer


def peak_gib(device: str) -> float:
    """Peak memory so far: of the process, or of the tensors on a GPU."""
    if device == 'cuda':
        import torch

        return float(torch.cuda.max_memory_allocated() / GIB)
    unit = 1 if sys.platform == 'darwin' else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / GIB
