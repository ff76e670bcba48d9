"""Training on several devices or hosts: process group, shares of a batch, batch norm over all processes. No networks, no data.

Every function is the identity of a single process where no group was started, so callers never ask.
"""

from __future__ import annotations

import os

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd import Function


def start() -> torch.device:
    """Joins the group that torchrun describes in the environment, if any, and returns this process's device."""
    local = int(os.environ.get("LOCAL_RANK", 0))
    device = torch.device("cuda", local) if torch.cuda.is_available() else torch.device("cpu")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if "WORLD_SIZE" in os.environ and int(os.environ["WORLD_SIZE"]) > 1:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return device


def stop() -> None:
    """Leaves the group."""
    if dist.is_initialized():
        dist.destroy_process_group()


def world_size() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def mean(x: Tensor) -> Tensor:
    """x averaged over all processes; no gradient."""
    if world_size() == 1:
        return x
    x = x.detach().clone()
    dist.all_reduce(x)
    return x / world_size()


class BatchShare(torch.utils.data.Sampler):
    """This process's part of every global batch: sample numbers of batches `start` to `stop`, `batch` samples each.

    Sample numbers do not depend on the number of processes. Raises ValueError if the batch cannot be shared evenly.
    """

    def __init__(self, batch: int, start: int, stop: int) -> None:
        if batch % world_size():
            raise ValueError(f"batch of {batch} for {world_size()} processes: expected a multiple")
        self.batch, self.start, self.stop = batch, start, stop

    def __len__(self) -> int:
        return self.stop - self.start

    def __iter__(self):
        share = self.batch // world_size()
        for step in range(self.start, self.stop):
            first = step * self.batch + rank() * share
            yield list(range(first, first + share))


class _BatchNorm(Function):
    """Batch norm with the mean and variance of all processes' values; equal to one process that sees the whole batch.

    Sums are in 32 bits and the result has the bits of x, as those of `F.batch_norm`.
    """

    @staticmethod
    def forward(ctx, x: Tensor, scale: Tensor, offset: Tensor, epsilon: float):
        count = x.numel() // x.shape[1] * world_size()
        values = x.float()
        total = values.sum((0, 2, 3))
        dist.all_reduce(total)
        mean = (total / count).view(1, -1, 1, 1)
        # A second round for the variance: the difference of two large sums would lose the digits that count.
        squares = (values - mean).square().sum((0, 2, 3))
        dist.all_reduce(squares)
        variance = squares / count
        inverse = (variance + epsilon).rsqrt().view(1, -1, 1, 1)
        ctx.save_for_backward(x, mean, inverse, scale)
        ctx.count = count
        ctx.mark_non_differentiable(variance)
        y = (values - mean) * (inverse * scale.view(1, -1, 1, 1)) + offset.view(1, -1, 1, 1)
        return y.to(x.dtype), mean.flatten(), variance

    @staticmethod
    def backward(ctx, gradient: Tensor, *_):
        x, mean, inverse, scale = ctx.saved_tensors
        gradient, normalized = gradient.float(), (x.float() - mean) * inverse
        to_offset, to_scale = gradient.sum((0, 2, 3)), (gradient * normalized).sum((0, 2, 3))
        both = torch.stack([to_offset, to_scale])
        dist.all_reduce(both)
        both = (both / ctx.count)[:, None, :, None, None]
        to_x = (gradient - both[0] - normalized * both[1]) * (inverse * scale.view(1, -1, 1, 1))
        return to_x.to(x.dtype), to_scale, to_offset, None


def batch_norm(
    x: Tensor, running_mean: Tensor | None, running_variance: Tensor | None, scale: Tensor, offset: Tensor,
    momentum: float | None, epsilon: float,
) -> Tensor:
    """`F.batch_norm` in training mode over the values of all processes (equal shapes); None statistics stay as they are."""
    y, mean, variance = _BatchNorm.apply(x, scale, offset, epsilon)
    if running_mean is not None:
        count = x.numel() // x.shape[1] * world_size()
        with torch.no_grad():
            running_mean.lerp_(mean, momentum)
            running_variance.lerp_(variance * (count / (count - 1)), momentum)
    return y
