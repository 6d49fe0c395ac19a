"""What stands on the page, without predictions: scores, differences, curves, diagnostics, what is missing."""

from __future__ import annotations

import math
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from made_up_runs import WriteRun, distilled, made_up_config, steps

from bevdistill.studies.report.page import gather, render
from bevdistill.studies.report.runs import find_runs

EVIL = '<script>alert(1)</script>'


class Outline(HTMLParser):
    """Elements of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ''
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.text += ' ' if tag in ('th', 'td') else ''

    def handle_data(self, data: str) -> None:
        self.text += data

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


def page_of(*dirs: Path, against: str | None = None) -> tuple[Outline, list[str]]:
    report = gather(find_runs(list(dirs), against))
    return Outline(render(report)), report.notes


def section(outline: Outline, heading: str, until: str) -> str:
    return ' '.join(outline.text[outline.text.index(heading) : outline.text.index(until)].split())


def test_two_rows_of_seeds(write_run: WriteRun) -> None:
    config = made_up_config()
    values = {'student_seed0': 0.1, 'student_seed1': 0.2, 'distilled_seed0': 0.2, 'distilled_seed1': 0.4}
    dirs = [
        write_run(
            name, distilled(config) if name.startswith('d') else config, [steps(2.0, 1.0)],
            {'NDS': value, 'mAP': value, 'car_AP': value},
        )
        for name, value in values.items()
    ]  # fmt: skip
    outline, notes = page_of(*dirs)
    scores = section(outline, 'Scores\n', 'What differs')
    assert 'student 2 0.150 ± 0.071' in scores
    assert 'distilled 2 0.300 ± 0.141 +0.150 [-0.485, +0.785]' in scores
    assert 'car 0.150 ± 0.071 0.300 ± 0.141 (Δ +0.150 [-0.485, +0.785])' in scores
    assert 'Mean ± sample standard deviation over seeds. Δ: mean difference to student, seed by seed' in scores
    assert 'mATE' not in scores
    assert 'compared with that of “student”: 2 entries differ' in outline.text
    (figure,) = [of for tag, of in outline.tags if tag == 'svg' and str(of.get('aria-label')).startswith('loss.')]
    assert figure['aria-label'].count('from 2 at 10 to 1 at 20') == 4
    styles = [of['class'] for tag, of in outline.tags if tag == 'path' and str(of.get('class')).startswith('line')]
    assert styles.count('line c0 d0') == 2 + 1 and styles.count('line c1 d1') == 2 + 1  # and in the legend
    assert len(notes) == 1
    assert notes[0].startswith('no predictions of “student”, “distilled”; keep them with: bevdistill test')


def test_what_a_row_changes_of_its_base_is_said_first(write_run: WriteRun) -> None:
    config = made_up_config()
    changed = made_up_config(optim_wrapper={'optimizer': {'type': 'AdamW', 'lr': 0.5}}, load_from='x.pth')
    parts = ('env_cfg', 'visualizer', 'log_processor', 'default_hooks', 'train_cfg', 'val_cfg', 'test_cfg', 'load_from')
    other = made_up_config(log_level='DEBUG', **{name: {'a': 1} for name in parts})
    rows = dict(plain=config, changed=changed, other=other)
    dirs = [write_run(f'{row}_seed{seed}', made, [steps(1.0)]) for row, made in rows.items() for seed in (0, 1)]
    text = section(page_of(*dirs)[0], 'What differs', 'Each config is')
    assert 'changed changes of plain: load_from (not there) → x.pth; optim_wrapper' in text
    assert 'DEBUG' not in text, 'nine entries are for the table'
    two = section(page_of(*dirs[:4])[0], 'What differs', 'Curves\n')
    assert 'changes of' not in two, 'the table of two has it'


def test_everything_is_escaped(write_run: WriteRun) -> None:
    metrics = {'NDS': 0.1, f'{EVIL}_AP': 0.1}
    run = write_run('a"><b>&', made_up_config(), [steps(1.0, term=EVIL)], metrics)
    other = write_run('b', made_up_config(log_level=f"{EVIL}'\"", load_from=EVIL), [[EVIL, *steps(1.0)]])
    outline, _ = page_of(run, other)
    assert outline.count('script') == 1 and outline.count('b') == 0
    assert outline.text.count(EVIL) >= 3


def test_nothing_is_fetched_and_every_picture_is_described(write_run: WriteRun) -> None:
    outline, _ = page_of(write_run('run', made_up_config(), [steps(1.0)], {'NDS': 0.1}))
    for tag, attributes in outline.tags:
        assert not {'src', 'srcset'} & set(attributes), tag
        assert str(attributes.get('href', '#')).startswith(('#', 'data:')), tag
        assert tag != 'svg' or attributes.get('aria-label') or attributes.get('aria-hidden') == 'true'
        assert not any(name.startswith('on') for name in attributes), tag
    (policy,) = [of['content'] for tag, of in outline.tags if of.get('http-equiv') == 'Content-Security-Policy']
    assert str(policy).startswith("default-src 'none'")
    levels = [int(tag[1]) for tag, _ in outline.tags if re.fullmatch(r'h\d', tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    ids = [of['id'] for _, of in outline.tags if 'id' in of]
    assert len(ids) == len(set(ids))
    assert {str(of['href'])[1:] for tag, of in outline.tags if tag == 'a'} <= set(ids)


def test_one_run_that_was_neither_tested_nor_validated(write_run: WriteRun) -> None:
    outline, notes = page_of(write_run('run', None, [[{'loss': math.nan, 'step': 50}, '{"lo']]))
    assert 'No run has a test result; make one with: bevdistill test' in outline.text
    assert 'There are no two configs to compare.' in outline.text
    assert 'Not a finite number: run at 50.' in outline.text
    assert 'No run was validated while it trained.' in outline.text
    assert 'diagnose/' in section(outline, 'How the distillation goes', 'Classes\n')
    told = ('no test result in', 'holds no config', 'line 2 is no JSON object', 'no predictions of')
    assert len(notes) == len(told) and all(words in note for words, note in zip(told, notes, strict=True))


def test_only_predictions_of_own_classes(write_run: WriteRun) -> None:
    content = dict(config='mine.py', moments=[])
    tested = write_run('tested', metrics={'mAP': 0.5, 'van_AP': 0.5})
    outline, notes = page_of(write_run('predicted', files={'boxes.json': content}), tested)
    assert 'van 0.500' in section(outline, 'Average precision of each class', 'What differs')
    assert 'No run has a log of a training' in outline.text
    assert any(note.startswith('no test result in') for note in notes)


def test_ten_classes_and_none(write_run: WriteRun) -> None:
    many = {f'class_{place}_AP': 0.1 * place for place in range(10)}
    outline, _ = page_of(write_run('many', metrics={'NDS': 0.1} | many), write_run('none', metrics={'NDS': 0.2}))
    scores = section(outline, 'Average precision of each class', 'What differs')
    assert re.findall(r'class \d', scores) == [f'class {place}' for place in range(10)]
    assert 'class 9 0.900 -' in scores


def test_validations_diagnostics_and_resumption(write_run: WriteRun) -> None:
    lines = steps(2.0, 1.0, term='diagnose/cka_bev') + steps(0.5, term='diagnose/gradient_share/dense')
    lines += [{'nuscenes/NDS': 0.3, 'step': 20}, {'diagnose/own_number': 1.0, 'step': 10}]
    run = write_run('run', made_up_config(), [steps(3.0, 2.0), lines])
    outline, _ = page_of(run)
    assert 'run was resumed: a new log begins at step 10.' in outline.text
    assert 'Of validations.' in section(outline, 'Loss', 'How the distillation')
    told = section(outline, 'How the distillation goes', 'Classes\n')
    assert told.index('Agreement of the two maps') < told.index('gradient on the student') < told.index('own_number')
    assert 'diagnose' not in section(outline, 'Curves\n', 'How the distillation')


def test_unreadable_configs_and_seeds_that_differ(write_run: WriteRun) -> None:
    a = write_run('a_seed0', made_up_config(), [steps(1.0)])
    b = write_run('a_seed1', made_up_config(randomness={'seed': 1}, load_from='x'), [steps(1.0)])
    c = write_run('c', {}, [steps(1.0)])
    (c / '20260101_000000/vis_data/config.py').write_text('import os')
    _, notes = page_of(a, b, c)
    assert 'a_seed1 differs from the first run of its row in 1 entries: load_from' in notes
    assert any('line 1: expected plain values' in note for note in notes)


def test_curves_of_precision(write_run: WriteRun) -> None:
    details = {'car:2.0': dict(recall=[0.0, 1.0], precision=[1.0, 0.5]), 'car:4.0': dict(recall=[0], precision=[1])}
    files = {f'predictions/pred_instances_3d/{name}': {} for name in ('results_nusc.json',)}
    run = write_run('run', metrics={'NDS': 0.1}, files=files | {'predictions/metrics_details.json': details})
    outline, notes = page_of(run)
    assert any(of.get('aria-label') == 'car. run: from 1 at 0 to 0.5 at 1. ' for _, of in outline.tags)
    (run / 'predictions/metrics_details.json').write_text('{"car:2.0": {"recall": [1]}}')
    _, notes = page_of(run)
    assert any('car:2.0 has no recall and precision of one length' in note for note in notes)


@pytest.mark.parametrize('against', ['b', None])
def test_the_base_can_be_chosen(write_run: WriteRun, against: str | None) -> None:
    dirs = [write_run(name, made_up_config(log_level=name), metrics={'NDS': 0.1}) for name in ('a', 'b')]
    outline, _ = page_of(*dirs, against=against)
    assert f'compared with that of “{against or "a"}”: 1 entry differs' in outline.text
    assert sum(of.get('class') == 'same' for _, of in outline.tags) == 0
    third = write_run('c', made_up_config(log_level=against or 'a'), metrics={'NDS': 0.1})
    outline, _ = page_of(*dirs, third, against=against)
    assert [of['data-of'] for _, of in outline.tags if of.get('class') == 'same'] == ['c']
