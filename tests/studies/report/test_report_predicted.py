"""What a report says of predictions: confusion by hand, which samples are drawn, what is missing."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bevdistill.studies.report import predicted as section
from bevdistill.studies.report.page import Report
from bevdistill.studies.report.predicted import Wanted, add_predicted, confusion_of
from bevdistill.studies.report.samples import Boxes

STILL = np.eye(4).tolist()
ROW = [0.0, 0.0, 0.0, 4.0, 2.0, 1.5, 0.0]


def test_confusion_by_hand() -> None:
    """Of two vans one is found, one taken for a person; the third prediction is 2.5 m beside."""
    truth = {'a': Boxes.of([ROW, [10.0, *ROW[1:]]], [0, 0]), 'b': Boxes.of([], [])}
    found = {'a': Boxes.of([[1.0, *ROW[1:]], [10.5, *ROW[1:]], [2.5, *ROW[1:]]], [0, 1, 0], [0.9, 0.8, 0.7])}
    confusion = confusion_of('run', found, truth, ['big_van', 'person'], 0.2)
    assert confusion.columns == ['big van', 'person', 'not detected'] and confusion.samples == 1
    assert confusion.rows == [
        ('big van', [(1, 50), (1, 50), (0, 0)]), ('person', [(0, 0)] * 3), ('no object', [(1, 100), (0, 0), (0, 0)]),
    ]  # fmt: skip


def test_only_predicted_samples_are_counted() -> None:
    """A class without an object has shares of 0, the least score counts, and shares are rounded."""
    far = [[10.0 * place, *ROW[1:]] for place in range(3)]
    truth = {'a': Boxes.of(far, [0, 0, 0]), 'not predicted': Boxes.of(far, [0, 0, 0])}
    found = {'a': Boxes.of(far[:2], [0, 0], [0.5, 0.4999])}
    confusion = confusion_of('run', found, truth, ['car'], 0.5)
    assert confusion.rows == [('car', [(1, 33), (2, 67)]), ('no object', [(0, 0), (0, 0)])]
    assert (confusion.title, confusion.samples) == ('run', 1)
    nothing = confusion_of('run', {}, truth, ['car'], 0.5)
    assert nothing.samples == 0 and {cell for _, cells in nothing.rows for cell in cells} == {(0, 0)}


def info(token: str, *centres: float) -> dict[str, Any]:
    instances = [dict(bbox_3d=[x, *ROW[1:]], bbox_label_3d=0, bbox_3d_isvalid=True) for x in centres]
    return dict(token=token, instances=instances, ego2global=STILL, lidar_points=dict(lidar2ego=STILL))


TOKENS = [f's{place}' for place in range(8)]


class World:
    """A data root of eight samples, each with a car at the car's own place, and runs with predictions of some."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.drawn: list[tuple[str, list[str]]] = []
        self.write_infos(*(info(token, 0.0) for token in TOKENS))
        self.config: Any = {'test_dataloader': dict(
            dataset=dict(ann_file='infos.json', data_root=str(folder), metainfo=dict(classes=['red_car']))
        )}  # fmt: skip
        self.report = Report(SimpleNamespace(runs=[SimpleNamespace(folder=folder)], titles={}, of_row=lambda row: []))
        monkeypatch.setattr(section, 'config_of_test', lambda folder: self.config)
        monkeypatch.setattr(section, 'draw_picture', self.draw)
        monkeypatch.setattr(section, 'render', lambda report: 'x' * 100 * len(report.context['pictures']))

    def write_infos(self, *infos: dict[str, Any]) -> None:
        metainfo = dict(categories={'red_car': 0}, dataset='own')
        (self.folder / 'infos.json').write_text(json.dumps(dict(metainfo=metainfo, data_list=list(infos))))

    def draw(self, token: str, truth: Boxes, found: dict[str, Boxes], *others: Any) -> str:
        assert len(truth) == 1
        self.drawn.append((token, list(found)))
        return token

    def predict(self, title: str, tokens: list[str], x: float = 0.0) -> None:
        box = dict(name='red_car', score=0.5, centre_m=[x, 0, 0], size_m=[4, 2, 1], yaw_rad=0.0)
        file = self.folder / title / 'boxes.json'
        file.parent.mkdir()
        file.write_text(json.dumps(dict(moments=[dict(token=token, objects=[box]) for token in tokens])))
        self.report.files[title] = file

    def add(self, count: int = 4, most_bytes: int = 10_000, **given: Any) -> dict[str, Any]:
        add_predicted(self.report, Wanted(count, 0.2, most_bytes, **given))
        return self.report.context


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def test_samples_are_spread_evenly(world: World) -> None:
    """Of six that both runs predicted the middles of two halves, of three thirds; never more than there are."""
    world.predict('old', TOKENS[:7])
    world.predict('new', [*TOKENS[1:], 'unknown'])
    context = world.add(count=2)
    assert context['pictures'] == ['s2', 's5'] and world.drawn[0] == ('s2', ['old', 'new'])
    assert context['pictures_note'].startswith('2 of 6 samples, spread evenly, not chosen.')
    assert 'score at least 0.2' in context['pictures_note'] and 'within 2 m' in context['pictures_note']
    assert [name for name, _ in context['box_colours']] == ['red car']
    assert [(table.title, table.samples) for table in context['confusions']] == [('old', 7), ('new', 7)]
    assert context['confusion_note'].startswith('Objects within 2 m of a box that scores at least 0.2;')
    assert context['confusion_note'].endswith('Objects are those of infos.json.')
    assert not world.report.notes
    assert world.add(count=3)['pictures'] == ['s2', 's4', 's6']
    assert world.add(count=50)['pictures'] == TOKENS[1:7]


