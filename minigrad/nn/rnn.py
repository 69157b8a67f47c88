"""Recurrent layers: a cell carries a state from step to step; a layer runs cells along sequences, in one or both directions."""

from __future__ import annotations

import math
import warnings
from numbers import Number
from typing import Any, ClassVar

import numpy as np

from minigrad.core.modes import casting
from minigrad.core.tensor import Tensor, make_tensor
from minigrad.nn import functional as F
from minigrad.nn import init
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter
from minigrad.nn.utils.rnn import PackedSequence
from minigrad.ops import recurrence
from minigrad.ops.creation import empty
from minigrad.ops.joining import cat, stack

State = tuple[Any, ...]  # the hidden state, which is the output too, and for LSTMs the state of the cell


# -- one step ----------------------------------------------------------------------------------------------------------


def _check_state(name: str, hx: Any, count: int) -> None:
    """Refuses a state that does not consist of this many tensors."""
    if hx is not None and not (
        isinstance(hx, (tuple, list)) and len(hx) == count and all(isinstance(one, Tensor) for one in hx)
    ):
        expected = "a tensor" if count == 1 else "a pair of tensors (hidden, cell)"
        given = hx[0] if count == 1 else hx
        raise TypeError(f"{name}: expected hx to be {expected}, got {type(given).__name__}")


