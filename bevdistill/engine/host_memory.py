"""Memory that a process on a CPU has freed stays its own, so that the next step does not ask for it again."""

from __future__ import annotations

import ctypes
import os
import platform

from mmengine.device import get_device

OWN_CHOICES = ('MALLOC_', 'GLIBC_TUNABLES', 'LD_PRELOAD')
"""Beginnings of environment variables by which a user chooses an allocator or its settings."""
# From malloc.h. Large blocks come from the heap in place of mappings of their own, and the heap does not shrink.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_NEVER, _GROWTH = 2**31 - 1, 64 * 2**20


def keep_freed_memory() -> bool:
    """Let glibc keep what is freed, in this process and those that it forks.

    Activations are freed and allocated anew in every step. By default glibc maps each of them from the system and gives
    it back, and the system clears each page again; a small model on a CPU spends a sixth of its step on that
    (docs/performance.md). The process then stays as large as its largest step.

    Nothing is done on a GPU, whose memory torch keeps itself, nor without glibc, nor where the environment has a choice
    of its own: ``MALLOC_*``, ``GLIBC_TUNABLES`` or ``LD_PRELOAD``.

    Returns:
        Whether it was done.
    """
    if get_device() != 'cpu' or platform.libc_ver()[0] != 'glibc':
        return False
    if any(name.startswith(OWN_CHOICES) for name in os.environ):
        return False
    mallopt = ctypes.CDLL(None).mallopt
    done = [mallopt(option, value) for option, value in (
        (_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, _NEVER), (_M_TOP_PAD, _GROWTH)
    )]  # fmt: skip
    return all(done)
