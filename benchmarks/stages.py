"""Measure how near each stage of the student comes to what the machine can do.

Every stage is run again by itself, forward and backward, with the inputs that it had in a forward pass of the whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.flop_counter import FlopCounterMode

from bevdistill.apis.made_up_sensors import MadeUpSensors
from bevdistill.engine.launch import load_config

from .clock import Run, Spread
from .models import Settings, build, drop_pretrained, with_queue

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
TINY = CONFIGS / 'bevformer' / 'bevformer_tiny_24e_nus-3d.py'
QUICK = CONFIGS / 'synthetic' / 'bevformer' / 'bevformer_tiny_24e_nus-3d.py'
IMAGE = (900, 1600)
QUEUE = 2


class BytesMoved(TorchDispatchMode):
    """Count bytes of all operands and results of the operators inside: what is moved if nothing stays in a cache.

    Views move nothing. A tensor that repeats its storage (``expand``) counts as much as the storage holds. Operators
    that torch does not dispatch are not seen: what Triton and numba compile.
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
    """Return the bytes that reading a tensor touches."""
    return min(tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes())


@dataclass
class RecordedCalls:
    """Modules of one stage with the inputs of their calls."""

    modules: list[nn.Module]
    calls: list[tuple[nn.Module, Any]] = field(default_factory=list)

    def record(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        """Keep the inputs of a call, as a forward pre-hook; calls without gradient (past frames) are left out."""
        if torch.is_grad_enabled():
            self.calls.append((module, tree_map(detached, (args, kwargs))))

    def forward(self) -> list[Tensor]:
        """Make all calls again and return the results that have a gradient."""
        answers = [module(*args, **kwargs) for module, (args, kwargs) in self.calls]
        return [tensor for tensor in tensors_of(answers) if tensor.requires_grad]

    def leaves(self) -> list[Tensor]:
        """Return what a backward pass through the stage gives gradients to."""
        given = tensors_of([inputs for _, inputs in self.calls])
        owned = [parameter for module in self.modules for parameter in module.parameters()]
        return [tensor for tensor in (*given, *owned) if tensor.requires_grad and tensor.is_leaf]


def tensors_of(value: Any) -> list[Tensor]:
    """Collect the tensors in nested containers and dataclasses."""
    if is_dataclass(value) and not isinstance(value, type):
        value = [getattr(value, entry.name) for entry in fields(value)]
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, Mapping):
        value = list(value.values())
    return [tensor for part in value for tensor in tensors_of(part)] if isinstance(value, list | tuple) else []


def stages_of(model: Any) -> dict[str, RecordedCalls]:
    """Group the modules of a BEVFormer by stage."""
    transformer = model.pts_bbox_head.transformer
    layers = transformer.encoder.layers
    modules = {
        'backbone': [model.img_backbone],
        'neck': [model.img_neck],
        'temporal attention': [layer.attentions[0] for layer in layers],
        'spatial attention': [layer.attentions[1] for layer in layers],
        'feed-forward': [ffn for layer in layers for ffn in layer.ffns],
        'decoder': [transformer.decoder],
    }
    return {name: RecordedCalls(found) for name, found in modules.items()}


@contextmanager
def inputs_kept(stages: Mapping[str, RecordedCalls]) -> Iterator[None]:
    """Record the inputs of all stages' calls inside the context."""
    with ExitStack() as stack:
        for stage in stages.values():
            for module in stage.modules:
                stack.callback(module.register_forward_pre_hook(stage.record, with_kwargs=True).remove)
        yield


def detached(value: Any) -> Any:
    """Cut a tensor off from the graph behind it, with a gradient of its own where it had one."""
    return value.detach().requires_grad_(value.requires_grad) if isinstance(value, Tensor) else value


def backward(stage: RecordedCalls, outputs: list[Tensor]) -> Run:
    """Return a run of a backward pass of a stage, whose gradients begin empty."""
    ones = [torch.ones_like(output) for output in outputs]
    for leaf in stage.leaves():
        leaf.grad = None
    return lambda: torch.autograd.backward(outputs, ones)


def machine_peaks(settings: Settings) -> dict[str, float]:
    """Measure operations per second of a matrix product and bytes per second of a copy.

    The best of several runs each, which nothing disturbed.
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
    """Measure seconds, operations and bytes of each stage, and their shares of the machine's peaks."""
    # One frame before the current one is all that the temporal attention needs to be at work.
    cfg = load_config(QUICK if settings.quick else TINY, {'model.queue_length': QUEUE})
    drop_pretrained(cfg.model)
    model = build(cfg.model, settings.device)
    image = (64, 176) if settings.quick else IMAGE
    sensors = MadeUpSensors(cfg.test_dataloader.dataset, image, points=0)
    batch = model.data_preprocessor(with_queue(sensors.batch(0), QUEUE), True)
    stages = stages_of(model)
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


def stage_row(settings: Settings, stage: RecordedCalls, repeats: int, peaks: Mapping[str, float]) -> dict[str, Any]:
    """Measure one stage; counting its operations and bytes warms it up."""
    with FlopCounterMode(display=False) as flops, BytesMoved() as moved:
        backward(stage, stage.forward())()
    ahead, back = [], []
    for _ in range(repeats):
        outputs: list[Tensor] = []
        ahead.append(settings.clock.seconds(lambda: outputs.extend(stage.forward())))  # noqa: B023 called at once
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
