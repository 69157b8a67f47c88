"""The networks of the lectures. Where torchvision has a network, its arguments and the names and shapes of its parameters are the same.

`weights=` of every function is the path of a checkpoint, also one of torchvision's. Nothing is downloaded; `progress`, which torchvision has for that, is
accepted and changes nothing.

>>> import minigrad
>>> model = minigrad.models.resnet18(num_classes=10)
>>> tuple(model(minigrad.zeros(2, 3, 64, 64)).shape)
(2, 10)
"""

from __future__ import annotations

from minigrad.models.alexnet import AlexNet, ZFNet, alexnet, zfnet
from minigrad.models.fcn import FCN, fcn
from minigrad.models.gan import PatchDiscriminator, Players, cgan, dcgan, gan_mlp, patch_discriminator
from minigrad.models.googlenet import GoogLeNet, GoogLeNetOutputs, googlenet
from minigrad.models.inception import Inception3, InceptionOutputs, inception_v3
from minigrad.models.lapgan import LAPGAN, lapgan
from minigrad.models.lenet import LeNet5, lenet5
from minigrad.models.mobilenet import MobileNetV2, mobilenet_v2
from minigrad.models.pyramid import gaussian_pyramid, laplacian_pyramid
from minigrad.models.resnet import ResNet, resnet18, resnet34, resnet50, resnet101, resnet152
from minigrad.models.segnet import SegNet, segnet
from minigrad.models.srgan import SRResNet, srgan, srresnet
from minigrad.models.stackgan import StackGAN, stackgan
from minigrad.models.unet import UNet, unet
from minigrad.models.vgg import VGG, vgg11, vgg11_bn, vgg13, vgg13_bn, vgg16, vgg16_bn, vgg19, vgg19_bn

__all__ = [
    "AlexNet", "FCN", "GoogLeNet", "GoogLeNetOutputs", "Inception3", "InceptionOutputs", "LAPGAN", "LeNet5", "MobileNetV2",
    "PatchDiscriminator", "Players", "ResNet", "SRResNet", "SegNet", "StackGAN", "UNet", "VGG", "ZFNet", "alexnet", "cgan", "dcgan", "fcn",
    "gan_mlp", "gaussian_pyramid", "googlenet", "inception_v3", "lapgan", "laplacian_pyramid", "lenet5", "mobilenet_v2",
    "patch_discriminator", "resnet101", "resnet152", "resnet18", "resnet34", "resnet50", "segnet", "srgan", "srresnet", "stackgan", "unet",
    "vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn", "zfnet",
]  # fmt: skip
