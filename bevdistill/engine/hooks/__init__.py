"""Hooks of mmengine's runner."""

from .checkpoint_identity_hook import CheckpointIdentityHook, check_weights
from .compile_hook import CompileHook
from .finite_loss_hook import FiniteLossHook
from .plain_checkpoint_hook import PlainCheckpointHook
from .repeatable_run_hook import RepeatableRunHook

__all__ = [
    'CheckpointIdentityHook',
    'CompileHook',
    'FiniteLossHook',
    'PlainCheckpointHook',
    'RepeatableRunHook',
    'check_weights',
]
