"""Hooks of mmengine's runner."""

from .checkpoint_identity_hook import CheckpointIdentityHook, check_weights
from .finite_loss_hook import FiniteLossHook
from .plain_checkpoint_hook import PlainCheckpointHook
from .repeatable_run_hook import RepeatableRunHook

__all__ = ['CheckpointIdentityHook', 'FiniteLossHook', 'PlainCheckpointHook', 'RepeatableRunHook', 'check_weights']
