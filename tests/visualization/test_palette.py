import numpy as np
import pytest

from bevdistill.visualization.palette import PANEL_COLOUR, TRUTH_COLOUR, class_colours, score_alpha, short_names

NUSCENES = ['car', 'truck', 'trailer', 'bus', 'construction_vehicle', 'bicycle', 'motorcycle', 'pedestrian']
NUSCENES += ['traffic_cone', 'barrier']
# Linear RGB as seen without one kind of cones (Machado et al., 2009, severity 1).
SIGHTS = dict(
    all=np.eye(3),
    protan=[[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    deutan=[[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    tritan=[[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
)
TO_XYZ = np.array([[0.41246, 0.35758, 0.18044], [0.21267, 0.71515, 0.07218], [0.01933, 0.11919, 0.95030]])


def test_each_class_has_its_own_colour_in_any_order() -> None:
    colours = class_colours(NUSCENES)
    assert len(set(colours)) == len(NUSCENES)
    assert class_colours(NUSCENES[::-1]) == colours[::-1]


def linear(colours: np.ndarray) -> np.ndarray:
    return np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)


def lab(light: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of linear RGB under D65, in which a distance of 2 is just seen."""
    ratio = light @ TO_XYZ.T / np.array([0.95047, 1.0, 1.08883])
    x, y, z = np.where(ratio > 0.008856, np.cbrt(np.maximum(ratio, 0)), 7.787 * ratio + 16 / 116).T
    return np.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), axis=-1)


@pytest.mark.parametrize('sight', SIGHTS)
def test_colours_stay_apart_for_all_eyes_and_on_the_panel(sight: str) -> None:
    light = linear(np.array([*class_colours(NUSCENES), TRUTH_COLOUR]))
    seen = lab(np.clip(light @ np.asarray(SIGHTS[sight]).T, 0, 1))
    apart = np.linalg.norm(seen[:, None] - seen[None], axis=-1)
    apart[np.diag_indices(len(apart))] = np.inf
    assert apart[:-1, :-1].min() > 15, 'classes'
    assert apart[-1].min() > 9, 'ground truth, which is white'
    luminance, panel = light @ TO_XYZ[1], linear(np.array(PANEL_COLOUR)) @ TO_XYZ[1]
    assert ((luminance + 0.05) / (panel + 0.05)).min() > 3


def test_names_fit_beside_a_box() -> None:
    assert short_names(['construction_vehicle', 'car', 'police_car']) == ['constr.', 'car', 'police car']
    assert max(map(len, short_names(NUSCENES))) <= 8


def test_unknown_classes_get_spare_colours() -> None:
    known, first, second = class_colours(['car', 'tram', 'boat'])
    assert len({known, first, second}) == 3
    assert all(0 <= value <= 1 for value in first)


def test_many_classes_of_ones_own_differ() -> None:
    colours = class_colours([f'class {number}' for number in range(40)])
    assert len({tuple(round(255 * part) for part in colour) for colour in colours}) == 40


def test_opacity_grows_with_the_score() -> None:
    assert score_alpha(0.3, threshold=0.3) == pytest.approx(0.35)
    assert score_alpha(0.65, threshold=0.3) == pytest.approx(0.675)
    assert score_alpha(1.0, threshold=0.3) == pytest.approx(1.0)
    assert score_alpha(1.0, threshold=1.0) <= 1.0
