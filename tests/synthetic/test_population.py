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


def test_what_has_no_label_has_nothing_to_score() -> None:
    rng = np.random.default_rng(4)
    things = draw_population(rng, WorldSettings(objects=(40, 40), distractors=2.0, buildings=(40, 40)), 1.0)
    plain = [thing for thing in things if not thing.category]
    assert {thing.shape for thing in plain} == {'crate', 'building', 'tree', 'pole'}
    for thing in plain:
        assert (thing.kind, thing.attribute, thing.speed) == ('', '', 0.0)
        assert all(0.0 < channel <= 1.0 for channel in thing.colour)
        assert min(thing.size) > 0.1
        assert 0.0 <= thing.lateral[0] < thing.lateral[1]


def test_buildings_stand_off_the_road_and_poles_beside_it() -> None:
    rng = np.random.default_rng(5)
    things = draw_population(rng, WorldSettings(objects=(0, 0), buildings=(60, 60)), 1.0)
    nearest = {shape: min(t.lateral[0] for t in things if t.shape == shape) for shape in ('building', 'tree', 'pole')}
    assert nearest['building'] > nearest['tree'] > nearest['pole'] > 0.2


def test_states_of_cycles_and_pedestrians_show_in_their_shape() -> None:
    rng = np.random.default_rng(6)
    things = draw_population(rng, WorldSettings(objects=(600, 600), size_spread=0.0), 1.0)
    cycles = [thing for thing in things if thing.kind == 'cycle']
    for cycle in cycles:
        ridden = cycle.attribute == 'cycle.with_rider'
        assert cycle.shape == ('ridden cycle' if ridden else 'cycle')
        assert ridden or cycle.speed == 0.0
        usual = next(s for s in SPECIES if cycle.category in dict(s.categories)).size[2]
        assert cycle.size[2] == pytest.approx(usual * (1.18 if ridden else 0.82))
    people = [thing for thing in things if thing.kind == 'pedestrian']
    for person in people:
        assert (person.attribute == 'pedestrian.moving') == (person.speed > 0)
        if person.attribute == 'pedestrian.sitting_lying_down' or person.category.endswith('child'):
            assert person.size[2] == pytest.approx(0.7 * 1.76)
    assert {person.attribute for person in people} >= {'pedestrian.moving', 'pedestrian.standing'}


def test_bendy_buses_are_longer() -> None:
    rng = np.random.default_rng(7)
    things = draw_population(rng, WorldSettings(objects=(900, 900), size_spread=0.0), 1.0)
    for thing in things:
        if thing.category.startswith('vehicle.bus'):
            assert thing.size[1] == pytest.approx(10.5 * (1.4 if thing.category.endswith('bendy') else 1.0))
    assert any(thing.category.endswith('bendy') for thing in things)


def test_large_objects_come_first() -> None:
    things = draw_population(np.random.default_rng(8), WorldSettings(objects=(50, 50), size_spread=0.0), 1.0)
    means = [next(s for s in SPECIES if t.category in dict(s.categories)).size[1] for t in things if t.category]
    assert means == sorted(means, reverse=True)


def test_nothing_moves_when_told_so() -> None:
    still = draw_population(np.random.default_rng(9), WorldSettings(objects=(200, 200), moving_share=0.0), 1.0)
    assert all(thing.speed == 0.0 for thing in still)


def test_no_objects_is_a_population_too() -> None:
    assert draw_population(np.random.default_rng(10), WorldSettings(objects=(0, 0), buildings=(0, 0)), 1.0) == []
