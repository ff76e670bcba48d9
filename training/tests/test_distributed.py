"""Two processes with halves of a batch have the gradients and statistics of one with all of it."""

import torch
import torch.distributed as dist

from training import distributed
from training.graph import GraphConfig, build_graph
from training.losses import landmark_loss
from training.model import GraphModule

SHAPE = GraphConfig(landmarks=2, stacks=1, order=0, channels=8, growth=4, depth=2, input_size=32).float_twin()


def gradients(share: slice, keep_bits: int) -> dict[str, torch.Tensor]:
    """Gradients, averaged over processes as DistributedDataParallel does, and running statistics after one backward pass."""
    torch.manual_seed(0)
    model = GraphModule(build_graph(SHAPE), keep_bits=keep_bits)
    image, points = torch.randint(0, 256, (4, 3, 32, 32)), torch.rand(4, 2, 2) * 8
    mask, absent = torch.tensor([[1.0, 0.5], [1, 0], [0, 0], [1, 1]]), torch.tensor([[0.0, 0], [0, 0], [1, 1], [0, 0]])
    landmark_loss(model(image[share])[-1] / 32, *(t[share] for t in (points, mask, absent)), 1.0, 3, 0.5).backward()
    return {n: distributed.mean(p.grad) for n, p in model.named_parameters()} | dict(model.named_buffers())


def work(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/group", rank=rank, world_size=2)
    found = [gradients(slice(2 * rank, 2 * rank + 2), keep_bits) for keep_bits in (0, 32)]
    if rank == 0:
        torch.save(found, f"{folder}/found.pt")
    distributed.stop()


def test_halves_of_a_batch_make_the_whole(tmp_path):
    torch.multiprocessing.spawn(work, (str(tmp_path),), nprocs=2)
    for found, keep_bits in zip(torch.load(tmp_path / "found.pt"), (0, 32), strict=True):
        whole = gradients(slice(0, 4), keep_bits)
        for name, value in whole.items():
            assert torch.allclose(found[name], value, rtol=1e-3, atol=1e-4 * float(value.abs().max() + 1e-3)), name


def test_every_process_takes_its_part_of_every_batch(monkeypatch):
    assert list(distributed.BatchShare(4, 2, 4)) == [[8, 9, 10, 11], [12, 13, 14, 15]]
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    monkeypatch.setattr(distributed, "rank", lambda: 1)
    assert list(distributed.BatchShare(4, 2, 4)) == [[10, 11], [14, 15]]
