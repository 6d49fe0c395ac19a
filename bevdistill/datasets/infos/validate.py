"""Find what is wrong with the records of an information file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ...for_people import counted
from . import rules
from .links import relation_faults
from .rules import Rule, shown

Place = tuple[int, str]
"""Index of a record, and which of several parts of it: a camera, a number."""
CHUNK = 1000
"""Records of which columns are made at once."""


class Fault(NamedTuple):
    """One thing that is wrong.

    Args:
        kind: In a word or two, by which faults are counted.
        sample: Token of the sample, or of what it has for one.
        field: Path of the field, such as ``images.CAM_FRONT.cam2img``.
        found: What is there.
        expected: What should be.
    """

    kind: str
    sample: str
    field: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f'sample {self.sample}: {self.field}: expected {self.expected}, found {self.found}'


# A part of a record, the kind of container it is, and the rules of its fields.
RECORD: dict[str, Rule] = {
    'token': rules.TOKEN, 'timestamp': rules.TIME, 'scene_token': rules.TOKEN, 'frame_idx': rules.COUNT,
    'prev': rules.TEXT, 'next': rules.TEXT, 'can_bus': rules.CAN_BUS, 'ego2global': rules.POSE,
    'ego2global_rotation': rules.QUATERNION, 'ego2global_translation': rules.POSITION,
}  # fmt: skip
IMAGE: dict[str, Rule] = {
    'img_path': rules.INSIDE, 'cam2img': rules.INTRINSIC, 'lidar2cam': rules.CALIBRATION,
    'cam2ego': rules.CALIBRATION.optional, 'timestamp': rules.TIME.optional, 'sample_data_token': rules.TEXT.optional,
}  # fmt: skip
LIDAR: dict[str, Rule] = {'lidar2ego': rules.CALIBRATION, 'points2lidar': rules.CALIBRATION.optional}
POINTS: dict[str, Rule] = {'lidar_path': rules.INSIDE, 'num_pts_feats': rules.FEATURES}
SWEEP: dict[str, Rule] = {'timestamp': rules.TIME, 'ego2global': rules.POSE.optional}
SWEEP_POINTS: dict[str, Rule] = {
    'lidar_path': rules.LAST_PART, 'lidar2sensor': rules.MOTION, 'lidar2ego': rules.CALIBRATION.optional,
}  # fmt: skip
INSTANCE: dict[str, Rule] = {
    'bbox_3d': rules.BOX, 'velocity': rules.VELOCITY, 'num_lidar_pts': rules.COUNT, 'bbox_3d_isvalid': rules.FLAG,
    'num_radar_pts': rules.COUNT.optional, 'category': rules.TEXT.optional,
}  # fmt: skip
LABELS = ('bbox_label_3d', 'bbox_label')


class Columns:
    """Collect fields of many records by rule, so that each rule is asked once for all of them."""

    def __init__(self, records: list[dict[str, Any]], first: int) -> None:
        self.records = records
        self.first = first
        self.columns: dict[tuple[str, str], tuple[Rule, list[Place], list[Any]]] = {}
        self.faults: list[Fault] = []

    def fault(self, kind: str, place: int, field: str, found: str, expected: str) -> None:
        """Note what is wrong with a record."""
        self.faults.append(Fault(kind, sample_of(self.records[place], self.first + place), field, found, expected))

    def part(self, place: int, holder: Mapping[str, Any], field: str, kind: type, needed: bool = True) -> Any:
        """Return a container of a record, an empty one where it is not what it should be."""
        value = holder.get(field)
        if isinstance(value, kind):
            return value
        if value is not None or needed:
            name = 'a dict' if kind is dict else 'a list'
            missing = field not in holder
            self.fault('missing field' if missing else 'type', place, field, 'none' if missing else shown(value), name)
        return kind()

    def add(self, group: str, which: str, place: int, holder: Any, fields: Mapping[str, Rule]) -> None:
        """Add the fields of one container."""
        if not isinstance(holder, dict):
            self.fault('type', place, named(group, which, ''), shown(holder), 'a dict')
            return
        for name, rule in fields.items():
            if name in holder and (rule.needed or holder[name] is not None):
                entry = self.columns.get((group, name))
                if entry is None:
                    entry = self.columns[group, name] = rule, [], []
                entry[1].append((place, which))
                entry[2].append(holder[name])
            elif rule.needed:
                self.fault('missing field', place, named(group, which, name), 'none', rule.expected)

    def ask(self) -> list[Fault]:
        """Ask every rule for its columns."""
        for (group, name), (rule, places, values) in self.columns.items():
            holds = rule.holds(values)
            if not holds.all():
                for i in (~holds).nonzero()[0]:
                    place, which = places[i]
                    self.fault(name, place, named(group, which, name), shown(values[i]), rule.expected)
        return self.faults


def named(group: str, which: str, name: str) -> str:
    """Write the path of a field."""
    return '.'.join(filter(None, (group.replace('*', which), name)))


def sample_of(record: Mapping[str, Any], position: int) -> str:
    """Name a sample by its token, or by its position where it has none."""
    token = record.get('token')
    return token[:64] if isinstance(token, str) and token else f'number {position}'


def faults_of(infos: Mapping[str, Any], cameras: bool = True, lidar: bool = True) -> list[Fault]:
    """List all that is wrong with an information file.

    Checked are types, shapes, finite numbers, rigid calibration and poses, unit quaternions, sizes above zero, labels
    among the categories, camera names, paths that stay below their folder, unique tokens, and time, frame numbers and
    links within scenes. Fields that nothing reads are not looked at.

    Args:
        infos: ``metainfo`` and ``data_list``, as :func:`read_infos` returns it.
        cameras: Whether images are used, and have to be there.
        lidar: Whether points are used.

    Returns:
        In the order of the file within each chunk of records; empty if nothing is wrong.
    """
    records: list[dict[str, Any]] = infos['data_list']
    faults: list[Fault] = []
    rule = label_rule(infos['metainfo'])
    for first in range(0, len(records), CHUNK):
        columns = Columns(records[first : first + CHUNK], first)
        for place, record in enumerate(columns.records):
            collect(columns, place, record, rule, cameras, lidar)
        faults += columns.ask()
    faults += [
        Fault(kind, sample_of(records[place], place), field, found, expected)
        for kind, place, field, found, expected in relation_faults(records, infos['metainfo'], cameras, lidar)
    ]
    return faults


def collect(
    columns: Columns, place: int, record: dict[str, Any], label: Rule, cameras: bool = True, lidar: bool = True
) -> None:
    """Add the fields of one record."""
    columns.add('', '', place, record, RECORD)
    points = columns.part(place, record, 'lidar_points', dict)
    columns.add('lidar_points', '', place, points, LIDAR | POINTS if lidar else LIDAR)
    if cameras:
        for name, image in columns.part(place, record, 'images', dict).items():
            columns.add('images.*', str(name), place, image, IMAGE)
    if lidar:
        for i, sweep in enumerate(columns.part(place, record, 'lidar_sweeps', list, needed=False)):
            columns.add('lidar_sweeps.*', str(i), place, sweep, SWEEP)
            part = sweep.get('lidar_points') if isinstance(sweep, dict) else {}
            columns.add('lidar_sweeps.*.lidar_points', str(i), place, part, SWEEP_POINTS)
    keys = None
    for i, instance in enumerate(columns.part(place, record, 'instances', list)):
        columns.add('instances.*', str(i), place, instance, INSTANCE | dict.fromkeys(LABELS, label))
        if isinstance(instance, dict):
            keys = keys or instance.keys()
            if instance.keys() != keys:
                odd = sorted(map(str, instance.keys() ^ keys))
                columns.fault('fields of boxes', place, f'instances.{i}', f'{odd} unlike the first', 'equal fields')


def label_rule(metainfo: Mapping[str, Any]) -> Rule:
    """Make the rule of labels: among those of the categories, -1 for none of the detection classes."""
    categories = metainfo.get('categories')
    known = {v for v in categories.values() if type(v) is int} if isinstance(categories, dict) else set()
    known = known | {-1} if known else set(range(-1, 1000))
    whole = len(known) == max(known) + 2 and min(known) == -1
    words = f'-1 to {max(known)}' if whole else f'one of {sorted(known)}'
    return rules.each(f'a label of the categories, {words}', lambda value: type(value) is int and value in known)


def summary(faults: Iterable[Fault]) -> Iterator[tuple[str, int, Fault]]:
    """Yield each kind of fault with how many there are and the first, the most frequent kind first."""
    faults = list(faults)
    first: dict[str, Fault] = {}
    for fault in faults:
        first.setdefault(fault.kind, fault)
    for kind, count in Counter(fault.kind for fault in faults).most_common():
        yield kind, count, first[kind]


def require_valid(
    infos: Mapping[str, Any], source: str, cameras: bool = True, lidar: bool = True, advice: str = ''
) -> None:
    """Refuse an information file with faults.

    Args:
        infos: ``metainfo`` and ``data_list``.
        source: The file, for the message.
        cameras: Whether images are used.
        lidar: Whether points are used.
        advice: What to do; by default the command that lists all faults.

    Raises:
        ValueError: Names file, sample, field, what was expected and found, and how many other faults there are.
    """
    faults = faults_of(infos, cameras, lidar)
    if faults:
        more = f' ({counted(len(faults) - 1, "more fault")})' if len(faults) > 1 else ''
        advice = advice or f'List all with: bevdistill data check {source}; then write the file anew, or leave them out'
        raise ValueError(f'{source}: {faults[0]}{more}. {advice}')
