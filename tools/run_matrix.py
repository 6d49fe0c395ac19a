#!/usr/bin/env python
"""Run a study: the older name of `bevdistill study run`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bevdistill.cli.main import tool

if '--job' in sys.argv:
    sys.exit('run_matrix.py: --job is gone; `bevdistill study run STUDY.yml --profile slurm` submits every job')
action = 'ls' if '--list' in sys.argv else 'run'
sys.argv = [word for word in sys.argv if word != '--list']
tool('study', action)
