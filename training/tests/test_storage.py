"""Memory-efficient training: packing by hand, the same gradients as ordinary autograd, statistics updated once."""

import pytest
import torch

from training.graph import GraphConfig, build_graph
from training.model import GraphModule
from training.storage import MaxPool, Stored, pack_levels, unpack_levels

SHAPE = {"landmarks": 3, "stacks": 2, "channels": 8, "growth": 4, "depth": 2, "input_size": 32}


def test_eight_levels_of_five_bits_take_five_bytes():
    levels = torch.tensor([1, 2, 3, 4, 5, 6, 7, 31, 9])
    packed = pack_levels(levels, 5)
    # Little-endian bit string: 1 + 2<<5 = 65, then 3<<2 | 4<<7 (low bit) = 12, ...
    assert packed.shape == (2, 5)
    assert packed[0].tolist() == list(sum(v << (5 * i) for i, v in enumerate([1, 2, 3, 4, 5, 6, 7, 31])).to_bytes(5, "little"))
    assert packed[1].tolist() == [9, 0, 0, 0, 0]
    assert unpack_levels(packed, 5, 9).tolist() == levels.tolist()


@pytest.mark.parametrize("bits", [1, 3, 6, 7, 8])
def test_packed_levels_come_back(bits):
    levels = torch.randint(0, 2**bits, (3, 7, 5), generator=torch.Generator().manual_seed(1))
    assert torch.equal(unpack_levels(pack_levels(levels, bits), bits, 105).view(3, 7, 5).long(), levels)


def test_whole_features_are_kept_exactly_in_16_bits_and_others_as_they_are():
    whole = torch.tensor([-32767.0, 0, 5, 32767]).view(1, 4, 1, 1)
    assert Stored(whole, 16).nbytes() == 8 and torch.equal(Stored(whole, 16).restore(), whole)
    for other in (whole + 0.5, whole * 2):
        assert Stored(other, 16).nbytes() == 16 and torch.equal(Stored(other, 16).restore(), other)


def test_six_bits_round_to_the_channels_largest_over_31():
    feature = torch.tensor([31.0, -31, 0.4, 0.6, 100, 310, -5, 4]).view(1, 2, 2, 2)
    stored = Stored(feature, 6)
    assert stored.restore().flatten().tolist() == [31, -31, 0, 1, 100, 310, 0, 0]  # steps of 1 and 10; -5 / 10 rounds to even
    assert stored.data.numel() == 6  # 8 values of 6 bits


def gradients(keep_bits: int, **options) -> tuple[dict, dict, list]:
    torch.manual_seed(3)
    model = GraphModule(build_graph(GraphConfig(**SHAPE | options)), keep_bits=keep_bits)
    image = torch.randint(0, 256, (3, 3, 32, 32), generator=torch.Generator().manual_seed(4))
    target = torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(5))
    outputs = model(image)
    sum((logits * target).mean() for logits in outputs).backward()
    return {n: p.grad for n, p in model.named_parameters()}, dict(model.named_buffers()), outputs


@pytest.mark.parametrize("keep_bits", [32, 16])
@pytest.mark.parametrize(
    "options",
    [
        {}, {"weights": "f32", "end_weights": "f32", "input_bits": 32}, {"weights": "t2", "input_bits": 6}, {"scaled": True},
        {"shared_skip_norm": True, "refinements": 1}, {"stem_norm": True, "learned_clip": True}, {"depthwise_growth": True},
    ],
)
def test_recomputed_gradients_and_statistics_equal_the_naive_ones(keep_bits, options):
    naive, statistics, outputs = gradients(0, **options)
    efficient, same_statistics, same_outputs = gradients(keep_bits, **options)
    for a, b in zip(outputs, same_outputs, strict=True):
        assert torch.equal(a, b)
    for name, value in statistics.items():
        assert torch.equal(value, same_statistics[name]), f"{name}: batch statistics are updated once"
    for name, value in naive.items():
        assert torch.allclose(value, efficient[name], rtol=1e-4, atol=1e-6 * float(value.abs().max() + 1)), name


def test_features_of_eight_bits_give_nearly_the_same_gradient():
    naive, _, _ = gradients(0)
    for bits, least in ((8, 0.98), (4, 0.6)):
        packed, _, _ = gradients(bits)
        pairs = [torch.nn.functional.cosine_similarity(naive[n].flatten(), packed[n].flatten(), 0) for n in naive if naive[n].numel() > 1]
        assert torch.stack(pairs).mean() > least


def test_pooling_with_one_byte_per_output_has_the_gradient_of_max_pooling():
    x = torch.randn(2, 3, 6, 4, requires_grad=True)
    weight = torch.randn(2, 3, 3, 2)
    (expected,) = torch.autograd.grad((torch.nn.functional.max_pool2d(x, 2) * weight).sum(), x)
    (found,) = torch.autograd.grad((MaxPool.apply(x) * weight).sum(), x)
    assert torch.equal(found, expected)
