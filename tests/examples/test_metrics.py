"""Scores against hand-made cases, and the picture of a confusion matrix."""

import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from examples.tinymyo.metrics import (
    classification_figures,
    confusion_matrix,
    confusion_svg,
    regression_figures,
)


def test_a_network_that_always_says_rest_has_a_low_macro_f1() -> None:
    labels = np.array([0] * 8 + [1, 2])
    confusion = confusion_matrix(labels, np.zeros(10, dtype=np.int64), 4)
    assert confusion.tolist() == [[8, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    figures = classification_figures(confusion)
    # F1 of rest is 16/18, of the other two 0; class 3 does not occur.
    assert figures == {"accuracy": 0.8, "macro_f1": pytest.approx(16 / 18 / 3)}


def test_macro_f1_by_hand() -> None:
    confusion = np.array([[3, 1], [2, 4]])
    figures = classification_figures(confusion)
    assert figures == {"accuracy": 0.7, "macro_f1": pytest.approx((6 / 9 + 8 / 11) / 2)}


def test_regression_by_hand() -> None:
    target = np.array([[[0.0, 5.0], [2.0, 5.0]]], dtype=np.float32)
    found = np.array([[[1.0, 5.0], [2.0, 5.0]]], dtype=np.float32)
    figures = regression_figures(target, found)
    assert figures == {"mae": 0.25, "rmse": 0.5, "r2": 0.5}
    assert math.isnan(regression_figures(target[..., 1:], found[..., 1:])["r2"])


def test_picture() -> None:
    svg = confusion_svg(np.array([[3, 1], [0, 4]]), ("rest & <none>", "fist"))
    root = ET.fromstring(svg)
    texts = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[1:] == ["rest & <none>", "rest & <none>", "75", "25", "fist", "fist", "100"]
    titles = [node.text for node in root.iter("{http://www.w3.org/2000/svg}title")]
    assert titles[1] == "rest & <none> found as fist: 1"
    fills = [node.get("fill") for node in root.iter("{http://www.w3.org/2000/svg}rect")]
    assert len(set(fills[1:])) == 4, "another shade for another share"
