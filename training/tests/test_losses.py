"""Losses with hand-computed numbers."""

import math
import types

import pytest
import torch

from training import losses

POINT = torch.tensor([[[1.5, 0.5]]])  # the centre of cell (1, 0) of a 2x2 map
ONE, ZERO = torch.ones(1, 1), torch.zeros(1, 1)


def maps(values: list[float]) -> torch.Tensor:
    return torch.tensor(values).view(1, 1, 2, 2)


def test_regression_is_the_mean_square_of_an_eighth_of_the_logit_minus_the_gaussian():
    near, far = math.exp(-0.5), math.exp(-1.0)
    loss = losses.regression_loss(maps([0.0, 4.0, 0.0, 8.0]), POINT, ONE, ZERO, sigma=1.0)
    assert math.isclose(loss.item(), (near**2 + (0.5 - 1) ** 2 + far**2 + (1 - near) ** 2) / 4, rel_tol=1e-6)


def test_the_papers_targets_sit_on_cells():
    point = torch.tensor([[[1.9, 0.2]]])
    on_cell = losses.peak_targets(point, ONE, 2, 1.0, subcell=False)
    assert torch.allclose(on_cell, losses.peak_targets(POINT, ONE, 2, 1.0)) and on_cell.max() == 1
    assert losses.peak_targets(point, ONE, 2, 1.0).max() < 1
    assert losses.peak_targets(point, ZERO, 2, 1.0).abs().max() == 0


def test_detection_weighs_the_disc_by_half_its_rarity():
    # Radius 0.6 holds one of four cells: its weight is (4 - 1) / 1 / 2 = 1.5, the others' 1.
    loss = losses.detection_loss(maps([0.0, 0.0, 0.0, math.log(3)]), POINT, ONE, ZERO, radius=0.6)
    # Cross-entropies: log 2 for logit 0, -log(1 - 3/4) = log 4 for the last background cell.
    assert math.isclose(loss.item(), (math.log(2) * (1 + 1.5 + 1) + math.log(4)) / 4, rel_tol=1e-6)


def test_adaptive_wing_by_hand():
    target = losses.peak_targets(POINT, ONE, 2, 1.0).flatten().double().tolist()

    def wing(error: float, y: float) -> float:
        p = 2.1 - y
        if error < 0.5:
            return 14 * math.log(1 + error**p)
        slope = 14 / (1 + 0.5**p) * p * 0.5 ** (p - 1)
        return slope * error - (0.5 * slope - 14 * math.log(1 + 0.5**p))

    logits = [8 * target[0], 0.0, 0.8, 8 * target[3] + 2]
    errors = [0, 1.0, abs(0.1 - target[2]), 0.25]
    loss = losses.adaptive_wing_loss(maps(logits), POINT, ONE, ZERO, sigma=1.0)
    assert math.isclose(loss.item(), 11 * sum(map(wing, errors, target)) / 4, rel_tol=1e-4)


@pytest.mark.parametrize("name", losses.LOSSES)
def test_gradients_are_those_of_finite_differences(name):
    torch.manual_seed(1)
    logits = (torch.randn(2, 2, 6, 6).double() * 3).requires_grad_()
    mask = torch.tensor([[1.0, 0.0], [1.0, 0.5]]).double()
    targets = [torch.rand(2, 2, 2).double() * 5, mask, (1 - mask) * (mask == 0)]
    config = types.SimpleNamespace(losses=(name,), sigma=1.0, window=3, coordinate_loss=0.5, subcell=True)
    assert torch.autograd.gradcheck(lambda x: losses.heads_loss([x], targets, config), logits, atol=1e-5)


