"""Command-line tools; a package so that they can share :mod:`tools.command_line`."""
