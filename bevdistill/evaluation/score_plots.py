"""Draw precision over recall, and which classes are taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

TITLE_SIZE, LABEL_SIZE = 10, 8
COLUMNS = 5
DISTANCE_COLOURS = ('#b5cde5', '#6f9fcf', '#1f5fa8', '#0b2f5c')


def save_curves(curves: pd.DataFrame, aps: dict[str, float], path: Path) -> None:
    """Draw precision over recall of each class, a line for each distance of matching.

    Args:
        curves: ``class, distance, recall, precision``.
        aps: AP of each class, for its title.
        path: Image file.
    """
    names = list(dict.fromkeys(curves['class']))
    rows = max(1, -(-len(names) // COLUMNS))
    size = (2.6 * min(COLUMNS, max(1, len(names))) + 0.8, 2.7 * rows + 0.5)
    figure = Figure(figsize=size, layout='constrained')
    axes = figure.subplots(rows, min(COLUMNS, max(1, len(names))), squeeze=False, sharex=True, sharey=True).ravel()
    for axis, name in zip(axes, names, strict=False):
        parts = curves[curves['class'] == name].groupby('distance')
        for (distance, part), colour in zip(parts, DISTANCE_COLOURS * len(parts), strict=False):
            axis.plot(part['recall'], part['precision'], color=colour, linewidth=1.4, label=f'{distance:g} m')
        axis.set_title(f'{name.replace("_", " ")}: AP {aps[name]:.3f}', fontsize=TITLE_SIZE)
        axis.set_xlim(0, 1)
        axis.set_ylim(0, 1.02)
        axis.grid(color='#e8e8e8')
        axis.tick_params(labelsize=LABEL_SIZE)
    for axis in axes[len(names) :]:
        axis.set_axis_off()
    figure.supxlabel('recall', fontsize=TITLE_SIZE)
    figure.supylabel('precision', fontsize=TITLE_SIZE)
    if names:
        handles, labels = axes[0].get_legend_handles_labels()
        title = 'matched within'
        figure.legend(handles, labels, title=title, loc='outside right upper', fontsize=LABEL_SIZE, frameon=False)
    figure.savefig(path, dpi=120)


def save_confusion(matrix: NDArray[np.int64], classes: Sequence[str], threshold: float, path: Path) -> None:
    """Draw a confusion matrix: counts, coloured by their share of the row.

    Args:
        matrix: (K + 1, K + 1), see :func:`~bevdistill.evaluation.matching.confusion_matrix`.
        classes: K names.
        threshold: Least score of a prediction that counts, for the title.
        path: Image file.
    """
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    size = 0.62 * len(matrix)
    figure = Figure(figsize=(size + 2.6, size + 2.0), layout='constrained')
    axis = figure.add_subplot()
    axis.imshow(shares, cmap='Blues', vmin=0, vmax=1)
    names = [name.replace('_', ' ') for name in classes]
    axis.set_xticks(range(len(matrix)), [*names, 'not detected'], rotation=45, ha='right', fontsize=LABEL_SIZE)
    axis.set_yticks(range(len(matrix)), [*names, 'no object'], fontsize=LABEL_SIZE)
    axis.set_xlabel('detected as', fontsize=TITLE_SIZE)
    axis.set_ylabel('object', fontsize=TITLE_SIZE)
    axis.set_title(f'objects within 2 m of a box; scores of at least {threshold:g}', fontsize=TITLE_SIZE)
    for (row, column), count in np.ndenumerate(matrix):
        if count:
            colour = 'white' if shares[row, column] > 0.55 else '0.15'
            axis.text(column, row, str(count), ha='center', va='center', fontsize=LABEL_SIZE - 1, color=colour)
    figure.savefig(path, dpi=120)
