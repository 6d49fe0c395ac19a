import pytest

from bevdistill.visualization.palette import class_colours, score_alpha

NUSCENES = ['car', 'truck', 'trailer', 'bus', 'construction_vehicle', 'bicycle', 'motorcycle', 'pedestrian']


def test_each_class_has_its_own_colour_in_any_order() -> None:
    colours = class_colours(NUSCENES)
    assert len(set(colours)) == len(NUSCENES)
    assert class_colours(NUSCENES[::-1]) == colours[::-1]


def test_unknown_classes_get_spare_colours() -> None:
    known, first, second = class_colours(['car', 'tram', 'boat'])
    assert len({known, first, second}) == 3
    assert all(0 <= value <= 1 for value in first)


def test_opacity_grows_with_the_score() -> None:
    assert score_alpha(0.3, threshold=0.3) == pytest.approx(0.35)
    assert score_alpha(0.65, threshold=0.3) == pytest.approx(0.675)
    assert score_alpha(1.0, threshold=0.3) == pytest.approx(1.0)
    assert score_alpha(1.0, threshold=1.0) <= 1.0
