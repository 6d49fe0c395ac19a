"""Add what needs predictions to a report: which classes are taken for which, and samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ...evaluation.matching import CONFUSION_DISTANCE, confusion_matrix
from ...visualization.palette import class_colours
from .configs import UnreadableConfigError, config_of_test
from .page import Report, quoted, render
from .pictures import Picture, draw_picture, hex_colour, reach_of
from .samples import Boxes, Samples, read_predictions, read_samples

MOST_LAYERS = 6
"""Runs that a picture shows."""


@dataclass(frozen=True)
class Confusion:
    """Objects of a run by their class and the class that they are detected as.

    Args:
        title: Of the run.
        columns: Names of the columns, the last one for what is not detected.
        rows: Name of each row, the last one for no object, and its cells: count, and share of the row in percent.
        samples: How many samples were counted.
    """

    title: str
    columns: list[str]
    rows: list[tuple[str, list[tuple[int, int]]]]
    samples: int


@dataclass(frozen=True)
class Wanted:
    """What the reader asks for.

    Args:
        count: Samples to draw.
        threshold: Predictions that score less are left out.
        most_bytes: Size of the page.
        data_root: Data root in place of the configs'.
        ann_file: Information file in place of the configs'.
    """

    count: int
    threshold: float
    most_bytes: int
    data_root: Path | None = None
    ann_file: Path | None = None


def add_predicted(report: Report, wanted: Wanted) -> None:
    """Fill the sections of classes and samples.

    Raises:
        FileNotFoundError: If a data root or information file that was asked for is not there.
        ValueError: If it does not fit.
    """
    try:
        samples = read_samples(_config(report), wanted.data_root, wanted.ann_file)
    except (FileNotFoundError, ValueError) as error:
        if wanted.data_root is not None or wanted.ann_file is not None:
            raise
        report.notes.append(str(error))
        return
    predicted: dict[str, dict[str, Boxes]] = {}
    for title, file in report.files.items():
        try:
            predicted[title] = read_predictions(file, samples, wanted.threshold)
        except (OSError, ValueError) as error:
            report.notes.append(str(error))
    truth = {token: samples.truth(token) for token in dict.fromkeys(t for boxes in predicted.values() for t in boxes)}
    classes = samples.classes.classes
    tables = [confusion_of(title, boxes, truth, classes, wanted.threshold) for title, boxes in predicted.items()]
    report.context |= dict(
        confusions=tables,
        confusion_note=f'Objects within {CONFUSION_DISTANCE:g} m of a box that scores at least {wanted.threshold:g}; '
        f'matched within the class first. Darker: a larger part of the row. Objects are those of {samples.file.name}.'
        f'{report.of_first}',
    )
    if predicted and not any(map(len, truth.values())):
        report.notes.append(f'no sample that was predicted has an object in {samples.file}: there is no ground truth')
    if predicted and not wanted.count:
        report.context['no_pictures'] = 'None were asked for (--samples 0).'
    elif predicted:
        _add_pictures(report, wanted, samples, predicted, truth)


def _config(report: Report) -> Mapping[str, Any]:
    """Return the first config of a run that names test data; the runs of a report are compared on the same."""
    for run in report.runs.runs:
        try:
            config = config_of_test(run.folder)
        except (UnreadableConfigError, OSError):
            continue  # The section of configs tells it.
        if config.get('test_dataloader') or config.get('val_dataloader'):
            return config
    return {}


class _Boxes(dict[str, list[Any]]):
    """Boxes by sample in the form that the confusion matrix reads."""

    @property
    def sample_tokens(self) -> list[str]:
        return list(self)

    @classmethod
    def of(cls, found: Mapping[str, Boxes], classes: Sequence[str]) -> _Boxes:
        return cls(
            {
                token: [
                    SimpleNamespace(translation=centre, detection_name=classes[label], detection_score=score)
                    for centre, label, score in zip(boxes.centres, boxes.labels, boxes.scores, strict=True)
                ]
                for token, boxes in found.items()
            }
        )


def confusion_of(
    title: str, predicted: Mapping[str, Boxes], truth: Mapping[str, Boxes], classes: Sequence[str], threshold: float
) -> Confusion:
    """Count the objects of all samples that were predicted."""
    objects: Any = _Boxes.of({token: truth[token] for token in predicted}, classes)
    found: Any = _Boxes.of(predicted, classes)
    matrix = confusion_matrix(objects, found, classes, threshold)
    names = [name.replace('_', ' ') for name in classes]
    rows = []
    for name, row in zip([*names, 'no object'], matrix.tolist(), strict=True):
        total = max(sum(row), 1)
        rows.append((name, [(count, round(100 * count / total)) for count in row]))
    return Confusion(title, [*names, 'not detected'], rows, len(predicted))


def _add_pictures(
    report: Report,
    wanted: Wanted,
    samples: Samples,
    predicted: Mapping[str, Mapping[str, Boxes]],
    truth: Mapping[str, Boxes],
) -> None:
    """Draw samples that all runs predicted, spread evenly, as many as the size of the page allows."""
    shown = dict(list(predicted.items())[:MOST_LAYERS])
    common = [token for token in samples.infos if all(token in boxes for boxes in shown.values())]
    if not common:
        report.notes.append(f'no sample of {samples.file} was predicted by all of {quoted(list(shown))}')
        return
    count = min(wanted.count, len(common))
    tokens = [common[(2 * place + 1) * len(common) // (2 * count)] for place in range(count)]
    reach = reach_of(_config(report), samples)
    words = (
        f'{count} of {len(common)} samples, spread evenly, not chosen. The slider goes from the ground truth to each '
        f'run: by mouse, by finger, by arrow keys. Boxes that score at least {wanted.threshold:g}, fainter where less '
        'sure; dashed white: what is there. An object is found if a box of its class is within '
        f'{CONFUSION_DISTANCE:g} m. Seen from above, the car drives up; the edges are {reach:g} m from it.'
        f'{report.of_first}'
    )
    pictures: list[Picture] = []
    names = [name.replace('_', ' ') for name in samples.classes.classes]
    colours = map(hex_colour, class_colours(samples.classes.classes))
    report.context |= dict(pictures=pictures, pictures_note=words, box_colours=list(zip(names, colours, strict=True)))
    for token in tokens:
        found = {title: boxes[token] for title, boxes in shown.items()}
        pictures.append(draw_picture(token, truth[token], found, samples, reach, wanted.threshold))
        if len(render(report).encode()) > wanted.most_bytes:
            pictures.pop()
            break
    if len(shown) < len(predicted):
        report.notes.append(f'pictures show the first {MOST_LAYERS} of {len(predicted)} rows')
    if len(pictures) < count:
        report.notes.append(f'{len(pictures)} of {count} samples are shown: more do not fit into the size of the page')
