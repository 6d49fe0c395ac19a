"""What must be installed: the exact pins of ``requirements/lock.txt`` and the ranges of ``setup.py``."""

from __future__ import annotations

import ast
import hashlib
import platform
import re
from pathlib import Path

LINUX_X86_64 = "sys_platform == 'linux' and platform_machine == 'x86_64'"


def normalise(name: str) -> str:
    """Spell a distribution's name as the package index does (PEP 503)."""
    return re.sub(r'[-_.]+', '-', name).lower()


def release(version: str) -> tuple[int, ...]:
    """Release numbers of a version without trailing zeros: ``2.13.0+cpu`` -> ``(2, 13)``."""
    numbers = [int(part) for part in re.match(r'[\d.]*', version).group().split('.') if part]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def satisfies(version: str, ranges: str) -> bool:
    """Tell whether a version lies in comma-separated ranges such as ``>=2.1,<3``.

    Local suffixes (``+cu121``) and pre-release marks are ignored: only the release numbers count.
    """
    compare = {
        '>=': lambda a, b: a >= b,
        '<=': lambda a, b: a <= b,
        '==': lambda a, b: a == b,
        '!=': lambda a, b: a != b,
        '<': lambda a, b: a < b,
        '>': lambda a, b: a > b,
    }
    for clause in filter(None, (part.strip() for part in ranges.split(','))):
        operator, bound = re.match(r'(>=|<=|==|!=|<|>)\s*(.+)', clause).groups()
        if not compare[operator](release(version), release(bound)):
            return False
    return True


def read_lock(path: Path) -> dict[str, str]:
    """Read the pins that apply to this machine: ``{normalised name: version}``.

    Raises:
        ValueError: for a line that is not ``name==version``, optionally with the one marker that set-up knows.
    """
    pins = {}
    here = (platform.system(), platform.machine()) == ('Linux', 'x86_64')
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        requirement, _, marker = line.partition('#')[0].partition(';')
        if not requirement.strip():
            continue
        match = re.fullmatch(r'([\w.-]+)==([\w.]+)', requirement.strip())
        if not match or marker.strip() not in ('', LINUX_X86_64):
            raise ValueError(f'{path.name}:{number}: expected "name==version" or "name==version ; {LINUX_X86_64}", '
                             f'got {line!r}')
        if not marker.strip() or here:
            pins[normalise(match[1])] = match[2]
    return pins


def read_ranges(setup_py: Path, extras: tuple[str, ...] = ()) -> dict[str, str]:
    """Read the version ranges of ``setup.py`` without running it: ``{normalised name: ranges}``.

    Args:
        setup_py: The file; ``PYTHON_REQUIRES``, ``INSTALL_REQUIRES`` and ``EXTRAS_REQUIRE`` are literals in it.
        extras: Which extras to add. ``python`` is always among the keys returned.
    """
    literals = {}
    for node in ast.parse(setup_py.read_text()).body:
        if isinstance(node, ast.Assign) and node.targets[0].id.isupper():
            literals[node.targets[0].id] = ast.literal_eval(node.value)
    wanted = [f'python{literals["PYTHON_REQUIRES"]}', *literals['INSTALL_REQUIRES']]
    for extra in extras:
        wanted += literals['EXTRAS_REQUIRE'][extra]
    ranges = {}
    for requirement in wanted:
        name, bounds = re.fullmatch(r'([\w.-]+?)\s*((?:[<>=!].*)?)', requirement).groups()
        ranges[normalise(name)] = bounds
    return ranges


def misfits(installed: dict[str, str], pins: dict[str, str]) -> dict[str, str]:
    """The pins that are not installed in just that version (local suffixes such as ``+cpu`` do not count)."""
    return {name: pin for name, pin in pins.items() if installed.get(name, '').partition('+')[0] != pin}


def fingerprint(*files: Path) -> str:
    """One hash over the contents of files."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes() + b'\0')
    return digest.hexdigest()[:16]
