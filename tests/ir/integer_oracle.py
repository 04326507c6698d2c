"""The integer ops once more, in plain Python integers, one element at a time, as a kernel works.

Written from the formulas of the numerics specification, not from the numpy code; every step that a core
does in 32 bits is checked to fit.
"""

from __future__ import annotations

from math import isqrt

from tmc.ir.integer.qadd import QAddAttrs
from tmc.ir.integer.qattention import QAttentionAttrs
from tmc.ir.integer.qconvert import QConvertAttrs
from tmc.ir.integer.qdepthwise_rows import QDepthwiseRowsAttrs
from tmc.ir.integer.qlayernorm import QLayerNormAttrs
from tmc.ir.integer.qlinear import QLinearAttrs
from tmc.ir.integer.qmatmul import QMatmulAttrs
from tmc.ir.integer.qmean_rows import QMeanRowsAttrs
from tmc.ir.integer.qmul import QMulAttrs
from tmc.ir.integer.qrequantise import QRequantiseAttrs
from tmc.ir.integer.qrope import QRopeAttrs
from tmc.ir.integer.qsoftmax import QSoftmaxAttrs

Matrix = list[list[int]]


def i32(value: int) -> int:
    assert -(2**31) <= value <= 2**31 - 1, value
    return value


def u32(value: int) -> int:
    assert 0 <= value <= 2**32 - 1, value
    return value


def rounded(a: int, s: int) -> int:
    """R(a, s): to nearest, ties up."""
    assert 0 <= s <= 31
    return i32(a) if s == 0 else i32(a + (1 << (s - 1))) >> s


def clipped(value: int, bits: int) -> int:
    limit = 1 << (bits - 1)
    return max(-limit, min(limit - 1, value))


def dot(a: list[int], b: list[int]) -> int:
    """Sum of products, every partial sum in 32 bits."""
    total = 0
    for x, y in zip(a, b, strict=True):
        total = i32(total + x * y)
    return total


