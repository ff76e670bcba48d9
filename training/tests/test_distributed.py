"""Two processes with halves of a batch have the gradients and statistics of one with all of it."""

import types

import torch
import torch.distributed as dist

from training import distributed
from training.graph import GraphConfig, build_graph
from training.losses import LOSSES, distillation_loss, heads_loss
from training.model import GraphModule

SHAPE = GraphConfig(landmarks=2, stacks=1, order=0, channels=8, growth=4, depth=2, input_size=32).float_twin()


CASES = [(loss, keep_bits, False) for loss in (*LOSSES, "distillation") for keep_bits in (0, 32)] + [("likelihood", 0, True)]


def gradients(share: slice, loss: str, keep_bits: int, autocast: bool) -> dict[str, torch.Tensor]:
    """Gradients, averaged over processes as DistributedDataParallel does, and running statistics after one backward pass."""
    torch.manual_seed(0)
    model = GraphModule(build_graph(SHAPE), keep_bits=keep_bits)
    image, points, taught = torch.randint(0, 256, (4, 3, 32, 32)), torch.rand(4, 2, 2) * 8, torch.randn(4, 2, 8, 8)
    mask, absent = torch.tensor([[1.0, 0.5], [1, 0], [0, 0], [1, 1]]), torch.tensor([[0.0, 0], [0, 0], [1, 1], [0, 0]])
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        logits = model(image[share])[-1].float() / 32
    config = types.SimpleNamespace(losses=(loss,), sigma=1.0, window=3, coordinate_loss=0.5, subcell=True)
    if loss == "distillation":
        distillation_loss(logits, taught[share], mask[share]).backward()
    else:
        heads_loss([logits], [t[share] for t in (points, mask, absent)], config).backward()
    return {n: distributed.mean(p.grad) for n, p in model.named_parameters()} | dict(model.named_buffers())


def work(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/group", rank=rank, world_size=2)
    found = [gradients(slice(2 * rank, 2 * rank + 2), *case) for case in CASES]
    if rank == 0:
        torch.save(found, f"{folder}/found.pt")
    distributed.stop()


def test_halves_of_a_batch_make_the_whole(tmp_path):
    torch.multiprocessing.spawn(work, (str(tmp_path),), nprocs=2)
    for found, case in zip(torch.load(tmp_path / "found.pt"), CASES, strict=True):
        whole = gradients(slice(0, 4), *case)
        # Weights' gradients of halves are rounded to 16 bits before they are added.
        share = 0.03 if case[-1] else 1e-4
        for name, value in whole.items():
            assert torch.allclose(found[name], value, rtol=1e-3, atol=share * float(value.abs().max() + 1e-3)), (name, case)


def test_every_process_takes_its_part_of_every_batch(monkeypatch):
    assert list(distributed.BatchShare(4, 2, 4)) == [[8, 9, 10, 11], [12, 13, 14, 15]]
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    monkeypatch.setattr(distributed, "rank", lambda: 1)
    assert list(distributed.BatchShare(4, 2, 4)) == [[10, 11], [14, 15]]
