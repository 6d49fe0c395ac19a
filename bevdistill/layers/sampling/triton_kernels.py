"""Deformable sampling in Triton: one program for a row and a head, which goes over levels and over the row's images.

A program walks the images that its row looks at, so that sums over them need neither memory nor atomic additions. Only
the gradient of the value is added to by several programs. A tile holds the points of one level and the channels of one
head: larger ones run out of registers.

Legend: I images, S tokens of an image, M heads, K channels of a head, R rows, A pairs of a row and an image, L levels,
P points, V places of a pair that points start from.
"""
# mypy: allow-untyped-defs, allow-incomplete-defs

import triton
import triton.language as tl


@triton.jit
def _softmax_terms(logits, COUNT: tl.constexpr, NUMBER: tl.constexpr, BLOCK: tl.constexpr):
    """Largest logit, and the sum of the exponentials relative to it."""
    p = tl.arange(0, BLOCK)
    stored = tl.load(logits + p, mask=p < COUNT, other=float('-inf')).to(NUMBER)
    highest = tl.max(stored, axis=0)
    return highest, tl.sum(tl.exp(stored - highest), axis=0)


@triton.jit
def _weights(logits, known, highest, total, SOFTMAX: tl.constexpr, NUMBER: tl.constexpr):
    """Weights of a level's points: what is stored, or its share of the softmax."""
    if SOFTMAX:
        return tl.exp(tl.load(logits, mask=known, other=float('-inf')).to(NUMBER) - highest) / total
    return tl.load(logits, mask=known, other=0.0).to(NUMBER)


@triton.jit
def _places(offset_x, offset_y, place, p, known, width, height, PLACES: tl.constexpr, NUMBER: tl.constexpr):
    """Columns and rows of sampling points in cells from the first cell's centre, and which are near the map.

    Offsets are cells from a pair's places, or without places (PLACES 0) shares of the map. The place of a point that is
    outside, or is not a number, comes out as 0.
    """
    if PLACES > 0:
        at = place + (p % PLACES) * 2
        x = offset_x + tl.load(at, mask=known, other=0.0).to(NUMBER) * width - 0.5
        y = offset_y + tl.load(at + 1, mask=known, other=0.0).to(NUMBER) * height - 0.5
    else:
        x = offset_x * width - 0.5
        y = offset_y * height - 0.5
    inside = known & (x > -1) & (y > -1) & (x < width) & (y < height)
    return tl.where(inside, x, 0.0), tl.where(inside, y, 0.0), inside


