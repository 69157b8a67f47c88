"""Module and the containers: members and their order, state, modes, hooks, printing."""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.nn.hooks import gate

from .derivatives import check_two_orders


class Branch(nn.Module):
    """Parameters, a buffer and children, defined out of the order in which they are listed."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(2, 3)
        self.scale = nn.Parameter(minigrad.ones(3))
        self.register_buffer("count", minigrad.zeros(1))
        self.register_buffer("scratch", minigrad.zeros(1), persistent=False)
        self.shift = nn.Parameter(minigrad.zeros(3))
        self.nothing = None
        self.label = "branch"

    def forward(self, x: minigrad.Tensor) -> minigrad.Tensor:
        return self.inner(x) * self.scale + self.shift


# --- members ----------------------------------------------------------------------------------------------------------


def test_parameters_come_before_those_of_children_in_order_of_definition() -> None:
    names = [name for name, _ in Branch().named_parameters()]
    assert names == ["scale", "shift", "inner.weight", "inner.bias"]


def test_an_attribute_that_becomes_a_parameter_counts_from_then() -> None:
    class Late(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = None
            self.second = nn.Parameter(minigrad.ones(1))
            self.first = nn.Parameter(minigrad.ones(1))

    assert [name for name, _ in Late().named_parameters()] == ["second", "first"]


def test_shared_members_are_listed_once() -> None:
    shared = nn.Linear(2, 2)
    model = nn.Sequential(shared, nn.ReLU(), shared)
    assert len(list(model.parameters())) == 2
    assert [name for name, _ in model.named_modules()] == ["", "0", "1"]
    assert [name for name, _ in model.named_parameters(remove_duplicate=False)] == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert list(model.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]


def test_plain_lists_of_modules_are_not_members() -> None:
    model = nn.Module()
    model.layers = [nn.Linear(2, 2)]
    assert list(model.parameters()) == []


def test_lookups_by_dotted_name() -> None:
    branch = Branch()
    assert branch.get_submodule("inner") is branch.inner
    assert branch.get_parameter("inner.weight") is branch.inner.weight
    assert branch.get_buffer("count") is branch.count
    with pytest.raises(AttributeError, match="Linear has no parameter `wait`"):
        branch.get_parameter("inner.wait")
    with pytest.raises(AttributeError, match="has no attribute `outer`"):
        branch.get_submodule("outer")
    with pytest.raises(AttributeError, match=r"`scale` is not an nn\.Module"):
        branch.get_submodule("scale")


def test_members_cannot_be_replaced_by_something_else() -> None:
    branch = Branch()
    with pytest.raises(TypeError, match=r"cannot assign '.*Tensor' as parameter 'scale' \(minigrad.nn.Parameter or None expected\)"):
        branch.scale = minigrad.zeros(3)
    with pytest.raises(TypeError, match="cannot assign 'int' as child module 'inner'"):
        branch.inner = 3
    with pytest.raises(TypeError, match="cannot assign 'str' as buffer 'count'"):
        branch.count = "three"
    branch.count = minigrad.ones(1)
    assert dict(branch.named_buffers())["count"] is branch.count
    branch.scale = None
    assert "scale" not in dict(branch.named_parameters())


@pytest.mark.parametrize(
    ("register", "value", "error", "message"),
    [
        ("register_parameter", 3, TypeError, "cannot assign 'int' object to parameter 'x'"),
        ("register_buffer", 3, TypeError, "cannot assign 'int' object to buffer 'x'"),
        ("add_module", 3, TypeError, "int is not a Module subclass"),
    ],
)
def test_registering_the_wrong_kind(register: str, value: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        getattr(nn.Module(), register)("x", value)


@pytest.mark.parametrize(("name", "message"), [("a.b", "cannot contain"), ("", "cannot be an empty"), ("forward", "already exists")])
def test_registering_under_a_bad_name(name: str, message: str) -> None:
    for register in (nn.Module().register_parameter, nn.Module().register_buffer, nn.Module().add_module):
        with pytest.raises(KeyError, match=message):
            register(name, None)


def test_register_parameter_none_is_a_parameter_left_out() -> None:
    module = nn.Module()
    module.register_parameter("bias", None)
    assert module.bias is None
    assert not module.state_dict()


def test_deleting_a_buffer_forgets_it() -> None:
    branch = Branch()
    del branch.count
    assert [name for name, _ in branch.named_buffers()] == ["scratch"]
    assert "count" not in branch.state_dict()


def test_members_are_views_that_cannot_be_written_to() -> None:
    with pytest.raises(TypeError):
        Branch()._parameters["new"] = nn.Parameter(minigrad.ones(1))


def test_forward_must_be_defined() -> None:
    with pytest.raises(NotImplementedError, match=r'Module \[Module\] is missing the required "forward" function'):
        nn.Module()(1)


# --- state ------------------------------------------------------------------------------------------------------------


def test_state_dict_has_parameters_then_persistent_buffers_then_children() -> None:
    state = Branch().state_dict()
    assert list(state) == ["scale", "shift", "count", "inner.weight", "inner.bias"]
    assert isinstance(state, OrderedDict)
    assert not any(tensor.requires_grad for tensor in state.values())
    assert list(Branch().state_dict(prefix="net.")) == ["net." + name for name in state]


def test_state_dict_shares_memory_with_the_module() -> None:
    branch = Branch()
    branch.state_dict()["scale"].fill_(7)
    assert branch.scale.tolist() == [7, 7, 7]
    assert branch.state_dict(keep_vars=True)["scale"] is branch.scale


def test_load_state_dict_copies() -> None:
    source, target = Branch(), Branch()
    with minigrad.no_grad():
        source.scale.fill_(5)
    state = source.state_dict()
    weight = target.inner.weight
    assert repr(target.load_state_dict(state)) == "<All keys matched successfully>"
    assert target.inner.weight is weight
    assert np.array_equal(weight.detach().numpy(), source.inner.weight.detach().numpy())
    state["scale"].fill_(6)
    assert target.scale.tolist() == [5, 5, 5]
    assert target.scale.requires_grad


def test_load_state_dict_takes_numpy_arrays_and_casts() -> None:
    layer = nn.Linear(2, 1)
    layer.load_state_dict({"weight": np.array([[1.5, 2.5]]), "bias": np.array([3])})
    assert layer.weight.dtype == minigrad.float32
    assert layer(minigrad.ones(2)).tolist() == [7.0]
    exact = nn.Linear(2, 1, dtype=minigrad.float64)
    exact.load_state_dict({"weight": np.array([[1 / 3, 1e-300]]), "bias": np.array([1e300])})
    assert (exact.weight.tolist(), exact.bias.tolist()) == ([[1 / 3, 1e-300]], [1e300])


def test_load_state_dict_reports_everything_and_changes_nothing() -> None:
    branch = Branch()
    before = copy.deepcopy(branch.state_dict())
    state = branch.state_dict()
    state = OrderedDict((name, tensor + 1) for name, tensor in state.items())
    state["inner.wait"] = state.pop("inner.weight")
    state["shift"] = minigrad.zeros(4)
    state["count"] = "many"
    with pytest.raises(RuntimeError) as caught:
        branch.load_state_dict(state)
    message = str(caught.value)
    assert message.startswith("Error(s) in loading state_dict for Branch:\n")
    assert 'Missing key(s) in state_dict: "inner.weight"' in message
    assert 'Unexpected key(s) in state_dict: "inner.wait"' in message
    assert 'Did you mean "inner.weight" by "inner.wait"?' in message
    assert "size mismatch for shift: copying a param with shape (4,) from checkpoint, the shape in current model is (3,)." in message
    assert 'parameter named "count"' in message
    assert "<class 'str'>" in message
    for name, tensor in branch.state_dict().items():
        assert np.array_equal(tensor.numpy(), before[name].numpy())


def test_load_state_dict_not_strict() -> None:
    branch = Branch()
    result = branch.load_state_dict({"scale": minigrad.zeros(3), "extra": minigrad.zeros(1)}, strict=False)
    assert result.missing_keys == ["shift", "count", "inner.weight", "inner.bias"]
    assert result.unexpected_keys == ["extra"]
    assert branch.scale.tolist() == [0, 0, 0]
    with pytest.raises(RuntimeError, match="size mismatch for scale"):
        branch.load_state_dict({"scale": minigrad.zeros(2)}, strict=False)
    with pytest.raises(TypeError, match="Expected state_dict to be dict-like"):
        branch.load_state_dict([1])


def test_load_state_dict_assign_takes_the_tensors() -> None:
    layer = nn.Linear(1, 1)
    weight = minigrad.tensor([[2.0]], dtype=minigrad.float64)
    layer.load_state_dict({"weight": weight, "bias": minigrad.zeros(1)}, assign=True)
    assert isinstance(layer.weight, nn.Parameter)
    assert layer.weight.dtype == minigrad.float64
    weight.fill_(3)
    assert layer.weight.tolist() == [[3.0]]


def test_copies_and_pickles_are_independent() -> None:
    branch = Branch()
    for twin in (copy.deepcopy(branch), pickle.loads(pickle.dumps(branch))):
        assert list(twin.state_dict()) == list(branch.state_dict())
        with minigrad.no_grad():
            twin.inner.weight.add_(1)
        assert not np.array_equal(twin.inner.weight.detach().numpy(), branch.inner.weight.detach().numpy())
        assert isinstance(twin.scale, nn.Parameter)
        assert twin.scale.requires_grad


# --- modes, types, gradients ------------------------------------------------------------------------------------------


def test_train_and_eval_reach_all_modules() -> None:
    model = nn.Sequential(nn.Sequential(nn.Dropout(0.5)))
    assert all(module.training for module in model.modules())
    assert model.eval() is model
    assert not any(module.training for module in model.modules())
    model.train()
    assert model[0][0].training
    with pytest.raises(ValueError, match="training mode is expected to be boolean"):
        model.train(1)


def test_apply_goes_from_the_leaves_to_the_root() -> None:
    seen: list[str] = []
    model = nn.Sequential(nn.Linear(1, 1), nn.ReLU())
    assert model.apply(lambda module: seen.append(type(module).__name__)) is model
    assert seen == ["Linear", "ReLU", "Sequential"]


def test_casts_keep_the_parameters_and_leave_integers_alone() -> None:
    norm = nn.BatchNorm1d(2)
    weight = norm.weight
    norm(minigrad.tensor([[1.0, 2.0], [3.0, 4.0]])).sum().backward()
    for cast in (norm.double, lambda: norm.to(minigrad.float64), lambda: norm.to("cpu", dtype=minigrad.float64)):
        norm.float()
        assert weight.dtype == minigrad.float32
        assert cast() is norm
        assert norm.weight is weight
        assert weight.dtype == weight.grad.dtype == norm.running_mean.dtype == minigrad.float64
        assert norm.num_batches_tracked.dtype == minigrad.int64
    assert norm(minigrad.ones(3, 2, dtype=minigrad.float64)).dtype == minigrad.float64
    norm.to("cpu")
    with pytest.raises(TypeError, match="only accepts floating point dtypes, but got desired dtype=int64"):
        norm.to(minigrad.int64)


def test_a_cast_module_learns() -> None:
    layer = nn.Linear(2, 1)
    (layer(minigrad.ones(2)) * 2).sum().backward()
    layer.double()
    layer.zero_grad()
    layer(minigrad.ones(3, 2, dtype=minigrad.float64)).sum().backward()
    assert layer.weight.grad.tolist() == [[3.0, 3.0]]


def test_zero_grad() -> None:
    layer = nn.Linear(2, 1)
    layer(minigrad.ones(2)).sum().backward()
    layer.zero_grad(set_to_none=False)
    assert layer.weight.grad.tolist() == [[0.0, 0.0]]
    layer.zero_grad()
    assert layer.weight.grad is None


def test_requires_grad_freezes() -> None:
    layer = nn.Linear(2, 1).requires_grad_(False)
    assert not layer(minigrad.ones(2)).requires_grad


# --- hooks ------------------------------------------------------------------------------------------------------------


def test_forward_hooks_in_order_and_removal() -> None:
    layer = nn.Identity()
    first = layer.register_forward_hook(lambda module, args, output: output + 1)
    layer.register_forward_hook(lambda module, args, output: output * 10)
    layer.register_forward_hook(lambda module, args, output: output - 1, prepend=True)
    assert layer(minigrad.tensor(2.0)).item() == 20
    first.remove()
    first.remove()
    assert layer(minigrad.tensor(2.0)).item() == 10


def test_forward_pre_hooks_replace_arguments() -> None:
    class Scaled(nn.Module):
        def forward(self, x: minigrad.Tensor, *, factor: float = 1) -> minigrad.Tensor:
            return x * factor

    layer = Scaled()
    layer.register_forward_pre_hook(lambda module, args: args[0] + 1)
    layer.register_forward_pre_hook(lambda module, args, kwargs: (args, {"factor": 3}), with_kwargs=True)
    seen: list[object] = []
    layer.register_forward_hook(lambda module, args, kwargs, output: seen.append(kwargs), with_kwargs=True)
    assert layer(minigrad.tensor(1.0)).item() == 6
    assert seen == [{"factor": 3}]
    layer.register_forward_pre_hook(lambda module, args, kwargs: 1, with_kwargs=True)
    with pytest.raises(RuntimeError, match="must return None or a tuple"):
        layer(minigrad.tensor(1.0))


def test_always_call_hooks_see_failures() -> None:
    layer = nn.Module()
    seen: list[object] = []
    layer.register_forward_hook(lambda module, args, output: seen.append("never"))
    layer.register_forward_hook(lambda module, args, output: seen.append(output), always_call=True)
    with pytest.raises(NotImplementedError):
        layer(1)
    assert seen == [None]


def test_backward_hooks_see_and_replace_gradients() -> None:
    class Product(nn.Module):
        def forward(self, x: minigrad.Tensor, times: int, y: minigrad.Tensor) -> tuple[minigrad.Tensor, minigrad.Tensor]:
            return x * y * times, y + 1

    product = Product()
    seen = []

    def look(module: nn.Module, grad_input: tuple, grad_output: tuple) -> tuple:
        seen.append((module, [g and g.item() for g in grad_input], [g.item() for g in grad_output]))
        return (grad_input[0] * 100, None, grad_input[2])

    product.register_full_backward_hook(look)
    product.register_full_backward_pre_hook(lambda module, grad_output: (grad_output[0] * 2, grad_output[1]))
    x, y = minigrad.tensor(3.0, requires_grad=True), minigrad.tensor(5.0, requires_grad=True)
    first, second = product(x, 7, y)
    (first + 4 * second).backward()
    assert seen == [(product, [70.0, None, 46.0], [2.0, 4.0])]
    assert (x.grad.item(), y.grad.item()) == (7000.0, 46.0)


def test_backward_hook_where_no_input_needs_a_gradient() -> None:
    layer = nn.Linear(2, 1)
    seen = []
    layer.register_full_backward_hook(lambda module, grad_input, grad_output: seen.append((grad_input, grad_output[0].tolist())))
    layer(minigrad.ones(2)).sum().backward()
    assert seen == [((None,), [1.0])]
    assert layer.weight.grad.tolist() == [[1.0, 1.0]]


def test_a_gate_is_the_identity_to_every_order() -> None:
    seen: list[tuple] = []

    def passing(gradients: tuple) -> tuple:
        seen.append(gradients)
        return gradients

    def function(x: minigrad.Tensor, y: minigrad.Tensor) -> minigrad.Tensor:
        a, b = gate(x * y, y, passing=passing)
        return a * a * b

    check_two_orders(function, np.array([1.5, -2.0]), np.array([0.5, 3.0]))
    assert seen
    assert all(len(gradients) == 2 for gradients in seen)


def test_what_leaves_a_gate_may_be_written_to() -> None:
    layer = nn.Sigmoid()
    layer.register_full_backward_hook(lambda module, grad_input, grad_output: None)
    x = minigrad.tensor([0.0], requires_grad=True)
    layer(x).mul_(4).sum().backward()
    assert x.grad.tolist() == [1.0]


def test_a_parameter_may_take_the_place_of_a_buffer() -> None:
    branch = Branch()
    branch.count = nn.Parameter(minigrad.ones(1))
    assert [name for name, _ in branch.named_buffers()] == ["scratch"]
    assert [name for name, _ in branch.named_parameters()] == ["scale", "shift", "count", "inner.weight", "inner.bias"]


def test_backward_hook_with_the_wrong_number_of_gradients() -> None:
    layer = nn.Identity()
    layer.register_full_backward_hook(lambda module, grad_input, grad_output: (None, None))
    with pytest.raises(RuntimeError, match="returned 2 gradients for grad_input, expected 1"):
        layer(minigrad.ones(1, requires_grad=True)).backward()


# --- containers -------------------------------------------------------------------------------------------------------


def layers(count: int) -> list[nn.Module]:
    return [nn.Linear(n + 1, n + 2) for n in range(count)]


def test_sequential_indexing_and_slices() -> None:
    a, b, c = layers(3)
    model = nn.Sequential(a, b, c)
    assert model(minigrad.ones(1)).shape == (4,)
    assert model[0] is a
    assert model[-1] is c
    assert list(model[1:]) == [b, c]
    assert isinstance(model[1:], nn.Sequential)
    assert next(iter(model[1:].state_dict())) == "1.weight"
    assert len(model + nn.Sequential(a)) == 4
    with pytest.raises(IndexError, match="Sequential: index 3 is out of range: it has 3 elements"):
        model[3]


def test_sequential_from_an_ordered_dict() -> None:
    a, b = layers(2)
    model = nn.Sequential(OrderedDict([("first", a), ("second", b)]))
    assert model.first is a
    assert list(model.state_dict()) == ["first.weight", "first.bias", "second.weight", "second.bias"]


def test_sequential_changes() -> None:
    a, b, c = layers(3)
    model = nn.Sequential(a)
    assert model.append(b) is model
    model.extend([c])
    model.insert(0, nn.Identity())
    assert [type(m).__name__ for m in model] == ["Identity", "Linear", "Linear", "Linear"]
    assert model.pop(1) is a
    del model[0]
    assert list(model) == [b, c]
    assert list(dict(model.named_children())) == ["0", "1"]
    model[0] = a
    assert model[0] is a
    with pytest.raises(TypeError, match="int is not a Module subclass"):
        model.append(3)
    with pytest.raises(TypeError, match="int is not a Module subclass"):
        nn.Sequential(3)


def test_module_list() -> None:
    a, b, c = layers(3)
    stages = nn.ModuleList([a, b])
    stages += [c]
    assert list(stages) == [a, b, c]
    assert b in stages
    assert list(stages[::2]) == [a, c]
    assert list(stages.state_dict()) == [f"{n}.{part}" for n in range(3) for part in ("weight", "bias")]
    del stages[0]
    assert next(iter(stages.state_dict())) == "0.weight"
    assert list(stages) == [b, c]
    stages[0:1] = [a, a]
    assert list(stages) == [a, a, c]
    with pytest.raises(TypeError, match="should be called with an iterable"):
        stages.extend(3)
    with pytest.raises(NotImplementedError):
        stages(1)


def test_module_dict() -> None:
    a, b = layers(2)
    heads = nn.ModuleDict({"left": a})
    heads["right"] = b
    heads.update([("left", b)])
    assert list(heads.keys()) == ["left", "right"]
    assert heads["left"] is b
    assert "right" in heads
    assert heads.pop("right") is b
    assert list(heads.items()) == [("left", b)]
    with pytest.raises(KeyError):
        heads["right"]
    with pytest.raises(KeyError):
        del heads["right"]
    with pytest.raises(KeyError, match="already exists"):
        heads["keys"] = a
    with pytest.raises(TypeError, match="int is not a Module subclass"):
        heads["middle"] = 3
    heads.clear()
    assert len(heads) == 0


def test_parameter_list_and_dict() -> None:
    weights = nn.ParameterList([minigrad.zeros(1), nn.Parameter(minigrad.zeros(2))])
    weights.append(minigrad.zeros(3))
    assert [name for name, _ in weights.named_parameters()] == ["0", "1", "2"]
    assert all(isinstance(weight, nn.Parameter) for weight in weights)
    assert [len(weight) for weight in weights[1:]] == [2, 3]
    assert len(weights[-1]) == 3
    scales = nn.ParameterDict({"a": minigrad.zeros(1)})
    scales["b"] = minigrad.zeros(2)
    assert [name for name, _ in scales.named_parameters()] == ["a", "b"]
    assert len(scales.pop("a")) == 1
    assert list(scales) == ["b"]
    with pytest.raises(KeyError):
        scales["a"]
    with pytest.raises(TypeError, match="a key is a string"):
        scales[3] = minigrad.zeros(1)


def test_parameter_shares_memory_and_is_a_leaf() -> None:
    data = minigrad.zeros(2)
    parameter = nn.Parameter(data)
    data.fill_(3)
    assert parameter.tolist() == [3, 3]
    assert parameter.is_leaf
    assert parameter.requires_grad
    assert not nn.Parameter(data, requires_grad=False).requires_grad
    assert repr(nn.Parameter(minigrad.zeros(1))) == "Parameter containing:\ntensor([0.], requires_grad=True)"
    with pytest.raises(RuntimeError, match="floating-point"):
        nn.Parameter(minigrad.tensor([1]))


# --- printing ---------------------------------------------------------------------------------------------------------


def test_repr_of_nested_modules() -> None:
    model = nn.Sequential(
        OrderedDict(
            stem=nn.Conv2d(3, 8, 3, padding=1),
            blocks=nn.ModuleList([nn.ReLU(), nn.ReLU(), nn.Sequential(nn.Tanh())]),
            heads=nn.ModuleDict({"digit": nn.Linear(8, 10)}),
            empty=nn.ModuleList(),
        )
    )
    assert (
        repr(model)
        == """Sequential(
  (stem): Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
  (blocks): ModuleList(
    (0-1): 2 x ReLU()
    (2): Sequential(
      (0): Tanh()
    )
  )
  (heads): ModuleDict(
    (digit): Linear(in_features=8, out_features=10, bias=True)
  )
  (empty): ModuleList()
)"""
    )


def test_repr_with_an_extra_of_several_lines() -> None:
    class Described(nn.Module):
        def extra_repr(self) -> str:
            return "one\ntwo"

    assert repr(Described()) == "Described(\n  one\n  two\n)"


def test_arrays_are_loaded_to_the_last_bit() -> None:
    layer = nn.Linear(2, 2).double()
    state = {"weight": np.array([[0.1, 0.2], [0.3, 0.4]]), "bias": np.array([0.1, 1e-300])}
    layer.load_state_dict(state)
    assert {name: t.tolist() for name, t in layer.state_dict().items()} == {name: a.tolist() for name, a in state.items()}