class RNNCellBase(Module):
    """What the cells share: weight_ih (gates * hidden_size, input_size), weight_hh, the two biases, and their start.

    All start uniform on [-k, k] with k = 1 / sqrt(hidden_size).
    """

    states: ClassVar[int] = 1  # of how many tensors the state consists

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool, num_chunks: int, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        self.weight_ih = Parameter(empty(num_chunks * hidden_size, input_size, device=device, dtype=dtype))
        self.weight_hh = Parameter(empty(num_chunks * hidden_size, hidden_size, device=device, dtype=dtype))
        self.bias_ih = Parameter(empty(num_chunks * hidden_size, device=device, dtype=dtype)) if bias else None
        self.bias_hh = Parameter(empty(num_chunks * hidden_size, device=device, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws the initial weights anew."""
        bound = 1 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def _step(self, from_input: Any, state: State) -> State:
        raise NotImplementedError

    def _next(self, input: Tensor, state: State | None) -> State:
        """The state after this input (N, input_size) or (input_size)."""
        name = type(self).__name__
        _check_state(name, state, self.states)
        if input.ndim not in (1, 2):
            raise ValueError(f"{name}: Expected input to be 1D or 2D, got {input.ndim}D instead")
        for i, one in enumerate(state or ()):
            if one.ndim not in (1, 2):
                what = "hidden" if self.states == 1 else f"hx[{i}]"
                raise ValueError(f"{name}: Expected {what} to be 1D or 2D, got {one.ndim}D instead")
        batched = input.ndim == 2
        rows = input if batched else input.unsqueeze(0)
        if rows.shape[1] != self.input_size:
            raise RuntimeError(
                f"{name}: input has inconsistent input_size: got {rows.shape[1]} expected {self.input_size}"
            )
        if state is None:
            state = (rows.new_zeros(rows.shape[0], self.hidden_size),) * self.states
        elif not batched:
            state = tuple(one.unsqueeze(0) for one in state)
        for i, one in enumerate(state):
            if one.ndim != 2 or one.shape[0] != rows.shape[0]:
                raise RuntimeError(
                    f"{name}: Input batch size {rows.shape[0]} doesn't match hidden{i} batch size {one.shape[0]}"
                )
            if one.shape[1] != self.hidden_size:
                raise RuntimeError(
                    f"{name}: hidden{i} has inconsistent hidden_size: got {one.shape[1]}, expected {self.hidden_size}"
                )
        state = self._step(F.linear(rows, self.weight_ih, self.bias_ih), state)
        return state if batched else tuple(one.squeeze(0) for one in state)

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias is True else f", bias={self.bias}")


class RNNCell(RNNCellBase):
    """One step of an Elman network: h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu of it.

    input (N, input_size) or (input_size), hx (N, hidden_size) or (hidden_size), by default 0.
    Raises ValueError and RuntimeError for other shapes, RuntimeError for another nonlinearity.

    >>> import minigrad
    >>> minigrad.nn.RNNCell(10, 20)(minigrad.zeros(3, 10)).shape
    (3, 20)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def _step(self, from_input: Any, state: State) -> State:
        rows = (len(from_input),)
        return (recurrence.rnn(from_input, *state, self.weight_hh, self.bias_hh, rows, False, self.nonlinearity),)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"RNNCell: Unknown nonlinearity: {self.nonlinearity}; expected 'tanh' or 'relu'")
        hidden: Tensor = self._next(input, None if hx is None else (hx,))[0]
        return hidden

    def extra_repr(self) -> str:
        return super().extra_repr() + ("" if self.nonlinearity == "tanh" else f", nonlinearity={self.nonlinearity}")


class LSTMCell(RNNCellBase):
    """One step of a long short-term memory (Hochreiter and Schmidhuber, 1997): input and (h, c) to (h', c').

    input (N, input_size) or (input_size); h and c (N, hidden_size) or (hidden_size), by default 0.
    The weights hold those of the input, forget, cell and output gates, one below the other.

    >>> import minigrad
    >>> hidden, cell = minigrad.nn.LSTMCell(10, 20)(minigrad.zeros(3, 10))
    >>> hidden.shape, cell.shape
    ((3, 20), (3, 20))
    """

    states = 2

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def _step(self, from_input: Any, state: State) -> State:
        (hidden, cell), _ = recurrence.lstm(from_input, *state, self.weight_hh, self.bias_hh, (len(from_input),))
        return hidden, cell

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        hidden, cell = self._next(input, hx)
        return hidden, cell


class GRUCell(RNNCellBase):
    """One step of a gated recurrent unit (Cho et al., 2014).

    input (N, input_size) or (input_size), hx (N, hidden_size) or (hidden_size), by default 0.
    The weights hold those of the reset, update and new gates, one below the other.

    >>> import minigrad
    >>> minigrad.nn.GRUCell(10, 20)(minigrad.zeros(3, 10)).shape
    (3, 20)
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def _step(self, from_input: Any, state: State) -> State:
        return recurrence.gru(from_input, *state, self.weight_hh, self.bias_hh, (len(from_input),))[:1]  # type: ignore[no-any-return]

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        hidden: Tensor = self._next(input, None if hx is None else (hx,))[0]
        return hidden


# -- along sequences ---------------------------------------------------------------------------------------------------


def _last_steps(sizes: tuple[int, ...]) -> Any:
    """Where the last step of each sequence stands among the steps of all."""
    counts = np.array(sizes)
    lengths = (counts[:, None] > np.arange(sizes[0])).sum(0)
    return (counts.cumsum() - counts)[lengths - 1] + np.arange(sizes[0])


class RNNBase(Module):
    """What RNN, LSTM and GRU share: num_layers layers, each reads the outputs of the one before, and their parameters.

    weight_ih_l{k} (gates * hidden_size, input size of layer k), weight_hh_l{k}, bias_ih_l{k}, bias_hh_l{k}, for LSTMs with proj_size
    weight_hr_l{k}; those of the other direction end with _reverse. All start uniform on [-k, k] with k = 1 / sqrt(hidden_size).
    """

    weight_ih_l0: Parameter
    GATES: ClassVar[dict[str, int]] = {"RNN_TANH": 1, "RNN_RELU": 1, "GRU": 3, "LSTM": 4}

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if mode not in self.GATES:
            raise ValueError(f"Unrecognized RNN mode: {mode}; expected one of {tuple(self.GATES)}")
        name = type(self).__name__
        for argument, value, kind in (("bias", bias, bool), ("batch_first", batch_first, bool), ("input_size", input_size, int), ("hidden_size", hidden_size, int)):  # fmt: skip
            if not isinstance(value, kind):
                raise TypeError(f"{name}: {argument} should be of type {kind.__name__}, got: {type(value).__name__}")
        if not isinstance(dropout, Number) or isinstance(dropout, bool) or not 0 <= dropout <= 1:
            raise ValueError(
                f"{name}: dropout should be a number in range [0, 1] representing the probability of an element being zeroed, got {dropout!r}"
            )
        for argument, size in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
            if size <= 0:
                raise ValueError(f"{name}: {argument} must be greater than zero, got {size}")
        if proj_size < 0:
            raise ValueError(
                f"{name}: proj_size should be a positive integer or zero to disable projections, got {proj_size}"
            )
        if proj_size >= hidden_size:
            raise ValueError(f"{name}: proj_size has to be smaller than hidden_size, got {proj_size} and {hidden_size}")
        if dropout > 0 and num_layers == 1:
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects num_layers greater "
                f"than 1, but got dropout={dropout} and num_layers={num_layers}",
                stacklevel=3,
            )
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        gates, outputs = self.GATES[mode] * hidden_size, proj_size or hidden_size
        for layer in range(num_layers):
            inputs = input_size if layer == 0 else outputs * (1 + bidirectional)
            for suffix in self._suffixes():
                shapes: dict[str, tuple[int, ...]] = {"weight_ih": (gates, inputs), "weight_hh": (gates, outputs)}
                if bias:
                    shapes |= {"bias_ih": (gates,), "bias_hh": (gates,)}
                if proj_size:
                    shapes["weight_hr"] = (proj_size, hidden_size)
                for weight, shape in shapes.items():
                    setattr(self, f"{weight}_l{layer}{suffix}", Parameter(empty(shape, device=device, dtype=dtype)))
        self.reset_parameters()

    def _suffixes(self) -> tuple[str, ...]:
        return ("", "_reverse") if self.bidirectional else ("",)

    def reset_parameters(self) -> None:
        """Draws the initial weights anew."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def flatten_parameters(self) -> None:
        """Does nothing: there is no device here that wants all weights in one piece of memory."""

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction."""
        kinds = [
            "weight_ih",
            "weight_hh",
            *(["bias_ih", "bias_hh"] if self.bias else []),
            *(["weight_hr"] if self.proj_size else []),
        ]
        ends = [f"_l{layer}{suffix}" for layer in range(self.num_layers) for suffix in self._suffixes()]
        return [[getattr(self, kind + end) for kind in kinds] for end in ends]

    def _scan(self, end: str, x: Any, start: State, sizes: tuple[int, ...], reverse: bool) -> Any:
        """The states at all steps of the layer and direction whose parameters' names end like this: the hidden ones, the cells'."""
        # one product for all steps: only what depends on the state has to wait for it
        projected = F.linear(x, getattr(self, f"weight_ih{end}"), getattr(self, f"bias_ih{end}", None))
        weight, bias = getattr(self, f"weight_hh{end}"), getattr(self, f"bias_hh{end}", None)
        if self.proj_size:
            projection = getattr(self, f"weight_hr{end}")

            def step(from_input: Any, state: State) -> State:
                return recurrence.lstm_step(from_input, state, weight, bias, projection)

            return recurrence.scan(step, projected, start, sizes, reverse)
        if self.mode == "LSTM":
            return recurrence.lstm(projected, *start, weight, bias, sizes, reverse)[0].unbind(0)
        if self.mode == "GRU":
            return recurrence.gru(projected, *start, weight, bias, sizes, reverse)[:1]
        activation = "tanh" if self.mode == "RNN_TANH" else "relu"
        return (recurrence.rnn(projected, *start, weight, bias, sizes, reverse, activation),)

    def _run(self, input: Any, hx: State | None) -> tuple[Any, State]:
        """The outputs and the last states for a sequence, padded or packed, from a state of one tensor or, for LSTMs, two."""
        name = type(self).__name__
        _check_state(name, hx, 2 if self.mode == "LSTM" else 1)
        if isinstance(input, PackedSequence):
            sizes = tuple(input.batch_sizes.tolist())
            self._check_input(input.data, 2)
            if hx is not None and input.sorted_indices is not None:
                hx = tuple(one.index_select(1, input.sorted_indices) for one in hx)
            hx = self._checked_state(input.data, hx, sizes[0])
            data, last = self._run_layers(input.data, hx, sizes)
            if input.unsorted_indices is not None:
                last = tuple(one.index_select(1, input.unsorted_indices) for one in last)
            return PackedSequence(data, input.batch_sizes, input.sorted_indices, input.unsorted_indices), last
        if input.ndim not in (2, 3):
            raise ValueError(f"{name}: Expected input to be 2D or 3D, got {input.ndim}D instead")
        batched = input.ndim == 3
        for one in hx or ():
            if one.ndim != input.ndim:
                kind = "batched 3-D" if batched else "unbatched 2-D"
                raise RuntimeError(
                    f"{name}: For {kind} input, hx should also be {input.ndim}-D but got {one.ndim}-D tensor"
                )
        axis = 0 if self.batch_first else 1
        if not batched:
            input = input.unsqueeze(axis)
            hx = None if hx is None else tuple(one.unsqueeze(1) for one in hx)
        self._check_input(input, 3)
        hx = self._checked_state(input, hx, input.shape[axis])
        steps: Any = input.transpose(0, 1) if self.batch_first else input
        flat, last = self._run_layers(steps.reshape(-1, self.input_size), hx, (steps.shape[1],) * steps.shape[0])
        output: Any = flat.reshape(*steps.shape[:2], -1)
        if self.batch_first:
            output = output.transpose(0, 1)
        if not batched:
            output, last = output.squeeze(axis), tuple(one.squeeze(1) for one in last)
        return output, last

    def _check_input(self, input: Tensor, ndim: int) -> None:
        name = type(self).__name__
        dtype = self.weight_ih_l0.dtype
        if input.dtype != dtype and not casting():
            raise ValueError(
                f"{name}: RNN input dtype ({input.dtype}) does not match weight dtype ({dtype}). "
                f"Convert input: input.to({dtype}), or convert model: model.to({input.dtype})"
            )
        if input.ndim != ndim:
            raise RuntimeError(f"{name}: input must have {ndim} dimensions, got {input.ndim}")
        if input.shape[-1] != self.input_size:
            raise RuntimeError(
                f"{name}: input.size(-1) must be equal to input_size. Expected {self.input_size}, got {input.shape[-1]}"
            )
        if input.shape[0 if ndim == 2 or not self.batch_first else 1] == 0:
            raise RuntimeError(
                f"{name}: Expected sequence length to be larger than 0 in RNN, got shape {tuple(input.shape)}"
            )

    def _checked_state(self, input: Tensor, hx: State | None, samples: int) -> State:
        """The initial state, zeros by default: the hidden state, and for LSTMs that of the cell."""
        layers = self.num_layers * (1 + self.bidirectional)
        sizes = [self.proj_size or self.hidden_size, self.hidden_size][: 1 + (self.mode == "LSTM")]
        if hx is None:
            return tuple(input.new_zeros(layers, samples, size) for size in sizes)
        for i, (one, size) in enumerate(zip(hx, sizes, strict=True)):
            if tuple(one.shape) != (layers, samples, size):
                what = "hidden size" if len(sizes) == 1 else f"hidden[{i}] size"
                raise RuntimeError(
                    f"{type(self).__name__}: Expected {what} {(layers, samples, size)}, got {list(one.shape)}"
                )
        return tuple(hx)

    def _run_layers(self, x: Any, start: State, sizes: tuple[int, ...]) -> tuple[Any, State]:
        """All layers, for sequences whose steps stand one after the other (*), of these sizes; the last states are (layers * directions, N, *)."""
        starts = list(zip(*(one.unbind(0) for one in start), strict=True))
        ends = slice(len(x) - sizes[-1], None) if sizes[0] == sizes[-1] else make_tensor(_last_steps(sizes))
        lasts: list[State] = []
        for layer in range(self.num_layers):
            if layer and self.dropout:
                x = F.dropout(x, self.dropout, self.training)
            directions = []
            for suffix in self._suffixes():
                states = self._scan(f"_l{layer}{suffix}", x, starts[len(lasts)], sizes, bool(suffix))
                directions.append(states[0])
                lasts.append(tuple(one[: sizes[0]] if suffix else one[ends] for one in states))
            x = directions[0] if len(directions) == 1 else cat(directions, -1)
        return x, tuple(stack(list(ones)) for ones in zip(*lasts, strict=True))

    def extra_repr(self) -> str:
        parts = [f"{self.input_size}, {self.hidden_size}"]
        for name, usual in (("proj_size", 0), ("num_layers", 1), ("bias", True), ("batch_first", False), ("dropout", 0), ("bidirectional", False)):  # fmt: skip
            value = getattr(self, name)
            if value != usual:
                parts.append(f"{name}={value}")
        return ", ".join(parts)


class RNN(RNNBase):
    """An Elman network of num_layers layers: at each step h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu of it.

    input: (T, N, input_size), (N, T, input_size) with batch_first, (T, input_size), or a PackedSequence; hx: (num_layers * directions,
    N, hidden_size), by default 0. Returns the outputs of the last layer at all steps, (T, N, directions * hidden_size), and the last
    hidden state of each layer, of hx's shape. dropout: between the layers, in training.
    Raises ValueError, TypeError and RuntimeError for sizes, dtypes and shapes that do not fit.

    >>> import minigrad
    >>> output, last = minigrad.nn.RNN(10, 20, num_layers=2)(minigrad.zeros(5, 3, 10))
    >>> output.shape, last.shape
    ((5, 3, 20), (2, 3, 20))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"RNN: Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        mode = f"RNN_{nonlinearity.upper()}"
        super().__init__(
            mode, input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, device, dtype
        )
        self.nonlinearity = nonlinearity

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        output, (last,) = self._run(input, None if hx is None else (hx,))
        return output, last


class LSTM(RNNBase):
    """A long short-term memory (Hochreiter and Schmidhuber, 1997) of num_layers layers.

    input: (T, N, input_size), (N, T, input_size) with batch_first, (T, input_size), or a PackedSequence; hx: the pair (h, c) of
    (num_layers * directions, N, proj_size or hidden_size) and (..., hidden_size), by default 0. Returns the outputs of the last layer
    at all steps, (T, N, directions * (proj_size or hidden_size)), and the last (h, c). proj_size: the hidden state is brought to this
    size (Sak et al., 2014). dropout: between the layers, in training.
    Raises ValueError, TypeError and RuntimeError for sizes, dtypes and shapes that do not fit.

    >>> import minigrad
    >>> output, (hidden, cell) = minigrad.nn.LSTM(10, 20, bidirectional=True)(minigrad.zeros(5, 3, 10))
    >>> output.shape, hidden.shape, cell.shape
    ((5, 3, 40), (2, 3, 20), (2, 3, 20))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            "LSTM",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            proj_size,
            device,
            dtype,
        )

    def forward(self, input: Any, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Any, tuple[Tensor, Tensor]]:
        output, (hidden, cell) = self._run(input, hx)
        return output, (hidden, cell)


class GRU(RNNBase):
    """A network of gated recurrent units (Cho et al., 2014) in num_layers layers.

    input: (T, N, input_size), (N, T, input_size) with batch_first, (T, input_size), or a PackedSequence; hx: (num_layers * directions,
    N, hidden_size), by default 0. Returns the outputs of the last layer at all steps, (T, N, directions * hidden_size), and the last
    hidden state of each layer, of hx's shape. dropout: between the layers, in training.
    Raises ValueError, TypeError and RuntimeError for sizes, dtypes and shapes that do not fit.

    >>> import minigrad
    >>> output, last = minigrad.nn.GRU(10, 20, batch_first=True)(minigrad.zeros(3, 5, 10))
    >>> output.shape, last.shape
    ((3, 5, 20), (1, 3, 20))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            "GRU", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, device, dtype
        )

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        output, (last,) = self._run(input, None if hx is None else (hx,))
        return output, last
