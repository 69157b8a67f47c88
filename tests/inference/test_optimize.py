"""Optimized models give what the models give, in fewer steps; models that cannot be followed are refused."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import minigrad
from minigrad import models, nn
from minigrad.inference import optimize
from minigrad.kernels import cpu

F = nn.functional

# Width changes neither what a network does nor how it is followed: these are the sizes that run quickly.
SIZES = {
    "lenet5": (1, 28),
    "alexnet": (3, 64),
    "zfnet": (3, 96),
    "vgg11": (3, 32),
    "vgg16_bn": (3, 32),
    "googlenet": (3, 64),
    "inception_v3": (3, 75),
    "resnet18": (3, 40),
    "resnet50": (3, 32),
    "mobilenet_v2": (3, 32),
}


def used(model):
    """The model in evaluation, with batch norms that do something."""
    rng = np.random.default_rng(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            count = module.num_features
            with minigrad.no_grad():
                module.running_mean.copy_(minigrad.tensor(rng.normal(0, 0.2, count).astype("float32")))
                module.running_var.copy_(minigrad.tensor(rng.uniform(0.5, 1.5, count).astype("float32")))
                module.weight.copy_(minigrad.tensor(rng.uniform(0.7, 1.3, count).astype("float32")))
                module.bias.copy_(minigrad.tensor(rng.normal(0, 0.2, count).astype("float32")))
    return model.eval()


def assert_same_results(fast, model, *inputs, tolerance=1e-5):
    before = [x.clone() for x in inputs]
    with minigrad.no_grad():
        expected, found = model(*inputs), fast(*inputs)
        again = fast(*inputs)
    for x, kept in zip(inputs, before, strict=True):
        assert bool((x == kept).all())
    assert found.shape == expected.shape and found.dtype == expected.dtype
    assert not found.requires_grad
    assert float((found - expected).abs().max()) <= tolerance * float(expected.abs().max())
    assert bool((found == again).all())


class Sum(nn.Module):
    """Of the results of two modules."""

    def __init__(self, a, b):
        super().__init__()
        self.a, self.b = a, b

    def forward(self, x):
        return self.a(x) + self.b(x)


class Of(nn.Module):
    """A function as a module."""

    def __init__(self, function, **parts):
        super().__init__()
        self.function = function
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, *inputs):
        return self.function(self, *inputs)


def unet(width=4):
    """Two levels."""

    def twice(a, b):
        return nn.Sequential(
            nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU(),
            nn.Conv2d(b, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU(inplace=True),
        )  # fmt: skip

    def forward(self, x):
        first = self.down(x)
        deep = self.bottom(F.max_pool2d(first, 2))
        return self.head(self.merge(minigrad.cat([first, self.up(deep)], 1)))

    up = nn.Sequential(nn.ConvTranspose2d(2 * width, width, 2, 2), nn.BatchNorm2d(width))
    return Of(
        forward, down=twice(3, width), bottom=twice(width, 2 * width), up=up, merge=twice(2 * width, width), head=nn.Conv2d(width, 2, 1)
    )  # fmt: skip


@pytest.mark.parametrize("name", SIZES)
def test_networks_keep_their_results(name):
    minigrad.manual_seed(0)
    start = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    model = used(getattr(models, name)(num_classes=7, **start))
    channels, size = SIZES[name]
    x = minigrad.randn(1, channels, size, size)
    fast = optimize(model, x)
    steps = fast.steps(x)
    assert "scale_channels" not in steps
    assert not {"relu", "hardtanh"} & set(steps) or name in ("googlenet", "inception_v3", "lenet5", "alexnet", "zfnet")
    assert_same_results(fast, model, x)
    assert_same_results(fast, model, minigrad.randn(1, channels, size, size))


@pytest.mark.parametrize("threads", [1, 2])
def test_u_net_keeps_its_results(threads):
    minigrad.manual_seed(0)
    model, x = used(unet()), minigrad.randn(2, 3, 16, 24)
    before = minigrad.get_num_threads()
    minigrad.set_num_threads(threads)
    try:
        fast = optimize(model, x)
        if cpu.compiled is not None:
            assert sorted(set(fast.steps(x))) == ["conv", "conv and relu", "conv_input", "join", "max_pool"]
        assert_same_results(fast, model, x)
    finally:
        minigrad.set_num_threads(before)


@pytest.mark.parametrize("dtype", [minigrad.float32, minigrad.float64])
@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("layer", [nn.Conv2d, nn.ConvTranspose2d])
def test_batch_norm_goes_into_the_layer_before_it(layer, bias, groups, dtype):
    minigrad.manual_seed(0)
    model = used(nn.Sequential(layer(4, 8, 3, 2, groups=groups, bias=bias), nn.BatchNorm2d(8)).to(dtype))
    x = minigrad.randn(2, 4, 7, 6, dtype=dtype)
    fast = optimize(model, x)
    assert fast.steps(x) == ["conv" if layer is nn.Conv2d else "conv_input"]
    assert_same_results(fast, model, x, tolerance=1e-6 if dtype == minigrad.float32 else 1e-14)


@pytest.mark.parametrize("affine", [True, False])
def test_batch_norm_goes_into_a_linear_layer(affine):
    model = nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4, affine=affine)).eval()
    with minigrad.no_grad():
        model[1].running_mean.copy_(minigrad.tensor([1.0, -2.0, 0.5, 0.0]))
        model[1].running_var.copy_(minigrad.tensor([1.0, 0.3, 2.0, 5.0]))
    x = minigrad.randn(3, 5)
    fast = optimize(model, x)
    assert fast.steps(x) == ["linear"]
    assert_same_results(fast, model, x)


def test_batch_norm_stays_where_something_else_reads_its_input():
    conv, norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)
    model = used(
        Of(
            lambda self, x: self.norm(self.conv(x)) * self.conv(x).mean() + (lambda y: self.norm(y) * y)(self.conv(x)),
            conv=conv,
            norm=norm,
        )
    )
    x = minigrad.randn(1, 3, 4, 4)
    fast = optimize(model, x)
    assert fast.steps(x).count("scale_channels") == 1
    assert_same_results(fast, model, x)


ACTIVATIONS = [
    nn.ReLU(), nn.ReLU(inplace=True), nn.LeakyReLU(0.3), nn.Hardtanh(-0.5, 0.7), nn.ReLU6(), nn.Hardsigmoid(), nn.Hardswish(), nn.ELU(0.7),
    nn.GELU(), nn.GELU("tanh"), nn.SiLU(), nn.Sigmoid(), nn.Tanh(), nn.Softplus(2.0),
]  # fmt: skip


@pytest.mark.parametrize("dtype", [minigrad.float32, minigrad.float64])
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_activations_overwrite_only_what_nothing_reads_any_more(activation, dtype):
    minigrad.manual_seed(0)
    x = minigrad.randn(2, 3, 5, 5, dtype=dtype)
    layer = nn.Conv2d(3, 3, 1).to(dtype)
    plain = nn.Sequential(layer, activation).eval()
    assert_same_results(optimize(plain, x), plain, x, tolerance=0)
    first = nn.Sequential(activation).eval()
    if not getattr(activation, "inplace", False):
        assert_same_results(optimize(first, x), first, x, tolerance=0)  # the input is the caller's
    both = Of(
        lambda self, x: (lambda y: minigrad.cat([y, self.act(y * 1.0), y], 1))(self.layer(x)),
        layer=layer,
        act=activation,
    ).eval()
    assert_same_results(optimize(both, x), both, x, tolerance=0)


@pytest.mark.parametrize(
    "function",
    [
        lambda self, x: F.relu(self.a(x) + x),
        lambda self, x: F.relu(x + self.a(x)),
        lambda self, x: F.relu(self.a(x) + self.b(x)),
        lambda self, x: (lambda y: y + y)(self.a(x)),
        lambda self, x: (lambda y: F.relu(y + self.b(x)) * y)(self.a(x)),
        lambda self, x: (lambda s: F.relu(s) + s)(self.a(x) + self.b(x)),
        lambda self, x: self.a(x) + self.b(x)[:, :1],
        lambda self, x: self.a(x) + 1.5,
        lambda self, x: minigrad.add(self.a(x), self.b(x), alpha=2.0),
        lambda self, x: (lambda y: F.relu(y.flatten(1) + 1) + y.flatten(1))(self.a(x)),
        lambda self, x: (lambda y: F.relu(y[:, :1]) + y)(self.a(x)),
        lambda self, x: self.a(x).relu_().add_(x).mul_(2),
        lambda self, x: F.dropout(self.a(x), 0.5, False).contiguous().relu(),
        lambda self, x: self.a(x).transpose(1, 2).relu() + self.b(x).transpose(1, 2),
        lambda self, x: F.softmax(self.a(x), 1).max(1)[0],
        lambda self, x: F.interpolate(self.a(x), scale_factor=2) + self.p,
        lambda self, x: F.relu(self.p * 2) + x.sum() * 0,
    ],
)
def test_sums_and_views(function):
    minigrad.manual_seed(0)
    model = Of(function, a=nn.Conv2d(3, 3, 3, padding=1), b=nn.Conv2d(3, 3, 1)).eval()
    model.p = nn.Parameter(minigrad.randn(1, 3, 1, 1))
    x = minigrad.randn(2, 3, 6, 6)
    assert_same_results(optimize(model, x), model, x, tolerance=1e-7)


def test_residual_sums_take_one_pass():
    model = used(nn.Sequential(Sum(nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)), nn.Identity()), nn.ReLU()))
    x = minigrad.randn(1, 3, 4, 4)
    fast = optimize(model, x)
    if cpu.compiled is not None:
        assert fast.steps(x) == ["conv and add and relu"]
    assert_same_results(fast, model, x)


@pytest.mark.parametrize(
    "function, steps",
    [
        (lambda self, x: F.relu(self.a(x) + x), ["conv and add and relu"]),
        (lambda self, x: F.relu(self.a(x) + self.b(x)), ["conv", "conv and add and relu"]),
        (lambda self, x: self.a(x) + self.b(x).relu(), ["conv", "conv and relu", "add, in place"]),
        (lambda self, x: self.a(self.b(x)) + self.b(x).relu(), ["conv", "conv", "conv and relu", "add, in place"]),
        (lambda self, x: F.relu(F.relu6(self.a(x))), ["conv and hardtanh", "relu, in place"]),
        (lambda self, x: F.relu(self.a(x)) + x, ["conv and relu", "add, in place"]),
        (lambda self, x: (lambda y: F.relu(y) + y)(self.a(x)), ["conv", "relu", "add, in place"]),
        (lambda self, x: (lambda y: (F.relu(y), y))(self.a(x)), ["conv", "relu"]),
        (lambda self, x: self.a(x) + self.c, ["conv", "add"]),
        (lambda self, x: minigrad.add(self.a(x), x, alpha=2), ["conv", "add"]),
    ],
)
def test_what_follows_a_convolution_goes_into_it_where_nobody_looks_between(function, steps):
    if cpu.compiled is None:
        pytest.skip("the kernels are not compiled")
    minigrad.manual_seed(0)
    model = Of(function, a=nn.Conv2d(3, 3, 3, padding=1), b=nn.Conv2d(3, 3, 1)).eval()
    model.c = nn.Parameter(minigrad.randn(3, 1, 1))
    x = minigrad.randn(2, 3, 6, 6)
    fast = optimize(model, x)
    assert fast.steps(x) == steps
    out, expected = fast(x), model(x)
    for a, b in zip(*[y if isinstance(y, tuple) else (y,) for y in (out, expected)], strict=True):
        assert minigrad.allclose(a, b, atol=1e-6)


def test_several_inputs_and_nested_results():
    model = Of(lambda self, x, y: {"sum": x + y, "parts": (x * 2, [y])}).eval()
    x, y = minigrad.randn(3), minigrad.randn(3)
    found = optimize(model, (x, y))(x, y)
    assert (found["sum"] == x + y).all() and (found["parts"][0] == x * 2).all() and (found["parts"][1][0] == y).all()


def test_recurrent_and_attention_layers():
    minigrad.manual_seed(0)
    lstm = Of(lambda self, x: self.rnn(x)[0], rnn=nn.LSTM(3, 4, batch_first=True)).eval()
    encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    for model, x in ((lstm, minigrad.randn(2, 5, 3)), (encoder, minigrad.randn(2, 5, 8))):
        assert_same_results(optimize(model, x), model, x)


def test_embeddings():
    model = nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 2)).eval()
    x = minigrad.tensor([[1, 2, 9], [0, 3, 3]])
    assert_same_results(optimize(model, x), model, x)


def test_other_shapes_get_plans_of_their_own():
    model = used(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()))
    fast = optimize(model, minigrad.randn(1, 3, 8, 8))
    for shape in ((1, 3, 8, 8), (2, 3, 8, 8), (1, 3, 5, 9)):
        assert_same_results(fast, model, minigrad.randn(*shape))
    assert len(fast.plans) == 3


@pytest.mark.parametrize("change", ["in place", "data", "load", "parameter", "bias", "buffer", "module", "one more"])
def test_changed_parameters_are_seen(change):
    model = used(nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4)))
    x = minigrad.randn(1, 3, 8, 8)
    fast = optimize(model, x)
    with minigrad.no_grad():
        if change == "in place":
            model[0].weight.mul_(2.0)
        elif change == "data":
            model[0].weight.data = minigrad.randn(4, 3, 3, 3)
        elif change == "parameter":
            model[0].weight = nn.Parameter(minigrad.randn(4, 3, 3, 3))
        elif change == "bias":
            model[0].bias = nn.Parameter(minigrad.ones(4))
        elif change == "buffer":
            model[1].running_mean = minigrad.ones(4)
        elif change == "module":
            model[0] = nn.Conv2d(3, 4, 3).eval()
        elif change == "one more":
            model.append(nn.Tanh().eval())
        else:
            model.load_state_dict(
                {name: value * 1.5 + 0.1 for name, value in model.state_dict().items() if value.dtype.kind == "f"},
                strict=False,
            )
    state = fast.state
    assert_same_results(fast, model, x)
    assert fast.state is not state and fast.state.lasts()


def test_several_threads_may_run_it_at_once():
    model = used(models.resnet18(num_classes=5))
    xs = [minigrad.randn(1, 3, 32, 32) for _ in range(4)]
    fast = optimize(model, xs[0])
    with minigrad.no_grad():
        expected = [fast(x) for x in xs]
    wrong = []

    def run(i):
        for _ in range(5):
            with minigrad.no_grad():
                if not (fast(xs[i]) == expected[i]).all():
                    wrong.append(i)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


REFUSED = {
    "random": (lambda self, x: F.dropout(self.a(x), 0.5, True), "draw random numbers"),
    "numpy": (lambda self, x: minigrad.from_numpy(np.sort(self.a(x).numpy())), "otherwise than by an operation|do not give what it returned"),
    "branch": (lambda self, x: self.a(x) if self.a(x).sum() > 0 else self.b(x), "Python may decide by it"),
    "number": (lambda self, x: self.a(x) * float(x.max()), "Python may decide by it"),
    "written view": (lambda self, x: (lambda y: y[:, :1].zero_() * 0 + y)(self.a(x)), "written|view|constants"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_followed_is_refused(name):
    function, message = REFUSED[name]
    model = Of(function, a=nn.Conv2d(3, 3, 1), b=nn.Conv2d(3, 3, 1)).eval()
    with pytest.raises(RuntimeError, match=r"optimize: the model cannot be followed: .*(" + message + ")"):
        optimize(model, minigrad.randn(1, 3, 4, 4))


def test_misuse_is_refused():
    model, x = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), minigrad.randn(1, 3, 8, 8)
    with pytest.raises(RuntimeError, match=r"optimize: the model is in training; call eval\(\) on it first"):
        optimize(model, x)
    with pytest.raises(TypeError, match="optimize: expected a module, got int"):
        optimize(3, x)
    with pytest.raises(TypeError, match="optimize: expected tensors as inputs, got ndarray"):
        optimize(model.eval(), x.numpy())
    fast = optimize(model, x)
    with pytest.raises(RuntimeError, match="computes no gradients; call it under no_grad"):
        fast(x.clone().requires_grad_())
    with pytest.raises(RuntimeError, match="conv2d"):
        fast(minigrad.randn(1, 5, 8, 8))


def test_nothing_is_told_of_operations_afterwards():
    from minigrad.core.modes import set_tracer

    with pytest.raises(ZeroDivisionError):
        optimize(Of(lambda self, x: 1 / 0).eval(), minigrad.ones(2))
    assert set_tracer(None) is None


# --- separable convolutions -------------------------------------------------------------------------------------------


class Separable(nn.Module):
    """A block as networks for small devices have them, or something near it."""

    def __init__(self, look=lambda x: x, **depthwise):
        super().__init__()
        self.widen, self.narrow = nn.Conv2d(8, 32, 1), nn.Conv2d(32, 8, 1)
        self.depthwise = nn.Conv2d(32, 32, 3, padding=1, **{"groups": 32, **depthwise})
        self.look = look

    def forward(self, x):
        between = F.relu(self.widen(x))
        return self.look(x + self.narrow(F.relu6(self.depthwise(between))), between)


@pytest.mark.skipif(cpu.compiled is None, reason="the reference computes one after the other")
def test_separable_convolutions_are_one_step():
    x = minigrad.randn(2, 8, 9, 9)
    once = "conv and relu, conv and hardtanh, conv and add"
    for look, steps in ((lambda out, between: out, [once]), (lambda out, between: F.relu(out), [once + " and relu"])):
        model = Separable(look).eval()
        fast = optimize(model, x)
        assert fast.steps(x) == steps
        assert_same_results(fast, model, x)
        with minigrad.no_grad():
            model.depthwise.weight.mul_(2)  # what was kept is packed anew
        assert_same_results(fast, model, x)
    model = Separable(lambda out, between: (out.sum((1, 2, 3)) + between.sum((1, 2, 3)))).eval()
    fast = optimize(model, x)
    assert "conv and hardtanh, conv and add" in fast.steps(x) and "conv and relu" in fast.steps(x)
    assert_same_results(fast, model, x)
    model = Separable(lambda out, between: out, groups=16).eval()
    assert optimize(model, x).steps(x) == ["conv and relu", "conv and hardtanh", "conv and add"]
