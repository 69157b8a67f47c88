"""What is no tensor is called with all sorts of wrong arguments: it works, or it says clearly what is wrong.

The public callables of optim, lr_scheduler, autograd, data, nn.init and nn.utils, and the methods of modules and containers, are called with nothing, with
one argument and with two, of every kind below. A TypeError, ValueError, RuntimeError, IndexError or KeyError is an answer; an AttributeError of a value
that has no such attribute, a ZeroDivisionError, an AssertionError, an UnboundLocalError are none, and neither is an input that was written to.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import autograd, nn, optim
from minigrad.autograd import functional, graph
from minigrad.nn import init
from minigrad.nn.utils import parametrizations, parametrize, rnn
from minigrad.optim import lr_scheduler
from minigrad.utils import checkpoint, data

CLEAN = (TypeError, ValueError, RuntimeError, IndexError, KeyError)
# As in torch: a name that is not there, tensors of sizes that do not fit.
AS_TORCH = (
    "has no attribute `a`", "has no parameter", "has no buffer", "Size mismatch between tensors", "was expecting embedding dimension",
    "multi_head_attention_forward: ",
)  # fmt: skip
MISSING_FILE = ("No such file or directory", "has none of ")


def values() -> dict[str, Any]:
    """One argument of every kind, new at each call."""
    return {
        "None": None, "text": "a", "negative": -1, "zero": 0, "fraction": 2.5, "nan": float("nan"), "empty list": [], "empty dict": {},
        "matrix": minigrad.ones(2, 3), "vector": minigrad.ones(3), "integers": minigrad.tensor([1, 2]), "parameters": [nn.Parameter(minigrad.ones(2, 3))],
        "module": nn.Linear(3, 2), "function": lambda *xs: xs[0] if xs else None, "object": object(), "texts": ["a"], "pair": (1, 2), "true": True,
        "optimizer": optim.SGD([nn.Parameter(minigrad.ones(2, 3))], 0.1), "samples": [1, 2, 3],
    }  # fmt: skip


def public(module: Any) -> dict[str, Any]:
    names = getattr(module, "__all__", None) or [name for name in vars(module) if not name.startswith("_")]
    found = {name: getattr(module, name) for name in names}
    return {
        f"{module.__name__.removeprefix('minigrad.')}.{name}": one
        for name, one in found.items()
        if callable(one) and getattr(one, "__module__", "").startswith("minigrad.")
    }


def methods(build: Callable[[], Any], *names: str) -> dict[str, Any]:
    """Methods of an object that each call builds anew."""
    kind = type(build()).__name__

    def bound(name: str) -> Callable[..., Any]:
        return lambda *args: getattr(build(), name)(*args)

    return {f"{kind}.{name}": bound(name) for name in names}


LAYERS: dict[str, Callable[[], Any]] = {
    call: lambda call=call: eval(f"nn.{call}")
    for call in (
        "Linear(3, 2)", "Bilinear(3, 3, 2)", "Conv2d(2, 2, 1)", "ConvTranspose1d(2, 2, 1)", "BatchNorm1d(3)", "LayerNorm(3)", "GroupNorm(1, 3)", "RMSNorm(3)",
        "InstanceNorm2d(2)", "LocalResponseNorm(2)", "ReLU()", "GELU()", "PReLU()", "Softmax(0)", "Softmax2d()", "Hardtanh()", "GLU()", "MaxPool2d(2)",
        "AvgPool1d(2)", "AdaptiveAvgPool2d(2)", "LPPool1d(2, 2)", "MaxUnpool2d(2)", "FractionalMaxPool2d(2, 1)", "ReflectionPad2d(1)", "ZeroPad1d(1)",
        "Dropout()", "AlphaDropout()", "Embedding(4, 2)", "EmbeddingBag(4, 2)", "Flatten()", "Unflatten(0, (1, 2))", "PixelShuffle(2)", "Upsample(2)", "Fold(2, 1)",
        "Unfold(1)", "RNN(3, 2)", "LSTM(3, 2)", "GRUCell(3, 2)", "LSTMCell(3, 2)", "MultiheadAttention(2, 1)", "TransformerEncoderLayer(2, 1)", "CosineSimilarity()",
        "PairwiseDistance()", "MSELoss()", "L1Loss()", "CrossEntropyLoss()", "NLLLoss()", "CTCLoss()", "BCELoss()", "KLDivLoss()", "HuberLoss()",
        "TripletMarginLoss()", "MarginRankingLoss()", "MultiMarginLoss()", "HingeEmbeddingLoss()", "GaussianNLLLoss()", "CosineEmbeddingLoss()", "LazyLinear(2)",
        "LazyConv1d(2, 1)", "LazyBatchNorm1d()", "Identity()", "ChannelShuffle(1)",
    )
}  # fmt: skip
CALLABLES: dict[str, Any] = {
    **{
        name: one
        for module in (optim, lr_scheduler, autograd, functional, graph, init, nn.utils, parametrize, parametrizations, rnn, data)
        for name, one in public(module).items()
        if name.split(".")[-1] not in ("Iterable", "Optimizer", "LRScheduler", "Function", "Any", "TypeVar")
    },
    "checkpoint": checkpoint.checkpoint,
    **methods(
        lambda: nn.Linear(3, 2), "register_parameter", "register_buffer", "add_module", "get_submodule", "get_parameter", "get_buffer", "set_submodule",
        "load_state_dict", "train", "apply", "requires_grad_", "zero_grad", "to", "type", "to_empty", "named_parameters", "named_buffers", "named_modules",
        "register_forward_hook", "register_forward_pre_hook", "register_full_backward_hook", "register_full_backward_pre_hook",
    ),
    **methods(lambda: nn.Sequential(nn.ReLU()), "append", "extend", "insert", "__getitem__", "pop", "__delitem__", "__call__"),
    **{name: lambda *args, build=build: build()(*args) for name, build in LAYERS.items()},
    **methods(lambda: nn.ModuleList([nn.ReLU()]), "append", "extend", "insert", "__getitem__", "pop", "__delitem__"),
    **methods(lambda: nn.ModuleDict({"b": nn.ReLU()}), "update", "__getitem__", "pop", "__delitem__"),
    **methods(lambda: nn.ParameterList([minigrad.ones(2)]), "append", "extend", "__getitem__"),
    **methods(lambda: nn.ParameterDict({"b": minigrad.ones(2)}), "update", "__getitem__", "setdefault"),
    **methods(lambda: optim.Adam([nn.Parameter(minigrad.ones(2))]), "add_param_group", "load_state_dict", "step", "zero_grad"),
    **methods(lambda: lr_scheduler.StepLR(optim.SGD([nn.Parameter(minigrad.ones(2))], 0.1), 2), "load_state_dict", "step"),
}  # fmt: skip
FIRST = ("optimizer", "parameters", "matrix", "module", "function", "samples", "text", "zero")


def argument_lists() -> Iterator[tuple[str, ...]]:
    kinds = list(values())
    yield ()
    yield from ((kind,) for kind in kinds)
    yield from ((first, second) for first in FIRST for second in kinds)


@pytest.mark.parametrize("name", CALLABLES)
def test_wrong_arguments(name: str) -> None:
    for kinds in argument_lists():
        drawn = values()
        args = [drawn[kind] for kind in kinds]
        arrays = [(x.array, x.array.copy()) for x in args if isinstance(x, minigrad.Tensor)]
        with warnings.catch_warnings(), minigrad.enable_grad():
            warnings.simplefilter("ignore")
            try:
                result = CALLABLES[name](*args)
                if inspect.isgenerator(result):
                    list(result)
            except CLEAN as error:
                assert str(error), f"{name}{kinds}: {type(error).__name__} says nothing"
                for array, before in arrays:
                    np.testing.assert_array_equal(array, before, err_msg=f"{name}{kinds} was refused, but wrote into its argument")
            except FileNotFoundError as error:
                assert any(says in str(error) for says in MISSING_FILE), f"{name}{kinds}: {error!r}"
            except Exception as error:
                assert any(says in str(error) for says in AS_TORCH), f"{name}{kinds}: {error!r}"


def test_all_floors_are_here() -> None:
    assert {"optim.Adam", "optim.lr_scheduler.OneCycleLR", "autograd.grad", "nn.init.orthogonal_", "nn.utils.clip_grad_norm_"} <= set(CALLABLES)


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: init.kaiming_uniform_([1.0]), TypeError, "kaiming_uniform_: expected tensor to be a Tensor, got list"),
        (lambda: init.normal_(minigrad.ones(2), minigrad.ones(2)), TypeError, "normal_: expected numbers after the tensor"),
        (lambda: rnn.pad_sequence([minigrad.ones(2)], 1), TypeError, "pad_sequence: expected batch_first to be a bool, got int"),
        (lambda: rnn.pad_packed_sequence(minigrad.ones(2)), TypeError, "pad_packed_sequence: expected sequence to be a PackedSequence"),
        (lambda: nn.utils.parameters_to_vector(["a"]), TypeError, "parameters_to_vector: expected each parameter to be a Tensor, got str"),
        (lambda: nn.utils.get_total_norm([minigrad.tensor([1])]), RuntimeError, "get_total_norm: expected tensors of floats, got int64"),
        (lambda: nn.Linear(1, 1).get_parameter(3), TypeError, "get_parameter: expected target to be a str, got int"),
        (lambda: nn.Linear(1, 1).requires_grad_(1), TypeError, "requires_grad_: expected requires_grad to be a bool, got int"),
        (lambda: nn.Linear(1, 1).to("nowhere", None), (RuntimeError, TypeError, ValueError), "nowhere"),
        (lambda: nn.Linear(1, 1).type(None), TypeError, "Module.type: expected a dtype"),
        (lambda: data.TensorDataset([1, 2]), TypeError, "TensorDataset: expected tensors, got list"),
        (lambda: lr_scheduler.StepLR(optim.SGD([minigrad.ones(1)]), "1"), TypeError, "StepLR: expected step_size to be a number"),
        (lambda: lr_scheduler.CosineAnnealingLR(optim.SGD([minigrad.ones(1)]), None), TypeError, "CosineAnnealingLR: expected T_max"),
    ],
)  # fmt: skip
def test_messages(call: Callable[[], Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        call()
