from __future__ import annotations

from bevdistill.checkpoints import BOX_CONVENTION, META_KEY


def test_names_are_those_of_checkpoints_already_written():
    assert (META_KEY, BOX_CONVENTION) == ('bevdistill', 'mmdet3d>=1.0')
