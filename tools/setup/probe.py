"""What an interpreter has: run by that interpreter itself, as a script; prints one line of JSON.

``python probe.py`` lists versions and takes about 0.2 s. ``python probe.py ops`` also imports torch and mmcv's compiled
operators, which takes seconds.
"""

import importlib
import importlib.util
import json
import os
import re
import sys


def packages() -> dict:
    """Versions by normalised name; the first on the path wins, as it does on import."""
    from importlib import metadata

    found = {}
    for distribution in metadata.distributions():
        name = distribution.metadata['Name']
        if name:
            found.setdefault(re.sub(r'[-_.]+', '-', name).lower(), distribution.version)
    return found


def build_marks() -> list:
    """Size and time of the files whose change may break mmcv's operators, found without importing them."""
    marks = []
    for module in ('torch', 'mmcv'):
        spec = importlib.util.find_spec(module)
        folder = os.path.dirname(spec.origin) if spec and spec.origin else ''
        names = sorted(os.listdir(folder)) if folder else []
        for name in names:
            if name == 'version.py' or name.startswith('_ext.'):
                state = os.stat(os.path.join(folder, name))
                marks.append([module, name, state.st_size, int(state.st_mtime)])
    return marks


def operators() -> dict:
    """Import mmcv's operators: ``state`` is ``ok``, ``no torch``, ``no ops`` or ``other torch``."""
    try:
        torch = importlib.import_module('torch')
    except Exception as error:
        return {'state': 'no torch', 'detail': str(error)}
    facts = {'state': 'ok', 'detail': '', 'torch': torch.__version__, 'cuda': ''}
    if torch.cuda.is_available():
        facts['cuda'] = torch.version.cuda or torch.version.hip or 'gpu'
    try:
        importlib.import_module('mmcv')
        importlib.import_module('mmcv._ext')
    except ModuleNotFoundError as error:
        facts.update(state='no ops', detail=str(error))
    except Exception as error:
        facts.update(state='other torch', detail=str(error).strip().splitlines()[-1])
    return facts


def main() -> None:
    """Print the facts; the last line of standard output is the JSON."""
    sys.path.pop(0)
    facts = {
        'python': '.'.join(map(str, sys.version_info[:3])),
        'implementation': sys.implementation.name,
        'prefix': sys.prefix,
        'packages': packages(),
        'marks': build_marks(),
    }
    if 'ops' in sys.argv[1:]:
        facts['ops'] = operators()
    print(json.dumps(facts))


if __name__ == '__main__':
    main()
