"""Count the multiply-adds of one frame in testing, by module, with torch's formulas."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from mmcv.ops.multi_scale_deform_attn import MultiScaleDeformableAttention
from torch import Tensor, nn
from torch.autograd import Function
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from ..layers.sampling.host import HostSampling
from .made_up_sensors import MadeUpSensors

KNOWN_OPS = (MultiScaleDeformableAttention,)
"""Modules of mmcv.ops whose kernels have a count."""

aten = torch.ops.aten


def deformable_sampling(inputs: Sequence[Any], output: Tensor) -> int:
    """Count ``HostSampling(value, locations, weights, ...)``: four cells a sample and channel."""
    return 4 * inputs[2].numel() * inputs[0].shape[-1]


FUNCTIONS: dict[type[Function], Callable[[Sequence[Any], Tensor], int]] = {
    HostSampling: deformable_sampling,
}


# As mmengine counts them in testing (mmengine.analysis.jit_handles), from the first input and the output.
OPERATORS: dict[Any, Callable[[Tensor, Any], int]] = {
    aten.native_batch_norm: lambda given, _: 2 * given.numel(),
    aten._native_batch_norm_legit_no_training: lambda given, _: 2 * given.numel(),
    aten.native_layer_norm: lambda given, _: 5 * given.numel(),
    aten.native_group_norm: lambda given, _: 5 * given.numel(),
    aten._adaptive_avg_pool2d: lambda given, _: given.numel(),
    aten.upsample_nearest2d: lambda _, output: output.numel(),
    aten.upsample_bilinear2d: lambda _, output: 4 * output.numel(),
    aten.grid_sampler_2d: lambda _, output: 4 * output.numel(),
    # Which torch's formulas lack; of self-attention, with as many keys as queries.
    aten._scaled_dot_product_flash_attention_for_cpu: lambda given, _: 2 * given.numel() * given.shape[-2],
}


class ModuleFlops(TorchDispatchMode):
    """Count the multiply-adds of what runs inside the context, by the module that runs it.

    The formulas are those of ``torch.utils.flop_counter`` and :data:`OPERATORS`. The kernel of an ``autograd.Function``
    is not dispatched, so no mode sees it: inside the context, ``forward`` of :data:`FUNCTIONS` counts it.

    ``torch.utils.flop_counter.FlopCounterMode`` also counts by module, but not a module whose other methods are called,
    nor a list of modules.

    Operators outside of every module, such as the projection of reference points into cameras, are not counted.

    Args:
        model: Root of the names.
        skipped: Parts of it, direct children, that are left out.
    """

    def __init__(self, model: nn.Module, skipped: Sequence[str] = ()) -> None:
        super().__init__()
        self._skipped = set(skipped)
        self.by_module: Counter[str] = Counter()
        self._model = model
        self._running = ['']
        self._stack = ExitStack()

    def add(self, count: int) -> None:
        """Add to the module that runs and to all that contain it."""
        path = self._running[-1].split('.')
        if path[0] and path[0] not in self._skipped:
            for depth in range(len(path) + 1):
                self.by_module['.'.join(path[:depth])] += count

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        packet = func._overloadpacket
        if packet in OPERATORS:
            self.add(OPERATORS[packet](args[0], output))
        elif packet in flop_registry:
            # torch counts a multiply-add as two operations.
            self.add(flop_registry[packet](*args, **(kwargs or {}), out_val=output) // 2)
        return output

    def __enter__(self) -> Any:
        def leave(*_: Any) -> None:
            self._running.pop()

        for name, module in self._model.named_modules():
            if name:
                enter = partial(lambda name, *_: self._running.append(name), name)
                for hook in (module.register_forward_pre_hook(enter), module.register_forward_hook(leave)):
                    self._stack.callback(hook.remove)
        for function, count in FUNCTIONS.items():
            self._stack.callback(setattr, function, 'forward', vars(function)['forward'])
            function.forward = staticmethod(self._counting(function.forward, count))  # type: ignore[method-assign]
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._stack.close()

    def _counting(self, plain: Callable[..., Any], count: Callable[..., int]) -> Callable[..., Any]:
        def forward(ctx: Any, *inputs: Any) -> Any:
            output = plain(ctx, *inputs)
            self.add(count(inputs, output))
            return output

        return forward


@dataclass(frozen=True)
class FrameFlops:
    """Multiply-adds of one frame.

    Attributes:
        by_module: From the dotted name of a module inside the detector ('' for all) to the count.
        image: Cameras, height and width that the network saw, or None.
        not_counted: Parts with sparse convolutions, and modules of mmcv without a known count.
    """

    by_module: dict[str, int]
    image: tuple[int, int, int] | None
    not_counted: Sequence[str]


def count_flops(detector: Any, preprocessor: nn.Module, sensors: MadeUpSensors) -> FrameFlops:
    """Count multiply-adds of one frame in testing: batch of one, history from the frame before where it is used.

    A multiply-add counts once, as in mmengine's and other published figures. Counted are convolutions (deformable ones
    too), matrix products, normalisation and bilinear sampling, not element-wise operations.

    Args:
        detector: A student or a teacher, in any mode; it is left in eval mode.
        preprocessor: Data preprocessor that feeds it.
        sensors: Made-up data.
    """
    first, second = (preprocessor(sensors.batch(frame), False) for frame in range(2))
    sparse = sparse_parts(detector)
    # Not between the frames: a switch of the mode makes a detector forget.
    detector.eval()
    # The auxiliary heatmap does not run in testing.
    parameters = inspect.signature(detector.forward_outputs).parameters
    options = {'with_heatmap': False} if 'with_heatmap' in parameters else {}
    with torch.no_grad():
        if getattr(detector, 'queue_length', 1) > 1:
            detector.forward_outputs(first['inputs'], first['data_samples'], **options)
        with ModuleFlops(detector, sparse) as counted:
            detector.forward_outputs(second['inputs'], second['data_samples'], **options)
    # Forget the made-up scene.
    detector.eval()
    image = second['inputs'].get('imgs')
    return FrameFlops(
        dict(counted.by_module),
        None if image is None else (image.shape[2], image.shape[4], image.shape[5]),
        [*(f'sparse convolutions of {name}' for name in sparse), *unknown_kernels(detector)],
    )


def sparse_parts(detector: nn.Module) -> list[str]:
    """Name the parts with sparse convolutions, whose count depends on where the points are: made-up ones mislead."""
    return [
        name for name, part in detector.named_children() if any(hasattr(module, 'subm') for module in part.modules())
    ]


def unknown_kernels(detector: nn.Module) -> list[str]:
    """Name modules of ``mmcv.ops`` whose kernels have no count."""
    kinds = {type(module) for module in detector.modules() if not isinstance(module, KNOWN_OPS)}
    return sorted(kind.__name__ for kind in kinds if kind.__module__.startswith('mmcv.ops'))
