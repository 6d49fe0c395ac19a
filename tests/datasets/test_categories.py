"""Categories to classes."""

from __future__ import annotations

import numpy as np
import pytest

from bevdistill.datasets.categories import BoxCount, CategoryMap


def test_labels_by_mapping_and_by_name() -> None:
    mapped = CategoryMap(['vehicle', 'person'], {'car': 'vehicle', 'van': 'vehicle', 'person': None, 'child': 'person'})
    assert [mapped.label(name) for name in ('car', 'van', 'vehicle', 'child', 'person', 'tree')] == [0, 0, 0, 1, -1, -1]
    assert mapped.labels({'van': 3, 'child': 0, 'animal': -1}) == {3: 0, 0: 1, -1: -1}


def test_mapping_to_an_unknown_class() -> None:
    with pytest.raises(ValueError, match=r"'Car' to 'vehicel', which is no class \(did you mean 'vehicle'\?\)\."):
        CategoryMap(['vehicle'], {'Car': 'vehicel'})


@pytest.mark.parametrize(
    ('classes', 'categories', 'told', 'mistake'),
    [
        (['car'], {}, '', False),
        (['car', 'tram'], {}, "class 'tram' has no category. Categories of the file: bus, car", False),
        (['car', 'Bus'], {}, "class 'Bus' has no category (did you mean 'bus'?). "
         'Categories of the file: bus, car', True),
        (['tram'], {}, "class 'tram' has no category. Categories of the file: bus, car", True),
        (['car'], {'buss': 'car'}, "category 'buss' of the mapping does not exist (did you mean 'bus'?). "
         'Categories of the file: bus, car', True),
        (['car', 'a1', 'b2', 'c3', 'd4'], {}, "class 'a1' has no category; class 'b2' has no category; class 'c3' has "
         'no category; and 1 more. Categories of the file: bus, car', False),
    ],
)  # fmt: skip
def test_what_a_file_does_not_know(classes: list[str], categories: dict[str, str], told: str, mistake: bool) -> None:
    assert CategoryMap(classes, categories).unknown(['car', 'bus']) == (told, mistake)


def test_boxes_are_counted_by_what_takes_them_first() -> None:
    count = BoxCount([-10, -5, -1, 10, 5, 1])
    centres = np.array([[0.0, 0], [0, 0], [0, 6], [11, 0], [0, 0]])
    count.add(np.array([0, -1, 0, 1, 0]), np.array([True, True, True, True, False]), centres)
    assert (count.total, count.known, count.valid, count.kept) == (5, 4, 3, 1)
    assert count.losses().startswith('of 5 boxes 1 are of other categories, 1 have no LiDAR')
    assert count.losses().endswith('2 lie out of range')
