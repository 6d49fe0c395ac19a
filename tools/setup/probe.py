"""Tell what keeps an interpreter from running the project: run by it, prints faults and a remedy as one line of JSON.

``python probe.py PYPROJECT EXTRAS MEMORY`` compares versions (0.2 s). If they fit, it imports torch and mmcv's
operators (seconds), until their files change only once: the folder MEMORY remembers that it went well.
"""

import hashlib
import importlib.util
import json
import os
import pathlib
import platform
import sys
from importlib import import_module, metadata

RANGES = 'Install what fits there (ranges and reasons: pyproject.toml), or leave PYTHON out to get a .venv'
BUILD = ('Put it right: "mim install mmcv==2.1.0" (CUDA wheels), or "MMCV_WITH_OPS=1 pip install --no-cache-dir '
         '--no-build-isolation --force-reinstall --no-deps --no-binary mmcv mmcv==2.1.0"')


def version_faults(pyproject: str, extras: "list[str]") -> "list[str]":
    """List every requirement that is missing or outside its range, as short phrases."""
    if sys.version_info[:2] != (3, 11) or sys.implementation.name != 'cpython':
        return [f'{sys.implementation.name} {platform.python_version()} instead of CPython 3.11']
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


def operator_faults(memory: str) -> "tuple[list[str], str]":
    """Import torch and mmcv's operators, unless a note says that the same files did; the fault and its remedy."""
    specs = [importlib.util.find_spec(module) for module in ('torch', 'mmcv')]
    files = [entry for spec in specs if spec and spec.origin for entry in os.scandir(os.path.dirname(spec.origin))]
    state = sorted((entry.path, entry.stat().st_size, entry.stat().st_mtime) for entry in files
                   if entry.name == 'version.py' or entry.name.startswith('_ext.'))
    note = os.path.join(memory, hashlib.sha256(repr([sys.prefix, state]).encode()).hexdigest()[:24])
    for module, fault in (('torch', 'torch does not import'), ('mmcv._ext', 'mmcv was built for another torch')):
        try:
            os.path.exists(note) or import_module(module)
        except Exception as error:
            missing = isinstance(error, ModuleNotFoundError) and module != 'torch'
            fault = 'mmcv has no compiled operators' if missing else fault
            return [f'{fault} ({str(error).strip().splitlines()[-1]})'], RANGES if module == 'torch' else BUILD
    os.makedirs(note, exist_ok=True)
    return [], ''


sys.path.pop(0)
faults, remedy = version_faults(sys.argv[1], sys.argv[2].split()), RANGES
if not faults:
    faults, remedy = operator_faults(sys.argv[3])
print(json.dumps([faults, remedy]))
