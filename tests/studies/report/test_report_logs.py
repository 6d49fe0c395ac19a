"""Curves from logs: several of one run, lines that are none, validations by epochs, values that are no numbers."""

from __future__ import annotations

import math

import pytest
from made_up_runs import WriteRun, steps

from bevdistill.studies.report.logs import read_log


def test_a_resumed_run_goes_on_from_its_checkpoint(write_run: WriteRun) -> None:
    first, second = steps(5.0, 4.0, 3.0, 2.0), [{'loss': 9.0, 'step': 30}, {'loss': 8.0, 'step': 40}]
    log = read_log(write_run('run', logs=[first, second], metrics={'NDS': 0.1}))
    assert log.train == {'loss': {10: 5.0, 20: 4.0, 30: 9.0, 40: 8.0}}
    assert log.resumed == [30]
    # A second training from the start on replaces what was there, also where it is shorter.
    again = read_log(write_run('again', logs=[first, steps(7.0)]))
    assert again.train == {'loss': {10: 7.0}} and again.resumed == [10]
    once = read_log(write_run('once', logs=[first]))
    assert once.resumed == [] and len(once.train['loss']) == 4


def test_lines_that_are_no_objects_are_told(write_run: WriteRun) -> None:
    lines = ['', '[1]', *steps(5.0), '{"loss": 1', 'null', '{"loss": 2.0}', '{"loss": 3, "step": ' + '9' * 400 + '}']
    run = write_run('run', logs=[lines])
    log = read_log(run)
    assert log.train == {'loss': {10: 5.0}}
    (note,) = log.notes
    file = run / '20260101_000000/vis_data/scalars.json'
    assert note == f'{file}: 3 lines, the first 2, are no JSON object, as a killed run leaves it; left out'
    assert read_log(write_run('one', logs=[[*steps(5.0), '{"lo']])).notes[0].count(': line 2 is no JSON object') == 1


def test_values_that_are_not_finite_and_not_numbers(write_run: WriteRun) -> None:
    lines = [{'loss': math.nan, 'step': 10, 'lr': 'high', 'frozen': True}, {'loss': math.inf, 'step': 20, 'lr': 0.5}]
    log = read_log(write_run('run', logs=[lines]))
    assert set(log.train) == {'loss', 'lr'} and log.train['lr'] == {20: 0.5}
    assert math.isnan(log.train['loss'][10]) and log.train['loss'][20] == math.inf


@pytest.mark.parametrize(('epoch', 'unit'), [(None, 'iteration'), (1, 'epoch')])
def test_validations_are_curves_of_their_own(write_run: WriteRun, epoch: int | None, unit: str) -> None:
    trained = [line | ({} if epoch is None else {'epoch': epoch}) for line in steps(5.0, 4.0)]
    validated = [{'nuscenes/NDS': 0.2, 'nuscenes/car_AP': 0.3, 'time': 9.0, 'step': 1}]
    validated += [{'classes/car/AP': 1.0, 'step': 1}]
    log = read_log(write_run('run', logs=[[*trained, *validated]]))
    assert log.val_unit == unit
    assert {term: log.val[term] for term in ('NDS', 'car_AP')} == {'NDS': {1: 0.2}, 'car_AP': {1: 0.3}}
    assert set(log.train) == {'loss'}


def test_diagnostics_may_have_lines_of_their_own(write_run: WriteRun) -> None:
    log = read_log(write_run('run', logs=[[*steps(5.0, 4.0), {'diagnose/cka_bev': 0.5, 'step': 15}]]))
    assert log.train == {'loss': {10: 5.0, 20: 4.0}, 'diagnose/cka_bev': {15: 0.5}}


def test_a_test_is_no_training(write_run: WriteRun) -> None:
    log = read_log(write_run('run', metrics={'NDS': 0.2}))
    assert (log.train, log.val, log.notes) == ({}, {}, [])
