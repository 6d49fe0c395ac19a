"""Hooks of mmengine's runner."""

from .compile_hook import CompileHook
from .finite_loss_hook import FiniteLossHook
from .repeatable_run_hook import RepeatableRunHook
from .resume_hook import ResumeHook

__all__ = [
    'CompileHook',
    'FiniteLossHook',
    'RepeatableRunHook',
    'ResumeHook',
]
