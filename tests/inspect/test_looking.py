"""Looking inside: what the pictures must show, on a small network that has learned digits and on ones whose answers are known."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import inspect, models, nn, optim

from .nets import UNet, state_of, waves

DIGITS = Path(__file__).parents[2] / "examples" / "data" / "mnist5k.npz"


class Reader(nn.Module):
    """Reads a digit wherever it is in the image: the largest score of all places counts."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 5, stride=2)
        self.conv2 = nn.Conv2d(8, 16, 3)
        self.relu2 = nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(2)
        self.conv3 = nn.Conv2d(16, 32, 3)
        self.head = nn.Conv2d(32, 10, 1)

    def forward(self, x: Any) -> Any:
        x = self.pool(self.relu2(self.conv2(self.conv1(x).relu())))
        return self.head(self.conv3(x).relu()).amax((2, 3))


@pytest.fixture(scope="module")
def digits() -> dict[str, Any]:
    with np.load(DIGITS) as file:
        return {name: file[name] for name in file.files}


@pytest.fixture(scope="module")
def reader(digits: dict[str, Any]) -> Reader:
    minigrad.manual_seed(0)
    model = Reader()
    optimizer = optim.Adam(model.parameters(), lr=6e-3)
    images = minigrad.tensor(digits["train_images"][:3000, None].astype(np.float32) / 255)
    labels = minigrad.tensor(digits["train_labels"][:3000].astype(np.int64))
    for start in [*range(0, 3000, 50), *range(0, 3000, 50)]:
        loss = nn.functional.cross_entropy(model(images[start : start + 50]), labels[start : start + 50])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    optimizer.zero_grad()
    return model


@pytest.fixture(scope="module")
def pasted(reader: Reader, digits: dict[str, Any]) -> list[tuple[Any, int, tuple[int, int]]]:
    """Digits that the reader reads right, in a corner of a dark field of 56x56: image, label, corner."""
    found = []
    for i, corner in enumerate([(0, 0), (0, 28), (28, 0), (28, 28), (14, 28), (2, 20)] * 2):
        image = np.zeros((1, 56, 56), np.float32)
        image[0, corner[0] : corner[0] + 28, corner[1] : corner[1] + 28] = digits["test_images"][i] / 255
        if int(reader(minigrad.tensor(image[None])).array.argmax()) == digits["test_labels"][i]:
            found.append((image, int(digits["test_labels"][i]), corner))
    assert len(found) >= 8
    return found


def share_inside(heat: Any, corner: tuple[int, int], margin: int = 4) -> float:
    """How much of a map, its negative parts apart, lies where the digit is."""
    heat = np.maximum(heat, 0)
    top, left = (max(0, c - margin) for c in corner)
    return float(heat[top : corner[0] + 28 + margin, left : corner[1] + 28 + margin].sum() / heat.sum())


@pytest.mark.parametrize(
    ("explain", "least"),
    [
        (lambda m, x: inspect.occlusion(m, x, size=8, stride=4), 0.85),
        (lambda m, x: inspect.grad_cam(m, x), 0.85),
        (lambda m, x: inspect.saliency(m, x), 0.85),
        (lambda m, x: np.abs(inspect.guided_backprop(m, x)).sum(0), 0.85),
    ],
)
def test_what_a_decision_rests_on_is_where_the_digit_is(
    reader: Reader, pasted: Any, explain: Callable[..., Any], least: float
) -> None:
    shares = [share_inside(explain(reader, image), corner) for image, _, corner in pasted]
    assert np.mean(shares) > least, shares


def test_grad_cam_of_pooled_maps_is_their_weighted_sum() -> None:
    """With a linear layer behind a mean over places, it is the class activation map: B. Zhou et al., 2016."""

    class Pooled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 3, 3, padding=1)
            self.fc = nn.Linear(3, 2)

        def forward(self, x: Any) -> Any:
            return self.fc(self.conv(x).mean((2, 3)))

    model, x = Pooled(), waves(1, 6, 6)
    maps = inspect.feature_maps(model, x, "conv")
    expected = np.maximum((model.fc.weight.array[1][:, None, None] * maps).sum(0), 0)
    np.testing.assert_allclose(inspect.grad_cam(model, x, 1), expected / expected.max(), rtol=1e-4, atol=1e-6)


