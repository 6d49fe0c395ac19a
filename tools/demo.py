#!/usr/bin/env python
"""Run the demo: the older name of `bevdistill study run configs/studies/demo.yml`."""

import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO))

from bevdistill.cli.main import tool  # noqa: E402

words = ['--seeds' if word == '--seed' else word for word in sys.argv[1:]]
if '--rows' in words:
    place = words.index('--rows')
    words[place : place + 1] = ['--until', 'teacher', 'student', 'distilled']
name = 'demo_quick.yml' if '--quick' in words else 'demo.yml'
sys.argv[1:] = ['--stale', 'redo', *(word for word in words if word != '--quick')]
tool('study', 'run', str(REPO / 'configs' / 'studies' / name))
