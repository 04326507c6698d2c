"""Synthetic windows as three parts of one task."""

import numpy as np

from examples.tinymyo.synthetic import synthetic_splits


def test_parts_are_one_task_scaled_by_the_training_part() -> None:
    splits = synthetic_splits(8, 200, 4, (400, 40, 80))
    assert [len(part) for part in (splits.train, splits.val, splits.test)] == [400, 40, 80]
    train = np.stack([splits.train[i][0] for i in range(400)])
    assert train.dtype == np.float32 and train.shape == (400, 8, 200)
    np.testing.assert_allclose(train.std(axis=(0, 2)), 1.0, atol=1e-3)
    np.testing.assert_allclose(train.mean(axis=(0, 2)), 0.0, atol=1e-3)
    assert splits.train.classes == ("gesture 0", "gesture 1", "gesture 2", "gesture 3")
    power = np.log((train**2).mean(axis=2))
    labels = np.array([splits.train[i][1] for i in range(400)])
    centres = np.stack([power[labels == number].mean(axis=0) for number in range(4)])
    found = [np.log((splits.test[i][0] ** 2).mean(axis=1)) for i in range(80)]
    nearest = [int(((centres - one) ** 2).sum(axis=1).argmin()) for one in found]
    accuracy = np.mean([number == splits.test[i][1] for i, number in enumerate(nearest)])
    assert accuracy > 0.75, "what tells classes apart in training does so in the test part"