def test_gradients_of_a_teachers_and_of_centres_losses_are_those_of_finite_differences():
    torch.manual_seed(2)
    student, teacher = (torch.randn(2, 3, 4, 4).double() * 2).requires_grad_(), torch.randn(2, 3, 4, 4).double()
    mask = torch.rand(2, 3).double()
    assert torch.autograd.gradcheck(lambda x: losses.distillation_loss(x, teacher, mask), student)
    heat, weight, positive = (torch.rand(2, 4, 4).double() for _ in range(3))
    output, values = (torch.randn(2, 4, 4, 4).double() * 2).requires_grad_(), torch.randn(2, 3, 4, 4).double()
    heat[0, 1, 1] = 1.0
    assert torch.autograd.gradcheck(lambda x: losses.centers_loss(x, heat, weight, values, positive), output)


def test_likelihood_by_hand():
    # Cells 0 and 1 of a row have 1/4 and 3/4 of the probability, the others nothing; the target halves from a column to the next
    # one where exp(-1 / 2 sigma^2) = 1/2.
    sigma = (2 * math.log(2)) ** -0.5
    logits = maps([0.0, math.log(3), -60, -60])
    # Target 1/3, 2/3 in x, 2/3, 1/3 in y: 2/9 log 4 + 4/9 log 4/3 above, 1/9 (60 + log 4) + 2/9 (60 + log 4) below.
    entropy = 2 / 9 * math.log(4) + 4 / 9 * math.log(4 / 3) + 3 / 9 * (60 + math.log(4))
    args = (POINT, ONE, ZERO, sigma, 3)
    assert math.isclose(losses.landmark_loss(logits, *args, 0.0).item(), entropy, rel_tol=1e-5)
    # The window holds all cells: expected x is 1/4 * 0.5 + 3/4 * 1.5 = 1.25 instead of 1.5, y is right; weight 0.5.
    assert math.isclose(losses.landmark_loss(logits, *args, 0.5).item(), entropy + 0.5 * 0.25, rel_tol=1e-5)
    # Nothing there, weight 1/2: half the cross-entropy with the flat distribution.
    flat = (2 * math.log(4) + math.log(4 / 3) - math.log(4) + 2 * (60 + math.log(4))) / 4
    assert math.isclose(losses.landmark_loss(logits, POINT, ZERO, ONE / 2, sigma, 3, 0.5).item(), flat / 2, rel_tol=1e-5)


def test_every_pass_has_its_own_loss():
    config = types.SimpleNamespace(losses=("detection", "regression"), sigma=1.0, window=3, coordinate_loss=0.5, subcell=True)
    heads = [maps([float(i), 1, 2, 3]) for i in range(4)]
    expected = sum(losses.detection_loss(h, POINT, ONE, ZERO) for h in heads[:2])
    expected = expected + sum(losses.regression_loss(h, POINT, ONE, ZERO, 1.0) for h in heads[2:])
    assert torch.isclose(losses.heads_loss(heads, [POINT, ONE, ZERO], config), expected)
    config.losses = ("hinge",)
    with pytest.raises(ValueError, match="expected one of likelihood"):
        losses.heads_loss(heads, [POINT, ONE, ZERO], config)


def test_unknown_landmarks_do_not_count_and_absent_subjects_do():
    mask, absent = torch.tensor([[1.0], [0.0]]), torch.zeros(2, 1)
    points, logits = POINT.expand(2, 1, 2), torch.stack([maps([1.0, 2, 3, 4])[0], maps([9.0, 9, 9, 9])[0]])
    alone = losses.regression_loss(logits[:1], POINT, ONE, ZERO, 1.0)
    assert torch.isclose(losses.regression_loss(logits, points, mask, absent, 1.0), alone)
    empty = losses.regression_loss(logits[1:], POINT, ZERO, ONE, 1.0)
    assert math.isclose(empty.item(), (9 / 8) ** 2, rel_tol=1e-6)


def test_distillation_is_the_divergence_from_the_teacher():
    teacher, student = maps([0.0, math.log(3), -100, -100]), maps([0.0, 0.0, -100, -100])
    # Teacher 1/4, 3/4; student 1/2, 1/2: 1/4 log(1/2) + 3/4 log(3/2).
    expected = 0.25 * math.log(0.5) + 0.75 * math.log(1.5)
    assert math.isclose(losses.distillation_loss(student, teacher, ONE).item(), expected, rel_tol=1e-5)
