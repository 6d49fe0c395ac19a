"""Compile parts of a model by torch.compile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmdet3d.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from ...distributed.wrappers import unwrap_model


@HOOKS.register_module()
class CompileHook(Hook):
    """Compile parts of the trained detector by ``torch.compile`` before training.

    Each part is compiled in place (``torch.nn.Module.compile``): names of weights, checkpoints, the optimizer and
    other hooks do not notice. Parts run as before whenever their inputs take another shape than those compiled for,
    until torch has compiled them for sizes that vary.

    Note:
        mmengine's option ``compile`` compiles the whole training step, with the data preprocessor, the assignment on
        the host and the optimizer in it, which torch cannot trace in one piece.

    Args:
        parts: Names of sub-modules of the detector, or of the student in a distiller.
        **options: Of ``torch.compile``: ``backend``, ``mode``, ``dynamic`` and so on.
    """

    def __init__(self, parts: Sequence[str] = ('img_backbone', 'img_neck'), **options: Any) -> None:
        self.parts = tuple(parts)
        self.options = options

    def before_train(self, runner: Runner) -> None:
        """Compile; torch does the work when a part is first called.

        Raises:
            ValueError: If the detector has no part of such a name.
        """
        model = unwrap_model(runner.model)
        detector = getattr(model, 'student', model)
        modules: dict[str, nn.Module] = dict(detector.named_modules())
        unknown = [part for part in self.parts if not part or part not in modules]
        if unknown:
            children = sorted(name for name, _ in detector.named_children())
            raise ValueError(f'CompileHook: {type(detector).__name__} has no parts {unknown}; it has {children}')
        for part in self.parts:
            modules[part].compile(**self.options)
        runner.logger.info(f'compiled when first called: {", ".join(self.parts)}')
