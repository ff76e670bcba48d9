"""From a trained (here: barely trained) model to integers and files."""

import dataclasses
import hashlib
import json
import types

import numpy as np
import pytest
import torch
from safetensors.numpy import load as load_safetensors

from training.checkpoints import mean_network
from training.config import Config
from training.configs import load_config
from training.evaluate import predict
from training.export import load_master, manifest_of, predict_integer, save_master, validate
from training.graph import GraphConfig, build_graph, count
from training.integer import integer_network, smallest_shift
from training.landmark_sets import LANDMARK_SETS
from training.landmark_validation import FaceValidation
from training.model import GraphModule, key
from training.pack import encode_weights, golden_image, heatmap_hash, pack_bytes, pack_tensors, read_safetensors
from training.quantization import MAX_SLOPE
from training.tasks import TASKS

CONFIG = Config(name="tiny", task="face", graph=GraphConfig(channels=64, growth=16, input_size=64))


def settled(config: GraphConfig) -> GraphModule:
    """Random weights, norms with statistics of real passes, some of them negative and near zero."""
    torch.manual_seed(5)
    model = GraphModule(build_graph(config), momentum=0.3)
    size = config.input_size
    with torch.no_grad():
        for norm in model.norms.values():
            norm.gamma.uniform_(-0.3, 1.2)
            norm.beta.normal_(0, 0.3)
            if hasattr(norm, "log_clip"):
                norm.log_clip.uniform_(-0.5, 0.5)
        for _ in range(12):
            model(torch.randint(0, 256, (4, 3, size, size)))
    return model.eval()


@pytest.fixture(scope="module")
def model() -> GraphModule:
    return settled(CONFIG.graph)


