"""Sequences of different lengths as one tensor: padded to the longest, or packed step by step without padding."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from minigrad.core.tensor import Tensor, make_tensor
from minigrad.nn.checks import expect
from minigrad.ops.index import setitem
from minigrad.ops.joining import stack
from minigrad.ops.pad import constant_pad_nd

__all__ = [
    "PackedSequence", "invert_permutation", "pack_padded_sequence", "pack_sequence", "pad_packed_sequence", "pad_sequence",
    "unpack_sequence", "unpad_sequence",
]  # fmt: skip


class _Packed(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Packed):
    """Sequences packed step by step: the first elements of all of them, then the second ones of those that have one, and so on.

    data: (sum of the lengths, *); batch_sizes: how many sequences have each step; sorted_indices: the order, from the longest to the
    shortest, in which they were packed, unsorted_indices the way back (None if they were in order). Made by pack_sequence and
    pack_padded_sequence, taken by the recurrent layers.
    """

    __slots__ = ()

    def __new__(
        cls,
        data: Any,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> Self:
        if batch_sizes is None:
            if not (isinstance(data, (list, tuple)) and len(data) == 2):
                raise TypeError("PackedSequence: expected data and batch_sizes, or a pair of them")
            elements, sizes = data
            return cls(elements, sizes, sorted_indices, unsorted_indices)
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def _converted(self, convert: Callable[[Tensor], Tensor]) -> Self:
        data = convert(self.data)
        if data is self.data:
            return self
        return type(self)(data, self.batch_sizes, self.sorted_indices, self.unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """The sequence with data.to(*args, **kwargs)."""
        return self._converted(lambda data: data.to(*args, **kwargs))

    def double(self) -> Self:
        """The sequence with its data in float64."""
        return self._converted(lambda data: data.double())

    def float(self) -> Self:
        """The sequence with its data in float32."""
        return self._converted(lambda data: data.float())

    def half(self) -> Self:
        """The sequence with its data in float16."""
        return self._converted(lambda data: data.half())

    def cpu(self) -> Self:
        """The sequence in the memory of the host."""
        return self._converted(lambda data: data.cpu())


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes this one.

    >>> import minigrad
    >>> invert_permutation(minigrad.tensor([2, 0, 1]))
    tensor([1, 2, 0])
    """
    if permutation is None:
        return None
    expect("invert_permutation", "permutation", permutation, Tensor)
    return permutation.argsort()


