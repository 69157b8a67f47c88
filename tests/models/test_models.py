"""The networks against torchvision's (names, shapes, order, answers), their training, their weights from files."""

from __future__ import annotations

import json
from inspect import Parameter, signature
from pathlib import Path

import numpy as np
import pytest

import minigrad
from minigrad import models, nn
from minigrad.models.googlenet import BasicConv2d, Inception, InceptionAux, recoloured

from .fill import NETWORKS, digest, image, weight

# One network of each family answers; filling and running all the others takes minutes, and their entries tell where they differ.
SAME_BUT_DEEPER = {
    "vgg11",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
    "resnet34",
    "resnet101",
    "resnet152",
}
REFERENCE = json.loads(Path(__file__).with_name("torchvision.json").read_text())


@pytest.mark.parametrize("name", NETWORKS)
def test_same_entries_and_answers_as_torchvision(name):
    start = {"init_weights": False} if name.startswith(("vgg", "googlenet", "inception")) else {}
    model = getattr(models, name)(**start).eval()
    entries, expected = model.state_dict(), REFERENCE[name]
    assert sum(p.numel() for p in model.parameters()) == expected["parameters"]
    assert len(entries) == expected["entries"]
    assert digest((key, value.shape) for key, value in entries.items()) == expected["digest"]
    if name in SAME_BUT_DEEPER:
        return
    for position, (key, value) in enumerate(entries.items()):
        value.copy_(minigrad.from_numpy(weight(key, value.shape, position)))
    with minigrad.no_grad():
        logits = model(minigrad.from_numpy(image(NETWORKS[name])))[0]
    np.testing.assert_allclose(logits[::100].numpy(), expected["logits"], rtol=0, atol=1e-4 * expected["largest"])
    assert abs(logits).max().item() == pytest.approx(expected["largest"], rel=1e-4)


@pytest.mark.parametrize(
    ("name", "size"), [("lenet5", 28), ("zfnet", 224), ("resnet18", 32), ("resnet50", 32), ("mobilenet_v2", 32)]
)
def test_every_parameter_learns(name, size):
    minigrad.manual_seed(0)
    model = getattr(models, name)(num_classes=5)
    out = model(minigrad.rand(2, 1 if name == "lenet5" else 3, size, size))
    assert out.shape == (2, 5)
    nn.functional.cross_entropy(out, minigrad.tensor([1, 3])).backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert np.isfinite(parameter.grad.numpy()).all(), key
    assert any(parameter.grad.abs().sum() > 0 for parameter in model.parameters())


@pytest.mark.parametrize(("name", "size", "heads"), [("googlenet", 64, 3), ("inception_v3", 299, 2)])
def test_auxiliary_heads_while_training(name, size, heads):
    model = getattr(models, name)(num_classes=4, init_weights=False)
    x = minigrad.rand(2, 3, size, size) if name == "googlenet" else minigrad.rand(1, 3, size, size)
    if (
        name == "inception_v3"
    ):  # one value a channel cannot be normalised in the second head, and two images of 299x299 take long
        model.AuxLogits.conv1.eval()
        outs = model(x)
        assert outs._fields == ("logits", "aux_logits")
    else:
        outs = model(x)
        assert outs._fields == ("logits", "aux_logits2", "aux_logits1")
    assert [out.shape for out in outs] == [(len(x), 4)] * heads
    sum(out.sum() for out in outs).backward()
    assert all(p.grad is not None for p in model.parameters())
    model.eval()
    with minigrad.no_grad():
        assert model(x).shape == (len(x), 4)
    assert all(
        "aux" not in key.lower() for key in getattr(models, name)(aux_logits=False, init_weights=False).state_dict()
    )


def test_recolouring_is_that_of_the_original_weights():
    raw = minigrad.rand(1, 3, 4, 4)
    mean = minigrad.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
    deviation = minigrad.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)
    assert minigrad.allclose(recoloured((raw - mean) / deviation), raw * 2 - 1, atol=1e-5)


def test_weights_from_a_file(tmp_path):
    model = models.lenet5()
    minigrad.save(model.state_dict(), tmp_path / "lenet.safetensors")
    again = models.lenet5(weights=tmp_path / "lenet.safetensors")
    for key, value in model.state_dict().items():
        assert minigrad.equal(again.state_dict()[key], value)
    with pytest.raises(RuntimeError, match=r"LeNet5.*\n.*classifier.4.weight"):
        models.lenet5(weights=tmp_path / "lenet.safetensors", num_classes=3)


@pytest.mark.parametrize("name", sorted(NETWORKS.keys() - SAME_BUT_DEEPER))
def test_arguments_are_those_of_torchvision(name):
    """As its constructors have them; `progress` is for downloads, of which there are none."""
    function = signature(getattr(models, name)).parameters
    assert all(parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_KEYWORD) for parameter in function.values())
    assert [function[one].default for one in ("weights", "progress")] == [None, True]
    classes = {
        "alexnet": "AlexNet",
        "googlenet": "GoogLeNet",
        "inception_v3": "Inception3",
        "mobilenet_v2": "MobileNetV2",
    }
    kind = classes.get(name) or {"v": "VGG", "r": "ResNet"}[name[0]]
    own = [(one.name, one.default) for one in signature(getattr(models, kind)).parameters.values()]
    assert own == CONSTRUCTORS[kind]
    start = {"init_weights": False} if kind in ("VGG", "GoogLeNet", "Inception3") else {}
    getattr(models, name)(progress=False, num_classes=2, **start)
    with pytest.raises(TypeError, match="unexpected keyword argument 'num_clases'"):
        getattr(models, name)(num_clases=2)


