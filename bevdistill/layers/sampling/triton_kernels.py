"""Deformable sampling in Triton: one program for a row and a head, all points and channels of it at once.

A program walks the images that its row looks at, so that sums over them need neither memory nor atomic additions. Only
the gradient of the value is added to by several programs. Points are the first axis of a tile, channels the second.

Legend: I images, S tokens of an image, M heads, K channels of a head, R rows, A pairs of a row and an image, L levels,
P points, V places of a pair that points start from.
"""
# mypy: allow-untyped-defs

import triton
import triton.language as tl


@triton.jit
def _weights(logits, p, COUNT: tl.constexpr, SOFTMAX: tl.constexpr, NUMBER: tl.constexpr):
    """Weights of the points: what is stored, or its softmax."""
    if SOFTMAX:
        stored = tl.load(logits + p, mask=p < COUNT, other=float('-inf')).to(NUMBER)
        raised = tl.exp(stored - tl.max(stored, axis=0))
        return raised / tl.sum(raised, axis=0)
    return tl.load(logits + p, mask=p < COUNT, other=0.0).to(NUMBER)


@triton.jit
def _places(
    offsets,
    points,
    pair,
    p,
    width,
    height,
    COUNT: tl.constexpr,
    POINTS: tl.constexpr,
    PLACES: tl.constexpr,
    NUMBER: tl.constexpr,
):
    """Columns and rows of the sampling points in cells from the first cell's centre, and which are near the map.

    Offsets are cells from a pair's places, or without places (PLACES 0) shares of the map. The place of a point that is
    outside, or is not a number, comes out as 0.
    """
    known = p < COUNT
    x = tl.load(offsets + 2 * p, mask=known, other=0.0).to(NUMBER)
    y = tl.load(offsets + 2 * p + 1, mask=known, other=0.0).to(NUMBER)
    if PLACES > 0:
        place = points + (pair * PLACES + (p % POINTS) % PLACES) * 2
        x += tl.load(place, mask=known, other=0.0).to(NUMBER) * width
        y += tl.load(place + 1, mask=known, other=0.0).to(NUMBER) * height
    else:
        x *= width
        y *= height
    x -= 0.5
    y -= 0.5
    inside = known & (x > -1) & (y > -1) & (x < width) & (y < height)
    return tl.where(inside, x, 0.0), tl.where(inside, y, 0.0), inside


