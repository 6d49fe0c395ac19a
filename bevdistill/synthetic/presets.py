"""The named weathers and presets."""

from __future__ import annotations

from dataclasses import replace

from .settings import CameraSettings, LidarSettings, Preset, Weather, WorldSettings

WEATHERS: dict[str, Weather] = {
    weather.name: weather
    for weather in (
        Weather('clear', 0.65, 0.45, 0.001, (0.36, 0.55, 0.86), (0.74, 0.83, 0.93), 0.015, 0.0),
        Weather('overcast', 0.25, 0.70, 0.003, (0.62, 0.65, 0.70), (0.76, 0.78, 0.80), 0.02, 0.0),
        Weather('dusk', 0.40, 0.35, 0.004, (0.30, 0.33, 0.52), (0.85, 0.62, 0.46), 0.025, 0.0),
        Weather('rain', 0.12, 0.55, 0.012, (0.46, 0.49, 0.53), (0.58, 0.60, 0.62), 0.03, 0.08),
        Weather('fog', 0.10, 0.75, 0.030, (0.72, 0.73, 0.75), (0.78, 0.79, 0.80), 0.02, 0.05),
        Weather('night', 0.05, 0.26, 0.004, (0.03, 0.04, 0.08), (0.10, 0.10, 0.14), 0.035, 0.0),
    )
}

DEMO = Preset(
    'demo',
    train_scenes=200,
    val_scenes=75,
    test_scenes=75,
    train_keyframes=8,
    val_keyframes=2,
    # One sweep, halfway to the previous keyframe, holds time and disk; it still shows motion.
    sweep_slots=(5,),
    lidar=LidarSettings(azimuths=480),
)

PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        DEMO,
        # Made for history to be worth something: twice as many of the objects move as in the demo, and the drives to
        # validate on are fewer but longer, 25 of 6 keyframes where the demo has 75 of 2.
        replace(
            DEMO,
            name='temporal',
            val_scenes=25,
            test_scenes=25,
            val_keyframes=6,
            world=replace(DEMO.world, moving_share=2.0),
        ),
        # Depth made hard, at the demo's size and cost: steep ground, tilted cameras of uneven focal length and a wide
        # spread of sizes, so that neither the row of a wheel in the image nor the height of a car tells how far it is.
        replace(
            DEMO,
            name='benchmark',
            world=WorldSettings(
                objects=(16, 26),
                size_spread=0.14,
                colour_spread=0.15,
                distractors=0.35,
                slope=4.0,
                wavelengths=(35.0, 90.0),
                ego_speed=(0.0, 12.0),
                ego_turn_rate=0.3,
                weathers=(
                    ('clear', 0.35),
                    ('overcast', 0.2),
                    ('dusk', 0.15),
                    ('rain', 0.15),
                    ('fog', 0.05),
                    ('night', 0.1),
                ),
            ),
            camera=CameraSettings(pitch_jitter=2.5, focal_jitter=0.08),
        ),
        Preset(
            'tiny',
            train_scenes=8,
            val_scenes=2,
            test_scenes=2,
            train_keyframes=3,
            val_keyframes=3,
            sweep_slots=(1, 2, 3, 4, 5, 6, 7, 8, 9),
            world=WorldSettings(objects=(14, 18), every_class=True),
            camera=CameraSettings(height=64, width=176),
            lidar=LidarSettings(azimuths=240),
        ),
    )
}
