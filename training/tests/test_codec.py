"""Heatmap targets and decoding."""

import torch

from training import heatmap_codec as codec


def test_targets_sum_to_one_and_have_their_mean_at_the_point():
    points = torch.tensor([[[10.3, 16.85], [20.0, 12.5]]])
    target = codec.gaussian_targets(points, 32, 1.0).view(1, 2, 32, 32)
    assert torch.allclose(target.sum((-1, -2)), torch.ones(1, 2))
    centres = torch.arange(32) + 0.5
    assert torch.allclose((target.sum(-2) * centres).sum(-1), points[..., 0], atol=1e-3)
    assert torch.allclose((target.sum(-1) * centres).sum(-1), points[..., 1], atol=1e-3)


def test_decoding_an_encoded_point_is_exact_to_a_twentieth_of_a_cell():
    torch.manual_seed(0)
    points = torch.rand(50, 4, 2) * 26 + 3
    logits = codec.gaussian_targets(points, 32, 1.0).clamp_min(1e-20).log().view(50, 4, 32, 32)
    decoded, score = codec.decode(logits, 7)
    assert (decoded - points).abs().max() < 0.05
    assert score.min() > 0.99


def test_a_flat_heatmap_scores_its_share_of_cells():
    _, score = codec.decode(torch.zeros(1, 1, 32, 32), 7)
    assert torch.isclose(score, torch.tensor(16.0 / 1024)).all()  # first cell: 4x4 of the window lie inside


def test_window_at_the_border_ignores_what_is_outside():
    logits = torch.full((1, 1, 8, 8), -50.0)
    logits[0, 0, 0, 7] = 0.0
    decoded, score = codec.decode(logits, 5)
    assert torch.allclose(decoded[0, 0], torch.tensor([7.5, 0.5]), atol=1e-6)
    assert score.item() > 0.999
