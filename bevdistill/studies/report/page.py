"""Write the page: gather what each section shows, and keep to the size that was asked for."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ... import __version__
from ...for_people import counted, shortened
from ..records import now
from ..tables import cell, difference_cell, note, table_cells
from ..work_dirs import METRICS
from . import charts
from .configs import SEED, UnreadableConfigError, config_of, differences, settled
from .logs import DIAGNOSE, Log, read_log
from .precision import DISTANCE, precision_charts, precision_of
from .runs import KEEP, Run, Runs, predictions_file
from .terms import DIAGNOSTICS, HEADINGS, group_of, sentence

MOST_DIFFERENCES, FEW_CHANGES = 120, 8
CONTENTS = {
    'scores': 'Scores', 'configs': 'Configs', 'curves': 'Curves', 'diagnostics': 'Distillation', 'classes': 'Classes',
    'samples': 'Samples', 'missing': 'What is missing',
}  # fmt: skip
Context = dict[str, Any]


@dataclass(frozen=True)
class CurveGroup:
    """Charts under one heading; folded ones are opened by the reader."""

    name: str
    charts: list[charts.Chart]
    folded: bool


@dataclass
class Report:
    """A page in the making.

    Args:
        runs: What it is about.
        notes: What is missing.
        context: What the template shows.
        files: Predictions of each row, those of its first run that has some, by its title.
    """

    runs: Runs
    notes: list[str] = field(default_factory=list)
    context: Context = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)

    @property
    def of_first(self) -> str:
        """Sentence on which of several seeds is shown; '' where no row has several."""
        several = any(len(self.runs.of_row(row)) > 1 for row in self.runs.titles)
        return ' Of the first seed of each row.' if several else ''

    @property
    def order(self) -> dict[str, int]:
        """Place of each row, by which its lines are drawn."""
        return {row: place for place, row in enumerate(self.runs.titles)}


def gather(runs: Runs) -> Report:
    """Gather the sections that need no predictions: scores, configs, curves, diagnostics."""
    report = Report(runs, list(runs.notes))
    titles = list(runs.titles.values())
    report.context |= dict(
        title=f'Report: {", ".join(titles)}' if len(titles) <= 3 else f'Report of {len(titles)} rows',
        intro=f'{counted(len(runs.runs), "run")}: {quoted(titles)}. Written on {now()} by bevdistill {__version__}.',
        rows=titles,
        contents=CONTENTS.items(),
    )
    report.context |= _scores(runs) | _configs(report) | _curves(report) | _predictions(report)
    return report


def _scores(runs: Runs) -> Context:
    results = runs.results
    how = 'No run has a test result; make one with: bevdistill test CONFIG CHECKPOINT --work-dir WORK_DIR'
    if results is None:
        return dict(scores=[], no_scores=how, warnings=[], class_scores=[], scores_note=[])
    results.rows = [row for row in runs.titles if row in results.titles]
    found = [name for name in results.metrics if any(len(results.values(row, name)) for row in results.rows)]
    mixed = results.mixed()
    warnings = ['These are results of different code or data: ' + '; '.join(mixed)] if mixed else []
    classes = [str(name) for name in results.runs.columns if str(name).endswith('_AP')]
    rows = [['class', *(results.titles[row] for row in results.rows)]]
    for name in classes:
        line = [name.removesuffix('_AP').replace('_', ' ')]
        for row in results.rows:
            difference = difference_cell(results, row, name)
            line.append(cell(results, row, name) + (f'  (Δ {difference})' if difference != '-' else ''))
        rows.append(line)
    words = [*filter(None, note(results).replace('`', '').split('\n\n')), 'Seconds are those of training.']
    return dict(
        scores=table_cells(results, [*found, 'seconds']), warnings=warnings, class_scores=rows if classes else [],
        scores_note=words, no_scores='',
    )  # fmt: skip


def _configs(report: Report) -> Context:
    runs = report.runs
    configs: dict[str, Context] = {}
    for row in runs.titles:
        for run in runs.of_row(row):
            try:
                config = settled(config_of(run.folder))
            except (UnreadableConfigError, OSError) as error:
                report.notes.append(str(error))
                continue
            if config and row not in configs:
                configs[row] = config
            elif config:
                _compare_seeds(report, run, configs[row], config)
            else:
                report.notes.append(f'{run.folder} holds no config, as a training or a test leaves it')
    if len(configs) < 2:
        return dict(config_cells=[], config_changes=[], config_note='There are no two configs to compare.')
    base = runs.base if runs.base in configs else next(iter(configs))
    found = _differing(report, configs, base)
    count = '1 entry differs' if len(found) == 1 else f'{len(found)} entries differ'
    words = f'Each config is compared with that of “{runs.titles[base]}”: {count}.'
    if len(found) > MOST_DIFFERENCES:
        words += f' The first {MOST_DIFFERENCES} are shown.'
    words += ' Grey: as the base. A student stands below model.student whether it was distilled or not.'
    cells = [['entry', *(runs.titles[row] for row in configs)]]
    cells += [[path, *values] for path, values in found[:MOST_DIFFERENCES]]
    return dict(
        config_cells=cells if found else [], config_note=words if found else 'No entry differs.',
        config_base=1 + list(configs).index(base), config_changes=_changes(report, configs),
    )  # fmt: skip


def _differing(report: Report, configs: Mapping[str, Context], base: str) -> list[tuple[str, list[str]]]:
    """Compare configs with one of them; the seed counts only where no row has several."""
    return [entry for entry in differences(configs, base) if not (report.of_first and entry[0] == SEED)]


def _changes(report: Report, configs: Mapping[str, Context]) -> list[tuple[str, str, list[tuple[str, list[str]]]]]:
    """Gather what each row changes of its own base: title, the base's title, entries; only where these are few."""
    runs = report.runs
    bases = runs.results.bases if runs.results is not None else {}
    changes = []
    for row, config in configs.items():
        base = bases.get(row, runs.base)
        if len(configs) > 2 and base in configs and base != row:
            found = _differing(report, {base: configs[base], row: config}, base)
            changes.append((runs.titles[row], runs.titles[base], found if len(found) <= FEW_CHANGES else []))
    return [change for change in changes if change[2]]


