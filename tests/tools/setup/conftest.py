"""A made-up environment, and commands that are only noted."""

from made_up_venv import commands, venv  # noqa: F401
