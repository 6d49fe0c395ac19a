from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest
from nuscenes.eval.detection.utils import category_to_detection_name

from bevdistill.synthetic import PRESETS, WEATHERS
from bevdistill.synthetic.catalog import CATEGORIES, SPECIES


@pytest.mark.parametrize('slots', [(0,), (10,), (1, 1)])
def test_impossible_slots_are_named(slots: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"sweep_slots of preset 'tiny' must be distinct, in 1\.\.9"):
        replace(PRESETS['tiny'], sweep_slots=slots)


def test_one_keyframe_has_no_velocity() -> None:
    with pytest.raises(ValueError, match='at least 2 keyframes'):
        replace(PRESETS['tiny'], val_keyframes=1)


def test_presets_are_frozen_data() -> None:
    with pytest.raises(FrozenInstanceError):
        PRESETS['demo'].train_scenes = 3  # type: ignore[misc]
    for preset in PRESETS.values():
        assert {name for name, _ in preset.world.weathers} <= set(WEATHERS)
        assert preset.camera.width % 16 == 0
        assert preset.camera.height % 16 == 0


def test_catalog_maps_to_the_ten_classes() -> None:
    assert len(SPECIES) == 10
    for species in SPECIES:
        assert sum(share for _, share in species.categories) == pytest.approx(1.0)
        for category, _ in species.categories:
            assert category in CATEGORIES
            assert category_to_detection_name(category) == species.name
