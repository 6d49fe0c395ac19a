"""Run trainings and tests: hooks, optimizers, distributed start-up, config overrides."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .hooks import (
        CompileHook,
        DiagnoseDistillation,
        FiniteLossHook,
        NotFiniteError,
        RepeatableRunHook,
        ResumeHook,
        StopHook,
    )
    from .host_memory import keep_freed_memory
    from .launch import build_runner, load_config, run_testing, run_training
    from .optim import Bfloat16OptimWrapper, SummaryOptimWrapperConstructor
    from .overrides import apply_overrides, parse_overrides
    from .process_group import distributed_run
    from .stopping import STOPPED, RunStopped
    from .trainable import UntrainableError, check_trainable

__all__ = [
    'STOPPED',
    'Bfloat16OptimWrapper',
    'CompileHook',
    'DiagnoseDistillation',
    'FiniteLossHook',
    'NotFiniteError',
    'RepeatableRunHook',
    'ResumeHook',
    'RunStopped',
    'StopHook',
    'SummaryOptimWrapperConstructor',
    'UntrainableError',
    'apply_overrides',
    'build_runner',
    'check_trainable',
    'distributed_run',
    'keep_freed_memory',
    'load_config',
    'parse_overrides',
    'run_testing',
    'run_training',
]

__getattr__ = lazy_names(__name__)
