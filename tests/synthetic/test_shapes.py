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


def test_parts_scale_with_their_object() -> None:
    sizes = np.array([[2.0, 4.0, 1.5], [1.0, 8.0, 3.0]])
    one, two = (build_parts(['car'], size[None], np.full((1, 3), 0.5)) for size in sizes)
    ratio = (sizes[1] / sizes[0])[[1, 0, 2]]
    assert two.offsets == pytest.approx(one.offsets * ratio)
    assert two.halves == pytest.approx(one.halves * ratio)


@pytest.mark.parametrize('shape', ['car', 'truck', 'trailer', 'construction_vehicle', 'cycle', 'pedestrian'])
def test_heading_can_be_seen(shape: str) -> None:
    """Turned by half a circle, an object that has a front looks different from above or from the side."""
    parts = build_parts([shape], np.array([[2.0, 4.0, 1.5]]), np.full((1, 3), 0.5))
    rows = {(*np.round(o, 6), *np.round(h, 6)) for o, h in zip(parts.offsets.tolist(), parts.halves, strict=True)}
    turned = {(-row[0], -row[1], *row[2:]) for row in rows}
    assert rows != turned


def test_reflectance_belongs_to_the_material() -> None:
    parts = build_parts(['traffic_cone', 'barrier', 'car'], np.ones((3, 3)), np.full((3, 3), 0.5))
    by_kind: dict[int, set[float]] = {}
    for kind, share in zip(parts.kinds.tolist(), parts.reflectance.tolist(), strict=True):
        by_kind.setdefault(kind, set()).add(share)
        assert 0.0 < share < 1.0
    assert all(len(shares) == 1 for shares in by_kind.values())
    bright = parts.reflectance[parts.owners == 0].max()
    assert bright > parts.reflectance[parts.owners == 2].max(), 'a cone returns more light than a car'


def test_colours_stay_colours() -> None:
    loud = build_parts(['pedestrian', 'truck'], np.ones((2, 3)), np.full((2, 3), 0.95))
    assert loud.colours.max() <= 1.0
    dark = build_parts(['pedestrian', 'truck'], np.ones((2, 3)), np.zeros((2, 3)))
    assert dark.colours.min() >= 0.02
