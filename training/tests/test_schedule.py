"""What changes over a run, and the figures it is judged by, with numbers counted by hand."""

import dataclasses

import numpy as np
import pytest
import torch

from training import metrics
from training.configs import load_config
from training.schedule import Average, has_float_weights, is_settling, learning_rate, trained_weights

CONFIG = dataclasses.replace(load_config("smoke"), rate=0.8, warmup=4, steps=12, float_weights=0.25)


def test_the_rate_climbs_in_a_line_and_falls_as_half_a_cosine():
    # cos(pi / 4) = 0.70711 two steps after warm-up, 0 in the middle of the eight that are left.
    rates = [learning_rate(step, CONFIG) for step in (0, 1, 3, 4, 6, 8, 12, 20)]
    assert rates == pytest.approx([0.2, 0.4, 0.8, 0.8, 0.4 * 1.70711, 0.4, 0, 0], abs=1e-5)


def test_low_bit_weights_are_float_for_their_share_of_the_steps():
    assert [has_float_weights(step, CONFIG) for step in (0, 2, 3, 11)] == [True, True, False, False]
    assert not has_float_weights(0, dataclasses.replace(CONFIG, float_weights=0.0))


def test_low_bit_weights_settle_for_the_last_share_of_the_steps():
    settle = dataclasses.replace(CONFIG, settle=0.25)
    assert [is_settling(step, settle) for step in (0, 8, 9, 11)] == [False, False, True, True]
    assert not is_settling(11, CONFIG)
    assert is_settling(0, dataclasses.replace(CONFIG, settle=1.0))


def test_averaged_weights_by_hand():
    model = torch.nn.Linear(1, 1, bias=False)
    model.weight.data.fill_(1.0)
    average = Average(model, decay=0.25)
    for value in (2.0, 4.0, 8.0):
        model.weight.data.fill_(value)
        average.update(model)
    # Decays 1/10, 2/11 and, as 3/12 is not below 0.25, 0.25: 0.1 + 1.8 = 1.9; (2 * 1.9 + 9 * 4) / 11 = 3.61818; 0.25 * that + 6.
    assert average.tensors["weight"].item() == pytest.approx(0.25 * 39.8 / 11 + 6)
    assert trained_weights({"model": model.state_dict(), "average": average.state_dict()}) is average.tensors
    assert trained_weights({"model": {"weight": 3}}) == {"weight": 3}


def test_errors_of_the_field_by_hand():
    true = np.array([[[0, 0], [10, 0]], [[0, 0], [0, 50]]], float)
    found = true + np.array([[[3, 4], [0, 0]], [[0, 0], [0, 2]]])
    size = metrics.pair_distance(true, (0, 1))
    assert size.tolist() == [10, 50]
    nme = metrics.nme_per_image(found, true, size)
    assert nme.tolist() == [25, 2]  # (5 + 0) / 2 of 10, (0 + 2) / 2 of 50
    # One of two above 8 %; the area is that of 1 - 2 / 8 and nothing, halved.
    assert metrics.figures(nme) == {"nme": 13.5, "fr8": 50.0, "auc8": 37.5}


def test_losses_are_one_or_one_for_each_pass():
    dataclasses.replace(CONFIG, losses=("detection",), graph=dataclasses.replace(CONFIG.graph, refinements=1))
    with pytest.raises(ValueError, match="2 losses for 1 passes"):
        dataclasses.replace(CONFIG, losses=("detection", "regression"))
