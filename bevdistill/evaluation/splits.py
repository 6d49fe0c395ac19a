"""Name the splits of nuScenes with public annotations, and tell results of a part apart; imports no model."""

from __future__ import annotations

import hashlib
from collections.abc import Collection

EVAL_SETS = {'v1.0-mini': 'mini_val', 'v1.0-trainval': 'val'}
"""From a version to the devkit's name of its validation split."""
PART = ('samples', 'split_samples', 'samples_id')
"""Reported beside the scores of other samples than those of the whole split, see :func:`part_of`."""


def part_of(tokens: Collection[str], whole: Collection[str]) -> dict[str, float]:
    """Return the numbers :data:`PART` where `tokens` are not the whole split, and nothing where they are.

    Args:
        tokens: Samples that were scored.
        whole: Samples of the split.

    Returns:
        ``samples`` and ``split_samples``, how many each are, and ``samples_id``, the same for the same samples: the
        first 24 bits of the SHA-256 of their sorted tokens, which a float32 holds. Floats, since mmengine writes
        whole numbers of a test as null.
    """
    if set(tokens) == set(whole):
        return {}
    digest = hashlib.sha256('\n'.join(sorted(tokens)).encode()).hexdigest()
    return dict(zip(PART, map(float, (len(tokens), len(whole), int(digest[:6], 16))), strict=True))
