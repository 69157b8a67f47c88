"""Segmentation: sizes by the papers, sizes that do not fit, and the same numbers and gradients as on torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad
from minigrad import models
from tests.on_torch import copy_weights, on_torch

UNETS = [
    {},
    {"padding": "valid"},
    {"up": "bilinear"},
    {"attention": True},
    {"attention": True, "padding": "valid", "up": "bilinear"},
    {"batch_norm": False},
]


@given(st.integers(1, 4), st.integers(1, 3), st.sampled_from(UNETS), st.integers(8, 90), st.integers(8, 90))
def test_a_unet_takes_the_sizes_that_it_says_fit(depth: int, out_channels: int, options: dict[str, Any], height: int, width: int) -> None:
    """A size that does not fit is refused with sizes near it, and those do fit."""
    model = models.unet(1, out_channels, width=1, depth=depth, **options)
    fit = []
    for size in (height, width):
        try:
            model._check_sizes((1, 1, size, size))
            fit.append(size)
        except ValueError as error:
            message = str(error)
            assert message.startswith(f"UNet: height {size} cannot be halved {depth} times")
            fit.append(int(message.split()[-1]))
    answer = model(minigrad.zeros(2, 1, *fit)).shape
    if options.get("padding") == "valid":
        # By the paper's arithmetic: -4 a level on the way down, at the bottom, and a level on the way up.
        lost = sum(4 * 2**level for level in range(depth + 1)) + sum(4 * 2**level for level in range(depth))
        assert answer == (2, out_channels, fit[0] - lost, fit[1] - lost)
    else:
        assert answer == (2, out_channels, *fit)


def test_the_paper_s_unet() -> None:
    """572 -> 388 with 31 million parameters, as in figure 1 of the paper."""
    model = models.unet(1, 2, padding="valid", batch_norm=False)
    assert sum(parameter.numel() for parameter in model.parameters()) == 31_030_658
    with pytest.raises(ValueError, match=r"width 570 cannot be halved 4 times with padding='valid'; the nearest that can: 556 and 572"):
        model(minigrad.zeros(1, 1, 572, 570))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"padding": "full"}, "padding should be 'same' or 'valid', but is 'full'"),
        ({"up": "nearest"}, "up should be 'transposed' or 'bilinear', but is 'nearest'"),
        ({"depth": 0}, "width and depth should be at least 1, but are 64 and 0"),
    ],
)
def test_wrong_options_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        models.unet(**arguments)


def test_segnet_unpools_to_where_the_maxima_were() -> None:
    """With one stage, identity convolutions and no norm, the network gives each maximum back at its place and zero elsewhere."""
    model = models.segnet(1, 1, width=1, stages=(1,)).eval()
    for name, parameter in model.named_parameters():
        if parameter.ndim == 4:
            parameter.data.zero_()
            parameter.data[0, 0, 1, 1] = 1
        elif name == "head.bias":
            parameter.data.zero_()
    for module in model.modules():
        if isinstance(module, minigrad.nn.BatchNorm2d):
            module.eps = 0.0
    picture = minigrad.tensor([[1.0, 2, 3, 4, 9], [5, 6, 8, 7, 9]]).reshape(1, 1, 2, 5)
    assert model(picture).reshape(2, 5).tolist() == [[0, 0, 0, 0, 0], [0, 6, 8, 0, 0]]


def test_fcn_s_interpolation_begins_as_bilinear() -> None:
    from minigrad.models.fcn import interpolation

    x = minigrad.rand(1, 2, 5, 6)
    ours = interpolation(2, 8)(x)
    theirs = minigrad.nn.functional.interpolate(x, scale_factor=8, mode="bilinear", align_corners=False)
    assert minigrad.allclose(ours[..., 8:-8, 8:-8], theirs[..., 8:-8, 8:-8], atol=1e-6)
    with pytest.raises(ValueError, match="height and width should be at least 32"):
        models.fcn(3, 1, width=1)(minigrad.zeros(1, 3, 31, 40))


@pytest.mark.parametrize(
    ("module", "name", "options", "size"),
    [*[("unet", "UNet", {"width": 4, "depth": 2, **options}, 44) for options in UNETS], ("segnet", "SegNet", {"width": 4}, 45), ("fcn", "FCN", {"width": 4}, 50)],
)  # fmt: skip
def test_a_training_step_is_that_of_torch(module: str, name: str, options: dict[str, Any], size: int) -> None:
    torch = pytest.importorskip("torch")
    minigrad.manual_seed(0)
    ours = getattr(models, name)(2, 3, **options)
    theirs = getattr(on_torch(f"models.{module}"), name)(2, 3, **options).double()
    ours.double()  # in float32 a step of a deep network with batch norm tells the noise of two libraries apart, no more
    copy_weights(ours, theirs)
    x = np.random.default_rng(0).normal(size=(2, 2, size, size))
    answers = []
    for framework, model, optim in ((minigrad, ours, minigrad.optim), (torch, theirs, torch.optim)):
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        for _ in range(2):
            answer = model(framework.tensor(x))
            loss = framework.nn.functional.binary_cross_entropy_with_logits(answer, framework.full(answer.shape, 0.3, dtype=framework.float64))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        answers.append((answer.detach().numpy(), {key: value.numpy() for key, value in model.state_dict().items()}))
    np.testing.assert_allclose(answers[0][0], answers[1][0], rtol=1e-8, atol=1e-8)
    for key, value in answers[0][1].items():
        np.testing.assert_allclose(value, answers[1][1][key], rtol=1e-8, atol=1e-8, err_msg=key)
