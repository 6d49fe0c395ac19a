"""Run the command line as ``python -m bevdistill``."""

import sys

from bevdistill.cli.main import main

if __name__ == '__main__':
    sys.exit(main())
