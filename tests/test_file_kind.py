"""Files of other kinds are told by their first bytes."""

from __future__ import annotations

import io
import json

import pytest
import torch

from bevdistill.file_kind import no_weights, pointer_or_page


def saved(legacy: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save({'a': torch.zeros(1)}, buffer, _use_new_zipfile_serialization=not legacy)
    return buffer.getvalue()


@pytest.mark.parametrize(('content', 'kind'), [
    (b"_base_ = ['../base.py']\nmodel = dict()\n", 'is text; name a file of weights'),
    (json.dumps({'results': {}}).encode(), 'is JSON;'),
    (b'\x1f\x8b\x08\x00', 'is gzip, as information files are;'),
    (b'\x89PNG\r\n\x1a\n', 'is an image;'),
    (b'\x40\x00\x00\x00\x00\x00\x00\x00{"w":{}}', 'is a safetensors file: write its weights with torch.save'),
])  # fmt: skip
def test_what_is_no_file_of_weights(content: bytes, kind: str) -> None:
    found = no_weights(content[:64])
    assert found is not None and found.startswith(kind)
    assert pointer_or_page(content[:64]) is None


def test_weights_are_not_taken_for_others() -> None:
    for content in (saved(False), saved(True), b'', bytes(64)):
        assert no_weights(content[:64]) is None
