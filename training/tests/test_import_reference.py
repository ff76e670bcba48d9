"""Authors' checkpoints: synthetic ones of exactly their layout, against a direct evaluation of what their code computes."""

import dataclasses
import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from training import evaluate as evaluate_command
from training import export
from training import import_reference as ref
from training.configs import load_config
from training.graph import build_graph, count
from training.integer import integer_network
from training.losses import LOGITS_PER_UNIT
from training.tests.helpers import write_face_set

C, G, B, J = 8, 4, 2, 3
OLD_NORM = ("norm_weight", "norm_bias", "norm_running_mean", "norm_running_var")
NEW_NORM = ("weight", "bias", "running_mean", "running_var")


def checkpoint(stacks: int, order: int, old: bool, c: int = C, g: int = G, b: int = B, j: int = J) -> dict[str, torch.Tensor]:
    """Random tensors with the names and shapes of a checkpoint (both generations; sections 1.3 and 1.4 of the notes on the paper)."""
    rng = torch.Generator().manual_seed(7)
    state: dict[str, torch.Tensor] = {}

    def norm(prefix: str, n: int, ends=NEW_NORM) -> None:
        values = torch.rand(n, generator=rng) * 1.5 - 0.3, torch.randn(n, generator=rng) * 0.2
        values += torch.randn(n, generator=rng) * 0.1, torch.rand(n, generator=rng) * 0.3 + 0.05
        state.update(zip((prefix + e for e in ends), values, strict=True))

    def conv(name: str, out: int, inputs: int, kernel: int = 1) -> None:
        state[name] = torch.randn(out, inputs, kernel, kernel, generator=rng) / (inputs * kernel * kernel) ** 0.5

    def adapter(prefix: str, n: int) -> None:
        norm(prefix if old else f"{prefix}adapter_norm.", n, OLD_NORM if old else NEW_NORM)
        conv(prefix + ("conv_weight" if old else "adapter_conv.weight"), c, n)

    conv("features.conv0.weight", c, 3, 7)
    norm("features.norm0.", c)
    blocks = [(f"hg.down_blocks.{i}", c, True) for i in range(4)] + [(f"hg.up_blocks.{i}", 2 * c, False) for i in range(4)]
    for t in range(stacks):
        m = min(t, order)
        for block, width, skip in [*blocks, ("hg.neck_block", c, False)]:
            layer = f"{block}.layers.{t}."
            if old:
                norm(f"{layer}bottleneck.", width + m * g, OLD_NORM)
                conv(f"{layer}bottleneck.conv_weight", b * g, width + m * g)
            else:
                norm(f"{layer}norm1.", width + m * g)
                conv(f"{layer}conv1.weight", b * g, width + m * g)
            norm(f"{layer}norm.2." if old else f"{layer}norm2.", b * g)
            conv(f"{layer}conv.2.weight" if old else f"{layer}conv2.weight", g, b * g, 3)
            for way in ("ahead", "skip") if skip else ("ahead",):
                adapter(f"{block}.adapters_{way}.{t}.", width + (m + 1) * g)
        norm(f"linears.{t}.norm.", c)
        conv(f"linears.{t}.conv.weight", j, c)
        if t > 0:
            adapter(f"intermedia.adapters.{t - 1}.", c + m * c)
    return {f"module.{name}": value for name, value in state.items()}


def evaluate(
    state: dict[str, torch.Tensor], stacks: int, order: int, old: bool, image: torch.Tensor,
    settle: bool = False, probe: dict | None = None,
) -> list[torch.Tensor]:
    """What the authors' network computes, written from the description of its data flow; `settle` first gives every norm the
    statistics of its input, as training would, and `probe` takes the activations by their norms' names."""
    s = {name.removeprefix("module."): value for name, value in state.items()}

    def bn_relu(x, prefix, ends=NEW_NORM):
        gamma, beta, mean, variance = (s[prefix + e] for e in ends)
        if settle:
            mean.copy_(x.mean((0, 2, 3)))
            variance.copy_(x.var((0, 2, 3)))
        out = F.relu(F.batch_norm(x, mean, variance, gamma, beta, False, 0.1, 1e-5))
        if probe is not None:
            probe[prefix] = out
        return out

    def adapter(parts, prefix):
        x = torch.cat(parts, 1)
        if old:
            return F.conv2d(bn_relu(x, prefix, OLD_NORM), s[f"{prefix}conv_weight"])
        return F.conv2d(bn_relu(x, f"{prefix}adapter_norm."), s[f"{prefix}adapter_conv.weight"])

    memory: dict[str, list] = {}

    def block(parts, where, t, skip=False):
        seen = memory.setdefault(where, [])
        x = [*parts, *seen[-order:]] if order else list(parts)
        layer = f"hg.{where}.layers.{t}."
        if old:
            neck = F.conv2d(bn_relu(torch.cat(x, 1), f"{layer}bottleneck.", OLD_NORM), s[f"{layer}bottleneck.conv_weight"])
            grow = F.conv2d(bn_relu(neck, f"{layer}norm.2."), s[f"{layer}conv.2.weight"], padding=1)
        else:
            neck = F.conv2d(bn_relu(torch.cat(x, 1), f"{layer}norm1."), s[f"{layer}conv1.weight"])
            grow = F.conv2d(bn_relu(neck, f"{layer}norm2."), s[f"{layer}conv2.weight"], padding=1)
        x.append(grow)
        seen.append(grow)
        ahead = adapter(x, f"hg.{where}.adapters_ahead.{t}.")
        return (ahead, adapter(x, f"hg.{where}.adapters_skip.{t}.")) if skip else ahead

    x = F.max_pool2d(bn_relu(F.conv2d(image, s["features.conv0.weight"], stride=2, padding=3), "features.norm0."), 2)
    trunk, heads = [x], []
    for t in range(stacks):
        if t > 0:
            x = adapter([x, *(trunk[-order:] if order else [])], f"intermedia.adapters.{t - 1}.")
            trunk.append(x)
        skips = []
        for i in range(4):
            x, skip = block([x], f"down_blocks.{i}", t, skip=True)
            skips.append(skip)
            x = F.max_pool2d(x, 2)
        x = block([x], "neck_block", t)
        for i in reversed(range(4)):
            x = block([F.interpolate(x, scale_factor=2), skips[i]], f"up_blocks.{i}", t)
        heads.append(F.conv2d(bn_relu(x, f"linears.{t}.norm."), s[f"linears.{t}.conv.weight"]))
    return heads


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize(("stacks", "order"), [(3, 1), (3, 2), (2, 0)])
def test_our_network_computes_what_theirs_does(stacks, order, old):
    state = checkpoint(stacks, order, old)
    config, model = ref.convert(state, "f32", input_size=64)
    assert (config.stacks, config.order, config.channels, config.growth, config.neck, config.landmarks) == (stacks, order, C, G, B, J)
    image = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        ours, theirs = model(image), evaluate(state, stacks, order, old, image.float() / 255)
    for a, b in zip(ours, theirs, strict=True):
        assert torch.allclose(a / LOGITS_PER_UNIT, b, rtol=1e-3, atol=1e-4)


