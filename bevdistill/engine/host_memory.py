"""Stop glibc from returning freed memory to the OS between steps."""

from __future__ import annotations

import ctypes
import os
import platform

from mmengine.device import get_device

OWN_CHOICES = ('MALLOC_', 'GLIBC_TUNABLES', 'LD_PRELOAD')
"""Prefixes of environment variables that choose an allocator or its settings."""
# From malloc.h. Large blocks come from the heap in place of mappings of their own, and the heap does not shrink.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_NEVER, _GROWTH = 2**31 - 1, 64 * 2**20


def keep_freed_memory() -> bool:
    """Keep freed memory in glibc's heap, in this process and its forks.

    Activations are freed and allocated in every step. By default glibc maps and unmaps each large one, and the kernel
    clears its pages again: a sixth of a small model's step on a CPU (docs/performance.md). The process then stays as
    large as its largest step.

    Does nothing on a GPU, where torch caches memory itself, without glibc, or where the environment chooses an
    allocator or its settings: ``MALLOC_*``, ``GLIBC_TUNABLES``, ``LD_PRELOAD``.

    Returns:
        Whether glibc accepted the settings.
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