REQUIRED = Parameter.empty
CONSTRUCTORS = {
    "AlexNet": [("num_classes", 1000), ("dropout", 0.5)],
    "VGG": [("features", REQUIRED), ("num_classes", 1000), ("init_weights", True), ("dropout", 0.5)],
    "GoogLeNet": [
        ("num_classes", 1000), ("aux_logits", True), ("transform_input", False), ("init_weights", None), ("blocks", None), ("dropout", 0.2),
        ("dropout_aux", 0.7),
    ],
    "Inception3": [
        ("num_classes", 1000), ("aux_logits", True), ("transform_input", False), ("inception_blocks", None), ("init_weights", None), ("dropout", 0.5),
    ],
    "ResNet": [
        ("block", REQUIRED), ("layers", REQUIRED), ("num_classes", 1000), ("zero_init_residual", False), ("groups", 1), ("width_per_group", 64),
        ("replace_stride_with_dilation", None), ("norm_layer", None),
    ],
    "MobileNetV2": [
        ("num_classes", 1000), ("width_mult", 1.0), ("inverted_residual_setting", None), ("round_nearest", 8), ("block", None), ("norm_layer", None),
        ("dropout", 0.2),
    ],
}  # fmt: skip


def test_weights_that_cannot_be_had(tmp_path):
    for wrong in ("IMAGENET1K_V1", tmp_path / "nothing.safetensors"):
        with pytest.raises(FileNotFoundError, match=r"weights: there is no file '.*'; nothing is downloaded"):
            models.lenet5(weights=wrong)
    with pytest.raises(TypeError, match="weights: expected the path of a file, got bool; nothing is downloaded"):
        models.lenet5(weights=True)
    minigrad.save({"model": {"a": minigrad.ones(1)}, "epoch": 3}, tmp_path / "whole.safetensors")
    with pytest.raises(
        ValueError, match=r"whole.safetensors holds a dict of \['epoch', 'model'\], expected a state_dict"
    ):
        models.lenet5(weights=tmp_path / "whole.safetensors")


@pytest.mark.parametrize(("name", "head"), [("googlenet", "aux"), ("inception_v3", "AuxLogits")])
def test_weights_with_auxiliary_heads_and_without(name, head, tmp_path):
    """As with torchvision: a network without the heads passes over those in the file, and one with them wants theirs."""
    make, path = getattr(models, name), tmp_path / "whole.safetensors"
    whole = make(num_classes=3, init_weights=False).state_dict()
    minigrad.save(whole, path)
    bare = make(num_classes=3, aux_logits=False, transform_input=True, weights=path)
    assert bare.transform_input
    state = bare.state_dict()
    assert state.keys() == {key for key in whole if not key.startswith(head)} != whole.keys()
    assert all(minigrad.equal(value, whole[key]) for key, value in state.items())
    assert all(
        minigrad.equal(value, whole[key]) for key, value in make(num_classes=3, weights=path).state_dict().items()
    )
    minigrad.save(state, path)
    with pytest.raises(RuntimeError, match=rf"Missing key.*{head}"):
        make(num_classes=3, weights=path)
    minigrad.save({**whole, "more.weight": minigrad.ones(1)}, path)
    with pytest.raises(RuntimeError, match=r"Unexpected key.*\"more.weight\""):
        make(num_classes=3, aux_logits=False, weights=path)


def test_options_of_resnet():
    small = {"num_classes": 3, "width_per_group": 4, "groups": 2}
    model = models.resnet50(**small, replace_stride_with_dilation=[False, True, True])
    assert model.layer4[0].conv2.dilation == (2, 2)
    assert model.layer4[1].conv2.dilation == (4, 4)
    assert model.layer4(model.layer3(model.layer2(minigrad.rand(1, 256, 16, 16)))).shape[2:] == (8, 8)
    assert models.resnet18(zero_init_residual=True).layer1[0].bn2.weight.abs().sum() == 0
    model = models.resnet18(norm_layer=lambda channels: nn.GroupNorm(4, channels))
    assert isinstance(model.bn1, nn.GroupNorm)
    with pytest.raises(ValueError, match="BasicBlock: expected groups=1"):
        models.resnet18(groups=2)
    with pytest.raises(NotImplementedError, match="dilation=1, got 2"):
        models.resnet18(replace_stride_with_dilation=[True, False, False])
    with pytest.raises(ValueError, match="3 elements"):
        models.resnet18(replace_stride_with_dilation=[True])


def test_options_of_mobilenet():
    model = models.mobilenet_v2(width_mult=0.35, num_classes=2)
    assert model.features[0][0].out_channels == 16  # 32 * 0.35 = 11.2, and 8 would be more than a tenth below
    assert model.last_channel == 1280
    with pytest.raises(ValueError, match="rows of 4"):
        models.mobilenet_v2(inverted_residual_setting=[[1, 2, 3]])


def test_blocks_may_be_replaced():
    class Plain(BasicConv2d):
        pass

    blocks = [Plain, Inception, InceptionAux]
    assert isinstance(models.GoogLeNet(blocks=blocks, init_weights=False).conv1, Plain)
    with pytest.raises(ValueError, match="3 elements"):
        models.GoogLeNet(blocks=[Plain])
    with pytest.raises(ValueError, match="7 elements"):
        models.Inception3(inception_blocks=[Plain])