def qlinear(
    x: Matrix,
    weight: Matrix,
    multiplier: list[int],
    bias: Matrix,
    attrs: QLinearAttrs,
    table: list[int] | None,
    residual: Matrix | None,
) -> Matrix:
    """Rows of the result, before any change of layout."""
    group_rows = len(x) // len(bias)
    out: Matrix = []
    for m, row in enumerate(x):
        line = []
        for n, channel in enumerate(weight):
            scaled = i32(i32(dot(row, channel) * multiplier[n]) + bias[m // group_rows][n])
            y = scaled // 2**attrs.shift
            if attrs.dtype == "s16":
                y = clipped(y + (residual[m][n] if residual is not None else 0), 16)
            elif attrs.dtype in ("s8", "u8"):
                y = clipped(y, 8)
                y = table[y + 128] if table is not None else y
            line.append(y)
        out.append(line)
    return out


def reciprocal_root(index: int) -> int:
    """T[i] = round(2^30 / sqrt((i + 32.5) 2^24)) = floor((floor(2^31 / sqrt(...)) + 1) / 2)."""
    return (isqrt(2**62 // ((2 * index + 65) * 2**23)) + 1) // 2


ROOTS = [reciprocal_root(index) for index in range(96)]


def qlayernorm(x: Matrix, gamma: list[int], beta: list[int], attrs: QLayerNormAttrs) -> Matrix:
    out = []
    for row in x:
        total = i32(sum(row))
        d = [i32(len(row) * value - total) if attrs.centred else value for value in row]
        h = max(0, max(abs(value) for value in d).bit_length() - attrs.center_bits)
        e = [rounded(value, h) for value in d]
        g = max(0, attrs.epsilon_shift - h)
        v = max(1, i32(i32(dot(e, e)) // 4**g + attrs.epsilon_by_shift[h]))
        k = next(k for k in range(0, 32, 2) if 2**29 <= v * 2**k < 2**31)
        v *= 2**k
        r = ROOTS[v // 2**24 - 32]
        t = u32((v // 2**15) * (u32(r * r) // 2**15)) // 2**15
        r = u32(u32(r * (3 * 2**15 - t)) + 2**15) // 2**16
        c = u32(u32(r * attrs.root) + 2**14) // 2**15
        n = [rounded(i32(value * c), min(31, 26 - attrs.norm_bits - k // 2 + g)) for value in e]
        more = 128 if attrs.dtype == "u8" else 0
        out.append(
            [
                clipped(rounded(i32(i32(value * g) + b), attrs.gamma_shift), int(attrs.dtype[1:])) + more
                for value, g, b in zip(n, gamma, beta, strict=True)
            ]
        )
    return out


def qrope(x: Matrix, table: Matrix, attrs: QRopeAttrs) -> list[Matrix]:
    width = len(x[0]) // attrs.heads
    out: list[Matrix] = []
    for head in range(attrs.heads):
        block: Matrix = []
        for m, row in enumerate(x):
            line = table[m % len(table)]
            turned: list[int] = []
            more = 128 if attrs.unsigned else 0
            for pair in range(0, width, 2):
                even, odd = row[head * width + pair], row[head * width + pair + 1]
                cosine, sine = line[pair], line[pair + 1]
                turned.append(
                    clipped(rounded(i32(i32(even * cosine) - odd * sine), attrs.shift), attrs.bits) + more
                )
                turned.append(
                    clipped(rounded(i32(i32(even * sine) + odd * cosine), attrs.shift), attrs.bits) + more
                )
            block.append(turned)
        out.append(block)
    return out


def qattention(
    q: list[Matrix],
    k: list[Matrix],
    vt: Matrix,
    exp_table: Matrix,
    attrs: QAttentionAttrs,
    bias: list[Matrix] | None = None,
) -> Matrix:
    width = len(q[0][0])
    out: Matrix = [[] for _ in q[0]]
    for head in range(attrs.heads):
        for m, row in enumerate(q[head]):
            scores = [rounded(dot(row, key), attrs.score_shift[head]) for key in k[head]]
            if attrs.score_limit < 2**15 - 1:
                scores = [min(max(score, -attrs.score_limit - 1), attrs.score_limit) for score in scores]
            if bias is not None:
                of_head = bias[head % len(bias)]
                line = of_head[m % len(of_head)]
                scores = [score + added for score, added in zip(scores, line, strict=True)]
            assert all(-(2**15) <= score < 2**15 for score in scores)
            p = [exp_table[head][min(1023, max(scores) - score)] for score in scores]
            total, shift = sum(p), attrs.out_shift
            if attrs.normalised:
                p = [i32(255 * weight + total // 2) // total for weight in p]
                total, shift = 510, shift - 1
            for column in vt[head * width : (head + 1) * width]:
                bits = int(attrs.dtype[1:])
                out[m].append(divide_by_sum(dot(p, column), total, attrs.out_multiplier, shift, bits))
    return out


def divide_by_sum(a: int, total: int, out_multiplier: int, out_shift: int, bits: int = 8) -> int:
    n = total.bit_length()
    narrowed = rounded(a, n - 8)
    aligned = rounded(total, n - 16) if n > 16 else total * 2 ** (16 - n)
    assert 2**15 <= aligned <= 2**16
    reciprocal = i32(2**30 + aligned // 2) // aligned
    factor = rounded(reciprocal * out_multiplier, 15)
    return clipped(rounded(narrowed * factor, 7 + out_shift), bits)


def qmean_rows(x: Matrix, attrs: QMeanRowsAttrs) -> Matrix:
    out = []
    for start in range(0, len(x), attrs.group_rows):
        rows = x[start : start + attrs.group_rows]
        sums = [sum(column) for column in zip(*rows, strict=True)]
        out.append(
            [clipped(i32(i32(total * attrs.multiplier) + attrs.bias) // 2**attrs.shift, 16) for total in sums]
        )
    return out


def qclip(x: Matrix, low: Matrix, high: Matrix, residual: Matrix | None) -> Matrix:
    run = len(x) // len(low)
    clipped = [
        [min(max(value, low[m // run][n]), high[m // run][n]) for n, value in enumerate(row)]
        for m, row in enumerate(x)
    ]
    if residual is None:
        return clipped
    return [
        [min(max(a + b, -32768), 32767) for a, b in zip(*rows, strict=True)]
        for rows in zip(clipped, residual, strict=True)
    ]


def qconvert(x: Matrix, attrs: QConvertAttrs) -> Matrix:
    bits = 8 if attrs.dtype == "s8" else 16
    return [
        [clipped(i32(i32(a * attrs.multiplier) + attrs.bias) // 2**attrs.shift, bits) for a in row]
        for row in x
    ]


def qmatmul(x: Matrix, z: Matrix, attrs: QMatmulAttrs) -> Matrix:
    bits = 8 if attrs.dtype == "s8" else 16
    group_rows, columns = len(x) // attrs.groups, len(z) // attrs.groups

    def one(row: list[int], other: list[int]) -> int:
        total = 0
        for a, b in zip(row, other, strict=True):
            total = i32(total + (a - attrs.x_zero_point) * (b - attrs.z_zero_point))
        product = i32(rounded(total, attrs.narrowing) * attrs.multiplier)
        return clipped(i32(product + attrs.bias) // 2**attrs.shift, bits)

    def of_group(index: int) -> Matrix:
        group = index // group_rows
        return z[group * columns : (group + 1) * columns]

    return [[one(row, other) for other in of_group(index)] for index, row in enumerate(x)]


def qsoftmax(x: Matrix, attrs: QSoftmaxAttrs) -> Matrix:
    def power(exponent: int) -> int:
        f = exponent % 2**15
        inner = 7555 - f * 1282 // 2**15
        return (2**15 - i32(f * (22657 - i32(f * inner) // 2**15)) // 2**15) // 2 ** (exponent // 2**15)

    def shares(row: list[int]) -> list[int]:
        below = [min(max(row) - a, attrs.limit) for a in row]
        powers = [power(rounded(i32(a * attrs.multiplier), attrs.shift)) for a in below]
        bits = i32(sum(powers)).bit_length()
        narrowed = rounded(sum(powers), bits - 16)
        inverse = (2**30 + narrowed // 2) // narrowed
        return [clipped(rounded(i32(a * inverse), bits - 1), 16) for a in powers]

    return [shares(row) for row in x]


def qadd(x: Matrix, z: Matrix, attrs: QAddAttrs) -> Matrix:
    bits = 8 if attrs.dtype == "s8" else 16
    z = z * len(x) if len(z) == 1 else z

    def one(a: int, b: int) -> int:
        products = i32(i32(a * attrs.x_multiplier) + i32(b * attrs.z_multiplier))
        return clipped(i32(products + attrs.bias) // 2**attrs.shift, bits)

    return [[one(a, b) for a, b in zip(*rows, strict=True)] for rows in zip(x, z, strict=True)]


def qmul(x: Matrix, z: Matrix, attrs: QMulAttrs, narrowing: int) -> Matrix:
    """narrowing: 0, 8 or 15, where none, one or both of x and z are int16."""
    bits = 8 if attrs.dtype == "s8" else 16
    z = z * len(x) if len(z) == 1 else z

    def one(a: int, b: int) -> int:
        product = rounded(i32((a - attrs.x_zero_point) * (b - attrs.z_zero_point)), narrowing)
        return clipped(i32(i32(product * attrs.multiplier) + attrs.bias) // 2**attrs.shift, bits)

    return [[one(a, b) for a, b in zip(*rows, strict=True)] for rows in zip(x, z, strict=True)]


def qrequantise(x: Matrix, factors: Matrix, table: list[int], attrs: QRequantiseAttrs) -> Matrix:
    def one(value: int, multiplier: int, shift: int, high: int, low: int) -> int:
        t = value * multiplier + high * 2**32 + low % 2**32
        assert -(2**63) <= t < 2**63
        y = t // 2**shift
        if attrs.ties == "even" and t % 2**shift == 0 and y % 2 == 1:
            y -= 1
        return table[clipped(i32(i32(y) + attrs.zero_point), 8) + 128]

    return [[one(value, *factor) for value, factor in zip(row, factors, strict=True)] for row in x]


def qdepthwise_rows(
    x: Matrix,
    weight: Matrix,
    multiplier: list[int],
    bias: list[int],
    attrs: QDepthwiseRowsAttrs,
    table: list[int] | None,
) -> Matrix:
    taps = len(weight[0])
    outside = [[attrs.zero_point] * len(weight)] * (taps // 2)
    padded = [*outside, *x, *outside]
    out: Matrix = []
    for m in range(len(x)):
        line = []
        for c, channel in enumerate(weight):
            acc = dot([padded[m + tap][c] for tap in range(taps)], channel)
            y = clipped(i32(i32(acc * multiplier[c]) + bias[c]) // 2**attrs.shift, 8)
            line.append(y if table is None else table[y + 128])
        out.append(line)
    return out


def qinterpolate_rows(x: Matrix, table: Matrix) -> Matrix:
    """Rows of the result, before any change of layout."""
    out: Matrix = []
    for before, weight in table:
        row = [
            rounded(i32(i32(a * (2**14 - weight)) + b * weight), 14)
            for a, b in zip(x[before], x[before + 1], strict=True)
        ]
        assert all(-(2**15) <= y < 2**15 for y in row)
        out.append(row)
    return out
