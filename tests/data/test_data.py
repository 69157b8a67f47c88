"""Datasets, samplers and the loader."""

from __future__ import annotations

from collections import Counter, namedtuple
from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import data
from minigrad.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    random_split,
)


def generator(seed: int) -> Any:
    return minigrad.Generator().manual_seed(seed)


def numbered(count: int) -> TensorDataset:
    return TensorDataset(minigrad.arange(count).float().reshape(-1, 1) * minigrad.ones(1, 3), minigrad.arange(count))


class Slow(Dataset[Any]):
    """The same samples as a TensorDataset, one by one."""

    def __init__(self, dataset: TensorDataset) -> None:
        self.dataset = dataset

    def __getitem__(self, index: Any) -> Any:
        return self.dataset[index]

    def __len__(self) -> int:
        return len(self.dataset)


class Stream(IterableDataset[int]):
    def __init__(self, count: int) -> None:
        self.count = count

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.count))

    def __len__(self) -> int:
        return self.count


def labels(loader: DataLoader) -> list[list[int]]:
    return [y.tolist() for _, y in loader]


# --- datasets ---------------------------------------------------------------------------------------------------------


def test_tensor_dataset() -> None:
    x, y = numbered(5)[-1]
    assert (x.tolist(), y.item()) == ([4, 4, 4], 4)
    with pytest.raises(ValueError, match=r"Size mismatch between tensors: .* got shapes \(2, 1\), \(3,\)"):
        TensorDataset(minigrad.zeros(2, 1), minigrad.zeros(3))
    with pytest.raises(ValueError, match="at least one tensor"):
        TensorDataset()
    with pytest.raises(IndexError):
        numbered(5)[5]


def test_concatenation() -> None:
    both = ConcatDataset([numbered(2), numbered(3)])
    assert [both[i][1].item() for i in range(-5, 5)] == [0, 1, 0, 1, 2, 0, 1, 0, 1, 2]
    for index in (5, -6):
        with pytest.raises(IndexError, match=f"index {index} is out of range: it has 5 samples"):
            both[index]
    with pytest.raises(ValueError, match="empty iterable"):
        ConcatDataset([])
    with pytest.raises(TypeError, match="does not support IterableDataset"):
        ConcatDataset([Stream(3)])


def test_random_split_is_a_partition() -> None:
    parts = random_split(numbered(10), [7, 3], generator=generator(0))
    found = [sample[1].item() for part in parts for sample in (part[i] for i in range(len(part)))]
    assert [len(part) for part in parts] == [7, 3]
    assert sorted(found) == list(range(10)) != found
    again = random_split(numbered(10), [7, 3], generator=generator(0))
    assert [part.indices for part in parts] == [part.indices for part in again]
    assert [len(part) for part in random_split(numbered(11), [0.5, 0.3, 0.2])] == [6, 3, 2]
    with pytest.raises(ValueError, match=r"Sum of input lengths .* Got lengths \[7, 4\] for 10 samples"):
        random_split(numbered(10), [7, 4])
    with pytest.raises(ValueError, match="Fraction at index 0 is not between 0 and 1"):
        random_split(numbered(10), [-0.5, 1.5])
    with pytest.warns(UserWarning, match="Length of split at index 1 is 0"):
        random_split(numbered(3), [0.9, 0.1])


# --- samplers ---------------------------------------------------------------------------------------------------------


def test_random_sampler() -> None:
    sampler = RandomSampler(range(50), generator=generator(1))
    first, second = list(sampler), list(sampler)
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second
    assert list(RandomSampler(range(50), generator=generator(1))) == first
    minigrad.manual_seed(3)
    unseeded = list(RandomSampler(range(50)))
    minigrad.manual_seed(3)
    assert list(RandomSampler(range(50))) == unseeded
    more = list(RandomSampler(range(4), num_samples=10))
    assert len(more) == 10
    assert all(count in (2, 3) for count in Counter(more).values())
    drawn = list(RandomSampler(range(4), replacement=True, num_samples=1000))
    assert all(150 < count < 350 for count in Counter(drawn).values())