def test_eight_bits_come_close_and_run_in_integers():
    """The first activations and the head; a random network amplifies roundings with its depth."""
    state = checkpoint(2, 1, old=True)
    image = torch.randint(0, 256, (4, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))
    probe: dict = {}
    evaluate(state, 2, 1, True, image.float() / 255, settle=True, probe=probe)
    _, model = ref.convert(state, "i8", input_size=64)
    network = integer_network(model)
    values = network.run(image.permute(0, 2, 3, 1).contiguous().numpy())
    places = {"u0.d0.neck": "layers.0.bottleneck.", "u0.d0.grow": "layers.0.norm.2.", "u0.d0.skip": "adapters_skip.0."}
    for name, place in places.items():
        levels = probe[f"hg.down_blocks.0.{place}"].permute(0, 2, 3, 1) * 32
        difference = np.abs(values[f"{name}.q"] - levels.clamp(0, 127).numpy())
        assert difference.mean() < 0.7 and levels.mean() > 5
    head = next(n for n in network.graph["nodes"] if n["output"] == "u1.head")
    weight = model.integer_weight(head) * model.head_scale(head) * 32 / LOGITS_PER_UNIT
    assert torch.allclose(weight, state["module.linears.1.conv.weight"], atol=float(weight.detach().abs().max()) / 250)


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize(("name", "weights"), [("cu-net-face", 7_960_960), ("cu-net-human", 15_919_488)])
def test_the_two_published_networks(name, weights, old):
    expected = load_config(name).graph
    state = checkpoint(expected.stacks, 1, old, 128, 32, 4, expected.landmarks)
    config, model = ref.convert(state, "i8")
    assert config == expected
    # The stem's own norm is followed by a 1x1 convolution of 128 to 128 channels here; nothing else is added, nothing left out.
    assert count(model.graph)["weights"] == weights + 128 * 128
    assert sum(t.numel() for t in state.values()) == weights + 4 * count(model.graph)["norms"]


def test_a_foreign_checkpoint_is_refused():
    state = checkpoint(1, 0, old=False)
    del state["module.hg.neck_block.layers.0.conv2.weight"]
    with pytest.raises(ValueError, match="neck_block.layers.0.conv2"):
        ref.convert(state, "f32", 64)
    with pytest.raises(ValueError, match="expected f32 or i8"):
        ref.convert(state, "b1")


def test_the_command_writes_master_weights_that_evaluate_reads(tmp_path, monkeypatch, capsys):
    torch.save({"state_dict": checkpoint(1, 0, old=False, j=68), "train_history": {}}, tmp_path / "a.pth.tar")
    monkeypatch.setattr("sys.argv", ["x", str(tmp_path / "a.pth.tar"), "--input-size", "64", "--out", str(tmp_path / "m.safetensors")])
    ref.main()
    assert "stacks=1" in capsys.readouterr().out and (tmp_path / "m.safetensors").stat().st_size > 10_000
    shape = {"stacks": 1, "order": 0, "channels": C, "growth": G, "neck": B, "input_size": 64}
    face = load_config("cu-net-face")
    small = dataclasses.replace(face, graph=dataclasses.replace(face.graph, **shape))
    write_face_set(tmp_path, "faces_val", 3)
    nme = []
    for config in (small, dataclasses.replace(small, stretch=False)):
        monkeypatch.setattr(evaluate_command, "load_config", lambda _, config=config: config)
        command = ["x", "--checkpoint", str(tmp_path / "m.safetensors"), "--data", f"{tmp_path}:faces", "--threads", "1"]
        monkeypatch.setattr("sys.argv", command)
        evaluate_command.main()
        nme.append(json.loads(capsys.readouterr().out)["nme"])
    assert nme[0] != nme[1], "stretched crops are others"
    monkeypatch.setattr("sys.argv", ["x", "--config", "cu-net-face", "--out", str(tmp_path)])
    with pytest.raises(SystemExit, match="packs cannot say so"):
        export.main()