def test_pictures_end_where_the_page_is_full(world: World) -> None:
    world.predict('run', TOKENS)
    assert world.add(count=4, most_bytes=250)['pictures'] == ['s1', 's3']
    assert world.report.notes == ['2 of 4 samples are shown: more do not fit into the size of the page']
    world.report.notes.clear()
    assert len(world.add(count=2, most_bytes=200)['pictures']) == 2
    assert not world.report.notes


def test_only_the_first_six_runs_are_drawn(world: World) -> None:
    """The seventh predicted another sample, which matters to no picture."""
    for place in range(7):
        world.predict(f'run {place}', TOKENS[:1] if place < 6 else TOKENS[1:2])
    assert world.add()['pictures'] == ['s0']
    assert world.drawn == [('s0', [f'run {place}' for place in range(6)])]
    assert world.report.notes == ['pictures show the first 6 of 7 rows']
    assert len(world.report.context['confusions']) == 7


def test_no_picture_is_wanted_or_possible(world: World) -> None:
    world.predict('old', TOKENS[:2])
    assert world.add(count=0)['no_pictures'] == 'None were asked for (--samples 0).' and not world.drawn
    world.predict('new', TOKENS[2:])
    assert 'pictures' not in world.add()
    (note,) = world.report.notes
    assert note == f'no sample of {world.folder}/infos.json was predicted by all of “old”, “new”'


def test_data_without_objects_are_said(world: World) -> None:
    world.write_infos(*(info(token) for token in TOKENS))
    world.predict('run', TOKENS)
    world.add(count=0)
    assert world.report.notes == [
        f'no sample that was predicted has an object in {world.folder / "infos.json"}: there is no ground truth'
    ]


def test_a_damaged_file_leaves_the_others(world: World) -> None:
    world.predict('good', TOKENS)
    world.predict('bad', TOKENS)
    world.report.files['bad'].write_text('{')
    world.report.files['gone'] = world.folder / 'gone' / 'boxes.json'
    context = world.add()
    assert [table.title for table in context['confusions']] == ['good'] and len(context['pictures']) == 4
    assert [note.partition(' is no file')[0] for note in world.report.notes[:1]] == [str(world.report.files['bad'])]
    assert 'gone' in world.report.notes[1] and len(world.report.notes) == 2


def test_data_that_are_not_there_are_a_note_unless_they_were_asked_for(world: World) -> None:
    (world.folder / 'infos.json').unlink()
    world.predict('run', TOKENS)
    assert 'confusions' not in world.add()
    assert world.report.notes[0].startswith(f'no information file {world.folder / "infos.json"}; name the data by')
    for given in (dict(data_root=world.folder), dict(ann_file=world.folder / 'other.json')):
        with pytest.raises(FileNotFoundError, match='no information file'):
            world.add(**given)
    world.config = dict(model=1)
    world.report.notes.clear()
    world.add()
    assert world.report.notes == ['no config names test data; name them by --data-root DIR --ann-file FILE']


def test_without_predictions_there_is_nothing_to_count(world: World) -> None:
    context = world.add()
    assert context['confusions'] == [] and 'pictures' not in context and not world.report.notes