def test_saliency_and_guided_backprop_of_a_linear_net_are_its_gradient() -> None:
    model, x = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(32, 4)), waves(3, 6, 6)
    asked = x.unsqueeze(0).requires_grad_()
    model(asked)[0, 2].backward()
    np.testing.assert_array_equal(inspect.guided_backprop(model, x, 2), asked.grad.array[0])
    np.testing.assert_array_equal(inspect.saliency(model, x, 2), np.abs(asked.grad.array[0]).max(0))


@pytest.mark.parametrize("functional", [False, True])
def test_guided_backprop_and_the_deconvnet_differ_in_what_rectifiers_pass(functional: bool) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 3, 1, bias=False)
            self.act = nn.ReLU()
            self.last = nn.Conv2d(3, 1, 1, bias=False)

        def forward(self, x: Any) -> Any:
            x = self.conv(x)
            return self.last(nn.functional.relu(x) if functional else self.act(x))

    model = Net()
    model.conv.weight.data = minigrad.tensor([1.0, -1.0, 2.0]).reshape(3, 1, 1, 1)
    model.last.weight.data = minigrad.tensor([3.0, 5.0, -7.0]).reshape(1, 3, 1, 1)
    x = minigrad.ones(1, 1, 1)
    score = lambda out: out.sum()  # noqa: E731
    assert float(inspect.saliency(model, x, score).item()) == abs(3 * 1 - 7 * 2)
    assert inspect.guided_backprop(model, x, score).item() == 3 * 1  # the second is off, the third speaks against it
    value = float(model(x.unsqueeze(0)).item())
    assert inspect.deconvnet(model, x, "last", 0).item() == pytest.approx(
        max(0, 3 * value) * 1 - max(0, 5 * value) + 2 * max(0, -7 * value)
    )


def test_rectifiers_behind_batch_norms_are_found() -> None:
    minigrad.manual_seed(0)
    model, x = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 5, 4)), waves(3, 6, 6)
    looks = (
        lambda: inspect.guided_backprop(model, x, lambda out: out.sum()),
        lambda: inspect.deconvnet(model, x, "3", 0),
    )
    found = [look() for look in looks]
    assert not any(module._hooks for module in model)
    model[2].register_forward_hook(
        lambda *_: None
    )  # now the batch norm and the rectifier are computed one after the other anyway
    for before, look in zip(found, looks, strict=True):
        np.testing.assert_array_equal(before, look())