@triton.jit
def gather(
    value, shapes, starts, offsets, logits, points, image, first, scale, output,
    tokens, offsets_row, logits_row, queries,
    HEADS: tl.constexpr, CHANNELS: tl.constexpr, LEVELS: tl.constexpr, POINTS: tl.constexpr, PLACES: tl.constexpr,
    SOFTMAX: tl.constexpr, NUMBER: tl.constexpr, BLOCK_P: tl.constexpr, BLOCK_K: tl.constexpr, BLOCK_LP: tl.constexpr,
):  # fmt: skip
    """Weighted sum of a row's bilinear samples, see the interface.

    Tensors and numbers:
        value: (I, S, M, K).
        shapes: Height and width of each level, (L, 2).
        starts: First token of each level, (L,).
        offsets: (R, M, L, P, 2), rows `offsets_row` apart.
        logits: (R, M, L, P), rows `logits_row` apart; weights without SOFTMAX.
        points: (A, V, 2), read with PLACES, as are the next three.
        image: (A,).
        first: First pair of each row, (R + 1,).
        scale: Factor of each pair, (A,).
        output: (R, M, K), written.
        tokens: S.
        offsets_row: Numbers.
        logits_row: Numbers.
        queries: Rows of an image, read without PLACES.
    """
    row = tl.program_id(0).to(tl.int64) // HEADS
    head = tl.program_id(0) % HEADS
    p, k = tl.arange(0, BLOCK_P), tl.arange(0, BLOCK_K)
    known, real = p < POINTS, k < CHANNELS
    offsets += row * offsets_row + head * LEVELS * POINTS * 2
    logits += row * logits_row + head * LEVELS * POINTS
    highest, exponentials = 0.0, 1.0
    if SOFTMAX:
        highest, exponentials = _softmax_terms(logits, LEVELS * POINTS, NUMBER, BLOCK_LP)
    begin, end = row, row + 1
    if PLACES > 0:
        begin, end = tl.load(first + row), tl.load(first + row + 1)
    total = tl.zeros((BLOCK_K,), dtype=NUMBER)
    for level in range(LEVELS):
        height, width = tl.load(shapes + 2 * level).to(tl.int32), tl.load(shapes + 2 * level + 1).to(tl.int32)
        start = tl.load(starts + level).to(tl.int32)
        weight = _weights(logits + level * POINTS + p, known, highest, exponentials, SOFTMAX, NUMBER)
        offset_x = tl.load(offsets + (level * POINTS + p) * 2, mask=known, other=0.0).to(NUMBER)
        offset_y = tl.load(offsets + (level * POINTS + p) * 2 + 1, mask=known, other=0.0).to(NUMBER)
        for pair in range(begin, end):
            factor, at = tl.full((), 1.0, dtype=NUMBER), row // queries
            if PLACES > 0:
                factor, at = tl.load(scale + pair).to(NUMBER), tl.load(image + pair)
            if factor != 0:
                place = points + pair * PLACES * 2
                x, y, inside = _places(offset_x, offset_y, place, p, known, width, height, PLACES, NUMBER)
                cells = value + (at * tokens * HEADS + head) * CHANNELS
                sample = tl.zeros((BLOCK_P, BLOCK_K), dtype=NUMBER)
                for corner in tl.static_range(4):
                    col, line = tl.floor(x).to(tl.int32) + corner % 2, tl.floor(y).to(tl.int32) + corner // 2
                    ok = inside & (col >= 0) & (line >= 0) & (col < width) & (line < height)
                    along, across = 1 - tl.abs(x - col), 1 - tl.abs(y - line)
                    here = ((start + line * width + col) * (HEADS * CHANNELS))[:, None] + k[None, :]
                    found = tl.load(cells + here, mask=ok[:, None] & real[None, :], other=0.0)
                    sample += (along * across)[:, None] * found.to(NUMBER)
                total += factor * tl.sum(tl.where(inside, weight, 0.0)[:, None] * sample, axis=0)
    tl.store(output + (row * HEADS + head) * CHANNELS + k, total, mask=real)