def test_other_samplers() -> None:
    assert list(SequentialSampler(range(3))) == [0, 1, 2]
    assert sorted(SubsetRandomSampler([5, 7, 9], generator=generator(0))) == [5, 7, 9]
    drawn = Counter(WeightedRandomSampler([0.0, 1.0, 3.0], 4000, generator=generator(0)))
    assert drawn[0] == 0
    assert drawn[2] / drawn[1] == pytest.approx(3, rel=0.2)
    assert sorted(WeightedRandomSampler([1.0, 2.0, 3.0], 3, replacement=False)) == [0, 1, 2]
    assert list(BatchSampler(range(5), 2, drop_last=True)) == [[0, 1], [2, 3]]
    for drop_last, count in ((True, 2), (False, 3)):
        sampler = BatchSampler(range(5), 2, drop_last)
        assert len(sampler) == len(list(sampler)) == count


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: RandomSampler([]), ValueError, "num_samples should be a positive integer value, but got num_samples=0"),
        (lambda: RandomSampler([1], replacement=1), TypeError, "replacement should be a boolean value"),
        (lambda: RandomSampler([1], num_samples=-1), ValueError, "num_samples=-1"),
        (lambda: WeightedRandomSampler([[1.0]], 1), ValueError, "weights should be a 1d sequence"),
        (lambda: WeightedRandomSampler([1.0], True), ValueError, "num_samples=True"),
        (lambda: BatchSampler(range(3), 0, False), ValueError, "batch_size should be a positive integer value"),
        (lambda: BatchSampler(range(3), 1, 0), ValueError, "drop_last should be a boolean value"),
        (lambda: DataLoader(numbered(3), persistent_workers=True), ValueError, "persistent_workers option needs workers"),
        (lambda: DataLoader(numbered(3), shuffle=True, sampler=[1]), ValueError, "mutually exclusive with shuffle"),
        (lambda: DataLoader(numbered(3), batch_sampler=[[1]], drop_last=True), ValueError, "batch_sampler option is mutually exclusive"),
        (lambda: DataLoader(numbered(3), batch_size=None, drop_last=True), ValueError, "batch_size=None disables batching"),
        (lambda: DataLoader(Stream(3), shuffle=True), ValueError, "an IterableDataset gives its samples in its own order"),
        (lambda: DataLoader(numbered(3), batch_size=0), ValueError, "batch_size=0"),
    ],
)  # fmt: skip
def test_refusals(call, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


# --- the loader -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("drop_last", [False, True])
def test_batches_in_order(drop_last: bool) -> None:
    loader = DataLoader(numbered(7), batch_size=3, drop_last=drop_last)
    expected = [[0, 1, 2], [3, 4, 5]] + ([] if drop_last else [[6]])
    assert labels(loader) == labels(loader) == expected
    assert len(loader) == len(expected)
    x, _ = next(iter(loader))
    assert (x.shape, x.dtype) == ((3, 3), minigrad.float32)


def test_shuffled_batches_are_seedable_and_new_each_time() -> None:
    def epochs(seed: int) -> list[list[list[int]]]:
        loader = DataLoader(numbered(20), batch_size=6, shuffle=True, generator=generator(seed))
        return [labels(loader), labels(loader)]

    first, second = epochs(5)
    assert sorted(chain(*first)) == sorted(chain(*second)) == list(range(20))
    assert first != second
    assert epochs(5) == [first, second]
    assert epochs(6) != [first, second]


def test_the_fast_path_gives_what_collating_gives() -> None:
    fast = numbered(9)
    for dataset in (fast, Subset(fast, [8, 1, 1, 3, 0]), Subset(Subset(fast, [2, 4, 6]), [2, 0])):
        slow = Slow(dataset)  # type: ignore[arg-type]
        pairs = list(zip(DataLoader(dataset, 2), DataLoader(slow, 2), strict=True))
        assert len(pairs) == -(-len(dataset) // 2)
        for a, b in pairs:
            assert type(a) is type(b) is list
            for left, right in zip(a, b, strict=True):
                assert left.dtype == right.dtype
                assert left.tolist() == right.tolist()


def test_a_subclass_of_tensor_dataset_is_asked_for_its_samples() -> None:
    class Doubled(TensorDataset):
        def __getitem__(self, index: Any) -> Any:
            return super().__getitem__(index)[0] * 2

    assert next(iter(DataLoader(Doubled(minigrad.ones(4)), 2))).tolist() == [2, 2]


def test_samplers_and_collate_functions_of_ones_own() -> None:
    assert labels(DataLoader(numbered(5), 2, sampler=[4, 2, 0])) == [[4, 2], [0]]
    assert labels(DataLoader(numbered(5), batch_sampler=[[1], [0, 3]])) == [[1], [0, 3]]
    assert list(DataLoader(range(5), 2, collate_fn=tuple)) == [(0, 1), (2, 3), (4,)]
    assert [x.tolist() for x in DataLoader([1.5, 2.5, 3.5], 2)] == [[1.5, 2.5], [3.5]]


def test_without_batches() -> None:
    loader = DataLoader(numbered(3), batch_size=None)
    assert [y.item() for _, y in loader] == [0, 1, 2]
    assert len(loader) == 3
    (only,) = DataLoader([np.ones(2)], batch_size=None)
    assert isinstance(only, minigrad.Tensor)


def test_streams() -> None:
    assert [x.tolist() for x in DataLoader(Stream(5), 2)] == [[0, 1], [2, 3], [4]]
    assert [x.tolist() for x in DataLoader(Stream(5), 2, drop_last=True)] == [[0, 1], [2, 3]]
    assert list(DataLoader(Stream(3), batch_size=None)) == [0, 1, 2]
    assert [len(DataLoader(Stream(5), 2, drop_last=drop)) for drop in (False, True)] == [3, 2]


def test_several_iterations_at_once_do_not_disturb_each_other() -> None:
    loader = DataLoader(numbered(4), 2)
    assert [(a[1].tolist(), b[1].tolist()) for a in loader for b in loader][1] == ([0, 1], [2, 3])


def test_gradients_do_not_flow_into_shared_batches() -> None:
    dataset = numbered(4)
    x, _ = next(iter(DataLoader(dataset, 2)))
    x.fill_(9)
    assert dataset.tensors[0][0].tolist() == [0, 0, 0]


# --- collating --------------------------------------------------------------------------------------------------------


def test_default_collate() -> None:
    Point = namedtuple("Point", "x y")
    batch = default_collate([{"p": Point(1, 2.0), "s": "a", "l": [True]}, {"p": Point(3, 4.0), "s": "b", "l": [False]}])
    assert batch["p"].x.tolist() == [1, 3]
    assert (batch["p"].x.dtype, batch["p"].y.dtype) == (minigrad.int64, minigrad.float64)
    assert batch["s"] == ["a", "b"]
    assert batch["l"][0].dtype == minigrad.bool
    arrays = default_collate([np.zeros((2, 3), np.float32), np.ones((2, 3), np.float32)])
    assert (arrays.shape, arrays.dtype) == ((2, 2, 3), minigrad.float32)
    assert default_collate([np.int32(1), np.int32(2)]).dtype == minigrad.int32
    with pytest.raises(RuntimeError, match=r"should be of equal size, got lengths \[1, 2\]"):
        default_collate([[1], [1, 2]])
    with pytest.raises(TypeError, match="found object; pass a collate_fn of your own"):
        default_collate([object()])
    with pytest.raises(TypeError, match="found arrays of <U1"):
        default_collate([np.array(["a"])])


def test_collate_parity_with_torch() -> None:
    torch = pytest.importorskip("torch")
    for batch in (
        [1.0, 2.0],
        [1, 2],
        [True, False],
        [(1, 2.0), (3, 4.0)],
        [[1], [2]],
        [{"a": 1}, {"a": 2}],
        ["a", "b"],
    ):
        ours, theirs = default_collate(batch), torch.utils.data.default_collate(batch)

        def flat(value: Any) -> Any:
            if isinstance(value, dict):
                return {key: flat(one) for key, one in value.items()}
            if isinstance(value, (list, tuple)):
                return [flat(one) for one in value]
            return value if isinstance(value, str) else (str(value.dtype).removeprefix("torch."), value.tolist())

        assert flat(ours) == flat(theirs)


def test_torchs_import_path() -> None:
    from minigrad.utils.data import DataLoader as Theirs

    assert Theirs is DataLoader
    assert minigrad.utils.data.TensorDataset is data.TensorDataset
