"""The critic's step of WGAN-GP: its gradient penalty differentiates a gradient, through convolution, norm and leaky relu."""

import torch
import torch.autograd as autograd
import torch.nn as nn
import torch.optim as optim


def build():
    return {
        "critic": nn.Sequential(
            nn.Conv2d(1, 4, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(4, 8, 4, 2, 1),
            nn.InstanceNorm2d(8, affine=True),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(8 * 4 * 4, 1),
        )
    }


def train(models, numbers):
    critic = models["critic"]
    optimizer = optim.Adam(critic.parameters(), lr=1e-3, betas=(0.0, 0.9))
    losses = []
    for _ in range(4):
        real = torch.tensor(numbers.normal(size=(4, 1, 16, 16)), dtype=torch.float32)
        fake = torch.tensor(numbers.normal(size=(4, 1, 16, 16)) + 1, dtype=torch.float32)
        alpha = torch.tensor(numbers.random((4, 1, 1, 1)), dtype=torch.float32)
        mixed = (alpha * real + (1 - alpha) * fake).requires_grad_(True)
        scores = critic(mixed)
        gradients = autograd.grad(
            outputs=scores, inputs=mixed, grad_outputs=torch.ones_like(scores), create_graph=True, retain_graph=True
        )[0]
        penalty = ((gradients.view(4, -1).norm(2, dim=1) - 1) ** 2).mean()
        loss = critic(fake).mean() - critic(real).mean() + 10.0 * penalty
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses += [loss.item(), penalty.item()]
    return losses
