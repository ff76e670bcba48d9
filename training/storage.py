"""Memory-efficient training: what a network keeps between forward and backward, and how. Used by model.py alone.

The paper's scheme (section on memory; after Pleiss et al., "Memory-Efficient Implementation of DenseNets", arXiv 1707.06990):
concatenation, batch norm, ReLU and quantisation are cheap, so the backward pass recomputes them from the features, which are
kept once however many blocks read them. Batch statistics are those of the forward pass and update the running ones once.

Features can be kept packed: as 16-bit integers (exact where weights and inputs are quantised, because accumulators then are
whole numbers) or approximated with 2..8 bits and a scale per channel (Chakrabarti and Moseley, "Backprop with Approximate
Activations for Memory-efficient Network Training", NeurIPS 2019): the forward pass stays exact, the gradient is approximate.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

EXACT_BITS = 16


def pack_levels(levels: Tensor, bits: int) -> Tensor:
    """Non-negative integers below 2^bits, bits 1..8, as uint8 without holes: eight values take `bits` bytes. Returns [ceil(n / 8), bits]."""
    flat = F.pad(levels.reshape(-1).to(torch.uint8), (0, -levels.numel() % 8)).view(-1, 8)
    if bits == 8:
        return flat
    word = torch.zeros(len(flat), dtype=torch.int64, device=levels.device)
    for i in range(8):
        word |= flat[:, i].to(torch.int64) << (bits * i)
    return word.view(torch.uint8).view(-1, 8)[:, :bits].contiguous()


def unpack_levels(packed: Tensor, bits: int, count: int) -> Tensor:
    """The first `count` integers of `pack_levels`, uint8 [count]."""
    if bits == 8:
        return packed.reshape(-1)[:count]
    word = F.pad(packed, (0, 8 - bits)).view(torch.int64).view(-1)
    return torch.stack([(word >> (bits * i)) & (2**bits - 1) for i in range(8)], -1).to(torch.uint8).reshape(-1)[:count]


class Stored:
    """A feature [n, c, h, w] between forward and backward.

    bits: 32 keeps the tensor itself; 16 keeps int16 where all values are whole and fit, else the tensor; 2..8 keep that
    many bits and a scale per channel.
    """

    def __init__(self, feature: Tensor, bits: int) -> None:
        x = feature.detach()
        self.bits, self.shape, self.scale = bits, x.shape, None
        if bits < EXACT_BITS:
            limit = 2 ** (bits - 1) - 1
            self.scale = (x.abs().amax((0, 2, 3), keepdim=True) / limit).clamp_min(1e-12)
            levels = (x / self.scale).round_().add_(limit)
            self.data = pack_levels(levels.permute(0, 2, 3, 1), bits)
        elif bits == EXACT_BITS and x.abs().amax() <= 32767 and torch.equal(x, x.round()):
            self.data = x.to(torch.int16)
        else:
            self.data = x

    def nbytes(self) -> int:
        """Bytes kept."""
        return self.data.nbytes + (0 if self.scale is None else self.scale.nbytes)

    def restore(self) -> Tensor:
        """The feature as float32, channels last."""
        if self.scale is None:
            return self.data.float()
        n, c, h, w = self.shape
        levels = unpack_levels(self.data, self.bits, n * c * h * w).view(n, h, w, c).permute(0, 3, 1, 2)
        return (levels.float() - (2 ** (self.bits - 1) - 1)) * self.scale


class Upsampled:
    """A stored feature whose readers see it twice as large."""

    def __init__(self, source: Stored) -> None:
        self.source = source

    def restore(self) -> Tensor:
        return F.interpolate(self.source.restore(), scale_factor=2, mode="nearest")


class RecomputedConvs(Function):
    """Convolutions of one activation that is recomputed in the backward pass.

    `activate(features, parameters, update)` makes the activation (concatenation, norm, quantisation); `weigh[i](latent)` makes
    the i-th convolution's weight from its latent one; `run[i]` = (stride, padding, groups). Tensors: features, then the norm's
    parameters, then latent weights. `store[i]` restores feature i.
    """

    @staticmethod
    def forward(ctx, activate: Callable, weigh: list[Callable], run: list[tuple], store: list, parameters: int, *tensors: Tensor):
        features, own, latent = split(tensors, len(store), parameters)
        activation = activate(features, own, True)
        ctx.activate, ctx.weigh, ctx.run, ctx.store, ctx.parameters = activate, weigh, run, store, parameters
        ctx.save_for_backward(*own, *latent)
        return tuple(
            F.conv2d(activation, make(w), None, stride, padding, 1, groups)
            for make, w, (stride, padding, groups) in zip(weigh, latent, run, strict=True)
        )

    @staticmethod
    def backward(ctx, *gradients: Tensor):
        own, latent = (
            [t.detach().requires_grad_() for t in part]
            for part in (ctx.saved_tensors[: ctx.parameters], ctx.saved_tensors[ctx.parameters :])
        )
        with torch.enable_grad():
            features = [s.restore().requires_grad_() for s in ctx.store]
            activation = ctx.activate(features, own, False)
            weights = [make(w) for make, w in zip(ctx.weigh, latent, strict=True)]
        ctx.store = None
        total, weight_gradients = None, []
        for gradient, weight, (stride, padding, groups) in zip(gradients, weights, ctx.run, strict=True):
            to_input, to_weight, _ = torch.ops.aten.convolution_backward(
                gradient, activation.detach().to(gradient.dtype), weight.detach().to(gradient.dtype), None, [stride] * 2,
                [padding] * 2, [1, 1], False, [0, 0], groups, [True, True, False],
            )
            total = to_input if total is None else total.add_(to_input)
            weight_gradients.append(to_weight.to(weight.dtype))
        inputs = [*features, *own, *latent]
        found = torch.autograd.grad([activation, *weights], inputs, [total.to(activation.dtype), *weight_gradients])
        return None, None, None, None, None, *found


def split(tensors: tuple[Tensor, ...], features: int, parameters: int) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Features, norm parameters and latent weights of a flat argument list."""
    end = features + parameters
    return list(tensors[:features]), list(tensors[features:end]), list(tensors[end:])


class MaxPool(Function):
    """2x2 max-pooling that keeps one byte per output (which of the four won) instead of input and 64-bit indices."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        width = x.shape[-1]
        y, index = F.max_pool2d(x, 2, return_indices=True)
        ctx.save_for_backward((index // width % 2 * 2 + index % 2).to(torch.uint8))
        return y

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        (corner,) = ctx.saved_tensors
        n, c, h, w = gradient.shape
        full = gradient.new_empty(n, 2 * h, 2 * w, c).permute(0, 3, 1, 2)
        for i in range(4):
            full[:, :, i // 2 :: 2, i % 2 :: 2] = gradient * (corner == i)
        return full
