"""SegNet: an encoder whose poolings keep the positions of the maxima, a decoder that unpools by them."""

import torch
from torch import nn, optim


def stage(n_in, n_out, n):
    layers = []
    for i in range(n):
        layers += [nn.Conv2d(n_in if i == 0 else n_out, n_out, 3, padding=1), nn.BatchNorm2d(n_out), nn.ReLU(True)]
    return nn.Sequential(*layers)


class SegNet(nn.Module):
    def __init__(self, n_classes=4):
        super(SegNet, self).__init__()
        self.encoder1, self.encoder2 = stage(3, 6, 2), stage(6, 12, 2)
        self.decoder2, self.decoder1 = stage(12, 6, 2), stage(6, 6, 1)
        self.pool = nn.MaxPool2d(kernel_size=2, stride=2, return_indices=True)
        self.unpool = nn.MaxUnpool2d(kernel_size=2, stride=2)
        self.classifier = nn.Conv2d(6, n_classes, 3, padding=1)
        self.drop = nn.Dropout2d(0.0)

    def forward(self, x):
        x = self.encoder1(x)
        size1 = x.size()
        x, indices1 = self.pool(x)
        x = self.encoder2(x)
        size2 = x.size()
        x, indices2 = self.pool(x)
        x = self.drop(x)
        x = self.unpool(x, indices2, output_size=size2)
        x = self.decoder2(x)
        x = self.unpool(x, indices1, output_size=size1)
        return self.classifier(self.decoder1(x))


def build():
    return {"net": SegNet()}


def train(models, numbers):
    net = models["net"]
    images = torch.from_numpy(numbers.normal(size=(2, 3, 14, 18)).astype("float32"))
    labels = torch.from_numpy(numbers.integers(0, 4, (2, 14, 18)))
    labels[:, 0, :] = 255
    criterion = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 0.5, 1.0]), ignore_index=255)
    optimizer = optim.AdamW(net.parameters(), lr=5e-3, weight_decay=0.01)
    losses = []
    for _ in range(4):
        loss = criterion(net(images), labels)
        net.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    accuracy = (net(images).argmax(1) == labels)[labels != 255].float().mean()
    losses.append(round(accuracy.item(), 2))
    return losses
