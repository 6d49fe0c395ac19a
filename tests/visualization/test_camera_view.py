import numpy as np

from bevdistill.visualization.camera_view import MONTAGE, camera_rows, draw_boxes_in_image, draw_camera, draw_cameras
from bevdistill.visualization.figures import new_figure
from bevdistill.visualization.palette import class_colours

from .helpers import CLASSES, box_set, front_camera, pixels_of

COLOURS = class_colours(CLASSES)
CAMERA = front_camera()


def test_box_appears_where_it_projects() -> None:
    # A 2 m cube whose front face lies 9 m ahead and 3 m to the right.
    boxes = box_set([[3, 10, -1, 2, 2, 2, np.pi / 2]], scores=[1.0])
    figure = new_figure(1.76, 0.64, dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    image = np.zeros((64, 176, 3), dtype=np.uint8)
    draw_camera(axes, image, 'CAM_FRONT', CAMERA, None, boxes, COLOURS)
    drawn = pixels_of(figure)
    orange = (drawn[..., 0] > 120) & (drawn[..., 2] < drawn[..., 0] * 0.6)
    rows, cols = np.nonzero(orange)
    # Nearest corners at depth 9: u = 88 + 100 * (2 .. 4) / 9, v = 32 -+ 100 / 9.
    assert abs(cols.min() - (88 + 100 * 2 / 11)) < 3
    assert abs(cols.max() - (88 + 100 * 4 / 9)) < 3
    assert abs(rows.min() - (32 - 100 / 9)) < 3
    assert abs(rows.max() - (32 + 100 / 9)) < 3


def test_boxes_behind_the_camera_draw_nothing() -> None:
    axes = new_figure(2, 1).add_subplot()
    lines = draw_boxes_in_image(axes, (176, 64), box_set([[0, -10, 0, 4, 2, 2, 0]]), CAMERA, COLOURS)
    assert len(lines.get_segments()) == 0


def test_predictions_fade_with_the_score() -> None:
    axes = new_figure(2, 1).add_subplot()
    boxes = box_set([[0, 10, 0, 1, 1, 1, 0], [3, 10, 0, 1, 1, 1, 0]], labels=[0, 1], scores=[0.2, 1.0])
    rgba = draw_boxes_in_image(axes, (176, 64), boxes, CAMERA, COLOURS).get_colors()
    assert rgba[0, 3] < rgba[-1, 3] == 1.0
    assert tuple(rgba[-1, :3]) == COLOURS[1]


def test_montage_puts_the_six_cameras_in_their_places() -> None:
    names = [name for row in MONTAGE for name in row]
    images = {name: np.full((64, 176, 3), 20 * i, dtype=np.uint8) for i, name in enumerate(names)}
    figure = new_figure(6, 2)
    axes = draw_cameras(figure, dict(reversed(images.items())), dict.fromkeys(names, CAMERA), None, None, COLOURS)
    named = [f'{name}, 176 x 64 pixels' for name in ('front left', 'front', 'front right')]
    assert [ax.texts[0].get_text() for ax in axes[:3]] == named
    left, front = axes[0].get_position(), axes[1].get_position()
    assert left.x0 < front.x0
    assert axes[3].get_position().y0 < left.y0


def test_other_camera_sets_are_drawn_too() -> None:
    images = {f'camera {i}': np.zeros((64, 176, 3), dtype=np.uint8) for i in range(4)}
    boxes = box_set([[0, 10, 0, 1, 1, 1, 0]], labels=[1], scores=[0.5])
    cameras = dict.fromkeys(images, CAMERA)
    axes = draw_cameras(new_figure(6, 2), images, cameras, box_set([]), boxes, COLOURS, names=['first', 'second'])
    assert len(axes) == 4
    assert [{text.get_text() for text in each.texts} for each in axes] == [
        {f'camera {i}, 176 x 64 pixels', 'second 50'} for i in range(4)
    ]


def test_rows_of_cameras_leave_few_places_empty() -> None:
    rows = {count: [len(row) for row in camera_rows([f'c{i}' for i in range(count)])] for count in range(1, 10)}
    assert rows == {
        1: [1], 2: [2], 3: [3], 4: [4], 5: [3, 2], 6: [3, 3], 7: [4, 3], 8: [4, 4], 9: [3, 3, 3],
    }  # fmt: skip
    six = sorted(name for row in MONTAGE for name in row)
    assert camera_rows(six) == MONTAGE
