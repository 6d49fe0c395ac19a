"""Show saved pictures in a window, where there is a screen."""

from __future__ import annotations

from pathlib import Path

from matplotlib import rcsetup
from PIL import Image


def require_windows() -> None:
    """Check that matplotlib can open a window.

    Raises:
        ValueError: If its back end draws to files alone, as without a screen.
    """
    from matplotlib import pyplot  # chooses the back end

    if pyplot.get_backend().lower() not in {name.lower() for name in rcsetup.interactive_bk}:
        raise ValueError(
            f'--show needs a screen: matplotlib draws by its back end {pyplot.get_backend()!r}, which has no windows. '
            'Save the pictures instead with --show-dir DIR'
        )


def show_picture(path: Path, wait_time: float) -> None:
    """Show a picture for some seconds, or with 0 until its window is closed."""
    from matplotlib import pyplot

    with Image.open(path) as picture:
        figure = pyplot.figure(path.name, figsize=(picture.width / 100, picture.height / 100))
        figure.add_axes((0.0, 0.0, 1.0, 1.0)).imshow(picture)
    figure.gca().axis('off')
    if wait_time > 0:
        pyplot.pause(wait_time)
    else:
        pyplot.show()
    pyplot.close(figure)
