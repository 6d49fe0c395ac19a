from __future__ import annotations

from nuscenes.eval.detection.constants import ATTRIBUTE_NAMES, DETECTION_NAMES
from nuscenes.utils.color_map import get_colormap

from bevdistill.synthetic.catalog import ATTRIBUTES, CATEGORIES, LOCATIONS, SPECIES, VISIBILITIES
from bevdistill.synthetic.schema import visibility_token


def test_categories_are_those_of_the_devkit() -> None:
    known = set(get_colormap())
    assert set(CATEGORIES) <= known
    assert len(set(CATEGORIES)) == len(CATEGORIES) == 23


def test_attributes_are_those_that_the_evaluator_scores() -> None:
    assert set(ATTRIBUTES) == set(ATTRIBUTE_NAMES)


def test_every_detection_class_has_one_species() -> None:
    assert sorted(species.name for species in SPECIES) == sorted(DETECTION_NAMES)


def test_cones_and_barriers_neither_move_nor_have_attributes() -> None:
    """The evaluator leaves velocity and attribute out for these two, so they must not have any."""
    for species in SPECIES:
        fixed = species.name in ('traffic_cone', 'barrier')
        assert (species.attribute_kind == '') == fixed
        assert (species.moving == 0.0) == fixed
        assert (species.speed == (0.0, 0.0)) == fixed


def test_numbers_are_possible() -> None:
    for species in SPECIES:
        assert min(species.size) > 0.0
        assert all(0.0 <= channel <= 1.0 for channel in species.colour)
        assert 0.0 < species.share < 1.0
        assert species.speed[0] <= species.speed[1]
    assert abs(sum(species.share for species in SPECIES) - 1.04) < 1e-9, 'shares are relative: they are normalised'


def test_class_colours_can_be_told_apart() -> None:
    """A camera detector has to tell classes by colour and shape; no two classes have nearly the same colour."""
    for place, one in enumerate(SPECIES):
        for other in SPECIES[:place]:
            gap = max(abs(a - b) for a, b in zip(one.colour, other.colour, strict=True))
            assert gap > 0.09, (one.name, other.name)


def test_visibility_levels_match_their_bounds() -> None:
    for level, share in enumerate((0.2, 0.5, 0.7, 0.9), start=1):
        name, text = VISIBILITIES[level - 1]
        assert visibility_token(share) == str(level)
        low, high = (int(number) for number in name.removeprefix('v').split('-'))
        assert low <= 100 * share <= high
        assert f'between {low} and {high}%' in text


def test_locations_are_nuscenes_maps() -> None:
    assert sorted(LOCATIONS) == [
        'boston-seaport', 'singapore-hollandvillage', 'singapore-onenorth', 'singapore-queenstown',
    ]  # fmt: skip
