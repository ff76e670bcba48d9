"""Quantisers: hand-computed values, gradients, and the integer steps of the contract."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from training import quantization as q
from training.graph import GraphConfig, build_graph
from training.model import GraphModule
from training.precision import with_precision

SMALL = GraphConfig(landmarks=3, stacks=2, channels=8, growth=4, depth=1, input_size=32)


def test_sign_of_zero_is_plus_one_and_gradient_stops_outside_one():
    w = torch.tensor([-1.5, -0.2, 0.0, 0.3, 2.0], requires_grad=True)
    out = q.quantize_weight(w, "b1")
    assert out.tolist() == [-1, -1, 1, 1, 1]
    out.backward(torch.arange(1.0, 6.0))
    assert w.grad.tolist() == [0, 2, 3, 4, 0]


def test_ternary_threshold_is_seven_tenths_of_the_filters_mean():
    w = torch.tensor([0.1, -0.2, 0.3, -1.0]).view(1, 4, 1, 1)  # mean 0.4, threshold 0.28
    assert q.quantize_weight(w, "t2").flatten().tolist() == [0, 0, 1, -1]


def test_int8_uses_the_largest_weight_of_each_filter():
    w = torch.tensor([[0.5, -1.0], [0.1, 0.05]]).view(2, 2, 1, 1)
    assert q.quantize_weight(w, "i8").flatten().tolist() == [64, -127, 127, 64]  # 63.5 rounds to even
    assert q.quantize_weight(w, "i8", per_filter=False).flatten().tolist() == [64, -127, 13, 6]


def test_activation_levels_and_their_gradient():
    x = torch.tensor([-3.0, 0.4, 0.6, 126.7, 200.0], requires_grad=True)
    y = q.quantize_activation(x, 127)
    assert y.tolist() == [0, 0, 1, 127, 127]
    y.backward(torch.ones(5))
    assert x.grad.tolist() == [0, 0, 1, 0, 0]


def test_shift_rounds_half_up_and_saturates():
    acc = torch.tensor([5, 6, -6, -5, 140_000, -140_000], dtype=torch.int32)
    assert q.shift_accumulator(acc, 2).tolist() == [1, 2, -1, -1, 32767, -32768]
    assert q.shift_accumulator(acc, 0).tolist() == [5, 6, -6, -5, 32767, -32768]


def test_requantize_by_hand():
    x = torch.tensor([100, -100, 32767, -32768], dtype=torch.int32).view(1, 1, 2, 2)
    m, b = torch.tensor([-16384], dtype=torch.int32), torch.tensor([30], dtype=torch.int32)
    # 100 * -16384 = -1638400; + 16384 >> 15 = -49.5 -> -50; + 30 = -20 >> 1 = -10 -> 0
    # -100: 1654784 >> 15 = 50; + 30 = 80 >> 1 = 40; 32767 -> negative -> 0; -32768 -> 16384 + 30 >> 1 = 8207 -> 127
    assert q.requantize(x, m, b, 1, 127).flatten().tolist() == [0, 40, 0, 127]


def test_requantize_saturates_the_sum():
    x = torch.full((1, 1, 1, 1), 32767, dtype=torch.int32)
    m, b = torch.tensor([32767], dtype=torch.int32), torch.tensor([32767], dtype=torch.int32)
    assert q.requantize(x, m, b, 15, 127).item() == 0  # 32767 >> 15, not 65533 >> 15


def test_folded_norm_equals_the_rounded_affine():
    torch.manual_seed(3)
    scale = torch.randn(40, dtype=torch.float64) * 0.1
    offset = torch.randn(40, dtype=torch.float64) * 30
    m, b, s = q.fold_norm(scale, offset, torch.zeros(40).double(), 127)
    x = torch.randint(-3000, 3000, (4, 40, 8, 8), dtype=torch.int32)
    exact = x * scale.view(1, -1, 1, 1) + offset.view(1, -1, 1, 1)
    got = q.requantize(x, m.to(torch.int32), b.to(torch.int32), s, 127)
    difference = (got - exact.clamp(0, 127)).abs()
    # Half a level of rounding, then half a unit of 2^-s each for the product and for b, and the rounding of m.
    assert difference.max() < 0.5 + 1.0 / 2**s + 3000 / 2 ** (16 + s) + 1e-6
    inside = (exact > 1) & (exact < 126)
    assert (got - exact)[inside].mean().abs() < 0.02


def test_fold_norm_keeps_everything_in_16_bits():
    m, b, s = q.fold_norm(torch.tensor([0.9, -0.01]).double(), torch.tensor([500.0, -9000.0]).double(), torch.zeros(2).double(), 127)
    assert m.abs().max() <= 32767 and b.abs().max() <= 32768 and 128 << s <= 32767


def test_a_channel_that_hardly_varies_is_right_at_its_mean():
    m, b, s = q.fold_norm(torch.tensor([40.0]).double(), torch.tensor([-3960.0]).double(), torch.tensor([100.0]).double(), 127)
    x = torch.full((1, 1, 1, 1), 100, dtype=torch.int32)
    assert q.requantize(x, m.to(torch.int32), b.to(torch.int32), s, 127).item() == 40  # 40 * 100 - 3960


def test_levels_per_unit_are_a_quarter_of_the_grid():
    assert [q.levels_per_unit(bits) for bits in (8, 6, 4, 32)] == [32, 8, 2, 32]


def test_gradients_land_on_a_power_of_two_grid_and_keep_their_mean():
    torch.manual_seed(0)
    g = torch.tensor([0.9, -0.03, 0.001]).repeat(20_000, 1)
    # 6 bits: 0.9 / 31 = 0.029, the next power of two is 1/32.
    assert q.gradient_step(g, 6).item() == 1 / 32
    rounded = q.round_gradient(g, 6)
    assert torch.equal(rounded * 32, (rounded * 32).round()) and (rounded * 32).abs().max() <= 31
    assert set((rounded[:, 1] * 32).unique().tolist()) == {-1, 0}
    assert torch.allclose(rounded.mean(0), g[0], atol=3e-4)


def test_a_gradient_of_zeros_stays_zero():
    assert q.round_gradient(torch.zeros(5), 8).tolist() == [0] * 5


def test_eight_bits_of_gradient_reach_the_largest_value():
    g = torch.tensor([127.0, -127.0, 64.0])
    assert q.round_gradient(g, 8).tolist() == [127, -127, 64]  # step 1: nothing to round


def test_alpha_is_the_filters_mean_magnitude_with_xnor_nets_gradient():
    w = torch.tensor([[0.5, -1.5], [0.2, 0.4]]).view(2, 2, 1, 1).requires_grad_()
    g = torch.tensor([[1.0, 2.0], [3.0, -1.0]]).view(2, 2, 1, 1)
    out = q.quantize_weight(w, "b1") * q.filter_scale(w)
    assert torch.allclose(out.flatten(), torch.tensor([1.0, -1.0, 0.3, 0.3]))
    out.backward(g)
    # alpha * G * [|w| <= 1] + sign(w) * sum(sign(w) * G) / n: filter 0 has alpha 1, sum 1 - 2 = -1; filter 1 0.3, sum 2.
    assert torch.allclose(w.grad.flatten(), torch.tensor([1 - 0.5, 0 + 0.5, 0.9 + 1, -0.3 + 1]))


def test_learned_clip_by_hand():
    x = torch.tensor([-1.0, 2.5, 7.0, 40.0], requires_grad=True)
    clip = torch.tensor(2.0, requires_grad=True)
    y = q.quantize_activation(x, 7, clip)
    assert y.tolist() == [0, 1, 4, 7]  # 1.25 and 3.5 (to even)
    y.backward(torch.tensor([1.0, 2.0, 4.0, 6.0]))
    assert x.grad.tolist() == [0, 1, 2, 0]
    # (2 / 2) * (1 - 1.25) + (4 / 2) * (4 - 3.5) + (6 / 2) * 7 = 21.75, over sqrt(4 * 7)
    assert torch.isclose(clip.grad, torch.tensor(21.75 / 28**0.5))


def test_float_heads_give_logits_in_units_as_8_bit_ones_do():
    torch.manual_seed(1)
    shape = GraphConfig(landmarks=4, stacks=1, order=0, channels=16, growth=4, depth=1, input_size=32)
    model = GraphModule(build_graph(shape.float_twin()))
    head = next(node for node in model.graph["nodes"] if node["output"] == "u0.head")
    rounded = {**head, "encoding": "i8"}
    assert model.head_scale(head) == 1 / 32  # float activations have 32 levels per unit
    # Weights are at most 1 / sqrt(16); a step of 8 bits is a 127th of the largest.
    a, b = (model.integer_weight(node) * model.head_scale(node) for node in (head, rounded))
    assert torch.allclose(a, b, rtol=0, atol=0.25 / 127 / 32)


def inner_convolutions(model: GraphModule) -> list[dict]:
    return [n for n in model.graph["nodes"] if n["op"] == "conv2d" and n["weight"] != "stem" and n["output"] not in model.heads]


def backward(model: GraphModule, seed: int = 0) -> None:
    torch.manual_seed(seed)
    image, target = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8), torch.randn(4, 3, 8, 8)
    sum((logits - target).square().mean() for logits in model(image)).backward()


def has_bits(gradient: torch.Tensor, bits: int) -> bool:
    """Whether all values are whole multiples, below 2^(k-1), of one power of two."""
    step = torch.exp2(torch.floor(torch.log2(gradient.abs().max()))) / 2 ** (bits - 2)
    return torch.equal(gradient / step, (gradient / step).round())


@pytest.mark.parametrize("keep_bits", [0, 32, 6])
@pytest.mark.parametrize(("name", "bits"), [("BW-QIG(616)", 6), ("TW-QIG(828)", 8)])
def test_gradients_of_inner_weights_and_outputs_have_k_bits(name, bits, keep_bits):
    model = GraphModule(build_graph(with_precision(SMALL, name)), keep_bits=keep_bits).train()
    entered: list[torch.Tensor] = []
    with RecordedConvolutions(entered):
        backward(model)
    inner = [node["weight"].replace(".", "/") for node in inner_convolutions(model)]
    assert [name for name, weight in model.weights.items() if has_bits(weight.grad, bits)] == inner
    # The stem and two heads are entered by the float gradients of what follows them.
    assert len(entered) == len(inner) + 3 and sum(has_bits(gradient, bits) for gradient in entered) == len(inner)


class RecordedConvolutions(TorchDispatchMode):
    """Notes the gradients that enter convolutions' backward passes."""

    def __init__(self, entered: list[torch.Tensor]) -> None:
        super().__init__()
        self.entered = entered

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function is torch.ops.aten.convolution_backward.default:
            self.entered.append(args[0].clone())
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", ["BW-QIG(818)", "BW-QIG(616)", "BW-alpha-QIG(818)", "TW-QIG(626)"])
def test_masters_move_and_change_sign_with_quantised_gradients(name):
    """The released code rounds masters and gradients to a fixed grid: no weight of a quantised convolution ever changes."""
    torch.manual_seed(0)
    model = GraphModule(build_graph(with_precision(SMALL, name))).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    before = {key: weight.detach().clone() for key, weight in model.weights.items()}
    for step in range(20):
        optimizer.zero_grad()
        backward(model, step)
        optimizer.step()
        model.clamp_latent()
    for node in inner_convolutions(model):
        weight, start = (w[node["weight"].replace(".", "/")] for w in (model.weights, before))
        assert (weight != start).float().mean() > 0.9, node["output"]
    inner = [node["weight"].replace(".", "/") for node in inner_convolutions(model)]
    flipped = torch.cat([(model.weights[n].sign() != before[n].sign()).flatten() for n in inner]).float().mean()
    assert 0.02 < flipped < 0.2
