"""The public switches of the kernels: precision, determinism, and what was chosen."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad.kernels import cpu, settings
from minigrad.kernels.geometry import Windows

needs_compiled = pytest.mark.skipif(
    cpu.compiled is None, reason="the compiled kernels are not built, or are switched off"
)


@pytest.fixture(autouse=True)
def keep_settings() -> Iterator[None]:
    precision, threads = minigrad.get_conv_precision(), minigrad.get_num_threads()
    yield
    minigrad.set_conv_precision(precision)
    minigrad.use_deterministic_algorithms(False)
    minigrad.set_num_threads(threads)


def test_precision_is_remembered_and_words_are_checked() -> None:
    for precision in ("highest", "high"):
        minigrad.set_conv_precision(precision)
        assert minigrad.get_conv_precision() == precision
    with pytest.raises(ValueError, match="set_conv_precision: expected 'highest' or 'high', but got 'medium'"):
        minigrad.set_conv_precision("medium")
    assert minigrad.get_conv_precision() == "high"


def test_without_compiled_kernels_precision_is_still_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "compiled", None)
    settings.set_conv_precision("highest")
    assert settings.get_conv_precision() == "highest"
    assert minigrad.backends.cpu.get_cpu_capability() == "NO"
    assert {choice.algorithm for choice in minigrad.backends.cpu.explain_conv((1, 2, 8), (2, 2, 3))} == {
        "reference kernel"
    }


def test_determinism_is_remembered_and_bools_are_checked() -> None:
    minigrad.use_deterministic_algorithms(True, warn_only=True)
    assert minigrad.are_deterministic_algorithms_enabled()
    assert minigrad.is_deterministic_algorithms_warn_only_enabled()
    minigrad.use_deterministic_algorithms(True)
    assert not minigrad.is_deterministic_algorithms_warn_only_enabled()
    minigrad.use_deterministic_algorithms(False, warn_only=True)
    assert not minigrad.are_deterministic_algorithms_enabled()
    assert not minigrad.is_deterministic_algorithms_warn_only_enabled()
    with pytest.raises(TypeError, match="use_deterministic_algorithms: expected mode to be a bool, but got 1"):
        minigrad.use_deterministic_algorithms(1)


@needs_compiled
def test_a_training_step_is_the_same_to_the_bit_for_every_number_of_threads() -> None:
    """Convolutions of every kind, pooling, matrix products and what lies between, forward and backward."""
    minigrad.use_deterministic_algorithms(True)
    nn = minigrad.nn

    def gradients(threads: int) -> list[Any]:
        minigrad.set_num_threads(threads)
        minigrad.manual_seed(0)
        model = nn.Sequential(
            nn.Conv2d(3, 24, 3, padding=1), nn.ReLU(), nn.Conv2d(24, 24, 3, 2, 1, groups=24), nn.MaxPool2d(2),
            nn.ConvTranspose2d(24, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 20, 1), nn.Flatten(), nn.Linear(20 * 12 * 12, 50),
        )  # fmt: skip
        loss = model(minigrad.randn(8, 3, 24, 24)).square().sum()
        loss.backward()
        return [loss.detach().numpy(), *[parameter.grad.numpy() for parameter in model.parameters()]]

    alone = gradients(1)
    for threads in (2, 3, 7):
        for got, expected in zip(gradients(threads), alone, strict=True):
            np.testing.assert_array_equal(got, expected, strict=True)


@needs_compiled
@pytest.mark.parametrize(
    ("arguments", "algorithms"),
    [
        (((8, 64, 32, 32), (64, 64, 3, 3), 1, 1), ["Winograd F(4x4, 3x3)"] * 3),
        (((8, 32, 28, 28), (32, 1, 3, 3), 1, 1, 1, 32), ["depthwise kernel"] * 3),
        # None: the instruction set decides.
        (((8, 128, 32, 32), (128, 128, 1, 1)), ["implicit matrix product"] * 2 + [None]),
        (((8, 64, 32, 32), (64, 64, 4, 4), 2, 1), ["Winograd F(2x2, 2x2) of each phase"] * 3),
        (((8, 64, 32, 32), (64, 64, 2, 2), 2, 1), ["implicit matrix product"] * 5 + [None]),
        (((8, 64, 32, 32), (64, 64, 2, 2), 2), ["implicit matrix product"] * 2 + [None]),
        (((2, 3, 30), (3, 3, 5)), ["implicit matrix product"] * 2 + ["inner products"]),
        (((2, 3, 30, 30), (32, 3, 5, 5), 1, 2), ["implicit matrix product"] * 2 + ["sums for each tap, with vectors of filters"]),
    ],
)
def test_choices_are_explained(arguments: Any, algorithms: list[str | None]) -> None:
    found = minigrad.backends.cpu.explain_conv(*arguments)
    for choice, expected in zip(found, algorithms, strict=True):
        assert choice.algorithm == expected or expected is None
    assert all(choice.reason for choice in found)


@needs_compiled
def test_reasons_follow_the_settings() -> None:
    arguments = ((8, 64, 32, 32), (64, 64, 3, 3), 1, 1)
    explain_conv = minigrad.backends.cpu.explain_conv
    assert explain_conv(*arguments)[0].reason.startswith("estimated costs: direct 1, F(2x2, 3x3) 0.")
    assert (
        explain_conv(*arguments, dtype=minigrad.float64)[0].reason
        == "only float32 may round as Winograd's algorithm does"
    )
    minigrad.set_conv_precision("highest")
    assert explain_conv(*arguments)[0] == (
        "forward",
        0,
        "implicit matrix product",
        'the precision of convolutions is "highest"',
    )
    minigrad.set_conv_precision("high")
    strided = ((8, 64, 32, 32), (64, 64, 4, 4), 2, 1)
    assert explain_conv(*strided)[1].reason.startswith("estimated costs: direct 1, F(2x2, 2x2) of each phase 0.")
    assert {(choice.of, choice.algorithm) for choice in explain_conv((8, 512, 4, 4), (1, 512, 4, 4), 2)} == {
        (of, "matrix product") for of in ("forward", "input", "weight")
    }
    of_pixels = "matrix product, with vectors of channels", "vectors of so few pixels would be partly empty"
    if minigrad.backends.cpu.get_cpu_capability() == "AVX512":  # of 16 pixels
        assert explain_conv((8, 160, 7, 7), (960, 160, 1, 1))[1] == ("input", 0, *of_pixels)
    assert explain_conv((64, 6, 14, 14), (16, 6, 5, 5))[1] == (
        "input",
        0,
        "products for each tap, added where it shifts them",
        "much of what windows would read lies beyond the source",
    )
    assert explain_conv((8, 64, 32, 32), (64, 64, 5, 5))[0].reason.startswith(
        "Winograd's algorithm is for dense 3x3 windows"
    )


@needs_compiled
def test_what_is_explained_is_what_is_done() -> None:
    """Of the algorithms, only Winograd's rounds differently from direct sums."""
    random = np.random.default_rng(0)
    for channels in (2, 8, 64):
        x, w = (random.standard_normal(shape, np.float32) for shape in ((2, channels, 16, 16), (16, channels, 3, 3)))
        windows = Windows((16, 16), (3, 3), (1, 1), (1, 1), ((1, 1), (1, 1)))
        minigrad.set_conv_precision("highest")
        direct = cpu.conv(x, w, None, windows)
        minigrad.set_conv_precision("high")
        said = minigrad.backends.cpu.explain_conv(x.shape, w.shape, 1, 1)[0].algorithm
        assert ("Winograd" in said) != np.array_equal(cpu.conv(x, w, None, windows), direct)


