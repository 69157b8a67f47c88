"""Metrics against figures of other programs, slow formulas and their own laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad
from minigrad import train
from minigrad.testing import check

SHAPE = (3, 24, 20)


def pictures() -> tuple[minigrad.Tensor, minigrad.Tensor]:
    """Two alike pictures (1, 3, 24, 20) by formula, so that other programs can be given the same."""
    i, j, k = np.indices(SHAPE)
    one = (i * 31 + j * 17 + k * 11 + j * k) % 64 / 63
    other = (i * 29 + j * 13 + k * 19) % 64 / 126 + one / 2
    return minigrad.tensor(one).unsqueeze(0), minigrad.tensor(other).unsqueeze(0)


def test_ssim_and_psnr_are_those_of_scikit_image() -> None:
    """scikit-image 0.26: structural_similarity with gaussian_weights, sigma 1.5, data_range 1, no sample covariance, its map without
    the border of 5 pixels that the window leaves; and peak_signal_noise_ratio."""
    one, other = pictures()
    assert train.ssim(one, other).item() == pytest.approx(0.6498313910329471, rel=1e-12)
    assert train.psnr(one, other).item() == pytest.approx(13.591974000711474, rel=1e-12)


@pytest.mark.parametrize("metric", [train.ssim, train.psnr])
def test_metrics_of_pictures_do_not_depend_on_the_unit_of_brightness(metric: object) -> None:
    one, other = pictures()
    assert metric(255 * one, 255 * other, data_range=255).item() == pytest.approx(metric(one, other).item(), rel=1e-12)  # type: ignore[operator]


def test_ssim_of_a_picture_with_itself_is_one_and_psnr_is_infinite() -> None:
    one, _ = pictures()
    assert train.ssim(one, one).item() == pytest.approx(1, rel=1e-14)
    assert train.psnr(one, one).item() == math.inf


def test_metrics_of_pictures_have_right_derivatives() -> None:
    one, other = pictures()
    x, y = (picture[..., :6, :7].clone() for picture in (one, other))
    assert check(lambda a: train.ssim(a, y, window=5), x, max_examples=5).verdict == "pass"
    assert check(lambda a: train.psnr(a, y), x, max_examples=5).verdict == "pass"


def test_wrong_pictures_are_refused() -> None:
    one, other = pictures()
    with pytest.raises(
        ValueError, match=r"psnr: expected pictures of one shape, but got \(1, 3, 24, 20\) and \(3, 24, 20\)"
    ):
        train.psnr(one, other[0])
    with pytest.raises(ValueError, match="sides of at least window=21 pixels"):
        train.ssim(one, other, window=21)
    with pytest.raises(TypeError, match=r"ssim: expected floating point pictures.*\.float\(\)"):
        train.ssim((one * 255).byte(), (other * 255).byte())
    with pytest.raises(ValueError, match="data_range should be positive, but is 0"):
        train.psnr(one, other, data_range=0)


def test_accuracy_counts_labels_among_the_k_best() -> None:
    scores = minigrad.tensor([[3.0, 2.0, 1.0], [1.0, 2.0, 3.0], [1.0, 3.0, 2.0], [2.0, 1.0, 3.0]])
    labels = minigrad.tensor([0, 0, 2, 0])
    assert [train.accuracy(scores, labels, k) for k in (1, 2, 3)] == [0.25, 0.75, 1.0]
    with pytest.raises(ValueError, match="k should be from 1 to 3, the number of classes, but is 4"):
        train.accuracy(scores, labels, 4)
    with pytest.raises(ValueError, match=r"expected scores \(N, C\) and labels \(N,\), but got \(4, 3\) and \(4, 1\)"):
        train.accuracy(scores, labels.unsqueeze(1))


labels_of_three = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=30)


@given(labels_of_three)
def test_a_confusion_matrix_is_what_a_count_gives(pairs: list[tuple[int, int]]) -> None:
    predicted, target = (minigrad.tensor(list(column)) for column in zip(*pairs, strict=True))
    confusion = train.ConfusionMatrix(3)
    half = len(pairs) // 2
    confusion.update(predicted[:half], target[:half])
    confusion.update(predicted[half:], target[half:])
    for true in range(3):
        for guess in range(3):
            assert confusion.matrix[true, guess].item() == pairs.count((guess, true))
        ours, theirs = (predicted == true), (target == true)
        if ours.any() or theirs.any():
            assert confusion.iou[true].item() == pytest.approx(train.iou(ours, theirs), rel=1e-14)
            assert confusion.dice[true].item() == pytest.approx(train.dice(ours, theirs), rel=1e-14)
        else:
            assert math.isnan(confusion.iou[true].item())
        if theirs.any():
            assert confusion.recall[true].item() == pytest.approx(
                float((ours & theirs).sum()) / float(theirs.sum()), rel=1e-14
            )
        if ours.any():
            assert confusion.precision[true].item() == pytest.approx(
                float((ours & theirs).sum()) / float(ours.sum()), rel=1e-14
            )
    assert confusion.accuracy == sum(guess == true for guess, true in pairs) / len(pairs)


def test_a_confusion_matrix_takes_scores_and_ignores_what_it_should() -> None:
    confusion = train.ConfusionMatrix(2, ignore_index=255)
    scores = minigrad.tensor([[[[2.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [3.0, 1.0]]]])  # (1, 2, 2, 2): classes 0 1 / 1 1
    confusion.update(scores, minigrad.tensor([[[0, 1], [0, 255]]]))
    assert confusion.matrix.tolist() == [[1, 1], [0, 1]]


def test_a_confusion_matrix_refuses_what_is_no_class() -> None:
    confusion = train.ConfusionMatrix(3)
    with pytest.raises(ValueError, match="the target has labels from 0 to 3, but the classes are 0 to 2"):
        confusion.update(minigrad.tensor([0, 1]), minigrad.tensor([0, 3]))
    with pytest.raises(ValueError, match=r"expected scores \(N, 3, \.\.\.\) or classes as integers"):
        confusion.update(minigrad.zeros(4, 2), minigrad.tensor([0, 1, 0, 1]))
    assert confusion.matrix.sum().item() == 0


def test_empty_masks_agree() -> None:
    nothing = minigrad.zeros(3, 3)
    assert train.iou(nothing, nothing) == train.dice(nothing, nothing) == 1.0
    assert train.iou(nothing, nothing + 1) == train.dice(nothing, nothing + 1) == 0.0


@given(st.sets(st.integers(0, 11)), st.sets(st.integers(0, 11)))
def test_overlaps_are_those_of_sets(one: set[int], other: set[int]) -> None:
    found, there = (minigrad.tensor([float(i in pixels) for i in range(12)]).reshape(3, 4) for pixels in (one, other))
    if one | other:
        assert train.iou(found, there) == len(one & other) / len(one | other)
        assert train.dice(found, there) == 2 * len(one & other) / (len(one) + len(other))
        assert train.iou(0.3 + 0.4 * found, there > 0) == train.iou(there, found)  # what counts is the side of 0.5


@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_the_frechet_distance_is_that_of_the_definition(seed: int, size: int) -> None:
    from scipy.linalg import sqrtm

    random = np.random.default_rng(seed)
    a = random.normal(size=(40, size)) @ random.normal(size=(size, size))
    b = random.normal(size=(50, size)) + random.normal(size=size)
    s1, s2 = (np.cov(x, rowvar=False).reshape(size, size) for x in (a, b))
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(s1 + s2 - 2 * sqrtm(s1 @ s2).real)
    found = train.frechet_distance(minigrad.tensor(a), minigrad.tensor(b))
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-6)
    assert found == pytest.approx(train.frechet_distance(minigrad.tensor(b), minigrad.tensor(a)), rel=1e-6, abs=1e-6)
    assert train.frechet_distance(minigrad.tensor(a), minigrad.tensor(a)) == pytest.approx(
        0, abs=1e-6 * float(np.trace(s1) + 1)
    )


@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_precision_and_recall_are_those_of_the_definition(seed: int, k: int) -> None:
    random = np.random.default_rng(seed)
    a, b = random.normal(size=(9, 2)), random.normal(size=(12, 2)) + 0.7

    def share(some: np.ndarray, others: np.ndarray) -> float:
        inside = 0
        for sample in some:
            for centre in others:
                reach = sorted(math.dist(centre, other) for other in others)[k]
                if math.dist(sample, centre) <= reach:
                    inside += 1
                    break
        return inside / len(some)

    assert train.precision_recall(minigrad.tensor(a), minigrad.tensor(b), k) == (share(a, b), share(b, a))


def test_modes_are_counted() -> None:
    angles = minigrad.arange(8) * (math.pi / 4)
    ring = minigrad.stack([angles.cos(), angles.sin()], 1)
    samples = minigrad.cat([ring[:5] * 1.01, ring[:1] * 0.99, minigrad.zeros(2, 2)])
    assert train.modes_covered(samples, ring, radius=0.1) == (5, 0.75)
    assert train.modes_covered(samples, ring, radius=0.1, at_least=2) == (1, 0.75)
    with pytest.raises(
        ValueError, match=r"expected \(N, D\) and \(M, D\) with N and M at least 1, but got \(8, 2\) and \(8, 3\)"
    ):
        train.modes_covered(samples, minigrad.zeros(8, 3), radius=0.1)


def test_the_dice_loss_is_one_minus_dice_for_sure_answers() -> None:
    minigrad.manual_seed(0)
    there = minigrad.rand(3, 1, 4, 5) > 0.5
    found = minigrad.rand(3, 1, 4, 5) > 0.5
    expected = sum(1 - train.dice(f, t) for f, t in zip(found, there, strict=True)) / 3
    assert train.dice_loss(200 * (found.double() - 0.5), there, smoothing=0).item() == pytest.approx(expected, rel=1e-12)
    nothing = minigrad.zeros(2, 3)
    assert train.dice_loss(nothing - 100, nothing).item() == pytest.approx(0, abs=1e-12)
    logits = minigrad.randn(2, 5, dtype=minigrad.float64)
    assert check(lambda x: train.dice_loss(x, there[0].reshape(4, 5)[:2]), logits, max_examples=5).verdict == "pass"
    with pytest.raises(ValueError, match=r"dice_loss: expected logits and a target of one shape, but got \(2, 3\) and \(3,\)"):
        train.dice_loss(nothing, nothing[0])


def test_a_mean_weighs_batches_by_their_size() -> None:
    metric = train.Mean(train.accuracy)
    assert math.isnan(metric.compute())
    metric.update(minigrad.eye(3), minigrad.tensor([0, 1, 2]))
    metric.update(minigrad.eye(3)[:1], minigrad.tensor([2]))
    assert metric.compute() == 0.75
    metric.reset()
    assert math.isnan(metric.compute())
