#!/usr/bin/env python
"""Run `bevdistill describe` under its old name."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bevdistill.cli.main import tool

tool('describe')