def pack_padded_sequence(
    input: Tensor, lengths: Tensor | Sequence[int], batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Packs sequences that are padded to one length: input (T, N, *), or (N, T, *) with batch_first.

    enforce_sorted: lengths must not increase; False sorts the sequences first. Raises RuntimeError for lengths that do not fit.

    >>> import minigrad
    >>> packed = pack_padded_sequence(minigrad.tensor([[1, 2, 3], [4, 0, 0]]), [3, 1], batch_first=True)
    >>> packed.data, packed.batch_sizes
    (tensor([1, 4, 2, 3]), tensor([2, 1, 1]))
    """
    expect("pack_padded_sequence", "input", input, Tensor)
    numbers = lengths.array.astype(np.int64) if isinstance(lengths, Tensor) else np.array(lengths, np.int64)
    if input.ndim < 2:
        raise RuntimeError(f"pack_padded_sequence: expected input (T, N, *), got shape {tuple(input.shape)}")
    if batch_first:
        input = input.transpose(0, 1)
    longest, samples = input.shape[:2]
    if numbers.shape != (samples,):
        raise RuntimeError(
            f"pack_padded_sequence: Expected `len(lengths)` to be equal to batch_size, but got {numbers.size} (batch_size={samples})"
        )
    if samples == 0:
        raise RuntimeError(
            "pack_padded_sequence: Cannot pack an empty batch, got input of shape " + str(tuple(input.shape))
        )
    if numbers.min() <= 0:
        raise RuntimeError(
            "pack_padded_sequence: Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0"
        )
    if numbers.max() > longest:
        raise RuntimeError(
            f"pack_padded_sequence: lengths has {numbers.max()} but input has {longest} steps: shape {tuple(input.shape)}"
        )
    order = None
    if not enforce_sorted:
        order = (-numbers).argsort(kind="stable")
        numbers = numbers[order]
    elif (np.diff(numbers) > 0).any():
        raise RuntimeError(
            "pack_padded_sequence: `lengths` array must be sorted in decreasing order when `enforce_sorted` is True. "
            "You can pass `enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to sidestep this requirement."
        )
    present = np.arange(numbers.max())[:, None] < numbers
    steps, places = np.nonzero(present)
    data = input[make_tensor(steps), make_tensor(places if order is None else order[places])]
    return PackedSequence(data, make_tensor(present.sum(1)), None if order is None else make_tensor(order))


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """The inverse of pack_padded_sequence: the padded sequences (T, N, *), or (N, T, *) with batch_first, and their lengths (N).

    total_length: pad to it rather than to the longest. Raises ValueError if that is longer.

    >>> import minigrad
    >>> packed = pack_sequence([minigrad.tensor([1, 2]), minigrad.tensor([3])])
    >>> pad_packed_sequence(packed, batch_first=True)
    (tensor([[1, 2],
            [3, 0]]), tensor([2, 1]))
    """
    expect("pad_packed_sequence", "sequence", sequence, PackedSequence)
    sizes = sequence.batch_sizes.array
    longest = sizes.size
    if total_length is not None:
        if total_length < longest:
            raise ValueError(
                "pad_packed_sequence: Expected total_length to be at least the length of the longest sequence in input, "
                f"but got total_length={total_length} and max sequence length being {longest}"
            )
        longest = total_length
    present = np.arange(sizes[0]) < sizes[:, None]
    steps, places = np.nonzero(present)
    lengths = present.sum(0)
    if sequence.unsorted_indices is not None and sequence.sorted_indices is not None:
        places = sequence.sorted_indices.array[places]
        lengths = lengths[sequence.unsorted_indices.array]
    data = sequence.data
    shape = (sizes[0], longest) if batch_first else (longest, sizes[0])
    key = (places, steps) if batch_first else (steps, places)
    return setitem(data.detach().new_full((*shape, *data.shape[1:]), padding_value), data, key), make_tensor(lengths)


def pad_sequence(
    sequences: Iterable[Tensor], batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """Tensors (L, *) of different lengths as one, (longest, N, *), or (N, longest, *) with batch_first.

    padding_side: "right" pads behind the end, "left" before the beginning. Raises RuntimeError for something else, or if the
    other axes differ.

    >>> import minigrad
    >>> pad_sequence([minigrad.tensor([1, 2]), minigrad.tensor([3])], batch_first=True)
    tensor([[1, 2],
            [3, 0]])
    """
    if not isinstance(sequences, Iterable):
        raise RuntimeError(
            f"pad_sequence: Expected iterable for input sequences, but got arg of type: {type(sequences)}"
        )
    if padding_side not in ("left", "right"):
        raise RuntimeError(f"pad_sequence: Expected padding_side to be one of left or right, but got {padding_side}.")
    expect("pad_sequence", "batch_first", batch_first, bool)
    tensors = list(sequences)
    for one in tensors:
        expect("pad_sequence", "each sequence", one, Tensor)
    if not tensors:
        raise RuntimeError("pad_sequence: received an empty list of sequences")
    rest = tensors[0].shape[1:]
    for one in tensors:
        if one.ndim == 0 or one.shape[1:] != rest:
            raise RuntimeError(
                f"pad_sequence: expected sequences of shape (L, *{list(rest)}), got one of shape {tuple(one.shape)}"
            )
    longest = max(len(one) for one in tensors)
    padded = []
    for one in tensors:
        missing = longest - len(one)
        amounts = (0, 0) * len(rest) + ((missing, 0) if padding_side == "left" else (0, missing))
        padded.append(constant_pad_nd(one, amounts, padding_value) if missing else one)
    return stack(padded, 0 if batch_first else 1)


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False) -> list[Tensor]:
    """The inverse of pad_sequence: a list of tensors (L, *).

    >>> import minigrad
    >>> unpad_sequence(minigrad.tensor([[1, 2], [3, 0]]), minigrad.tensor([2, 1]), batch_first=True)
    [tensor([1, 2]), tensor([3])]
    """
    expect("unpad_sequence", "padded_sequences", padded_sequences, Tensor)
    expect("unpad_sequence", "lengths", lengths, Tensor)
    samples = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [one[:length] for one, length in zip(samples, lengths.tolist(), strict=True)]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Packs tensors (L, *) of different lengths; see pack_padded_sequence.

    >>> import minigrad
    >>> pack_sequence([minigrad.tensor([3]), minigrad.tensor([1, 2])], enforce_sorted=False).data
    tensor([1, 3, 2])
    """
    return pack_padded_sequence(pad_sequence(sequences), [len(one) for one in sequences], enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The inverse of pack_sequence: a list of tensors (L, *)."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
