"""Define the settings of the synthetic nuScenes as frozen dataclasses. Metres, seconds and degrees unless said."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Weather:
    """Light and weather of a scene.

    Attributes:
        name: What it is called; goes into the scene's description.
        sun: Strength of the directional light, 1 is a clear noon.
        ambient: Strength of the light from everywhere.
        fog: Extinction per metre of camera rays.
        sky_zenith: Colour of the sky overhead, RGB in [0, 1].
        sky_horizon: Colour of the sky at the horizon and of the fog.
        pixel_noise: Standard deviation of the image noise, in [0, 1].
        lidar_dropout: Extra probability that a LiDAR return is lost.
    """

    name: str
    sun: float
    ambient: float
    fog: float
    sky_zenith: tuple[float, float, float]
    sky_horizon: tuple[float, float, float]
    pixel_noise: float
    lidar_dropout: float


@dataclass(frozen=True)
class WorldSettings:
    """What a scene holds and how the ego car moves through it.

    Attributes:
        extent: Half side of the square around the LiDAR, along its axes, in which objects are annotated.
        objects: Least and most labelled objects per such square.
        size_spread: Standard deviation of the logarithm of sizes.
        colour_spread: Standard deviation of each colour channel of an instance around its class colour.
        moving_share: Scale of every class's probability to move.
        distractors: Unlabelled look-alikes per labelled object.
        buildings: Least and most buildings of a scene.
        slope: Largest slope of the ground in degrees.
        wavelengths: Shortest and longest wave of the ground.
        ego_speed: Least and most speed of the ego car, m/s.
        ego_turn_rate: Largest turn rate of the ego car, rad/s.
        weathers: Names of weathers with their shares.
        every_class: Whether each scene holds at least one object of each class near its first keyframe.
    """

    extent: float = 25.4
    objects: tuple[int, int] = (15, 22)
    size_spread: float = 0.08
    colour_spread: float = 0.12
    moving_share: float = 1.0
    distractors: float = 0.12
    buildings: tuple[int, int] = (4, 9)
    slope: float = 1.2
    wavelengths: tuple[float, float] = (45.0, 110.0)
    ego_speed: tuple[float, float] = (0.0, 9.0)
    ego_turn_rate: float = 0.2
    weathers: tuple[tuple[str, float], ...] = (('clear', 0.5), ('overcast', 0.3), ('dusk', 0.2))
    every_class: bool = False


@dataclass(frozen=True)
class CameraSettings:
    """The six cameras.

    Attributes:
        height: Image rows. The image is a nuScenes image scaled to ``width`` of which the top is cropped.
        width: Image columns.
        pitch_jitter: Largest extra pitch of a scene's cameras in degrees; the calibration knows it.
        focal_jitter: Largest relative change of a scene's focal lengths; the calibration knows it.
        jpeg_quality: Quality of the files, 1 to 100.
    """

    height: int = 64
    width: int = 176
    pitch_jitter: float = 0.5
    focal_jitter: float = 0.02
    jpeg_quality: int = 92


@dataclass(frozen=True)
class LidarSettings:
    """The spinning LiDAR.

    Attributes:
        beams: Number of rings; ring 0 looks down most.
        azimuths: Firings per revolution.
        elevations: Elevation of the lowest and the highest beam in degrees.
        max_range: Returns from farther away are lost.
        range_noise: Standard deviation of the range.
        dropout: Probability that a return is lost in clear weather.
    """

    beams: int = 32
    azimuths: int = 360
    elevations: tuple[float, float] = (-30.67, 10.67)
    max_range: float = 40.0
    range_noise: float = 0.02
    dropout: float = 0.05


@dataclass(frozen=True)
class Preset:
    """A whole data set in numbers.

    Attributes:
        name: What the command line calls it.
        train_scenes: Scenes of the train split (of ``mini_train`` at most eight).
        val_scenes: Scenes of the val split (of ``mini_val`` at most two).
        test_scenes: Scenes of the test split, written without annotations.
        train_keyframes: Keyframes per train scene, 0.5 s apart.
        val_keyframes: Keyframes per val or test scene; at least two, or no object has a velocity.
        sweep_slots: Which of the nine 20 Hz slots before a keyframe hold a LiDAR sweep: slot j lies 50 j ms before.
        world: See WorldSettings.
        camera: See CameraSettings.
        lidar: See LidarSettings.
    """

    name: str
    train_scenes: int
    val_scenes: int
    test_scenes: int
    train_keyframes: int
    val_keyframes: int
    sweep_slots: tuple[int, ...]
    world: WorldSettings = field(default_factory=WorldSettings)
    camera: CameraSettings = field(default_factory=CameraSettings)
    lidar: LidarSettings = field(default_factory=LidarSettings)

    def __post_init__(self) -> None:
        if min(self.train_keyframes, self.val_keyframes) < 2:
            raise ValueError(f'preset {self.name!r} needs at least 2 keyframes per scene: velocities come from pairs')
        wrong = [slot for slot in self.sweep_slots if not 1 <= slot <= 9]
        if wrong or len(set(self.sweep_slots)) != len(self.sweep_slots):
            raise ValueError(f'sweep_slots of preset {self.name!r} must be distinct, in 1..9, got {self.sweep_slots}')
