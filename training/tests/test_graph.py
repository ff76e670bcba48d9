"""The topology: counts of the paper's shapes, pruning, limits."""

import itertools

import pytest

from training.graph import GraphConfig, accumulator_shift, build_graph, channels_of, count, prune, to_json

PAPER = {"channels": 128, "growth": 32, "input_size": 256}


# N, K, then for J = 16 convolution weights, norm parameters and 10^9 multiply-adds, for J = 68 weights and multiply-adds.
PAPER_COUNTS = [
    (1, 0, 897_408, 11_328, 1.410, 904_064, 1.437), (2, 0, 1_792_384, 22_656, 2.578, 1_805_696, 2.633),
    (2, 1, 1_898_880, 24_320, 2.757, 1_912_192, 2.811), (4, 0, 3_582_336, 45_312, 4.915, 3_608_960, 5.024),
    (4, 1, 3_901_824, 50_304, 5.451, 3_928_448, 5.560), (4, 2, 4_114_816, 53_632, 5.808, 4_141_440, 5.918),
    (4, 3, 4_221_312, 55_296, 5.987, 4_247_936, 6.096), (8, 0, 7_162_240, 90_624, 9.589, 7_215_488, 9.807),
    (8, 1, 7_907_712, 102_272, 10.840, 7_960_960, 11.058), (8, 2, 8_546_688, 112_256, 11.912, 8_599_936, 12.130),
    (8, 3, 9_079_168, 120_576, 12.805, 9_132_416, 13.023), (8, 7, 10_144_128, 137_216, 14.591, 10_197_376, 14.810),
    (16, 0, 14_322_048, 181_248, 18.937, 14_428_544, 19.373), (16, 1, 15_919_488, 206_208, 21.617, 16_025_984, 22.053),
    (16, 2, 17_410_432, 229_504, 24.118, 17_516_928, 24.554), (16, 15, 27_101_568, 380_928, 40.375, 27_208_064, 40.812),
]


@pytest.mark.parametrize(("stacks", "order", "body", "norms", "body_adds", "face", "face_adds"), PAPER_COUNTS)
def test_counts_of_the_papers_networks(stacks, order, body, norms, body_adds, face, face_adds):
    for landmarks, weights, giga_multiply_adds in ((16, body, body_adds), (68, face, face_adds)):
        counts = count(build_graph(GraphConfig(landmarks=landmarks, stacks=stacks, order=order, **PAPER)))
        assert counts["weights"] == weights
        assert round(counts["multiplyAdds"] / 1e9, 3) == giga_multiply_adds
        # The stem's own norm, 128 channels, is not in this graph: every reader of the stem has a norm.
        assert counts["norms"] * 2 + 256 == norms


# C, g, N, input side, then convolution weights, norm parameters and 10^9 multiply-adds for order 1 and 68 landmarks.
SMALLER_COUNTS = [
    (96, 24, 2, 256, 1_082_400, 18_240, 1.653), (64, 16, 2, 256, 487_104, 12_160, 0.798), (64, 16, 4, 256, 995_520, 25_152, 1.503),
    (64, 16, 8, 256, 2_012_352, 51_136, 2.913), (48, 12, 4, 256, 565_008, 18_864, 0.888), (32, 8, 4, 256, 255_584, 12_576, 0.432),
    (64, 16, 4, 128, 995_520, 25_152, 0.376), (48, 12, 4, 128, 565_008, 18_864, 0.222),
]


@pytest.mark.parametrize(("channels", "growth", "stacks", "side", "weights", "norms", "giga_multiply_adds"), SMALLER_COUNTS)
def test_counts_of_narrower_networks(channels, growth, stacks, side, weights, norms, giga_multiply_adds):
    counts = count(build_graph(GraphConfig(stacks=stacks, channels=channels, growth=growth, input_size=side)))
    assert counts["weights"] == weights
    assert counts["norms"] * 2 + 2 * channels == norms
    assert round(counts["multiplyAdds"] / 1e9, 3) == giga_multiply_adds


@pytest.mark.parametrize("supervised", [s for n in range(4) for s in itertools.combinations((1, 2, 3), n)])
@pytest.mark.parametrize("refinements", [0, 1])
def test_any_subset_of_u_nets_is_supervised(supervised, refinements):
    shape = {"stacks": 4, "channels": 8, "growth": 4, "input_size": 64, "refinements": refinements}
    graph, all_heads = build_graph(GraphConfig(supervised=(*supervised, 4), **shape)), build_graph(GraphConfig(**shape))
    heads = [f"u{t - 1}.head" for t in (*supervised, 4)]
    assert graph["supervised"] == heads + [f"p1.{head}" for head in heads] * refinements
    # A head that is missing takes its 68 * 8 weights along, once for both passes, and changes nothing of what packs hold.
    assert count(all_heads)["weights"] - count(graph)["weights"] == (3 - len(supervised)) * 68 * 8
    assert prune(graph) == prune(all_heads)


def test_the_papers_stem_norm_costs_a_norm_and_a_convolution():
    plain, normed = (count(build_graph(GraphConfig(stem_norm=s, **PAPER))) for s in (False, True))
    assert normed["norms"] - plain["norms"] == 128
    assert normed["weights"] - plain["weights"] == 128 * 128


def test_the_naive_dense_u_net():
    # Down 245,760 + 294,912 + 98,304, up 376,832 + 294,912 + 65,536, middle 245,760 + 294,912 + 49,152, stem 18,816, head 2,048.
    assert count(build_graph(GraphConfig(landmarks=16, stacks=1, order=0, layers=8, **PAPER)))["weights"] == 6_115_712


