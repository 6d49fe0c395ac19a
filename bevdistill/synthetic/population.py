"""Sample the objects of a scene: labelled ones, look-alikes and clutter."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .catalog import SPECIES, Species
from .settings import WorldSettings

_ROAD = 5.5


@dataclass(frozen=True)
class Thing:
    """An object without a place.

    Attributes:
        category: nuScenes category, '' if it is not labelled.
        kind: 'vehicle', 'cycle', 'pedestrian' or '' as in the catalog.
        shape: Name of its shape.
        size: Width, length, height in metres.
        colour: RGB in [0, 1].
        speed: m/s along its heading.
        attribute: nuScenes attribute, '' for none; that of a standing vehicle depends on its place.
        lateral: Least and most distance from the ego car's path as a share of the extent.
        near: Whether it has to stand near the ego car at the first keyframe.
    """

    category: str
    kind: str
    shape: str
    size: tuple[float, float, float]
    colour: tuple[float, float, float]
    speed: float = 0.0
    attribute: str = ''
    lateral: tuple[float, float] = (0.0, 1.0)
    near: bool = False

    def settled(self, rng: np.random.Generator, lateral: float) -> Thing:
        """Return the thing with its final attribute: a standing vehicle is stopped on the road and parked off it."""
        if self.kind != 'vehicle' or self.speed > 0:
            return self
        return replace(self, attribute='vehicle.stopped' if lateral < _ROAD else 'vehicle.parked')


def draw_population(rng: np.random.Generator, settings: WorldSettings, area: float) -> list[Thing]:
    """Draw the things of a scene, those that must find room first.

    Args:
        rng: Source of randomness.
        settings: What the world is made of.
        area: Area of the scene in squares of ``2 extent`` a side.
    """
    labelled = round(rng.integers(settings.objects[0], settings.objects[1] + 1) * area)
    shares = np.array([species.share for species in SPECIES])
    picks = rng.choice(len(SPECIES), size=labelled, p=shares / shares.sum()).tolist()
    # Large ones first, while there is room: otherwise they become rarer than their share.
    picks.sort(key=lambda pick: -SPECIES[pick].size[1])
    things = [_draw_object(rng, species, settings, near=True) for species in SPECIES if settings.every_class]
    things += [_draw_object(rng, SPECIES[pick], settings) for pick in picks]
    things += [_draw_distractor(rng) for _ in range(rng.poisson(settings.distractors * labelled))]
    things += [_draw_clutter(rng) for _ in range(rng.integers(settings.buildings[0], settings.buildings[1] + 1))]
    return things


def _draw_object(rng: np.random.Generator, species: Species, settings: WorldSettings, near: bool = False) -> Thing:
    categories = [category for category, _ in species.categories]
    category = categories[rng.choice(len(categories), p=[share for _, share in species.categories])]
    moves = rng.random() < species.moving * settings.moving_share
    speed = rng.uniform(*species.speed) if moves else 0.0
    size = np.array(species.size) * np.exp(rng.normal(0, settings.size_spread, 3))
    shape, attribute = species.name, ''
    if species.attribute_kind == 'vehicle':
        attribute = 'vehicle.moving' if moves else ''
        size[1] *= 1.4 if category.endswith('bendy') else 1.0
    elif species.attribute_kind == 'cycle':
        ridden = moves or rng.random() < 0.2
        attribute, shape = ('cycle.with_rider', 'ridden cycle') if ridden else ('cycle.without_rider', 'cycle')
        size[2] *= 1.18 if ridden else 0.82
    elif species.attribute_kind == 'pedestrian':
        sits = not moves and rng.random() < 0.15
        attribute = 'pedestrian.sitting_lying_down' if sits else 'pedestrian.standing'
        attribute = 'pedestrian.moving' if moves else attribute
        size[2] *= 0.7 if sits or category.endswith('child') else 1.0
    colour = np.array(species.colour) + rng.normal(0, settings.colour_spread, 3)
    colour = np.clip(colour * rng.uniform(0.7, 1.15), 0.03, 1.0)
    kind = species.attribute_kind
    return Thing(category, kind, shape, tuple(size.tolist()), tuple(colour.tolist()), speed, attribute, near=near)


def _draw_distractor(rng: np.random.Generator) -> Thing:
    """A look-alike without a label: a greyish crate of any size."""
    grey = rng.uniform(0.2, 0.7)
    colour = np.clip(grey + rng.normal(0, 0.05, 3), 0.05, 0.95)
    size = (rng.uniform(0.4, 2.4), rng.uniform(0.4, 5.0), rng.uniform(0.5, 2.8))
    return Thing('', '', 'crate', size, tuple(colour.tolist()))


def _draw_clutter(rng: np.random.Generator) -> Thing:
    """A building, a tree or a pole beside the road."""
    kind = rng.choice(3, p=[0.35, 0.4, 0.25])
    if kind == 0:
        size = (rng.uniform(6, 14), rng.uniform(6, 18), rng.uniform(4, 14))
        colour = np.clip(rng.uniform(0.35, 0.75) + rng.normal(0, 0.06, 3), 0.1, 0.95)
        return Thing('', '', 'building', size, tuple(colour.tolist()), lateral=(0.75, 1.7))
    if kind == 1:
        wide = rng.uniform(1.5, 3.5)
        colour = np.clip(np.array([0.16, 0.34, 0.12]) + rng.normal(0, 0.05, 3), 0.03, 0.6)
        return Thing('', '', 'tree', (wide, wide, rng.uniform(3.5, 8)), tuple(colour.tolist()), lateral=(0.35, 1.4))
    thin, grey = rng.uniform(0.15, 0.3), rng.uniform(0.3, 0.55)
    return Thing('', '', 'pole', (thin, thin, rng.uniform(4, 8)), (grey, grey, grey), lateral=(0.28, 0.6))
