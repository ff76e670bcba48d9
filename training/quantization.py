"""Quantisers with straight-through gradients, and the exact integer twins of src/model/numerics.ts. No modules, no data.

Training keeps every activation in integer units (levels 0..qmax as float32), every 1-bit or ternary weight as -1, 0, +1
and every i8 weight as -127..127, so a convolution's float32 result is the integer accumulator itself (all sums stay below
2^24). Scales (the paper's alpha among them) vanish in the batch norm that follows; only heads need one.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd import Function

FLOAT_BITS = 32


def levels_per_unit(bits: int) -> float:
    """Activation levels per unit of the batch norm's output: a quarter of the k-bit grid, so that all k clip near 4 standard
    deviations (8 bits: 127 levels reach 3.97). Float activations share the 8-bit unit."""
    return 2.0 ** (bits - 3) if bits < FLOAT_BITS else 32.0


class _RoundClamp(Function):
    """round(clamp(x, 0, qmax)); the gradient passes where 0 < result < qmax (clipped straight-through)."""

    @staticmethod
    def forward(ctx, x: Tensor, qmax: float) -> Tensor:
        y = x.clamp(0.0, qmax).round_()
        ctx.save_for_backward(y)
        ctx.qmax = qmax
        return y

    @staticmethod
    def backward(ctx, gradient: Tensor):
        (y,) = ctx.saved_tensors
        return torch.ops.aten.hardtanh_backward(gradient, y, 0.0, ctx.qmax), None


class _ClippedThrough(Function):
    """Straight-through gradient of a low-bit weight, where |w| <= 1. The quantiser itself is the subclass's forward."""

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        (w,) = ctx.saved_tensors
        return gradient * (w.abs() <= 1)


class _Sign(_ClippedThrough):
    """+1 where w >= 0, else -1 (sign(0) = +1)."""

    @staticmethod
    def forward(ctx, w: Tensor) -> Tensor:
        ctx.save_for_backward(w)
        return torch.where(w >= 0, 1.0, -1.0)


class _Ternary(_ClippedThrough):
    """0 where |w| <= 0.7 * mean|w| of the filter, else sign(w) (ternary weight networks)."""

    @staticmethod
    def forward(ctx, w: Tensor) -> Tensor:
        ctx.save_for_backward(w)
        threshold = 0.7 * w.abs().mean(dim=(1, 2, 3), keepdim=True)
        return torch.where(w.abs() > threshold, w.sign(), torch.zeros_like(w))


class _LearnedClip(Function):
    """Levels round(clamp(x / clip, 0, qmax)) with LSQ's gradient for `clip` (Esser et al., "Learned Step Size Quantization",
    ICLR 2020): level - x / clip inside, qmax above, divided by sqrt(values * qmax).

    LSQ multiplies the levels by the step again. Here the batch norm that follows divides such a factor out, so the levels
    stay integers and the gradient is that of the product.
    """

    @staticmethod
    def forward(ctx, x: Tensor, clip: Tensor, qmax: float) -> Tensor:
        ctx.save_for_backward(x, clip)
        ctx.qmax = qmax
        return (x / clip).clamp_(0.0, qmax).round_()

    @staticmethod
    def backward(ctx, gradient: Tensor):
        x, clip = ctx.saved_tensors
        z = x / clip
        level = z.clamp(0.0, ctx.qmax).round_()
        gradient = gradient / clip
        inside = (level > 0) & (level < ctx.qmax)
        slope = torch.where(inside, level - z, level)
        return gradient * inside, (gradient * slope).sum() / (x.numel() * ctx.qmax) ** 0.5, None


class _GradientBits(Function):
    """The identity; its gradient is rounded to k bits by `round_gradient`."""

    @staticmethod
    def forward(ctx, x: Tensor, bits: int) -> Tensor:
        ctx.bits = bits
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        return round_gradient(gradient, ctx.bits), None