def test_depthwise_growth_counts_its_groups():
    # A 3x3 of 64 to 16 channels has 9,216 weights; depthwise 3x3 on 64 and 1x1 to 16 have 576 + 1,024. Nine blocks.
    plain, depthwise = (count(build_graph(GraphConfig(stacks=1, order=0, depthwise_growth=d)))["weights"] for d in (False, True))
    assert plain - depthwise == 9 * (9_216 - 1_600)


def test_training_attributes_do_not_reach_packs():
    options = {"gradient_bits": 8, "scaled": True, "learned_clip": True}
    trained, plain = build_graph(GraphConfig(**options)), build_graph(GraphConfig())
    assert trained != plain
    assert prune(trained) == prune(plain)
    ends = [n for n in trained["nodes"] if n["op"] == "conv2d" and n["encoding"] == "i8"]
    assert len(ends) == 3 and not any("gradientBits" in n or "scaled" in n for n in ends)


def test_accumulator_shift_is_the_smallest_that_cannot_leave_16_bits():
    assert accumulator_shift(258, "b1", 127) == 0  # 258 * 127 = 32766
    assert accumulator_shift(259, "b1", 127) == 1
    assert accumulator_shift(576, "b1", 127) == 2  # 73152 + 1 >> 1 = 36576 still leaves
    assert accumulator_shift(64, "i8", 127) == 5  # 64 * 127 * 127 = 1032256, + 16 >> 5 = 32258


def test_prune_keeps_what_the_output_needs_in_order():
    graph = build_graph(GraphConfig(stacks=2, channels=8, growth=4, input_size=64))
    pruned = prune(graph)
    names = [node["output"] for node in pruned["nodes"]]
    assert "u0.head" not in names and names[-1] == "u1.head"
    assert "supervised" not in pruned
    order = {node["output"]: i for i, node in enumerate(pruned["nodes"])}
    for node in pruned["nodes"]:
        assert all(order.get(name, -1) < order[node["output"]] for name in node["inputs"])


def test_order_zero_remembers_nothing_and_full_order_everything():
    plain = channels_of(build_graph(GraphConfig(stacks=3, order=0, channels=8, growth=4, input_size=64)))
    dense = channels_of(build_graph(GraphConfig(stacks=3, order=2, channels=8, growth=4, input_size=64)))
    assert plain["u2.d0.neck.q"] == 8 and plain["u2.merge.q"] == 8
    assert dense["u2.d0.neck.q"] == 8 + 2 * 4 and dense["u2.merge.q"] == 8 + 2 * 8


def test_shared_skip_norm_drops_one_norm_per_down_block():
    own = count(build_graph(GraphConfig(stacks=1, order=0)))["norms"]
    shared = count(build_graph(GraphConfig(stacks=1, order=0, shared_skip_norm=True)))["norms"]
    assert own - shared == 4 * (64 + 16)


def test_deep_levels_have_widths_of_their_own():
    shape = {"stacks": 1, "order": 0, "channels": 8, "growth": 4, "depth": 2, "input_size": 32}
    graph = build_graph(GraphConfig(deep_channels=(12, 16), deep_growth=(6, 8), **shape))
    # Stem 1,176 and head 544; by level, neck + growth + ahead (+ skip): down 128 + 576 + 2 * 96 and 192 + 1,296 + 2 * 168, middle
    # 384 + 2,304 + 320, up (28 channels read) 672 + 1,296 + 408 and (20 read) 320 + 576 + 192.
    assert count(graph)["weights"] == 1_176 + 544 + 896 + 1_824 + 3_008 + 2_376 + 1_088
    widths = channels_of(graph)
    assert [widths[f"u0.{block}.ahead"] for block in ("d0", "d1", "mid", "u1", "u0")] == [8, 12, 16, 12, 8]
    assert build_graph(GraphConfig(deep_channels=(8, 8), deep_growth=(4, 4), **shape)) == build_graph(GraphConfig(**shape))


@pytest.mark.parametrize(
    "wrong",
    [
        {"order": 2}, {"input_size": 100}, {"stem_kernel": 4}, {"supervised": (1,)}, {"layers": 8}, {"deep_channels": (64,)},
        {"deep_growth": (16, 16, 16, 16, 16)},
    ],
)
def test_impossible_shapes_are_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        build_graph(GraphConfig(**wrong))


def test_the_same_configuration_gives_the_same_bytes():
    assert to_json(build_graph(GraphConfig())) == to_json(build_graph(GraphConfig()))


def test_a_second_pass_shares_all_weights_but_the_refinement_block():
    shape = {"stacks": 4, "order": 1, **PAPER}
    once, twice = (build_graph(GraphConfig(refinements=r, **shape)) for r in (0, 1))
    # Two dense layers on 256 channels and a 1x1 convolution: 184,320 weights, the paper's "+0.2M".
    assert count(twice)["weights"] - count(once)["weights"] == 184_320
    assert twice["outputs"] == ["u3.head", "p1.u3.head"]
    assert len(twice["supervised"]) == 8
    assert prune({**twice, "outputs": twice["outputs"][:1]})["nodes"] == prune(once)["nodes"]


def test_precision_can_be_set_for_single_convolutions():
    graph = build_graph(GraphConfig(overrides=(("u1.merge", "i8"), ("u0.d0", "t2"))))
    encodings = {node["output"]: node["encoding"] for node in graph["nodes"] if node["op"] == "conv2d"}
    assert encodings["u1.merge"] == "i8" and encodings["u0.d0.grow"] == "t2" and encodings["u0.d1.grow"] == "b1"
