from __future__ import annotations

import numpy as np
import pytest

from bevdistill.synthetic.shapes import _PARTS, build_parts


@pytest.mark.parametrize('shape', sorted(_PARTS))
def test_parts_fit_and_fill_the_box(shape: str) -> None:
    parts = build_parts([shape], np.array([[2.0, 4.0, 1.5]]), np.array([[0.5, 0.4, 0.3]]))
    low, high = parts.offsets - parts.halves, parts.offsets + parts.halves
    box = np.array([2.0, 1.0, 0.75])
    assert (low >= -box - 1e-9).all()
    assert (high <= box + 1e-9).all()
    assert (high.max(axis=0) >= 0.9 * box).sum() >= 2, 'a box is no larger than what is drawn in it'
    assert low[:, 2].min() == pytest.approx(-0.75), 'it stands on the ground'
    assert ((parts.colours >= 0) & (parts.colours <= 1)).all()


def test_objects_keep_their_order() -> None:
    parts = build_parts(['car', 'pole', 'truck'], np.ones((3, 3)), np.full((3, 3), 0.5))
    assert parts.owners.tolist() == [0, 0, 1, 2, 2]