def test_shapes_that_do_not_fit_are_refused() -> None:
    explain_conv = minigrad.backends.cpu.explain_conv
    with pytest.raises(RuntimeError, match=r"explain_conv: expected an input shape \(N, C, \*in\)"):
        explain_conv((3, 8), (4, 3))
    with pytest.raises(RuntimeError, match="explain_conv: input has 3 channels but weight expects 4"):
        explain_conv((1, 3, 8, 8), (4, 4, 3, 3))


@needs_compiled
@pytest.mark.parametrize("threads", [1, 2])
def test_denormal_numbers_are_zero_if_asked_for(threads: int) -> None:
    minigrad.set_num_threads(threads)
    for dtype, tiny in (("float32", 1e-40), ("float64", 1e-310)):
        x = minigrad.from_numpy(np.full(1 << 20, tiny, dtype))
        kept = (x * 0.5).numpy()
        assert (kept == np.dtype(dtype).type(tiny) / 2).all() and kept[0] > 0
        if not minigrad.set_flush_denormal(True):
            pytest.skip("this processor cannot")
        try:
            for _ in range(10):  # until each worker had its share
                assert not (x * 0.5).sigmoid().sub(0.5).any() and not (x * 0.5).any()
        finally:
            minigrad.set_flush_denormal(False)
        np.testing.assert_array_equal((x * 0.5).numpy(), kept)


@needs_compiled
def test_flushing_denormals_is_the_calling_threads_own() -> None:
    x, found = minigrad.full((1 << 18,), 1e-40), []

    def other() -> None:
        minigrad.set_flush_denormal(True)
        found.append((x * 0.5).any().item())

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert (x * 0.5).all() and found in ([False], [True])  # whether the processor can
    assert minigrad.set_flush_denormal(False) == (found == [False])


def test_the_reference_kernels_cannot_flush_denormals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "compiled", None)
    assert not minigrad.set_flush_denormal(True)
