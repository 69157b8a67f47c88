"""Lines that use modules and containers, run with torch and with minigrad: they print the same, or fail in the same way."""

from __future__ import annotations

import collections
import copy
import pickle
from typing import Any

import pytest

import minigrad

# Each line gives `r`, with `nn` and `T`, the library itself.
LINES = [
    # members
    'm = nn.Module(); m.register_parameter("a", None); r = list(m.named_parameters()), m.a, list(m.state_dict())',
    'm = nn.Module(); m.register_buffer("a", None); r = list(m.named_buffers()), m.a, list(m.state_dict())',
    'm = nn.Module(); m.register_buffer("a", T.zeros(2), persistent=False); r = len(list(m.buffers())), list(m.state_dict())',
    'nn.Module().register_module("a.b", nn.ReLU())',
    'nn.Module().register_module("", nn.ReLU())',
    "nn.Module().register_module(3, nn.ReLU())",
    'nn.Module().register_module("a", 3)',
    'nn.Module().register_module("forward", nn.ReLU())',
    'nn.Module().register_buffer("type", T.zeros(2))',
    'nn.Module().register_parameter("a", T.zeros(2))',
    "m = nn.Linear(2, 2); m.weight = T.zeros(2)",
    "m = nn.Linear(2, 2); m.weight = None; r = [n for n, _ in m.named_parameters()]",
    "m = nn.Linear(2, 2); del m.foo",
    "m = nn.BatchNorm1d(2); m.running_mean = None; r = list(m.state_dict())",
    # paths
    'nn.Linear(2, 3).get_submodule("x")',
    'nn.Linear(2, 3).get_submodule("weight")',
    'r = nn.Sequential(nn.Linear(2, 3)).get_parameter("0.weight").numel()',
    'nn.Sequential(nn.Linear(2, 3)).get_parameter("0.0.weight")',
    'nn.BatchNorm2d(3).get_buffer("weight")',
    'm = nn.Sequential(nn.Linear(2, 2)); m.set_submodule("0", nn.ReLU()); r = m',
    'm = nn.Sequential(nn.Linear(2, 2)); m.set_submodule("5", nn.ReLU()); r = m',
    'nn.Sequential(nn.Linear(2, 2)).set_submodule("5", nn.ReLU(), strict=True)',
    'nn.Sequential(nn.Linear(2, 2)).set_submodule("", nn.ReLU())',
    'nn.Sequential(nn.Linear(2, 2)).set_submodule("0", 3)',
    'nn.Sequential(nn.Linear(2, 2)).set_submodule("0.weight", nn.ReLU())',
    'nn.Sequential(nn.Linear(2, 2)).set_submodule("7.x", nn.ReLU())',
    "l = nn.Linear(2, 2); m = nn.Sequential(l, l); r = len(list(m.modules())), len(list(m.modules(remove_duplicate=False)))",
    # types
    "r = [str(t.dtype).split('.')[-1] for t in nn.BatchNorm1d(2).type(T.float64).state_dict().values()]",
    "r = [str(t.dtype).split('.')[-1] for t in nn.BatchNorm1d(2).double().state_dict().values()]",
    "m = nn.Linear(2, 2); r = tuple(m.to_empty(device='cpu').weight.shape), m.weight.requires_grad",
    "m = nn.Sequential(nn.Linear(2, 2)).to_empty(device='cpu', recurse=False); r = m",
    "m = nn.Linear(2, 2); m.to(T.int64)",
    # saving and loading
    "m = nn.Linear(2, 2); m.register_state_dict_pre_hook(lambda m, *rest: print(rest)); r = len(m.state_dict(prefix='x.'))",
    "m = nn.Linear(2, 2); m.register_state_dict_post_hook(lambda m, s, p, d: s.update({p + 'z': 1})); r = list(nn.Sequential(m).state_dict())",
    "m = nn.Linear(2, 2); m.register_state_dict_post_hook(lambda m, s, p, d: 3); m.state_dict()",
    "m = nn.Linear(2, 2); h = m.register_state_dict_post_hook(lambda m, s, p, d: s.clear()); h.remove(); r = list(m.state_dict())",
    "m = nn.Linear(2, 2); m.register_load_state_dict_post_hook(lambda m, keys: keys.missing_keys.clear()); r = m.load_state_dict({})",
    "m = nn.Linear(2, 2); m.register_load_state_dict_post_hook(lambda m, keys: print(m.bias.tolist()));"
    "r = m.load_state_dict({'weight': T.zeros(2, 2), 'bias': T.ones(2)})",
    "m = nn.Sequential(nn.Linear(2, 1)); m[0].register_load_state_dict_pre_hook(lambda m, s, p, *rest: s.__setitem__(p + 'weight', s.pop(p + 'w')));"
    "s = {'0.w': T.ones(1, 2), '0.bias': T.zeros(1)}; r = m.load_state_dict(s), list(s), m[0].weight.tolist()",
    "m = nn.BatchNorm1d(2); s = m.state_dict(); r = m.load_state_dict({k: s[k] for k in s if k[0] != 'n'}), m.num_batches_tracked.item()",
    "m = Extra(nn); r = list(m.state_dict().items()), m.load_state_dict({'_extra_state': 5}), m.extra",
    "m = Extra(nn); m.load_state_dict({})",
    "m = Extra(nn); r = m.load_state_dict({}, strict=False).missing_keys",
    "m = nn.Linear(2, 2); m.load_state_dict({**m.state_dict(), '_extra_state': 1})",
    # Sequential
    "r = nn.Sequential(nn.ReLU(), nn.Tanh()) * 2",
    "r = 2 * nn.Sequential(nn.ReLU())",
    "m = nn.Sequential(nn.ReLU()); m *= 3; r = m",
    "m = nn.Sequential(nn.ReLU()); m += nn.Sequential(nn.Tanh()); r = m",
    "m = nn.Sequential(nn.ReLU()) + nn.Sequential(nn.Tanh()); r = m",
    "nn.Sequential(nn.ReLU()) * 0",
    "nn.Sequential(nn.ReLU()) * 1.5",
    "nn.Sequential(nn.ReLU()) + 3",
    "r = nn.Sequential(nn.ReLU()).extend(sequential=[nn.Tanh(), nn.Tanh()])",
    "r = nn.Sequential(nn.ReLU()).insert(-1, nn.Tanh())",
    "nn.Sequential(nn.ReLU()).insert(5, nn.Tanh())",
    "m = nn.Sequential(nn.ReLU(), nn.Tanh()); r = m.pop(0), m",
    "m = nn.Sequential(nn.ReLU(), nn.Tanh()); del m[0:2]; r = m",
    "nn.Sequential(nn.ReLU())[1]",
    # lists and dicts
    "m = nn.ModuleList([nn.ReLU(), nn.Tanh()]); m[-1] = nn.Sigmoid(); r = m[0:1], m",
    "m = nn.ModuleList([nn.ReLU()]); m += [nn.Tanh()]; r = m, m.pop(-1)",
    "nn.ModuleList([3])",
    "nn.ModuleList(3)",
    "nn.ModuleList([nn.ReLU()])(3)",
    "m = nn.ModuleDict({'a': nn.ReLU()}); m.update({'b': nn.Tanh(), 'a': nn.Sigmoid()}); r = m, list(m.items())",
    "m = nn.ModuleDict({'a': nn.ReLU()}); m['type'] = nn.ReLU()",
    "m = nn.ModuleDict({'a': nn.ReLU()}); m['a.b'] = nn.ReLU()",
    "nn.ModuleDict([(1, 2, 3)])",
    "m = nn.ParameterList([nn.Parameter(T.zeros(2)), 3]); m += [T.ones(7)]; r = m, list(m.state_dict())",
    "r = nn.ParameterList([T.zeros(2, 3)])",
    "m = nn.ParameterDict({'b': T.zeros(2), 'a': T.zeros(1)}); r = list(m), list(reversed(m)), list(m.state_dict())",
    "m = nn.ParameterDict(collections.OrderedDict(b=T.zeros(2), a=T.zeros(1))); r = list(m), m.popitem()[0], list(m)",
    "m = nn.ParameterDict({'a': T.zeros(2)}); r = list(m | {'b': T.zeros(1)}), list({'c': T.zeros(1)} | m), list(m)",
    "m = nn.ParameterDict({'a': T.zeros(2)}); m |= nn.ParameterDict({'b': T.zeros(1)}); r = list(m.state_dict())",
    "m = nn.ParameterDict({'a': T.zeros(2)}); r = m.setdefault('a', 3).numel(), m.setdefault('c', T.ones(2)).requires_grad, list(m)",
    "m = nn.ParameterDict({'a': T.zeros(2)}); r = list(m.copy()), m.copy()['a'] is m['a'], m.fromkeys(['x', 'y'], 3)['y']",
    "nn.ParameterDict({'a': T.zeros(2)})['a.b'] = T.zeros(1)",
    "nn.ParameterDict().popitem()",
    # layers that refuse
    "nn.BatchNorm2d(3, eps=0)(T.ones(2, 3, 2, 2))",
    "nn.BatchNorm2d(3, eps=-1).eval()(T.ones(2, 3, 2, 2))",
    "nn.HuberLoss(delta='a')",
    "nn.CrossEntropyLoss(ignore_index=1)(T.zeros(2, 3), T.zeros(2, 3))",
]
# Where an error says more than torch's, it is of the kind that Python has for it.
KINDS = {"nn.ParameterDict().popitem()": "KeyError"}


def extra(nn: Any) -> Any:
    """A module with a state beside its tensors."""

    class Extra(nn.Module):  # type: ignore[misc]
        def get_extra_state(self) -> Any:
            return {"a": 1}

        def set_extra_state(self, state: Any) -> None:
            self.extra = state

    return Extra()


def outcome(library: Any, line: str) -> tuple[str, str]:
    names = {"T": library, "nn": library.nn, "collections": collections, "copy": copy, "pickle": pickle, "Extra": extra}
    try:
        exec(line, names)
    except Exception as error:
        return "raises", type(error).__name__
    return "gives", str(names.get("r")).replace("torch.", "minigrad.")


@pytest.mark.parametrize("line", LINES)
def test_lines(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    torch = pytest.importorskip("torch")
    expected = outcome(torch, line)
    printed = capsys.readouterr().out
    if line in KINDS:
        expected = ("raises", KINDS[line])
    assert outcome(minigrad, line) == expected
    assert capsys.readouterr().out == printed
