#!/usr/bin/env python
"""Run the study configs/studies/demo.yml, or demo_quick.yml for ``--quick``, from a checkout; ``make demo``."""

import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO))

from bevdistill.cli.main import tool  # noqa: E402


def main() -> None:
    """Turn the demo's own flags into those of a study."""
    words = ['--seeds' if word == '--seed' else word for word in sys.argv[1:] if word != '--quick']
    if '--rows' in words:
        place = words.index('--rows')
        words[place : place + 1] = ['--until', 'teacher', 'student', 'distilled']
    study = REPO / 'configs' / 'studies' / ('demo_quick.yml' if '--quick' in sys.argv else 'demo.yml')
    sys.argv[1:] = ['--stale', 'redo', *words]
    tool('study', 'run', str(study))


if __name__ == '__main__':
    main()
