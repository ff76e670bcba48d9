"""The topology: counts of the paper's shapes, pruning, limits."""

import pytest

from training.graph import GraphConfig, accumulator_shift, build_graph, channels_of, count, prune, to_json

PAPER = {"channels": 128, "growth": 32, "input_size": 256}


@pytest.mark.parametrize(
    ("stacks", "order", "landmarks", "weights", "giga_multiply_adds"),
    [
        (1, 0, 16, 897_408, 1.410), (2, 0, 16, 1_792_384, 2.578), (2, 1, 16, 1_898_880, 2.757),
        (2, 1, 68, 1_912_192, 2.811), (4, 0, 16, 3_582_336, 4.915), (4, 1, 16, 3_901_824, 5.451),
        (4, 1, 68, 3_928_448, 5.560), (4, 2, 68, 4_141_440, 5.918), (4, 3, 16, 4_221_312, 5.987),
        (8, 1, 16, 7_907_712, 10.840), (8, 7, 16, 10_144_128, 14.591), (16, 1, 68, 16_025_984, 22.053),
        (16, 15, 16, 27_101_568, 40.375),
    ],
)
def test_counts_of_the_papers_networks(stacks, order, landmarks, weights, giga_multiply_adds):
    counts = count(build_graph(GraphConfig(landmarks=landmarks, stacks=stacks, order=order, **PAPER)))
    assert counts["weights"] == weights
    assert round(counts["multiplyAdds"] / 1e9, 3) == giga_multiply_adds


def test_norm_channels_of_the_papers_networks():
    # 11,072 parameters in U-Net 0 and 12,992 in each later one, two per channel; the stem's own norm is not in this graph
    # because every reader of the stem has a norm.
    one = count(build_graph(GraphConfig(landmarks=16, stacks=1, order=0, **PAPER)))["norms"]
    three = count(build_graph(GraphConfig(landmarks=16, stacks=3, order=1, **PAPER)))["norms"]
    assert one * 2 == 11_072
    assert (three - one) * 2 == 2 * 12_992


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


@pytest.mark.parametrize("wrong", [{"order": 2}, {"input_size": 100}, {"stem_kernel": 4}, {"supervised": (1,)}])
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
