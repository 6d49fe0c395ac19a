"""Hooks of mmengine's runner."""

from .compile_hook import CompileHook
from .diagnose_hook import DiagnoseDistillation
from .finite_loss_hook import FiniteLossHook, NotFiniteError
from .logged_numbers_hook import LoggedNumbersHook
from .repeatable_run_hook import RepeatableRunHook
from .resume_hook import ResumeHook
from .stop_hook import StopHook
from .tf32_hook import Tf32Hook

__all__ = [
    'CompileHook',
    'DiagnoseDistillation',
    'FiniteLossHook',
    'LoggedNumbersHook',
    'NotFiniteError',
    'RepeatableRunHook',
    'ResumeHook',
    'StopHook',
    'Tf32Hook',
]
