"""Figures of a classifier or a regressor, and the confusion matrix as a picture."""

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

CELL, MARGIN = 28, 110


def confusion_matrix(labels: NDArray[np.int64], found: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Count windows by true class (row) and found class (column)."""
    return np.bincount(labels * classes + found, minlength=classes * classes).reshape(classes, classes)


def classification_figures(confusion: NDArray[np.int64]) -> dict[str, float]:
    """Return accuracy and macro-F1: the mean over the classes, so that rest cannot hide the others.

    A class counts if it is the label or the answer of some window.
    """
    hits = np.diag(confusion).astype(np.float64)
    seen = confusion.sum(axis=0) + confusion.sum(axis=1)
    return {
        "accuracy": float(hits.sum() / confusion.sum()),
        "macro_f1": float((2.0 * hits[seen > 0] / seen[seen > 0]).mean()),
    }


def regression_figures(targets: NDArray[np.float32], found: NDArray[np.float32]) -> dict[str, float]:
    """Return MAE, RMSE and R2 of values (windows, instants, outputs); R2 is the mean over the outputs.

    An output that never changes has no R2 and stays out of the mean.
    """
    target = targets.reshape(-1, targets.shape[-1]).astype(np.float64)
    error = found.reshape(target.shape) - target
    spread = ((target - target.mean(axis=0)) ** 2).sum(axis=0)
    varies = spread > 0.0
    r2 = 1.0 - (error**2).sum(axis=0)[varies] / spread[varies]
    return {
        "mae": float(np.abs(error).mean()),
        "rmse": float(np.sqrt((error**2).mean())),
        "r2": float(r2.mean()) if varies.any() else float("nan"),
    }


def confusion_svg(confusion: NDArray[np.int64], classes: Sequence[str]) -> str:
    """Draw a confusion matrix as SVG: rows true, columns found, shade and number in percent of the row."""
    count = len(classes)
    percent = 100.0 * confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    size = MARGIN + count * CELL + 10
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" width="{size}" height="{size}" '
        'font-family="sans-serif" font-size="10">',
        f'<rect width="{size}" height="{size}" fill="white"/>',
        '<text x="6" y="14">true (rows), found (columns), percent of the row</text>',
    ]
    for row, name in enumerate(classes):
        middle = MARGIN + row * CELL + CELL // 2
        text = escape(name[:16])
        lines.append(f'<text x="{MARGIN - 6}" y="{middle + 4}" text-anchor="end">{text}</text>')
        lines.append(f'<text transform="translate({middle + 4} {MARGIN - 6}) rotate(-90)">{text}</text>')
        for column in range(count):
            value = percent[row, column]
            x, y = MARGIN + column * CELL, MARGIN + row * CELL
            shade, ink = round(255 - 2.2 * value), "white" if value > 50 else "black"
            fill = f"rgb({shade},{round(255 - 1.4 * value)},255)"
            title = (
                f"<title>{escape(name)} found as {escape(classes[column])}: {confusion[row, column]}</title>"
            )
            lines.append(f'<rect x="{x}" y="{y}" width="{CELL}" height="{CELL}" fill="{fill}">{title}</rect>')
            if confusion[row, column]:
                place = f'x="{x + CELL // 2}" y="{y + CELL // 2 + 4}" text-anchor="middle" fill="{ink}"'
                lines.append(f"<text {place}>{value:.0f}</text>")
    return "\n".join([*lines, "</svg>", ""])
