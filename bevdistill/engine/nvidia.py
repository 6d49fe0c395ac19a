"""NVIDIA's driver on this machine. Standard library only: set-up asks before anything is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

_VERSION = Path('/proc/driver/nvidia/version')
_DEVICES = Path('/dev')


def driver_version() -> str:
    """Return the version of NVIDIA's driver, such as ``580.65.06``.

    Returns:
        Empty without a driver, without a card (a container may see the driver alone), and where
        ``CUDA_VISIBLE_DEVICES`` hides all cards.
    """
    if os.environ.get('CUDA_VISIBLE_DEVICES', 'all') in ('', '-1'):
        return ''
    if _VERSION.is_file():
        found = re.search(r'Kernel Module.*?\s(\d+\.[\d.]+)', _VERSION.read_text(encoding='utf-8'))
        return found[1] if found and any(_DEVICES.glob('nvidia[0-9]*')) else ''
    if not shutil.which('nvidia-smi'):
        return ''
    command = ['nvidia-smi', '--query-gpu=driver_version', '--format=csv,noheader']
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60).stdout.strip().partition('\n')[0]
    except (OSError, subprocess.TimeoutExpired):
        return ''
    return answer if re.fullmatch(r'\d+[\d.]*', answer) else ''
