"""Made-up detectors, their checkpoints and batches."""

from fake_detector import batch, save_teacher  # noqa: F401
from made_up_outputs import make_outputs  # noqa: F401
