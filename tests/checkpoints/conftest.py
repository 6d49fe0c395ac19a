"""Toy runs without mmengine's slow extras, and checkpoints of made-up teachers."""

from fake_detector import save_teacher  # noqa: F401
from toy_run import quick_runner  # noqa: F401