@triton.jit
def _spread(
    value, of_value, given, k, real, x, y, inside, start, width, height, weight, factor, unit,
    ROW: tl.constexpr, NUMBER: tl.constexpr, FIXED: tl.constexpr,
):  # fmt: skip
    """Add to the gradient of an image's value, return the gradients of x and y over the weight, and of the weight."""
    of_x, of_y, of_weight = tl.zeros_like(x), tl.zeros_like(x), tl.zeros_like(x)
    for corner in tl.static_range(4):
        col, line = tl.floor(x).to(tl.int32) + corner % 2, tl.floor(y).to(tl.int32) + corner // 2
        ok = inside & (col >= 0) & (line >= 0) & (col < width) & (line < height)
        along, across = 1 - tl.abs(x - col), 1 - tl.abs(y - line)
        here, used = ((start + line * width + col) * ROW)[:, None] + k[None, :], ok[:, None] & real[None, :]
        found = tl.load(value + here, mask=used, other=0.0).to(NUMBER)
        product = factor * tl.sum(given[None, :] * found, axis=1)
        of_weight += product * along * across
        of_x += product * (across if corner % 2 else -across)
        of_y += product * (along if corner // 2 else -along)
        part = (factor * weight * along * across)[:, None] * given[None, :]
        if FIXED:
            part = (part * tl.load(unit)).to(tl.int64)
        tl.atomic_add(of_value + here, part, mask=used, sem='relaxed')
    return of_x, of_y, of_weight


@triton.jit
def scatter(
    value, shapes, starts, offsets, logits, points, image, first, scale,
    gradient, of_value, of_offsets, of_logits, unit,
    tokens, offsets_row, logits_row, queries,
    HEADS: tl.constexpr, CHANNELS: tl.constexpr, LEVELS: tl.constexpr, POINTS: tl.constexpr, PLACES: tl.constexpr,
    SOFTMAX: tl.constexpr, NUMBER: tl.constexpr, BLOCK_P: tl.constexpr, BLOCK_K: tl.constexpr, BLOCK_LP: tl.constexpr,
    FIXED: tl.constexpr,
):  # fmt: skip
    """Gradients of :func:`gather`, of which the first nine arguments and the sizes are; nothing else was kept.

    Tensors:
        gradient: Of the output, (R, M, K).
        of_value: (I, S, M, K), added to; with FIXED as integers, in units of 1 / unit.
        of_offsets: (R, M, L, P, 2), written.
        of_logits: (R, M, L, P), written.
        unit: One number, read with FIXED.
    """
    row = tl.program_id(0).to(tl.int64) // HEADS
    head = tl.program_id(0) % HEADS
    p, k = tl.arange(0, BLOCK_P), tl.arange(0, BLOCK_K)
    known, real = p < POINTS, k < CHANNELS
    offsets += row * offsets_row + head * LEVELS * POINTS * 2
    logits += row * logits_row + head * LEVELS * POINTS
    of_offsets += (row * HEADS + head) * LEVELS * POINTS * 2
    of_logits += (row * HEADS + head) * LEVELS * POINTS
    highest, exponentials = 0.0, 1.0
    if SOFTMAX:
        highest, exponentials = _softmax_terms(logits, LEVELS * POINTS, NUMBER, BLOCK_LP)
    given = tl.load(gradient + (row * HEADS + head) * CHANNELS + k, mask=real, other=0.0).to(NUMBER)
    begin, end = row, row + 1
    if PLACES > 0:
        begin, end = tl.load(first + row), tl.load(first + row + 1)
    mean = tl.full((), 0.0, dtype=NUMBER)
    for level in range(LEVELS):
        height, width = tl.load(shapes + 2 * level).to(tl.int32), tl.load(shapes + 2 * level + 1).to(tl.int32)
        start = tl.load(starts + level).to(tl.int32)
        weight = _weights(logits + level * POINTS + p, known, highest, exponentials, SOFTMAX, NUMBER)
        offset_x = tl.load(offsets + (level * POINTS + p) * 2, mask=known, other=0.0).to(NUMBER)
        offset_y = tl.load(offsets + (level * POINTS + p) * 2 + 1, mask=known, other=0.0).to(NUMBER)
        of_x, of_y, of_weight = tl.zeros_like(weight), tl.zeros_like(weight), tl.zeros_like(weight)
        for pair in range(begin, end):
            factor, at = tl.full((), 1.0, dtype=NUMBER), row // queries
            if PLACES > 0:
                factor, at = tl.load(scale + pair).to(NUMBER), tl.load(image + pair)
            if factor != 0:
                place = points + pair * PLACES * 2
                x, y, inside = _places(offset_x, offset_y, place, p, known, width, height, PLACES, NUMBER)
                cells = (at * tokens * HEADS + head) * CHANNELS
                more_x, more_y, more_weight = _spread(
                    value + cells, of_value + cells, given, k, real, x, y, inside, start, width, height, weight, factor,
                    unit, HEADS * CHANNELS, NUMBER, FIXED,
                )  # fmt: skip
                of_x += more_x
                of_y += more_y
                of_weight += more_weight
        if PLACES == 0:
            of_x *= width
            of_y *= height
        tl.store(of_offsets + (level * POINTS + p) * 2, of_x * weight, mask=known)
        tl.store(of_offsets + (level * POINTS + p) * 2 + 1, of_y * weight, mask=known)
        tl.store(of_logits + level * POINTS + p, of_weight, mask=known)
        mean += tl.sum(tl.where(known, weight * of_weight, 0.0), axis=0)
    if SOFTMAX:
        # What was stored are gradients of the weights; those of the logits need the mean over all levels.
        tl.debug_barrier()
        for level in range(LEVELS):
            weight = _weights(logits + level * POINTS + p, known, highest, exponentials, SOFTMAX, NUMBER)
            of_weight = tl.load(of_logits + level * POINTS + p, mask=known, other=0.0).to(NUMBER)
            tl.store(of_logits + level * POINTS + p, weight * (of_weight - mean), mask=known)