def test_the_deconvnet_puts_maxima_back_where_they_were() -> None:
    model = nn.Sequential(nn.MaxPool2d(2))
    x = minigrad.tensor([[[1.0, 2, 0, 0], [4, 3, 0, 9], [0, 0, 0, 0], [5, 0, 0, 1]]])
    assert inspect.deconvnet(model, x, "0", 0)[0].tolist() == [[0, 0, 0, 0], [0, 0, 0, 9], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert inspect.deconvnet(model, x, "0", 0, unit=(1, 0))[0].tolist() == [[0, 0, 0, 0]] * 3 + [[5, 0, 0, 0]]


def test_occlusion_of_a_linear_net_is_what_is_covered() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 1, bias=False))
    x = waves(1, 4, 4)
    parts = model[1].weight.array.reshape(4, 4) * x.array[0]
    np.testing.assert_allclose(inspect.occlusion(model, x, 0, size=1), parts, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(inspect.occlusion(model, x, 0, size=4), np.full((4, 4), parts.sum()), rtol=1e-4)


# --- features ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", [None, (0, 0), (1, 2)])
@pytest.mark.parametrize("layer", ["conv1", "pool", "conv3"])
def test_the_gradient_lies_in_the_box(layer: str, unit: Any) -> None:
    found = inspect.receptive_field(Reader(), (1, 36, 36), layer, unit)
    assert found.effective.shape == (36, 36) and found.effective.max() == 1
    rows, columns = np.nonzero(found.effective)
    (top, bottom), (left, right) = found.box
    assert top <= rows.min() and rows.max() < bottom and left <= columns.min() and columns.max() < right
    if layer == "conv1":  # no rectifier has switched anything off
        assert (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1) == (top, bottom, left, right)


def test_exciting_patches_are_as_large_as_the_field_and_excite_as_much(reader: Reader, digits: dict[str, Any]) -> None:
    images = digits["test_images"][:200, None].astype(np.float32) / 255
    found = inspect.exciting_patches(reader, images, "conv3", 5, n=7)
    field = inspect.receptive_field(reader, (1, 28, 28), "conv3", (0, 0)).box
    assert found.patches.shape == (7, 1, field[0][1] - field[0][0], field[1][1] - field[1][0])
    assert (np.diff(found.activations) <= 0).all() and len(set(found.images)) == 7
    maps = inspect.feature_maps(reader, images, "conv3")
    assert found.activations[0] == maps[:, 5].max()
    for patch, activation in zip(
        found.patches, found.activations, strict=True
    ):  # seen alone, a patch excites the one unit that sees it all
        assert inspect.feature_maps(reader, patch, "conv2").shape[1:] == (6, 6)
        pooled = inspect.feature_maps(
            nn.Sequential(reader.conv1, nn.ReLU(), reader.conv2, nn.ReLU(), reader.pool, reader.conv3), patch, "5"
        )
        assert pooled[5].item() == pytest.approx(activation, rel=1e-4)


def test_ascent_excites_more_than_any_image(reader: Reader, digits: dict[str, Any]) -> None:
    image = inspect.maximise_activation(reader, "head", 3, (1, 28, 28), steps=60)
    images = digits["test_images"][:300, None].astype(np.float32) / 255
    means = inspect.feature_maps(reader, images, "head")[:, 3].mean((1, 2))
    assert inspect.feature_maps(reader, image, "head")[3].mean() > means.max()
    assert np.array_equal(image, inspect.maximise_activation(reader, "head", 3, (1, 28, 28), steps=60))


def test_inversion_gives_back_what_the_layer_still_knows(reader: Reader, digits: dict[str, Any]) -> None:
    image = digits["test_images"][4, None].astype(np.float32) / 255
    found = inspect.feature_inversion(reader, image, "conv2", steps=120)
    wanted, got = (inspect.feature_maps(reader, x, "conv2") for x in (image, found))
    assert ((got - wanted) ** 2).sum() < 0.02 * (wanted**2).sum()
    assert np.corrcoef(found.ravel(), image.ravel())[0, 1] > 0.9


def test_filters_are_tiled() -> None:
    model = nn.Conv2d(1, 4, 2, bias=False)
    model.weight.data = minigrad.tensor(np.arange(16, dtype=np.float32).reshape(4, 1, 2, 2))
    picture = inspect.filters(model)
    assert picture.shape == (5, 5) and picture[4, 4] == 1 and picture[0, 0] == 0.5 and (picture[2] == 1).all()


# --- what all have in common ------------------------------------------------------------------------------------------

ALL: dict[str, Callable[..., Any]] = {
    "saliency": lambda m, x, **k: inspect.saliency(m, x, **k),
    "guided": lambda m, x, **k: inspect.guided_backprop(m, x, **k),
    "cam": lambda m, x, **k: inspect.grad_cam(m, x, layer="conv2", **k),
    "deconvnet": lambda m, x, **k: inspect.deconvnet(m, x, "relu2", 1, **k),
    "occlusion": lambda m, x, **k: inspect.occlusion(m, x, size=7, stride=7, **k),
    "maps": lambda m, x, **k: inspect.feature_maps(m, x, "relu2", **k),
    "field": lambda m, x, **k: inspect.receptive_field(m, x, "pool", **k),
    "patches": lambda m, x, **k: inspect.exciting_patches(m, x[None], "conv2", 0, **k),
    "maximise": lambda m, x, **k: inspect.maximise_activation(m, "conv2", 0, (1, 28, 28), steps=2, **k),
    "inversion": lambda m, x, **k: inspect.feature_inversion(m, x, "conv2", steps=2, **k),
    "filters": lambda m, x, **k: inspect.filters(m, **k),
}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("frozen", [False, True])
def test_the_model_is_left_as_it_was(name: str, frozen: bool) -> None:
    model = Reader()
    model.head.eval()
    for i, p in enumerate(model.parameters()):
        p.grad = minigrad.full_like(p, i)
        p.requires_grad = not frozen
    image, before = waves(1, 28, 28).array, state_of(model)
    with minigrad.no_grad():  # which is the caller's business
        found = ALL[name](model, image)
    assert state_of(model) == before
    assert np.array_equal(image, waves(1, 28, 28).array)
    arrays = (
        [found] if isinstance(found, np.ndarray) else [v for v in vars(found).values() if isinstance(v, np.ndarray)]
    )
    assert arrays and all(np.isfinite(a).all() for a in arrays)


@pytest.mark.parametrize("name", ["saliency", "guided", "cam"])
def test_a_batch_is_explained_as_its_images_are(name: str) -> None:
    model, batch = Reader(), waves(3, 1, 28, 28).array
    together = ALL[name](model, batch)
    for one, image in zip(together, batch, strict=True):
        np.testing.assert_allclose(one, ALL[name](model, image), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ALL)
def test_figures_can_be_drawn(name: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    _, figure = ALL[name](Reader(), waves(1, 28, 28).array, figure=True)
    figure.savefig(tmp_path / "figure.png", dpi=40)
    assert (tmp_path / "figure.png").stat().st_size > 1000


def test_without_matplotlib_the_extra_is_named() -> None:
    script = """
import sys
sys.modules["matplotlib"] = sys.modules["matplotlib.figure"] = None
from minigrad import inspect, nn
try:
    inspect.filters(nn.Conv2d(1, 2, 3), figure=True)
except ImportError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-P", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(Path(minigrad.__file__).parents[1])},
    )
    assert done.stdout == "inspect: figures need matplotlib; pip install 'minigrad[examples]'\n"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m, x: inspect.feature_maps(m, x, "conv9"), ValueError, "has no layer 'conv9'; its layers are conv1"),
        (lambda m, x: inspect.feature_maps(m, x, nn.ReLU()), ValueError, "has no layer 'ReLU'"),
        (lambda m, x: inspect.saliency(m, x[0]), ValueError, r"expected an image \(C, H, W\)"),
        (lambda m, x: inspect.saliency(m, x, 10), IndexError, "there is no class 10: the model gives 10 scores"),
        (lambda m, x: inspect.saliency(m, x, lambda out: out), ValueError, "must return a tensor of one element"),
        (lambda m, x: inspect.deconvnet(m, x, "conv2", 99), IndexError, "the layer has 16 maps"),
        (lambda m, x: inspect.deconvnet(m, x, "conv2", 0, (50, 0)), IndexError, r"there is none at \(50, 0\)"),
        (lambda m, x: inspect.occlusion(m, x, size=40), ValueError, "expected 0 < size <= 28"),
        (lambda m, x: inspect.exciting_patches(m, x, "conv2", 0), ValueError, "expected a batch"),
        (
            lambda m, x: inspect.grad_cam(nn.Sequential(nn.Flatten(), nn.Linear(784, 2)), x),
            ValueError,
            "has no convolution",
        ),
        (lambda m, x: inspect.saliency(3, x), (TypeError, AttributeError), "module|parameters"),
    ],
)
def test_bad_questions_are_refused(call: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        call(Reader(), waves(1, 28, 28))


def test_networks_with_branches() -> None:
    unet = UNet()
    assert inspect.grad_cam(unet, waves(1, 16, 16), lambda out: out[0, 0, 4, 4], layer="join2").shape == (16, 16)
    resnet = models.resnet18(num_classes=3)
    assert inspect.deconvnet(resnet, waves(3, 32, 32), "layer1.0.relu", 2).shape == (3, 32, 32)
    assert inspect.saliency(resnet, waves(3, 32, 32)).shape == (32, 32)