class _RoundThrough(Function):
    """round(x) with the identity as gradient."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        return x.round()

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return gradient


def quantize_activation(x: Tensor, qmax: int, clip: Tensor | None = None) -> Tensor:
    """Integer levels 0..qmax of x, which is given in levels; a learned `clip` (scalar) divides x first."""
    return _RoundClamp.apply(x, float(qmax)) if clip is None else _LearnedClip.apply(x, clip, float(qmax))


def round_gradient(gradient: Tensor, bits: int) -> Tensor:
    """The gradient on a signed k-bit grid of its own: levels -(2^(k-1)-1) .. 2^(k-1)-1 times one power of two.

    The step is the smallest power of two for which the largest value fits (the shift of WAGE, Wu et al., "Training and
    Inference with Integers in Deep Neural Networks", ICLR 2018), and rounding is stochastic, hence unbiased (DoReFa-Net,
    Zhou et al., arXiv 1606.06160). Nearest rounding on a fixed grid, as released with the paper, turns most gradients to zero
    and freezes the master weights; here the scale is kept and the masters stay float.
    """
    step = gradient_step(gradient, bits)
    return (gradient / step + torch.rand_like(gradient)).floor_().mul_(step)


def gradient_step(gradient: Tensor, bits: int) -> Tensor:
    """Power of two that is one level of `round_gradient`."""
    largest = gradient.abs().amax().clamp_min(torch.finfo(torch.float32).tiny * 2**bits)
    return torch.exp2(torch.ceil(torch.log2(largest / (2 ** (bits - 1) - 1))))


def with_gradient_bits(x: Tensor, bits: int) -> Tensor:
    """x, whose gradient will have k bits; 32 leaves it alone."""
    return x if bits >= FLOAT_BITS else _GradientBits.apply(x, bits)


def filter_scale(weight: Tensor) -> Tensor:
    """The paper's alpha: mean magnitude of each filter [out, 1, 1, 1] (XNOR-Net, Rastegari et al., ECCV 2016).

    Its derivative, sign(w) / n, together with the clipped straight-through gradient of the sign is XNOR-Net's gradient
    `alpha * G * [|w| <= 1] + sign(w) * sum(sign(w) * G) / n`.
    """
    return weight.abs().mean(dim=(1, 2, 3), keepdim=True)


def int8_scale(weight: Tensor, per_filter: bool) -> Tensor:
    """Float value of one i8 step: max|w| / 127, of each filter or of the tensor."""
    largest = weight.detach().abs().amax(dim=(1, 2, 3), keepdim=True) if per_filter else weight.detach().abs().amax()
    return largest.clamp_min(1e-8) / 127


def quantize_weight(weight: Tensor, encoding: str, per_filter: bool = True) -> Tensor:
    """Integer weight values of `encoding` (as float32); 'f32' returns the weight itself."""
    if encoding == "b1":
        return _Sign.apply(weight)
    if encoding == "t2":
        return _Ternary.apply(weight)
    if encoding == "i8":
        return _RoundThrough.apply(weight / int8_scale(weight, per_filter)).clamp(-127, 127)
    if encoding == "f32":
        return weight
    raise ValueError(f"encoding '{encoding}': expected b1, t2, i8 or f32")


def saturate16(x: Tensor) -> Tensor:
    return x.clamp(-32768, 32767)


def shift_accumulator(acc: Tensor, shift: int) -> Tensor:
    """sat16((acc + r) >> t) on an integer tensor; r is half of 2^t."""
    return saturate16((acc + ((1 << shift) >> 1)) >> shift)


def requantize(x: Tensor, multiplier: Tensor, bias: Tensor, shift: int, qmax: int) -> Tensor:
    """clamp(sat16(((x*m + 2^14) >> 15) + b) >> s, 0, qmax) on integer tensors [n, c, h, w]; m, b are [c]."""
    y = (x * multiplier.view(1, -1, 1, 1) + (1 << 14)) >> 15
    return (saturate16(y + bias.view(1, -1, 1, 1)) >> shift).clamp(0, qmax)


MAX_SLOPE = 32767 / 32768
"""Largest multiplier of the contract: a level per unit of the 16-bit feature."""


def fold_norm(scale: Tensor, offset: Tensor, centre: Tensor, qmax: int) -> tuple[Tensor, Tensor, int]:
    """Integer (m, b, s) of the affine `round(scale * x + offset)` per channel (float64 [c], x a 16-bit feature).

    out = (((x*m + 2^14) >> 15) + b) >> s. The last shift floors a number of s fractional bits, which loses (2^s - 1) / 2 of
    its units on average; b gives that back. s is the largest shift for which every m and b fits and the clipped range
    0..qmax survives the 16-bit sum. A channel that hardly varies may ask for more than MAX_SLOPE: it gets MAX_SLOPE and is
    right at its mean value `centre`.
    """
    slope = scale.clamp(-MAX_SLOPE, MAX_SLOPE)
    offset = offset + (scale - slope) * centre
    for shift in range(15, -1, -1):
        m = (slope * 2.0 ** (15 + shift)).round()
        b = (offset * 2.0**shift + (2.0**shift - 1) / 2).round()
        if m.abs().max() <= 32767 and b.abs().max() <= 32767 and (qmax + 1) << shift <= 32767:
            return m.to(torch.int64), b.to(torch.int64), shift
    return m.to(torch.int64), b.clamp(-32768, 32767).to(torch.int64), 0
