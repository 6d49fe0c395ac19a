#!/usr/bin/env python
"""Run ``bevdistill compare`` from a checkout."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bevdistill.cli.main import tool

if __name__ == '__main__':
    tool('compare')
