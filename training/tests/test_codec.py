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


def test_the_papers_decoder_moves_a_quarter_towards_the_larger_neighbour():
    logits = torch.zeros(1, 2, 5, 5)
    logits[0, 0, 2, 3], logits[0, 0, 2, 2], logits[0, 0, 3, 3] = 9.0, 1.0, 4.0  # peak (3, 2): left neighbour and lower one are larger
    logits[0, 1, 0, 4] = 9.0  # a corner stays
    assert codec.decode_quarter(logits)[0].tolist() == [[3.25, 2.75], [4.5, 0.5]]


def test_dark_finds_the_mean_of_a_gaussian_between_cells():
    points = torch.rand(20, 3, 2, generator=torch.Generator().manual_seed(2)) * 20 + 6
    logits = codec.gaussian_targets(points, 32, 1.5).clamp_min(1e-20).log().view(20, 3, 32, 32)
    assert (codec.decode_dark(logits.double(), 1.0) - points).abs().max() < 0.02
    assert (codec.decode_quarter(logits) - points).abs().max() > 0.2


def test_dark_leaves_border_peaks_and_ridges_alone():
    logits = torch.full((1, 2, 8, 8), -40.0)
    logits[0, 0, 0, 0] = 0
    logits[0, 1] = 0
    assert codec.decode_dark(logits, 1.0)[0, 0].tolist() == [0.5, 0.5]
