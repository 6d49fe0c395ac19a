"""Entry of ``python tools/setup``: refuses a Python that cannot even read the rest, then hands over to `cli`."""

import sys
from pathlib import Path

if sys.version_info < (3, 8):  # noqa: UP036  (this file alone is read by whatever python3 there is)
    sys.exit(f'set-up: error: {sys.executable} is older than Python 3.8. Install CPython 3.11, or name one: '
             'make PYTHON=/path/to/python3.11 ...')

sys.path[0] = str(Path(__file__).resolve().parents[1])

from setup.cli import main  # noqa: E402  (the guard above must come first)

sys.exit(main())
