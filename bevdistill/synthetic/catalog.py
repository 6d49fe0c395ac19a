"""Define the object classes: sizes, colours and motion of the ten detection classes, and nuScenes' names."""

from __future__ import annotations

from dataclasses import dataclass

CATEGORIES: tuple[str, ...] = (
    'human.pedestrian.adult',
    'human.pedestrian.child',
    'human.pedestrian.wheelchair',
    'human.pedestrian.stroller',
    'human.pedestrian.personal_mobility',
    'human.pedestrian.police_officer',
    'human.pedestrian.construction_worker',
    'animal',
    'vehicle.car',
    'vehicle.motorcycle',
    'vehicle.bicycle',
    'vehicle.bus.bendy',
    'vehicle.bus.rigid',
    'vehicle.truck',
    'vehicle.construction',
    'vehicle.emergency.ambulance',
    'vehicle.emergency.police',
    'vehicle.trailer',
    'movable_object.barrier',
    'movable_object.trafficcone',
    'movable_object.pushable_pullable',
    'movable_object.debris',
    'static_object.bicycle_rack',
)
ATTRIBUTES: tuple[str, ...] = (
    'vehicle.moving',
    'vehicle.stopped',
    'vehicle.parked',
    'cycle.with_rider',
    'cycle.without_rider',
    'pedestrian.sitting_lying_down',
    'pedestrian.standing',
    'pedestrian.moving',
)
VISIBILITIES: tuple[tuple[str, str], ...] = (
    ('v0-40', 'visibility of whole object is between 0 and 40%'),
    ('v40-60', 'visibility of whole object is between 40 and 60%'),
    ('v60-80', 'visibility of whole object is between 60 and 80%'),
    ('v80-100', 'visibility of whole object is between 80 and 100%'),
)
LOCATIONS: tuple[str, ...] = (
    'singapore-onenorth',
    'boston-seaport',
    'singapore-queenstown',
    'singapore-hollandvillage',
)


@dataclass(frozen=True)
class Species:
    """One detection class.

    Attributes:
        name: Detection class.
        categories: nuScenes categories with their shares; all map to ``name``.
        size: Mean width, length, height in metres, near nuScenes' means.
        colour: Mean colour, RGB in [0, 1].
        share: Share among labelled objects.
        moving: Probability to move.
        speed: Least and most speed when moving, m/s.
        attribute_kind: 'vehicle', 'cycle', 'pedestrian' or ''.
    """

    name: str
    categories: tuple[tuple[str, float], ...]
    size: tuple[float, float, float]
    colour: tuple[float, float, float]
    share: float
    moving: float
    speed: tuple[float, float]
    attribute_kind: str


SPECIES: tuple[Species, ...] = (
    Species(
        'car', (('vehicle.car', 1.0),),
        (1.95, 4.6, 1.72), (0.75, 0.16, 0.16), 0.20, 0.45, (2.0, 9.0), 'vehicle',
    ),
    Species(
        'truck', (('vehicle.truck', 1.0),),
        (2.5, 6.9, 2.85), (0.18, 0.30, 0.78), 0.09, 0.4, (2.0, 8.0), 'vehicle',
    ),
    Species(
        'trailer', (('vehicle.trailer', 1.0),),
        (2.7, 9.5, 3.6), (0.80, 0.80, 0.84), 0.07, 0.3, (2.0, 7.0), 'vehicle',
    ),
    Species(
        'bus', (('vehicle.bus.rigid', 0.9), ('vehicle.bus.bendy', 0.1)),
        (2.9, 10.5, 3.45), (0.90, 0.72, 0.14), 0.07, 0.45, (2.0, 8.0), 'vehicle',
    ),
    Species(
        'construction_vehicle', (('vehicle.construction', 1.0),),
        (2.75, 6.4, 3.2), (0.92, 0.48, 0.08), 0.07, 0.25, (0.8, 3.0), 'vehicle',
    ),
    Species(
        'bicycle', (('vehicle.bicycle', 1.0),),
        (0.62, 1.75, 1.4), (0.10, 0.62, 0.58), 0.09, 0.5, (1.5, 5.0), 'cycle',
    ),
    Species(
        'motorcycle', (('vehicle.motorcycle', 1.0),),
        (0.8, 2.1, 1.5), (0.48, 0.14, 0.62), 0.09, 0.5, (2.0, 8.0), 'cycle',
    ),
    Species(
        'pedestrian',
        (
            ('human.pedestrian.adult', 0.8),
            ('human.pedestrian.child', 0.08),
            ('human.pedestrian.construction_worker', 0.08),
            ('human.pedestrian.police_officer', 0.04),
        ),
        (0.67, 0.73, 1.76), (0.20, 0.68, 0.24), 0.14, 0.6, (0.6, 2.0), 'pedestrian',
    ),
    Species(
        'traffic_cone', (('movable_object.trafficcone', 1.0),),
        (0.42, 0.42, 0.98), (0.98, 0.38, 0.10), 0.12, 0.0, (0.0, 0.0), '',
    ),
    Species(
        'barrier', (('movable_object.barrier', 1.0),),
        (2.5, 0.52, 1.0), (0.92, 0.62, 0.66), 0.10, 0.0, (0.0, 0.0), '',
    ),
)  # fmt: skip
