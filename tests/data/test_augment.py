"""Augmentation: what the parameters say is what happens, to masks as to images, image by image, with derivatives."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad
from minigrad.data import augment
from minigrad.data.augment import transforms
from minigrad.testing import check

SIZES = [(7, 7), (8, 5), (5, 8), (16, 16)]


def images(n: int, channels: int = 3, height: int = 8, width: int = 8, seed: int = 0, dtype: str = "float64") -> Any:
    return minigrad.rand(n, channels, height, width, generator=generator(seed), dtype=dtype)


def smooth(height: int, width: int) -> Any:
    """A picture without fine detail, which interpolation does not blur much."""
    y, x = np.mgrid[:height, :width]
    return minigrad.tensor(np.stack([np.sin(x / 7) * np.cos(y / 9), np.cos(x / 8 + y / 10)])[None])


def generator(seed: int) -> Any:
    return minigrad.Generator().manual_seed(seed)


def same(a: Any, b: Any) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.numpy().tobytes() == b.numpy().tobytes()


ALL = {
    "flip": lambda g: augment.RandomHorizontalFlip(generator=g),
    "vertical flip": lambda g: augment.RandomVerticalFlip(generator=g),
    "rotation": lambda g: augment.RandomRotation(40, generator=g),
    "shift": lambda g: augment.RandomShift((0.3, 0.3), generator=g),
    "scale": lambda g: augment.RandomScale((0.5, 1.5), generator=g),
    "affine": lambda g: augment.RandomAffine(30, (0.2, 0.1), (0.8, 1.2), (-10, 10, -5, 5), fill=0.5, generator=g),
    "crop": lambda g: augment.RandomCrop(6, padding=1, generator=g),
    "colour": lambda g: augment.ColorJitter(0.4, 0.4, 0.4, 0.2, generator=g),
    "cutout": lambda g: augment.Cutout(4, generator=g),
    "composed": lambda g: augment.Compose(
        [
            augment.RandomHorizontalFlip(generator=g),
            augment.RandomRotation(20, generator=g),
            augment.Cutout(3, generator=g),
        ]
    ),
}
GEOMETRY = ["flip", "vertical flip", "rotation", "shift", "scale", "affine", "crop"]
IDENTITIES = {
    "flip": augment.RandomHorizontalFlip(0.0),
    "rotation": augment.RandomRotation(0),
    "shift": augment.RandomShift((0, 0)),
    "scale": augment.RandomScale((1, 1)),
    "affine": augment.RandomAffine(fill=0.3),
    "pad": augment.Pad(0),
    "crop": augment.RandomCrop(8),
    "center crop": augment.CenterCrop(8),
    "colour": augment.ColorJitter(),
    "colours": augment.ColorJitter((1, 1), (1, 1), (1, 1), (0, 0)),
    "cutout": augment.Cutout(3, p=0.0),
    "normalize": augment.Normalize(0.0, 1.0),
    "nothing": augment.Compose([]),
}

# --- laws -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", IDENTITIES)
def test_identity_parameters_change_no_bit(name: str, dtype: str) -> None:
    batch = images(3, dtype=dtype)
    mask = minigrad.randint(0, 5, (3, 8, 8))
    out, moved = IDENTITIES[name](batch, mask)
    assert same(out, batch)
    assert same(moved, mask)


@pytest.mark.parametrize("adjust", [augment.adjust_brightness, augment.adjust_contrast, augment.adjust_saturation])
def test_a_factor_of_one_changes_no_bit(adjust: Any) -> None:
    assert same(adjust(images(2), 1.0), images(2))
    assert same(augment.adjust_hue(images(2), 0.0), images(2))


@pytest.mark.parametrize("size", SIZES)
def test_mirrors_undo_themselves(size: tuple[int, int]) -> None:
    x = images(2, 3, *size)
    for flip in (augment.hflip, augment.vflip):
        assert same(flip(flip(x)), x)
        assert not same(flip(x), x)
    always = augment.RandomHorizontalFlip(1.0)
    assert same(always(always(x)), x)
    assert same(always(x), augment.hflip(x))
    by_map = augment.affine(x, [[-1, 0, 0], [0, 1, 0]])
    np.testing.assert_allclose(by_map.numpy(), augment.hflip(x).numpy(), atol=1e-12)


@given(
    angle=st.floats(-60, 60),
    dx=st.floats(-3, 3),
    dy=st.floats(-3, 3),
    scale=st.floats(0.8, 1.3),
    shear=st.floats(-15, 15),
)
def test_the_inverse_map_recovers_the_image(angle: float, dx: float, dy: float, scale: float, shear: float) -> None:
    x = smooth(48, 40)
    matrix = augment.affine_matrix(angle, (dx, dy), scale, (shear, 0.0), dtype="float64").numpy()
    inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]
    again = augment.affine(augment.affine(x, matrix, "bicubic"), inverse, "bicubic")
    np.testing.assert_allclose(again.numpy()[..., 20:28, 16:24], x.numpy()[..., 20:28, 16:24], atol=2e-2)


@given(dx=st.integers(-4, 4), dy=st.integers(-4, 4), mode=st.sampled_from(["nearest", "bilinear"]))
def test_whole_pixels_are_shifted_exactly(dx: int, dy: int, mode: str) -> None:
    x = images(1, 1, 7, 6)
    out = augment.affine(x, [[1, 0, dx], [0, 1, dy]], mode, fill=-1.0).numpy()[0, 0]
    expected = np.full((7, 6), -1.0)
    for row in range(7):
        for column in range(6):
            if 0 <= row - dy < 7 and 0 <= column - dx < 6:
                expected[row, column] = x.numpy()[0, 0, row - dy, column - dx]
    np.testing.assert_allclose(out, expected, atol=1e-12)


@pytest.mark.parametrize("quarter", [1, 2, 3])
def test_quarter_turns_are_counter_clockwise(quarter: int) -> None:
    x = images(2, 3, 9, 9)
    turned = augment.affine(x, augment.affine_matrix(90.0 * quarter, dtype="float64"))
    np.testing.assert_allclose(turned.numpy(), np.rot90(x.numpy(), quarter, (-2, -1)), atol=1e-9)


def test_the_parts_of_a_matrix() -> None:
    matrix = augment.affine_matrix(30.0, (5.0, -2.0), 2.0, (10.0, 20.0), dtype="float64").numpy()
    turn, tan = math.radians(30), (math.tan(math.radians(10)), math.tan(math.radians(20)))
    rotation = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    np.testing.assert_allclose(matrix[:, :2], 2 * rotation @ np.array([[1, tan[0]], [tan[1], 1]]))
    assert matrix[:, 2].tolist() == [5, -2]
    many = augment.affine_matrix(minigrad.tensor([0.0, 90.0]), scale=minigrad.tensor([1.0, 3.0]))
    assert many.shape == (2, 2, 3)
    np.testing.assert_allclose(many.numpy()[1], [[0, 3, 0], [-3, 0, 0]], atol=1e-6)


@pytest.mark.parametrize("name", GEOMETRY)
@pytest.mark.parametrize("single", [False, True])
def test_image_and_mask_stay_aligned(name: str, single: bool) -> None:
    """The image has the mask as one of its channels: with the nearest pixel they move together."""
    for seed in range(5):
        mask = minigrad.randint(1, 9, (1, 8, 8) if single else (4, 8, 8), generator=generator(seed))
        image = mask.double() if single else mask.unsqueeze(1).double()
        transform = ALL[name](generator(seed))
        transform.mode, transform.fill = "nearest", 0.0
        out, moved = transform(image, mask)
        assert moved.dtype == mask.dtype
        assert out.reshape(moved.shape).tolist() == moved.tolist()
        assert set(np.unique(moved.numpy())) <= set(range(9))


def test_masks_of_every_form() -> None:
    image = images(2)
    transform = augment.RandomAffine(30, (0.2, 0.2), mask_fill=255)
    masks = [
        minigrad.ones(2, 8, 8).byte(),
        minigrad.ones(2, 8, 8).bool(),
        minigrad.ones(2, 4, 8, 8),
        minigrad.ones(2, 1, 8, 8).long(),
    ]
    out = transform(image, *masks)
    assert [(one.shape, one.dtype) for one in out] == [(one.shape, one.dtype) for one in (image, *masks)]
    assert set(np.unique(out[1].numpy())) == {1, 255}
    one, mask = transform(image[0], masks[0][0])
    assert (one.shape, mask.shape) == ((3, 8, 8), (8, 8))
    large = minigrad.full((8, 8), 2**40 + 1).long()
    assert set(np.unique(augment.RandomRotation((10, 20))(image[0], large)[1].numpy())) == {0, 2**40 + 1}


@pytest.mark.parametrize("name", ALL)
def test_seeds_make_it_repeatable_and_images_have_their_own_draws(name: str) -> None:
    x = images(1).expand(16, 3, 8, 8)
    first, second = ALL[name](generator(1))(x), ALL[name](generator(1))(x)
    assert same(first, second)
    assert not same(first, ALL[name](generator(2))(x))
    assert len({one.numpy().tobytes() for one in first}) > 1
    minigrad.manual_seed(3)
    by_default = ALL[name](None)(x)
    minigrad.manual_seed(3)
    assert same(ALL[name](None)(x), by_default)


@pytest.mark.parametrize("name", ALL)
def test_a_batch_of_one_is_a_sample_and_the_input_stays(name: str) -> None:
    x = images(1)
    before = x.numpy().tobytes()
    assert same(ALL[name](generator(4))(x)[0], ALL[name](generator(4))(x[0]))
    assert x.numpy().tobytes() == before


@pytest.mark.parametrize("name", ALL)
def test_gradients(name: str) -> None:
    """Each is a function of the image whose derivative the differences confirm."""
    x = images(1, 3, 4, 4, seed=7) * 0.5 + 0.25
    result = check(lambda x: ALL[name](generator(5))(x), x.numpy(), max_examples=1)
    assert result.verdict == "pass"


def test_gradients_of_the_parameters() -> None:
    x = smooth(3, 3)
    check(
        lambda x, matrix: augment.affine(x, matrix),
        x.numpy(),
        np.array([[0.9, 0.1, 0.3], [-0.2, 1.1, 0.45]]),
        max_examples=1,
    )
    check(lambda angle, shift, scale, shear: augment.affine_matrix(angle, shift, scale, shear, dtype="float64"), np.array([10.0, 50.0]), np.ones((2, 2)), np.array([1.2, 0.8]), np.ones((2, 2)) * 5, max_examples=1)  # fmt: skip
    batch = images(2, 3, 2, 2) * 0.4 + 0.3
    for adjust in (augment.adjust_brightness, augment.adjust_contrast, augment.adjust_saturation):
        check(adjust, batch.numpy(), np.array([0.8, 1.1]), max_examples=1)
    check(augment.adjust_hue, batch.numpy(), np.array([0.05, -0.03]), max_examples=1)
    # The map that is the identity has a derivative too.
    matrix = minigrad.tensor([[1.0, 0, 0], [0, 1, 0]], dtype="float64", requires_grad=True)
    (augment.affine(x, matrix) * minigrad.arange(3.0).double()).sum().backward()
    assert matrix.grad.abs().sum() > 0


# --- colours ----------------------------------------------------------------------------------------------------------


def test_colours_by_hand() -> None:
    x = minigrad.tensor([[[[0.2, 0.8]], [[0.4, 0.4]], [[0.6, 0.0]]]], dtype="float64")
    luma = 0.299 * x[0, 0] + 0.587 * x[0, 1] + 0.114 * x[0, 2]
    np.testing.assert_allclose(augment.grey(x)[0, 0].numpy(), luma.numpy())
    np.testing.assert_allclose(augment.adjust_brightness(x, 1.5).numpy(), (x * 1.5).clamp(0, 1).numpy())
    np.testing.assert_allclose(augment.adjust_saturation(x, 0.0).numpy(), luma.expand(1, 3, 1, 2).numpy())
    np.testing.assert_allclose(augment.adjust_contrast(x, 0.0).numpy(), luma.mean().expand(1, 3, 1, 2).numpy())
    np.testing.assert_allclose(augment.adjust_contrast(x, 0.5).numpy(), ((x + luma.mean()) / 2).numpy())
    np.testing.assert_allclose(
        augment.normalize(x, (0.1, 0.2, 0.3), 0.5).numpy(),
        ((x.numpy() - np.array([0.1, 0.2, 0.3]).reshape(3, 1, 1)) / 0.5),
    )


@given(turns=st.floats(-0.5, 0.5), seed=st.integers(0, 100))
def test_hue_keeps_brightness_and_turns_back(turns: float, seed: int) -> None:
    x = images(2, seed=seed) * 0.1 + 0.45  # so that nothing is cut off
    turned = augment.adjust_hue(x, turns)
    np.testing.assert_allclose(augment.grey(turned).numpy(), augment.grey(x).numpy(), atol=1e-3)
    np.testing.assert_allclose(augment.adjust_hue(turned, -turns).numpy(), x.numpy(), atol=1e-9)
    equal = minigrad.full((1, 3, 2, 2), 0.3, dtype="float64")
    np.testing.assert_allclose(augment.adjust_hue(equal, turns).numpy(), equal.numpy(), atol=1e-3)  # grey has no hue


@given(
    brightness=st.floats(0, 3),
    contrast=st.floats(0, 3),
    saturation=st.floats(0, 3),
    hue=st.floats(0, 0.5),
    seed=st.integers(0, 99),
)
def test_colours_stay_within_bounds(
    brightness: float, contrast: float, saturation: float, hue: float, seed: int
) -> None:
    out = augment.ColorJitter(brightness, contrast, saturation, hue, generator=generator(seed))(images(2))
    assert 0 <= out.min() <= out.max() <= 1


# --- hiding and mixing ------------------------------------------------------------------------------------------------


@given(size=st.integers(1, 8), seed=st.integers(0, 99))
def test_cutout_hides_one_rectangle(size: int, seed: int) -> None:
    out = augment.Cutout(size, fill=-1.0, generator=generator(seed))(images(3))
    for one in out.numpy():
        hidden = (one == -1).all(0)
        rows, columns = np.flatnonzero(hidden.any(1)), np.flatnonzero(hidden.any(0))
        assert 0 < hidden.sum() == rows.size * columns.size <= size * size
        assert rows[-1] - rows[0] + 1 == rows.size <= size
        assert ((one == -1).any(0) == hidden).all()


@given(alpha=st.sampled_from([0.1, 0.4, 1.0, 5.0]), seed=st.integers(0, 999), n=st.integers(1, 6))
def test_mixup_is_convex(alpha: float, seed: int, n: int) -> None:
    x, labels = images(n, seed=seed), minigrad.randint(0, 4, (n,), generator=generator(seed))
    mixed, shares = augment.MixUp(alpha, 4, generator(seed))(x, labels)
    assert shares.shape == (n, 4)
    np.testing.assert_allclose(shares.sum(1).numpy(), 1, atol=1e-12)
    assert bool((shares >= 0).all())
    low, high = x.min(0).values, x.max(0).values
    assert bool((mixed >= low - 1e-12).all()) and bool((mixed <= high + 1e-12).all())
    again, _ = augment.MixUp(alpha, 4, generator(seed))(x, labels)
    assert same(again, mixed)


def test_mixup_by_hand() -> None:
    x = minigrad.tensor([[1.0], [2.0], [4.0]])
    mixed, shares = augment.mixup(
        x, minigrad.tensor([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]), minigrad.tensor([1.0, 0.5, 0.0]), [1, 2, 0]
    )
    assert mixed.tolist() == [[1], [3], [1]]
    assert shares.tolist() == [[1, 0], [0.25, 0.75], [1, 0]]


# --- parts and borders ------------------------------------------------------------------------------------------------


def test_crops_and_borders() -> None:
    x = minigrad.arange(24).reshape(2, 1, 3, 4)
    assert augment.crop(x, [0, 1], [1, 2], 2, 2).tolist() == [[[[1, 2], [5, 6]]], [[[18, 19], [22, 23]]]]
    assert augment.CenterCrop((1, 2))(x[0].float()).tolist() == [[[5, 6]]]
    assert augment.pad(x[0], (1, 0, 0, 2)).shape == (1, 5, 5)
    assert augment.pad(x[0].float(), 1, padding_mode="reflect")[0, 0].tolist() == [5, 4, 5, 6, 7, 6]
    for seed in range(10):
        part = augment.RandomCrop((2, 3), generator=generator(seed))(x)
        first = part[:, 0, 0, 0].tolist()
        assert part[:, 0].tolist() == [[[n, n + 1, n + 2], [n + 4, n + 5, n + 6]] for n in first]
    starts = {tuple(augment.RandomCrop(2, generator=generator(s))(x)[0, 0, 0].tolist()) for s in range(40)}
    assert starts == {(n, n + 1) for n in (0, 1, 2, 4, 5, 6)}


# --- arguments --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: augment.RandomRotation(10)(np.ones((3, 8, 8))), TypeError, r"RandomRotation: expected a tensor, got ndarray"),
        (lambda: augment.RandomRotation(10)(minigrad.ones(8, 8)), ValueError, r"expected an image \(C, H, W\) or a batch"),
        (lambda: augment.RandomRotation(10)(images(2), minigrad.ones(2, 8, 7)), ValueError, r"a mask of shape \(2, 8, 7\) does not fit images of shape \(2, 3, 8, 8\)"),
        (lambda: augment.RandomRotation(10)(images(2), minigrad.ones(8, 8)), ValueError, r"a mask of shape \(8, 8\) does not fit"),
        (lambda: augment.RandomRotation(10)(images(2), [1]), TypeError, "expected a mask that is a tensor, got list"),
        (lambda: augment.RandomRotation((10, 5)), ValueError, "RandomRotation: degrees must be one number that is not negative, or two bounds in order"),
        (lambda: augment.RandomRotation(-5), ValueError, "degrees must be one number that is not negative"),
        (lambda: augment.RandomShift((0.5, 1.5)), ValueError, "RandomShift: translate must be two fractions"),
        (lambda: augment.RandomScale((0, 1)), ValueError, "RandomScale: scale must be positive"),
        (lambda: augment.RandomHorizontalFlip(1.5), ValueError, "RandomHorizontalFlip: p must be between 0 and 1"),
        (lambda: augment.RandomCrop(9)(images(1)), ValueError, "RandomCrop: 9 x 9 pixels do not fit into 8 x 8; use padding"),
        (lambda: augment.RandomCrop(0), ValueError, "RandomCrop: size must be positive"),
        (lambda: augment.ColorJitter(hue=0.6), ValueError, r"hue must lie within -0\.5 and 0\.5"),
        (lambda: augment.ColorJitter(brightness=(-1, 1)), ValueError, "factors must not be negative"),
        (lambda: augment.ColorJitter(hue=0.1)(images(1, channels=1)), ValueError, "expected the channels red, green and blue, got 1 channels"),
        (lambda: augment.adjust_brightness(minigrad.ones(3, 2, 2).byte(), 1), ValueError, r"expected floats from 0 to 1, got uint8; convert with x\.float"),
        (lambda: augment.Normalize(0, 0)(images(1)), ValueError, "normalize: std must be positive"),
        (lambda: augment.Normalize((0, 0), 1)(images(1)), ValueError, "normalize: 2 values for an image of 3 channels"),
        (lambda: augment.MixUp(0), ValueError, "MixUp: alpha must be positive"),
        (lambda: augment.MixUp()(images(2), minigrad.tensor([0, 1])), ValueError, "say how many there are"),
        (lambda: augment.mixup(images(2), images(2), 1.5, [0, 1]), ValueError, "weight must be between 0 and 1"),
        (lambda: augment.affine(images(2), np.eye(3)), ValueError, r"expected a matrix \(2, 3\) or \(2, 2, 3\), got shape \(3, 3\)"),
        (lambda: augment.affine(images(2), np.ones((2, 3))), ValueError, "cannot be inverted"),
        (lambda: augment.crop(images(1), 0, 5, 4, 4), ValueError, "4 x 4 pixels from row 0 and column 5 are not within an image of 8 x 8"),
        (lambda: augment.pad(images(1), (1, 2, 3)), ValueError, "expected one width, two or four"),
        (lambda: transforms.Augmentation()(images(1)), NotImplementedError, "Augmentation does not define draw"),
    ],
)  # fmt: skip
def test_refusals(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_images_of_integers_are_moved_and_rounded() -> None:
    x = (images(1) * 255).byte()
    out = augment.affine(x, [[1, 0, 0.5], [0, 1, 0]], padding_mode="border")
    assert out.dtype == minigrad.uint8
    expected = augment.affine(x.double(), [[1, 0, 0.5], [0, 1, 0]], padding_mode="border")
    assert np.abs(out.numpy() - expected.numpy()).max() <= 0.5 + 1e-4
