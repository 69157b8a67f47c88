"""A classifier as in torch's own tutorials: nn.Sequential, CrossEntropyLoss, SGD with momentum and a schedule."""

import torch
import torch.nn as nn
import torch.optim as optim
from torch.utils.data import DataLoader, TensorDataset


def build():
    return {
        "net": nn.Sequential(
            nn.Conv2d(1, 6, kernel_size=5, padding=2),
            nn.BatchNorm2d(6),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2, 2),
            nn.Conv2d(6, 16, 5),
            nn.Tanh(),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(16 * 2 * 2, 32),
            nn.LeakyReLU(0.1),
            nn.Linear(32, 10),
            nn.LogSoftmax(dim=1),
        )
    }


def train(models, numbers):
    net = models["net"]
    images = torch.from_numpy(numbers.normal(size=(24, 1, 16, 16)).astype("float32"))
    labels = torch.tensor(numbers.integers(0, 10, 24))
    loader = DataLoader(TensorDataset(images, labels), batch_size=8, shuffle=False)
    optimizer = optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4, nesterov=True)
    scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
    criterion = nn.NLLLoss()
    losses = []
    for _ in range(3):
        net.train()
        for data, target in loader:
            optimizer.zero_grad()
            output = net(data)
            loss = criterion(output, target)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        scheduler.step()
    net.eval()
    with torch.no_grad():
        predicted = net(images).argmax(dim=1, keepdim=True)
        correct = predicted.eq(labels.view_as(predicted)).sum().item()
    losses.append(float(correct))
    return losses
