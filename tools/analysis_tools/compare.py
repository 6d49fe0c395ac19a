#!/usr/bin/env python
"""Compare runs: the older name of `bevdistill compare`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bevdistill.cli.main import tool

tool('compare')
