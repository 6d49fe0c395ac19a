"""Toy runs without mmengine's slow extras."""

from toy_run import quick_runner  # noqa: F401
