"""Print what keeps the interpreter that runs this from running the project, and a remedy: one line of JSON."""

import json
import pathlib
import platform
import sys
from importlib import import_module, metadata

RANGES = 'Install what fits there (ranges and reasons: pyproject.toml), or leave PYTHON out to get a .venv'
BUILD = f'Put it right, here: {sys.executable} -m bevdistill mmcv'


def version_faults(pyproject: str, extras: "list[str]") -> "list[str]":
    """List every requirement that is missing or outside its range, as short phrases."""
    if not (3, 11) <= sys.version_info[:2] < (3, 14) or sys.implementation.name != 'cpython':
        return [f'{sys.implementation.name} {platform.python_version()} instead of CPython 3.11, 3.12 or 3.13']
    import tomllib
    try:
        from packaging.requirements import Requirement
    except ImportError:
        from pip._vendor.packaging.requirements import Requirement  # type: ignore[assignment]
    project = tomllib.loads(pathlib.Path(pyproject).read_text())['project']
    faults = []
    for line in sum((project['optional-dependencies'][extra] for extra in extras), project['dependencies']):
        needed = Requirement(line)
        try:
            found = metadata.version(needed.name)
            if not needed.specifier.contains(found, prereleases=True):
                faults.append(f'{needed.name} {found} instead of {needed.specifier}')
        except metadata.PackageNotFoundError:
            if not needed.marker or needed.marker.evaluate():
                faults.append(f'no {needed.name}')
    return faults


def operator_faults() -> "tuple[list[str], str]":
    """Import torch and mmcv's operators; the fault and its remedy."""
    for module, fault in (('torch', 'torch does not import'), ('mmcv._ext', 'mmcv was built for another torch')):
        try:
            import_module(module)
        except Exception as error:
            missing = isinstance(error, ModuleNotFoundError) and module != 'torch'
            fault = 'mmcv has no compiled operators' if missing else fault
            return [f'{fault} ({str(error).strip().splitlines()[-1]})'], RANGES if module == 'torch' else BUILD
    return [], ''


sys.path.pop(0)
faults = version_faults(sys.argv[1], sys.argv[2].split())
print(json.dumps([faults, RANGES] if faults else operator_faults()))
