"""Toy runs without mmengine's slow extras, and made-up detectors."""

from fake_detector import batch, save_teacher  # noqa: F401
from toy_run import quick_runner  # noqa: F401
