"""Model the world of a scene: ground, ego drive, and objects standing or moving at constant velocity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .placement import Occupancy, Spot, draw_spot
from .population import Thing, draw_population
from .presets import WEATHERS
from .settings import Weather, WorldSettings
from .shapes import Parts, build_parts
from .terrain import Terrain, make_terrain
from .trajectory import Path, drive, ego_pose

Array = npt.NDArray[np.float64]

_REACH = 60.0
_CLEARANCE = 0.03
_TRIES = 12


@dataclass(frozen=True)
class World:
    """Everything in a scene that does not depend on time, and where it is at a time.

    Attributes:
        path: Drive of the ego car.
        terrain: The ground.
        weather: Light and weather.
        sun: (3,) direction towards the sun, global.
        things: The N objects; unlabelled ones have no category.
        sizes: (N, 3) width, length, height in metres.
        xy: (N, 2) global centres at time 0.
        velocity: (N, 2) global, m/s.
        yaw: (N,) headings in radians.
        parts: Cuboids of the objects.
    """

    path: Path
    terrain: Terrain
    weather: Weather
    sun: Array
    things: tuple[Thing, ...]
    sizes: Array
    xy: Array
    velocity: Array
    yaw: Array
    parts: Parts

    def ego_pose(self, time: float) -> Array:
        """Return the ego-to-global transform (4, 4) at a time in seconds."""
        return ego_pose(self.path, self.terrain, time)

    def poses(self, time: float) -> tuple[Array, Array]:
        """Return box centres (N, 3) and rotations (N, 3, 3) at a time; centres move at ``velocity`` in the plane."""
        xy = self.xy + self.velocity * time
        length, width = self.sizes[:, 1].copy(), self.sizes[:, 0].copy()
        height, rotation = self.terrain.stand(xy, self.yaw, length, width)
        z = height + self.sizes[:, 2] / 2 + _CLEARANCE
        return np.concatenate([xy, z[:, None]], axis=1), rotation

    def cuboids(self, time: float) -> tuple[Array, Array]:
        """Return centres (M, 3) and rotations (M, 3, 3) of all parts at a time."""
        centres, rotations = self.poses(time)
        own = rotations[self.parts.owners]
        return centres[self.parts.owners] + (own @ self.parts.offsets[:, :, None])[:, :, 0], own


def make_world(
    rng: np.random.Generator, settings: WorldSettings, start: Array, duration: tuple[float, float]
) -> World:
    """Draw a world.

    Args:
        rng: Source of randomness.
        settings: What it is made of.
        start: (2,) global position of the ego car at time 0.
        duration: First and last time in seconds that anything is asked about.
    """
    names = [name for name, _ in settings.weathers]
    shares = np.array([share for _, share in settings.weathers])
    weather = WEATHERS[names[rng.choice(len(names), p=shares / shares.sum())]]
    azimuth, elevation = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(25, 70))
    sun = np.array([np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)])
    path = drive(rng, start, duration, settings.ego_speed, settings.ego_turn_rate)
    road = path.extended(_REACH + settings.extent, 2.5)
    terrain = make_terrain(rng, path.extended(10.0, 5.0), _REACH + 15.0, settings.slope, settings.wavelengths, road)
    things, spots = _populate(rng, settings, path, duration)
    sizes = np.array([thing.size for thing in things])
    return World(
        path=path,
        terrain=terrain,
        weather=weather,
        sun=sun,
        things=tuple(things),
        sizes=sizes,
        xy=np.array([spot.xy for spot in spots]),
        velocity=np.array([spot.velocity for spot in spots]),
        yaw=np.array([spot.yaw for spot in spots]),
        parts=build_parts([thing.shape for thing in things], sizes, np.array([thing.colour for thing in things])),
    )


def _populate(
    rng: np.random.Generator, settings: WorldSettings, path: Path, duration: tuple[float, float]
) -> tuple[list[Thing], list[Spot]]:
    """Draw things and find each a spot that stays free for the whole scene; those that find none are left out."""
    line = path.extended(settings.extent, 1.0)
    gone = len(line) - 2 * int(settings.extent)
    occupancy = Occupancy(path, duration)
    things, spots = [], []
    for thing in draw_population(rng, settings, area=1.0 + gone / (2 * settings.extent)):
        for _ in range(_TRIES):
            spot = draw_spot(rng, thing, line, settings.extent, occupancy.middle)
            if occupancy.take(spot, thing.size):
                things.append(thing.settled(rng, spot.lateral))
                spots.append(spot)
                break
    return things, spots