@triton.jit
def gather(
    value,  # (I, S, M, K)
    shapes,  # (L, 2), height and width
    starts,  # (L,)
    offsets,  # (R, M, L, P, 2), rows `offsets_row` apart
    logits,  # (R, M, L, P), rows `logits_row` apart
    points,  # (A, V, 2)
    image,  # (A,)
    first,  # (R + 1,), first pair of each row
    scale,  # (A,)
    output,  # (R, M, K), written
    tokens,
    offsets_row,
    logits_row,
    queries,  # rows of an image, without pairs
    HEADS: tl.constexpr,
    CHANNELS: tl.constexpr,
    LEVELS: tl.constexpr,
    POINTS: tl.constexpr,
    PLACES: tl.constexpr,
    SOFTMAX: tl.constexpr,
    NUMBER: tl.constexpr,
    BLOCK_P: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    """Weighted sum of a row's bilinear samples, see the interface."""
    row = tl.program_id(0).to(tl.int64) // HEADS
    head = tl.program_id(0) % HEADS
    COUNT: tl.constexpr = LEVELS * POINTS
    p, k = tl.arange(0, BLOCK_P), tl.arange(0, BLOCK_K)
    level = tl.minimum(p // POINTS, LEVELS - 1)
    height, width = tl.load(shapes + 2 * level).to(tl.int32), tl.load(shapes + 2 * level + 1).to(tl.int32)
    start = tl.load(starts + level).to(tl.int32)
    offsets += row * offsets_row + head * COUNT * 2
    weight = _weights(logits + row * logits_row + head * COUNT, p, COUNT, SOFTMAX, NUMBER)
    total = tl.zeros((BLOCK_K,), dtype=NUMBER)
    begin, end = row, row + 1
    if PLACES > 0:
        begin, end = tl.load(first + row), tl.load(first + row + 1)
    for pair in range(begin, end):
        factor = tl.full((), 1.0, dtype=NUMBER)
        at = row // queries
        if PLACES > 0:
            factor = tl.load(scale + pair).to(NUMBER)
            at = tl.load(image + pair)
        if factor != 0:
            x, y, inside = _places(offsets, points, pair, p, width, height, COUNT, POINTS, PLACES, NUMBER)
            left, top = tl.floor(x), tl.floor(y)
            right_share, low_share = x - left, y - top
            col, line = left.to(tl.int32), top.to(tl.int32)
            cells = value + (at * tokens * HEADS + head) * CHANNELS + k[None, :]
            sample = tl.zeros((BLOCK_P, BLOCK_K), dtype=NUMBER)
            for corner in tl.static_range(4):
                c, r = col + corner % 2, line + corner // 2
                ok = inside & (c >= 0) & (r >= 0) & (c < width) & (r < height)
                share = (right_share if corner % 2 else 1 - right_share) * (low_share if corner // 2 else 1 - low_share)
                token = start + r * width + c
                found = tl.load(
                    cells + token[:, None].to(tl.int64) * (HEADS * CHANNELS),
                    mask=ok[:, None] & (k < CHANNELS)[None, :],
                    other=0.0,
                )
                sample += share[:, None] * found.to(NUMBER)
            total += factor * tl.sum(tl.where(inside, weight, 0.0)[:, None] * sample, axis=0)
    tl.store(output + (row * HEADS + head) * CHANNELS + k, total, mask=k < CHANNELS)


@triton.jit
def scatter(
    value,
    shapes,
    starts,
    offsets,
    logits,
    points,
    image,
    first,
    scale,
    gradient,  # of the output, (R, M, K)
    of_value,  # (I, S, M, K), added to; with FIXED as integers, in units of 1 / unit
    of_offsets,  # (R, M, L, P, 2), written
    of_logits,  # (R, M, L, P), written
    unit,  # one number, read with FIXED
    tokens,
    offsets_row,
    logits_row,
    queries,
    HEADS: tl.constexpr,
    CHANNELS: tl.constexpr,
    LEVELS: tl.constexpr,
    POINTS: tl.constexpr,
    PLACES: tl.constexpr,
    SOFTMAX: tl.constexpr,
    NUMBER: tl.constexpr,
    BLOCK_P: tl.constexpr,
    BLOCK_K: tl.constexpr,
    FIXED: tl.constexpr,
):
    """Gradients of :func:`gather`, of which the first nine arguments are; nothing else was kept."""
    row = tl.program_id(0).to(tl.int64) // HEADS
    head = tl.program_id(0) % HEADS
    COUNT: tl.constexpr = LEVELS * POINTS
    p, k = tl.arange(0, BLOCK_P), tl.arange(0, BLOCK_K)
    level = tl.minimum(p // POINTS, LEVELS - 1)
    height, width = tl.load(shapes + 2 * level).to(tl.int32), tl.load(shapes + 2 * level + 1).to(tl.int32)
    start = tl.load(starts + level).to(tl.int32)
    offsets += row * offsets_row + head * COUNT * 2
    weight = _weights(logits + row * logits_row + head * COUNT, p, COUNT, SOFTMAX, NUMBER)
    given = tl.load(gradient + (row * HEADS + head) * CHANNELS + k, mask=k < CHANNELS, other=0.0).to(NUMBER)
    of_x, of_y = tl.zeros((BLOCK_P,), dtype=NUMBER), tl.zeros((BLOCK_P,), dtype=NUMBER)
    of_weight = tl.zeros((BLOCK_P,), dtype=NUMBER)
    begin, end = row, row + 1
    if PLACES > 0:
        begin, end = tl.load(first + row), tl.load(first + row + 1)
    for pair in range(begin, end):
        factor = tl.full((), 1.0, dtype=NUMBER)
        at = row // queries
        if PLACES > 0:
            factor = tl.load(scale + pair).to(NUMBER)
            at = tl.load(image + pair)
        if factor != 0:
            x, y, inside = _places(offsets, points, pair, p, width, height, COUNT, POINTS, PLACES, NUMBER)
            left, top = tl.floor(x), tl.floor(y)
            right_share, low_share = x - left, y - top
            col, line = left.to(tl.int32), top.to(tl.int32)
            cell = (at * tokens * HEADS + head) * CHANNELS + k[None, :]
            for corner in tl.static_range(4):
                c, r = col + corner % 2, line + corner // 2
                ok = inside & (c >= 0) & (r >= 0) & (c < width) & (r < height)
                share_x = right_share if corner % 2 else 1 - right_share
                share_y = low_share if corner // 2 else 1 - low_share
                here = cell + (start + r * width + c)[:, None].to(tl.int64) * (HEADS * CHANNELS)
                known = ok[:, None] & (k < CHANNELS)[None, :]
                found = tl.load(value + here, mask=known, other=0.0).to(NUMBER)
                product = factor * tl.sum(given[None, :] * found, axis=1)
                of_weight += product * share_x * share_y
                of_x += product * (share_y if corner % 2 else -share_y)
                of_y += product * (share_x if corner // 2 else -share_x)
                spread = (factor * weight * share_x * share_y)[:, None] * given[None, :]
                if FIXED:
                    spread = (spread * tl.load(unit)).to(tl.int64)
                tl.atomic_add(of_value + here, spread, mask=known, sem='relaxed')
    if SOFTMAX:
        mean = tl.sum(tl.where(p < COUNT, weight * of_weight, 0.0), axis=0)
        tl.store(of_logits + (row * HEADS + head) * COUNT + p, weight * (of_weight - mean), mask=p < COUNT)
    else:
        tl.store(of_logits + (row * HEADS + head) * COUNT + p, of_weight, mask=p < COUNT)
    of_x *= weight
    of_y *= weight
    if PLACES == 0:
        of_x *= width
        of_y *= height
    to = of_offsets + ((row * HEADS + head) * COUNT + p) * 2
    tl.store(to, of_x, mask=p < COUNT)
    tl.store(to + 1, of_y, mask=p < COUNT)