def _compare_seeds(report: Report, run: Run, first: Context, config: Context) -> None:
    """Tell entries besides the seed that differ between the runs of one row."""
    others = [path for path, _ in differences({'first': first, run.name: config}, 'first') if path != SEED]
    if others:
        count = f'{len(others)} entries: {shortened(others, 4)}'
        report.notes.append(f'{run.name} differs from the first run of its row in {count}')


def _curves(report: Report) -> Context:
    logs: list[tuple[Run, Log]] = [(run, read_log(run.folder)) for run in report.runs.runs]
    notes: list[str] = []
    for run, log in logs:
        report.notes += log.notes
        if log.resumed:
            notes.append(f'{run.name} was resumed: a new log begins at step {", ".join(map(str, log.resumed))}.')
        if not log.train:
            report.notes.append(f'{run.folder} has no log of a training: no curves of {run.name}')
    named = [(run.name, report.order[run.row], log) for run, log in logs]
    terms = dict.fromkeys(term for _, _, log in named for term in log.train)
    groups: list[CurveGroup] = []
    for name, folded in HEADINGS.items():
        ours = {term: '' for term in terms if group_of(term) == name}
        drawn = charts.curve_charts(ours, [(run, style, log.train) for run, style, log in named], 'iteration')
        if name == 'Loss':
            drawn += _validations(named)
        groups += [CurveGroup(name, drawn, folded)] if drawn else []
    if not any(log.val for _, _, log in named) and groups:
        notes.append('No run was validated while it trained.')
    diagnosed = {term: sentence(term) for term in sorted(terms) if term.startswith(DIAGNOSE)}
    diagnosed = {term: diagnosed[term] for term in sorted(diagnosed, key=lambda term: (term not in DIAGNOSTICS, term))}
    drawn = charts.curve_charts(diagnosed, [(run, style, log.train) for run, style, log in named], 'iteration')
    return dict(curve_groups=groups, curve_notes=notes, diagnostics=drawn)


def _validations(named: Sequence[tuple[str, int, Log]]) -> list[charts.Chart]:
    """Draw the metrics of validations: one chart each of the means that there are."""
    drawn: list[charts.Chart] = []
    for unit in ('epoch', 'iteration'):
        runs = [(run, style, log.val) for run, style, log in named if log.val_unit == unit]
        drawn += charts.curve_charts(dict.fromkeys(METRICS, 'Of validations.'), runs, unit)
    return drawn


def _predictions(report: Report) -> Context:
    """Find the predictions of each row, and draw precision over recall where the test wrote it beside them."""
    curves: list[tuple[str, int, dict[str, dict[float, float]]]] = []
    without: list[str] = []
    for row, title in report.runs.titles.items():
        found = [(run, file) for run in report.runs.of_row(row) if (file := predictions_file(run.folder)) is not None]
        if not found:
            without.append(title)
            continue
        run, report.files[title] = found[0]
        try:
            curves.append((title, report.order[row], precision_of(run.folder)))
        except ValueError as error:
            report.notes.append(str(error))
    report.notes += [f'no predictions of {quoted(without)}; keep them with: {KEEP}'] if without else []
    none = f'No run has predictions; keep them with: {KEEP}'
    return dict(
        precision=precision_charts(curves), confusions=[], pictures=[],
        precision_note=f'Boxes that are matched within {DISTANCE:g} m.{report.of_first}',
        no_precision='No test wrote these curves: the official metric does, with predictions that are kept. '
        f'Keep them with: {KEEP}',
        no_pictures='See below what is missing.' if report.files else none,
    )  # fmt: skip


def render(report: Report) -> str:
    """Return the page; everything is escaped, and the browser is told to fetch nothing and to run this script alone."""
    here = Path(__file__).parent
    environment = Environment(
        loader=FileSystemLoader(here), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    css, script = ((here / name).read_text(encoding='utf-8') for name in ('page.css', 'page.js'))
    hashed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template('page.html.j2').render(
        report.context, css=Markup(css), script=Markup(script), script_hash=hashed, style=style_of,
        notes=report.notes, width=charts.WIDTH, height=charts.HEIGHT, left=charts.LEFT, right=charts.RIGHT,
        bottom=charts.BOTTOM,
    )  # fmt: skip


def quoted(titles: Sequence[str]) -> str:
    """List titles, in which commas may stand."""
    return ', '.join(f'“{title}”' for title in titles)


def style_of(place: int) -> str:
    """Return the classes of colour and dash of a line: no two of the first 32 are alike, nor two neighbours' dashes."""
    return f'c{place % charts.STYLES} d{(place + place // charts.STYLES) % 4}'
