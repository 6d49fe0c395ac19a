"""Check the environment variables that commands read, and set those of libraries, before anything is loaded."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping

# As in bevdistill.layers.sampling, which imports torch; a test compares.
CHOICES = {'BEVDISTILL_SAMPLING': ('triton', 'mmcv', 'reference')}
OF_TESTS = ('BEVDISTILL_GOLDEN', 'BEVDISTILL_KEYFRAME', 'BEVDISTILL_KEYFRAME_PAIR', 'BEVDISTILL_DGP')
NUMBERS = ('RANK', 'LOCAL_RANK', 'WORLD_SIZE')
"""What launchers say of this process."""


def check_environment(variables: Mapping[str, str] | None = None) -> list[str]:
    """Check values and names, an empty value is none; and that the current folder is there.

    Args:
        variables: By default those of this process.

    Returns:
        Lines about names that are nearly one of ours.

    Raises:
        FileNotFoundError: If the current folder has been removed.
        ValueError: If a value is none of those that there are, or the number of a process cannot be.
    """
    try:
        os.getcwd()
    except FileNotFoundError as error:
        raise FileNotFoundError('the current folder has been removed; change to one that is there') from error
    found = {name: value for name, value in (os.environ if variables is None else variables).items() if value}
    for name, allowed in CHOICES.items():
        if name in found and found[name] not in allowed:
            raise ValueError(f"{name}='{found[name]}': expected {', '.join(allowed)}, or no such variable")
    for name in NUMBERS:
        if name in found and not (found[name].isascii() and found[name].isdigit()):
            raise ValueError(f"{name}='{found[name]}': expected a whole number from 0 on; unset it")
    rank, world = (int(found.get(name, default)) for name, default in (('RANK', 0), ('WORLD_SIZE', 2**31)))
    if rank >= world:
        raise ValueError(f'RANK={rank}, WORLD_SIZE={world}: expected a rank below the number of processes; unset both')
    known = [*CHOICES, *OF_TESTS]
    strange = [name for name in found if name.startswith('BEVDISTILL') and name not in known]
    near = {name: difflib.get_close_matches(name, CHOICES, n=1, cutoff=0.7) for name in strange}
    return [f'{name} is not read; did you mean {names[0]}?' for name, names in near.items() if names]


def let_threads_sleep() -> None:
    """Let threads of OpenMP sleep while they wait for each other, unless the variable says otherwise.

    By default they spin. Where other programs need the cores, a thread that has one then waits for one that has none,
    at full load: a training on two cores beside others took six times as long. It has to be set before torch loads.
    """
    os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
