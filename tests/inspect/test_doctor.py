"""What does not fit is found in the layer where it is, and the sizes that are offered fit."""

from __future__ import annotations

import pytest

from minigrad import inspect, models, nn

from .nets import UNet, state_of, waves


def test_the_courses_example_of_a_stride_that_does_not_fit() -> None:
    found = inspect.doctor(nn.Conv2d(1, 1, 3, stride=3), (1, 7, 7))
    assert not found and len(found.misfits) == 1
    assert "leave 1x1 of the 7x7 positions unused; 6x6 or 9x9 would fit" in str(found.misfits[0])
    assert found.fitting_sizes == ((1, 1, 6, 6), (1, 1, 9, 9))
    assert inspect.doctor(nn.Conv2d(1, 1, 3, stride=2), (1, 7, 7)) and inspect.doctor(
        nn.Conv2d(1, 1, 3, stride=1), (1, 7, 7)
    )


def test_the_skip_of_a_unet_is_named() -> None:
    model = UNet()
    before = state_of(model)
    found = inspect.doctor(model, (1, 50, 47))
    assert state_of(model) == before
    assert [finding.layer for finding in found.misfits] == ["pool", "pool", ""]
    assert (
        found.misfits[-1].kind == "UNet"
        and "cat" in found.misfits[-1].problem
        and "nets.py" in found.misfits[-1].advice
    )
    assert len(found.fitting_sizes) == 2
    for size in found.fitting_sizes:
        assert inspect.doctor(model, size)
        assert model(waves(*size)).shape == size
    assert inspect.doctor(model, (1, 48, 64))


def test_a_filter_larger_than_its_input() -> None:
    found = inspect.doctor(nn.Sequential(nn.Conv2d(1, 1, 3), nn.Conv2d(1, 1, 9)), (1, 8, 8))
    (finding,) = found.misfits
    assert (finding.layer, finding.kind) == (
        "1",
        "Conv2d",
    ) and "a kernel of 9x9 is larger than the padded input of 6x6" in finding.problem
    assert found.fitting_sizes == ((1, 1, 11, 11),)


def test_a_head_of_fixed_size() -> None:
    found = inspect.doctor(models.lenet5(), (1, 32, 32), reach=8)
    assert found.misfits[0].layer == "classifier.0" and found.fitting_sizes == ((1, 1, 28, 28),)


@pytest.mark.parametrize("name", ["alexnet", "resnet18", "googlenet"])
def test_the_networks_of_the_lectures_fit(name: str) -> None:
    """Padding that no window reads is no misfit: ResNet's first layer leaves a column of it."""
    model = getattr(models, name)(init_weights=False) if name == "googlenet" else getattr(models, name)()
    found = inspect.doctor(model, (3, 224, 224))
    assert found and found.warnings == () and str(found) == "input 1x3x224x224: all sizes fit"


def test_checkerboards() -> None:
    assert inspect.doctor(UNet(2), (1, 16, 16)).warnings == inspect.doctor(UNet(4), (1, 16, 16)).warnings == ()
    warnings = inspect.doctor(UNet(3), (1, 16, 16)).warnings
    assert [w.layer for w in warnings] == ["up2", "up1"]
    assert (
        "a kernel of 3x3 with stride 2x2 overlaps unevenly" in warnings[0].problem and "take 4x4" in warnings[0].advice
    )


def test_nothing_near_by() -> None:
    found = inspect.doctor(nn.Conv2d(2, 1, 3), (1, 8, 8), reach=2)
    assert not found and found.fitting_sizes == () and "no input size near by fits" in str(found)