def check_integer_steps(model: GraphModule) -> None:
    network = integer_network(model)
    size = network.graph["input"]["shape"][0]
    image = np.random.default_rng(0).integers(0, 256, (1, size, size, 3), dtype=np.uint8)
    values = {name: torch.from_numpy(v).permute(0, 3, 1, 2).float() for name, v in network.run(image).items()}
    trained = {node["output"]: node for node in model.graph["nodes"]}
    worth: dict[str, torch.Tensor] = {}  # of one unit of a feature's channels, in training
    for node in network.graph["nodes"]:
        inputs = [values[i] for i in node["inputs"]]
        if node["op"] == "conv2d":
            weight = model.integer_weight(trained[node["output"]])
            acc = torch.nn.functional.conv2d(inputs[0], weight, stride=node["stride"], padding=node["kernel"] // 2)
            assert (values[node["output"]] * 2.0 ** node["shift"] - acc).abs().max() <= 2.0 ** node["shift"] / 2
            worth[node["output"]] = model.filter_units(trained[node["output"]]) * 2.0 ** node["shift"]
        elif node["op"] == "requantize":
            slope, offset = model.norms[key(node["norm"])].affine()
            factor = torch.cat([worth[i] for i in node["inputs"]])
            exact = torch.cat(inputs, 1) * (slope * factor).view(1, -1, 1, 1) + offset.view(1, -1, 1, 1)
            difference = values[node["output"]] - exact.clamp(0, 2 ** (node["inputBits"] - 1) - 1)
            difference = difference[:, (slope * factor).abs() < MAX_SLOPE]
            assert difference.abs().max() <= 1.6 and difference.abs().mean() < 0.35
        else:
            worth[node["output"]] = worth[node["inputs"][0]]


def test_each_integer_step_follows_the_simulated_one(model):
    """Step by step, because a random network amplifies one level of difference; a trained one is compared by its NME."""
    check_integer_steps(model)


@pytest.mark.parametrize("options", [{"scaled": True}, {"learned_clip": True}, {"input_bits": 6, "weights": "t2"}, {"stem_norm": True}])
def test_what_only_training_knows_folds_into_the_integers(options):
    check_integer_steps(settled(GraphConfig(landmarks=5, channels=16, growth=8, depth=2, input_size=32, **options)))


def test_grouped_convolutions_are_refused():
    graph = build_graph(GraphConfig(stacks=1, order=0, channels=8, growth=4, depth=2, input_size=32, depthwise_growth=True))
    with pytest.raises(ValueError, match="depthwise_growth"):
        integer_network(GraphModule(graph))


def test_one_pack_holds_one_pass_and_two():
    shape = {"landmarks": 3, "stacks": 2, "channels": 16, "growth": 8, "depth": 2, "input_size": 32}
    twice = settled(GraphConfig(refinements=1, overrides=(("refine", "i8"),), **shape))
    network = integer_network(twice)
    once = GraphModule(build_graph(GraphConfig(**shape))).eval()
    assert once.load_state_dict(twice.state_dict(), strict=False).missing_keys == []
    image = np.random.default_rng(1).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    values, alone = network.run(image), integer_network(once)
    assert (values[network.graph["outputs"][0]] == alone.heatmaps(image)).all() and network.scale == alone.scale
    assert (values[network.graph["outputs"][0]] != network.heatmaps(image)).any()
    # The second pass adds the norms, the graph and the block between the passes, but no weight of a U-Net.
    both, one = (pack_tensors(n) for n in (network, alone))
    assert (both["weights.b1"] == one["weights.b1"]).all()
    names = {n["weight"] for n in network.graph["nodes"] if n["op"] == "conv2d"}
    assert names - set(alone.weights) == {"refine", *(f"refine.{i}.{part}" for i in (0, 1) for part in ("neck", "grow"))}


def test_weights_are_packed_bit_by_bit():
    assert encode_weights(np.array([1, -1, -1, 1, 1, 1, 1, 1, -1], np.int8), "b1").tolist() == [0b00000110, 1]
    assert encode_weights(np.array([0, 1, -1, 0, 1], np.int8), "t2").tolist() == [0b00110100, 1]
    assert encode_weights(np.array([-127, 5], np.int8), "i8").tolist() == [-127, 5]


def test_pack_opens_with_any_safetensors_reader(model):
    network = integer_network(model)
    data = pack_bytes(network, manifest_of(CONFIG, network, {}))
    tensors = load_safetensors(data)
    assert set(tensors) == {"norm.multiplier", "norm.bias", "norm.shift", "weights.i8", "weights.b1", "graph"}
    assert json.loads(tensors["graph"].tobytes()) == network.graph
    length = int.from_bytes(data[:8], "little")
    metadata = json.loads(data[8 : 8 + length])["__metadata__"]
    assert metadata["sha256"] == hashlib.sha256(data[8 + length :]).hexdigest()
    manifest = json.loads(metadata["manifest"])
    image = golden_image(manifest["golden"]["seed"], (64, 64, 3))
    assert manifest["golden"]["sha256"] == [heatmap_hash(network.heatmaps(image[None])[0])]
    bits = np.unpackbits(tensors["weights.b1"], bitorder="little")
    first = network.weights["u0.d0.neck"].reshape(-1)
    assert (np.where(bits[: first.size], -1, 1) == first).all()


def test_golden_image_is_xorshift32():
    # 1 -> 270369 -> 67634689 -> 2647435461
    assert golden_image(1, (1, 1, 3)).reshape(-1).tolist() == [270369 >> 24, 67634689 >> 24, 2647435461 >> 24]


def test_master_weights_give_the_same_network(model, tmp_path):
    save_master(model, tmp_path / "tiny.safetensors")
    again = load_master(tmp_path / "tiny.safetensors", CONFIG)
    tensors, metadata = read_safetensors(tmp_path / "tiny.safetensors")
    assert metadata["format"] == "bitmarks-master/1" and tensors["weights.stem"].dtype == np.float16
    a, b = integer_network(again), integer_network(load_master(tmp_path / "tiny.safetensors", CONFIG))
    original = integer_network(model)
    for name, weight in a.weights.items():
        assert (weight == b.weights[name]).all()
        if name not in ("stem", "u1.head"):
            assert (weight == original.weights[name]).all(), "rounding to fp16 may not flip a sign"


def test_settled_runs_of_one_network_have_a_mean(tmp_path):
    """Norms, stem and heads; of other low-bit weights there is none."""
    files = [tmp_path / f"{name}.safetensors" for name in ("a", "b", "c")]
    model = settled(CONFIG.graph)
    save_master(model, files[0])
    norm, stem = next(iter(model.norms.values())), model.weights["stem"]
    gamma, weight = norm.gamma.detach().clone(), stem.detach().half().float()
    with torch.no_grad():
        norm.gamma += 2
        stem += 0.5
        save_master(model, files[1])
        model.low_bit_weights()[0].neg_()
    save_master(model, files[2])
    mean = mean_network(CONFIG.graph, files[:2])
    torch.testing.assert_close(next(iter(mean.norms.values())).gamma, gamma + 1)
    torch.testing.assert_close(mean.weights["stem"], weight + 0.25, rtol=0, atol=1e-3)
    for ours, own in zip(mean.low_bit_weights()[1:], model.low_bit_weights()[1:], strict=True):
        assert torch.equal(ours.half(), own.half())
    with pytest.raises(SystemExit, match="c.safetensors has other low-bit weights than .*a.safetensors"):
        mean_network(CONFIG.graph, [files[0], files[2]])


@pytest.mark.parametrize(("integer", "refused"), [(1.04, False), (1.06, True), (4.07, False), (4.09, True)])
def test_a_pack_that_is_not_the_network_trained_is_refused(model, monkeypatch, integer, refused):
    """0.05 points of NME apart at most, or a fiftieth of it: of 1.0 by 0.05, of 4.0 by 0.08."""
    figures = iter([{"nme": float(int(integer))}, {"nme": integer}])
    validation = types.SimpleNamespace(
        images=np.zeros((1, 3, 64, 64), np.uint8), compared=FaceValidation.compared, figures=lambda _: next(figures)
    )
    monkeypatch.setitem(TASKS, "face", dataclasses.replace(TASKS["face"], validations=lambda *_: {"faces": validation}))
    if refused:
        with pytest.raises(SystemExit, match="faces: nme of integer and float network differ"):
            validate(model, integer_network(model), CONFIG, [], None)
    else:
        assert validate(model, integer_network(model), CONFIG, [], None)["faces"]["integer"] == {"nme": integer}


def test_a_landmark_set_of_ones_own_is_opened_as_faces_are():
    config = load_config("kite")
    manifest = manifest_of(config, integer_network(GraphModule(build_graph(config.graph)).eval()), {})
    assert manifest["task"] == "face" and manifest["mirror"] == [0, 2, 1, 3, 4] and manifest["roi"]["upright"] == [1, 2]


def test_a_finders_pack_says_how_its_centres_are_read():
    config = load_config("person-finder")
    network = integer_network(GraphModule(build_graph(config.graph)).eval())
    manifest = manifest_of(config, network, {"frames": {"images": 3}, "more": {"images": 1}})
    assert manifest["codec"] == {"type": "centers", "stride": 4, "scale": network.scale, "unit": 16.0}
    assert manifest["landmarks"] == ["center", "size", "x", "y"] and manifest["mirror"] == [0, 1, 2, 3]
    assert manifest["roi"] == {"scale": 1.0, "upright": None, "presence": config.presence}
    assert manifest["evaluation"] == {"images": 3, "more": {"images": 1}}
    assert manifest["recipe"] == "training/configs/person_finder.py"
    counts = count(network.graph)
    assert counts["multiplyAdds"] < 40e6 and len(pack_bytes(network, manifest)) < 40_000


def test_shift_of_8_bit_weights_follows_from_the_sums_of_their_filters():
    # 258 * 127 = 32766 fits; 259 * 127 = 32893, + 1 >> 1 = 16447. Signs do not add up: activations are never negative.
    weight = np.zeros((2, 1, 1, 4), np.int8)
    weight[0, 0, 0] = [127, 127, 4, -127]
    assert smallest_shift(weight, 127) == 0
    weight[0, 0, 0, 2] = 5
    assert smallest_shift(weight, 127) == 1
    weight[1, 0, 0] = [-127, -127, -127, -127]  # 508 * 127 = 64516, + 1 >> 1 = 32258
    assert smallest_shift(weight, 127) == 1
    assert smallest_shift(weight, 255) == 2


def test_a_mirrored_configuration_reads_an_image_and_its_mirror_image_alike(model):
    config = dataclasses.replace(CONFIG, mirrored=True)
    images = np.random.default_rng(3).integers(0, 256, (2, 3, 64, 64), dtype=np.uint8)
    mirrored = np.ascontiguousarray(images[..., ::-1])
    swap = list(LANDMARK_SETS["face"].mirror)
    network = integer_network(model)
    for read in (lambda i, c: predict(model, i, c), lambda i, c: predict_integer(network, i, c)):
        for own, other in zip(read(images, config), read(mirrored, config), strict=True):
            assert np.allclose(own[0], [64, 0] + [-1, 1] * other[0][swap])
            assert np.allclose(own[1], other[1][swap])
        once, twice = (read(images, c)[0][0] for c in (CONFIG, config))
        assert not np.allclose(once, twice)
