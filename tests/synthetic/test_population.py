from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from bevdistill.synthetic.catalog import ATTRIBUTES, CATEGORIES, SPECIES
from bevdistill.synthetic.population import draw_population
from bevdistill.synthetic.settings import WorldSettings


def test_shares_and_sizes_follow_the_catalog() -> None:
    rng = np.random.default_rng(0)
    settings = WorldSettings(objects=(400, 400), distractors=0.25, buildings=(3, 3))
    things = draw_population(rng, settings, area=5.0)
    labelled = [thing for thing in things if thing.category]
    assert len(labelled) == 2000
    assert 400 < len(things) - len(labelled) - 3 < 600
    counts = Counter(thing.category for thing in labelled)
    total = sum(species.share for species in SPECIES)
    for species in SPECIES:
        names = {category for category, _ in species.categories}
        mine = [thing for thing in labelled if thing.category in names]
        assert sum(counts[name] for name in names) / 2000 == pytest.approx(species.share / total, abs=0.03)
        width = np.array([thing.size[0] for thing in mine])
        assert width.mean() == pytest.approx(species.size[0], rel=0.04)
        assert np.log(width).std() == pytest.approx(0.08, abs=0.015)
        assert np.mean([thing.speed > 0 for thing in mine]) == pytest.approx(species.moving, abs=0.12)


def test_names_are_nuscenes_names() -> None:
    rng = np.random.default_rng(1)
    for thing in draw_population(rng, WorldSettings(objects=(200, 200)), area=1.0):
        settled = thing.settled(rng, 3.0)
        assert settled.category in ('', *CATEGORIES)
        assert settled.attribute in ('', *ATTRIBUTES)
        assert (settled.attribute == '') == (settled.kind == '')


def test_where_a_vehicle_stands_decides_its_attribute() -> None:
    rng = np.random.default_rng(2)
    cars = [t for t in draw_population(rng, WorldSettings(objects=(200, 200)), 1.0) if t.kind == 'vehicle']
    still = next(car for car in cars if car.speed == 0)
    moving = next(car for car in cars if car.speed > 0)
    assert still.settled(rng, 1.0).attribute == 'vehicle.stopped'
    assert still.settled(rng, 9.0).attribute == 'vehicle.parked'
    assert moving.settled(rng, 9.0).attribute == 'vehicle.moving'


def test_every_class_on_demand() -> None:
    things = draw_population(np.random.default_rng(3), WorldSettings(objects=(0, 0), every_class=True), 1.0)
    assert len([thing for thing in things if thing.near]) == len(SPECIES)
