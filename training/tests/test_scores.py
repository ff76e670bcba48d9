"""Scores of subjects and of empty windows, errors per person, and evaluation sets with unknown points."""

import json
import zipfile

import cv2
import numpy as np
import pytest

from training.evaluation_set import write_evaluation_set
from training.images import LabelledImages
from training.landmark_validation import PoseValidation
from training.scores import percentiles, search_windows, subject_scores
from training.tests.test_pose import CONFIG, upright_person


def test_a_subject_scores_the_mean_of_its_best_landmarks():
    found = [(None, np.array([0.1, 0.9, 0.5])), (None, np.array([1.0, 1.0, 0.4]))]
    assert np.allclose(subject_scores(found, 2), [0.7, 1.0])
    assert np.allclose(subject_scores(found, None), [0.5, 0.8])


def test_windows_cover_the_picture_and_its_quarters():
    image = np.zeros((8, 8, 3), np.uint8)
    image[:4, 4:] = 200  # top right quarter
    windows = search_windows([image], 4)
    assert windows.shape == (5, 3, 4, 4)
    assert windows[0, 0].mean() == 50
    # Sampling between pixels mixes the border columns only.
    assert [int(w[0, 1:3, 1:3].mean()) for w in windows[1:]] == [0, 0, 200, 0]


def test_percentiles_of_a_hundred_and_one_values():
    assert percentiles(np.arange(101.0)) == {"least": 0, "p1": 1, "p5": 5, "p50": 50, "p99": 99, "largest": 100}


def test_errors_of_people_are_in_torso_diameters_of_what_counts():
    points = np.stack([upright_person()] * 2)
    known = np.ones((2, 16), np.float32)
    known[1] = 0
    images = [np.zeros((192, 192, 3), np.uint8)] * 2
    validation = PoseValidation(LabelledImages(images, points, known, np.ones((2, 16), bool), np.ones(2), {}), CONFIG)
    # Torso: left shoulder (114, 62) to right hip (86, 110). Every joint is off by (3, 4).
    found = []
    for matrix in validation.matrices:
        moved = upright_person() + [3, 4]
        found.append((moved @ matrix[:, :2].T + matrix[:, 2], np.ones(16)))
    errors = validation.errors(found)
    assert np.isclose(errors[0], 5 / np.hypot(28, 48)) and np.isnan(errors[1])


def write_people_set(folder, **fields):
    """One upright person over black as `people_val` with the fields given."""
    np.savez(folder / "people_val.npz", ids=[4], landmarks=np.stack([upright_person()]) - 0.5, **fields)
    with zipfile.ZipFile(folder / "people_val.zip", "w") as archive:
        archive.writestr("4.jpg", cv2.imencode(".jpg", np.zeros((192, 192, 3), np.uint8))[1].tobytes())


def test_an_evaluation_set_leaves_hidden_points_out_where_asked(tmp_path):
    visibility = np.ones((1, 16))
    visibility[0, [0, 15]] = 0
    write_people_set(tmp_path, visibility=visibility)
    (row,) = json.loads(write_evaluation_set(tmp_path, "people_val", tmp_path / "out", visible=True).read_text())["images"]
    assert [k for k, point in enumerate(row["points"]) if point is None] == [0, 15]
    (row,) = json.loads(write_evaluation_set(tmp_path, "people_val", tmp_path / "out").read_text())["images"]
    assert None not in row["points"]
    write_people_set(tmp_path)
    with pytest.raises(ValueError, match="no 'visibility'"):
        write_evaluation_set(tmp_path, "people_val", tmp_path / "out", visible=True)


def test_an_evaluation_set_says_what_is_unknown_and_where_the_subject_is(tmp_path):
    known = np.ones((1, 16))
    known[0, 9] = 0.2
    write_people_set(tmp_path, known=known)
    (row,) = json.loads(write_evaluation_set(tmp_path, "people_val", tmp_path / "out").read_text())["images"]
    assert row["file"] == "4.jpg" and (tmp_path / "out/4.jpg").exists()
    assert row["points"][9] is None and row["points"][8] == [96, 50]
    assert row["box"] == [62, 30, 68, 140]
    assert row["normalizer"] == round(float(np.hypot(28, 48)), 3)  # (114, 62) to (86, 110)
