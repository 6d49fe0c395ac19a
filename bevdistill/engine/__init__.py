"""Running: hooks, checkpoints, distributed start-up, config overrides."""

from .atomic_backend import AtomicBackend
from .cache_writer import CacheWriter
from .checkpoints import existing_checkpoint, latest_checkpoint
from .distributed import distributed_run
from .draws import Draw, SeededDataset, SeededSampler
from .hooks import (
    CheckpointIdentityHook,
    CompileHook,
    FiniteLossHook,
    PlainCheckpointHook,
    RepeatableRunHook,
    check_weights,
)
from .host_memory import keep_freed_memory
from .identity import check_identity, identity_of
from .launch import build_runner, load_config, run_testing, run_training
from .mixed_draws import MixedSampler
from .optim import Bfloat16OptimWrapper, SummaryOptimWrapperConstructor
from .overrides import apply_overrides, parse_overrides
from .teacher_cache import follow_teacher_cache
from .trainable import UntrainableError, check_trainable

__all__ = [
    'AtomicBackend',
    'Bfloat16OptimWrapper',
    'CacheWriter',
    'CheckpointIdentityHook',
    'CompileHook',
    'Draw',
    'FiniteLossHook',
    'MixedSampler',
    'PlainCheckpointHook',
    'RepeatableRunHook',
    'SeededDataset',
    'SeededSampler',
    'SummaryOptimWrapperConstructor',
    'UntrainableError',
    'apply_overrides',
    'build_runner',
    'check_identity',
    'check_trainable',
    'check_weights',
    'distributed_run',
    'existing_checkpoint',
    'follow_teacher_cache',
    'identity_of',
    'keep_freed_memory',
    'latest_checkpoint',
    'load_config',
    'parse_overrides',
    'run_testing',
    'run_training',
]
