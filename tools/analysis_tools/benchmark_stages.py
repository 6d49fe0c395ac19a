"""Part of benchmark.py that asks how near each stage of the student comes to what the machine can do.

Every stage is run again by itself, forward and backward, with the inputs that it had in a forward pass of the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import torch
from benchmark_clock import Run, Spread
from benchmark_models import Settings, build, with_queue
from describe_flops import SensorData
from keyframe_data import drop_pretrained
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.flop_counter import FlopCounterMode

from bevdistill.engine.launch import load_config

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
TINY = CONFIGS / 'bevformer' / 'bevformer_tiny_24e_nus-3d.py'
TWIN = CONFIGS / 'synthetic' / 'bevformer' / 'bevformer_tiny_24e_nus-3d.py'
IMAGE = (900, 1600)
QUEUE = 2


class BytesMoved(TorchDispatchMode):
    """Bytes of all operands and results of the operators inside: what is moved if nothing stays in a cache.

    Views move nothing. A tensor that repeats its storage (``expand``) counts as much as the storage holds. Operators
    that torch does not dispatch are not seen: mmcv's on CUDA, what numba compiles.
    """

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        read = [tensor for tensor in tree_leaves((args, kwargs or {})) if isinstance(tensor, Tensor)]
        written = [tensor for tensor in tree_leaves(result) if isinstance(tensor, Tensor)]
        storages = {tensor.untyped_storage().data_ptr() for tensor in read}
        view = all(tensor.untyped_storage().data_ptr() in storages for tensor in written)
        if not view or func._schema.is_mutable:
            self.total += sum(map(bytes_of, (*read, *written)))
        return result


def bytes_of(tensor: Tensor) -> int:
    """Bytes that reading a tensor touches."""
    return min(tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes())


@dataclass
class Stage:
    """Modules of one kind with the inputs of their calls."""

    modules: list[nn.Module]
    calls: list[tuple[nn.Module, Any]]

    def forward(self) -> list[Tensor]:
        """All calls again; results that have a gradient."""
        answers = [module(*args, **kwargs) for module, (args, kwargs) in self.calls]
        return [tensor for tensor in tensors_of(answers) if tensor.requires_grad]

    def leaves(self) -> list[Tensor]:
        """What a backward pass through the stage gives gradients to."""
        given = tensors_of([inputs for _, inputs in self.calls])
        owned = [parameter for module in self.modules for parameter in module.parameters()]
        return [tensor for tensor in (*given, *owned) if tensor.requires_grad and tensor.is_leaf]


def tensors_of(value: Any) -> list[Tensor]:
    """Tensors in nested containers and dataclasses."""
    if is_dataclass(value) and not isinstance(value, type):
        value = [getattr(value, field.name) for field in fields(value)]
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, Mapping):
        value = list(value.values())
    return [tensor for part in value for tensor in tensors_of(part)] if isinstance(value, list | tuple) else []


def stages_of(model: nn.Module) -> dict[str, list[nn.Module]]:
    """Modules of a BEVFormer by stage."""
    transformer = model.pts_bbox_head.transformer
    layers = transformer.encoder.layers
    return {
        'backbone': [model.img_backbone],
        'neck': [model.img_neck],
        'temporal attention': [layer.attentions[0] for layer in layers],
        'spatial attention': [layer.attentions[1] for layer in layers],
        'feed-forward': [ffn for layer in layers for ffn in layer.ffns],
        'decoder': [transformer.decoder],
    }


@contextmanager
def inputs_kept(stages: Mapping[str, Stage]) -> Iterator[None]:
    """Inside the context stages remember the inputs of their modules' calls, cut off from what made them.

    Calls without gradient, for frames of the past, are left out.
    """

    def keep(calls: list[tuple[nn.Module, Any]]) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, kwargs: Any) -> None:
            if torch.is_grad_enabled():
                calls.append((module, tree_map(detached, (args, kwargs))))

        return hook

    hooks = [
        module.register_forward_pre_hook(keep(stage.calls), with_kwargs=True)
        for stage in stages.values()
        for module in stage.modules
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def detached(value: Any) -> Any:
    """A tensor without the graph behind it, with a gradient of its own where it had one."""
    return value.detach().requires_grad_(value.requires_grad) if isinstance(value, Tensor) else value


def backward(stage: Stage, outputs: list[Tensor]) -> Run:
    """A backward pass of a stage, whose gradients begin empty."""
    ones = [torch.ones_like(output) for output in outputs]
    for leaf in stage.leaves():
        leaf.grad = None
    return lambda: torch.autograd.backward(outputs, ones)


def machine_peaks(settings: Settings) -> dict[str, float]:
    """What the machine reaches: operations per second of a matrix product, bytes per second of a copy.

    The best of several runs each: a peak is what nothing disturbed.
    """
    size = 256 if settings.quick else 2048
    left, right = torch.randn(2, size, size, device=settings.device)
    source = torch.ones(size * size * 16, device=settings.device)
    target = torch.empty_like(source)
    sides = dict(product=lambda: left @ right, copy=lambda: target.copy_(source))
    times = settings.clock.alternate(sides, max(3, settings.repeats), lambda: None)
    moved = 2 * source.numel() * source.element_size()
    return dict(flops=2 * size**3 / min(times['product']), bytes=moved / min(times['copy']))


def measure_stages(settings: Settings) -> dict[str, Any]:
    """Seconds, operations and bytes of each stage, and their shares of the machine's peaks."""
    # One frame before the current one is all that the temporal attention needs to be at work.
    cfg = load_config(TWIN if settings.quick else TINY, {'model.queue_length': QUEUE})
    drop_pretrained(cfg.model)
    model = build(cfg.model, settings.device)
    image = (64, 176) if settings.quick else IMAGE
    sensors = SensorData(cfg.test_dataloader.dataset, image, points=0)
    batch = model.data_preprocessor(with_queue(sensors.batch(0), QUEUE), True)
    stages = {name: Stage(modules, []) for name, modules in stages_of(model).items()}
    with inputs_kept(stages):
        model.forward_outputs(batch['inputs'], batch['data_samples'])
    peaks = machine_peaks(settings)
    rows = {}
    for name, stage in stages.items():
        # The backbone takes most of the time and varies least.
        repeats = min(2 if name == 'backbone' else 5, settings.repeats)
        rows[name] = stage_row(settings, stage, repeats, peaks)
        settings.step(0.7 if name == 'backbone' else 0.3 / len(stages))
    images = batch['inputs']['imgs'].shape
    return dict(peaks=peaks, stages=rows, stages_image=[images[2], *images[4:]])


def stage_row(settings: Settings, stage: Stage, repeats: int, peaks: Mapping[str, float]) -> dict[str, Any]:
    """Measure one stage; counting its operations and bytes warms it up."""
    with FlopCounterMode(display=False) as flops, BytesMoved() as moved:
        backward(stage, stage.forward())()
    ahead, back = [], []
    for _ in range(repeats):
        outputs: list[Tensor] = []
        ahead.append(settings.clock.seconds(lambda kept=outputs: kept.extend(stage.forward())))
        back.append(settings.clock.seconds(backward(stage, outputs)))
    both = Spread.of([sum(pair) for pair in zip(ahead, back, strict=True)])
    return dict(
        **vars(both),
        forward_seconds=Spread.of(ahead).median,
        backward_seconds=Spread.of(back).median,
        flops=flops.get_total_flops(),
        bytes=moved.total,
        share_of_product=flops.get_total_flops() / both.median / peaks['flops'],
        share_of_copy=moved.total / both.median / peaks['bytes'],
    )
