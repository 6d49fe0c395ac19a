#!/usr/bin/env python
"""Run ``bevdistill study run``, or ``study ls`` for ``--list``, under its old name."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bevdistill.cli.main import tool

if __name__ == '__main__':
    if '--job' in sys.argv:
        sys.exit('run_matrix.py: --job is gone; `bevdistill study run STUDY.yml --profile slurm` submits every job')
    print("run_matrix.py: this is 'bevdistill study run' and 'study ls' now; both work", file=sys.stderr)
    action = 'ls' if '--list' in sys.argv else 'run'
    sys.argv = [word for word in sys.argv if word != '--list']
    tool('study', action)
