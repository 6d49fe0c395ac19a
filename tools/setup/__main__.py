"""Entry of ``python tools/setup``: refuses a Python that cannot even read the rest, then hands over to `cli`."""

import os
import sys

if sys.version_info < (3, 8):  # noqa: UP036  (this file alone is read by whatever python3 there is)
    sys.exit('set-up: error: Python 3.8 or newer is needed to begin. Name one: make PYTHON=/path/to/python3.11 ...')
sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from setup.cli import main  # noqa: E402  (the guard above must come first)

sys.exit(main())
