"""Networks whose trained weights ship in Python packages, for torch's nn and for minigrad's.

facenet-pytorch has the three of MTCNN (Zhang et al., 2016) in torch's older format, silero-vad one that finds speech as a safetensors file.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

import numpy as np


def image(size: int) -> np.ndarray[Any, Any]:
    """Two pictures with edges and gradients, by formula, with pixels from -1 to 1."""
    y, x = np.mgrid[:size, :size] / size
    waves = [np.sin(9 * x + k * y) * np.cos(5 * y * (k + 1)) for k in range(3)]
    steps = [np.where((x - 0.5) ** 2 + (y - 0.4) ** 2 < 0.1 * (k + 1), 0.8, -0.6) for k in range(3)]
    return np.stack([waves, steps]).astype(np.float32)


def trunk(nn: Any, widths: tuple[int, ...], kernels: tuple[int, ...], pools: tuple[int, ...]) -> list[tuple[str, Any]]:
    """Convolutions with PReLUs, followed by max pooling as long as there are sizes of pools."""
    layers: list[tuple[str, Any]] = []
    for i, (before, after, kernel) in enumerate(zip(widths[:-1], widths[1:], kernels, strict=True)):
        layers += [(f"conv{i + 1}", nn.Conv2d(before, after, kernel)), (f"prelu{i + 1}", nn.PReLU(after))]
        if i < len(pools):
            layers.append((f"pool{i + 1}", nn.MaxPool2d(pools[i], 2, ceil_mode=True)))
    return layers


def network(nn: Any, layers: list[tuple[str, Any]], flat_at: str | None, heads: list[tuple[str, Any]]) -> Any:
    """A module of layers and then heads, of which the first gives probabilities."""

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for name, layer in layers + heads:
                setattr(self, name, layer)

        def forward(self, x: Any) -> list[Any]:
            for name, layer in layers:
                if name == flat_at:
                    x = x.permute(0, 3, 2, 1).contiguous().view(x.shape[0], -1)
                x = layer(x)
            answers = [head(x) for _, head in heads]
            return [answers[0].softmax(1), *answers[1:]]

    return Network()


def pnet(nn: Any) -> Any:
    layers = trunk(nn, (3, 10, 16, 32), (3, 3, 3), (2,))
    return network(nn, layers, None, [("conv4_1", nn.Conv2d(32, 2, 1)), ("conv4_2", nn.Conv2d(32, 4, 1))])


def rnet(nn: Any) -> Any:
    layers = trunk(nn, (3, 28, 48, 64), (3, 3, 2), (3, 3)) + [
        ("dense4", nn.Linear(576, 128)),
        ("prelu4", nn.PReLU(128)),
    ]
    return network(nn, layers, "dense4", [("dense5_1", nn.Linear(128, 2)), ("dense5_2", nn.Linear(128, 4))])


def onet(nn: Any) -> Any:
    layers = trunk(nn, (3, 32, 64, 64, 128), (3, 3, 3, 2), (3, 3, 2)) + [
        ("dense5", nn.Linear(1152, 256)),
        ("prelu5", nn.PReLU(256)),
    ]
    heads = [("dense6_1", nn.Linear(256, 2)), ("dense6_2", nn.Linear(256, 4)), ("dense6_3", nn.Linear(256, 10))]
    return network(nn, layers, "dense5", heads)


def silero(nn: Any) -> Any:
    class Network(nn.Module):
        """From 640 samples of sound at 16 kHz to the probability that there is speech."""

        def __init__(self) -> None:
            super().__init__()
            self.stft_conv = nn.Conv1d(1, 258, 256, stride=128, bias=False)
            sizes = [(129, 128, 1), (128, 64, 2), (64, 64, 2), (64, 128, 1)]
            for i, (before, after, stride) in enumerate(sizes):
                setattr(self, f"conv{i + 1}", nn.Conv1d(before, after, 3, stride=stride, padding=1))
            self.lstm_cell = nn.LSTMCell(128, 128)
            self.final_conv = nn.Conv1d(128, 1, 1)

        def forward(self, x: Any) -> list[Any]:
            x = self.stft_conv(x)
            x = (x[:, :129] ** 2 + x[:, 129:] ** 2).sqrt()
            for i in range(4):
                x = getattr(self, f"conv{i + 1}")(x).relu()
            hidden, cell = self.lstm_cell(x.squeeze(-1))
            return [self.final_conv(hidden.unsqueeze(-1).relu()).sigmoid(), hidden[:, :8], cell[:, :8]]

    return Network()


def sound(size: int) -> np.ndarray[Any, Any]:
    """Two tones that swell."""
    time = np.arange(size) / 16000
    tones = [np.sin(2 * np.pi * f * time) * np.sin(2 * np.pi * f * 3 * time) * time * 20 for f in (140, 900)]
    return np.stack(tones)[:, None].astype(np.float32)


# What builds the network, what goes in, and the distribution and the file with the weights.
NETWORKS = {
    "pnet": (pnet, image(16), "facenet-pytorch", "pnet.pt"),
    "rnet": (rnet, image(24), "facenet-pytorch", "rnet.pt"),
    "onet": (onet, image(48), "facenet-pytorch", "onet.pt"),
    "silero": (silero, sound(640), "silero-vad", "silero_vad_16k.safetensors"),
}


def weights_file(distribution: str, file: str) -> Path | None:
    """Where a file of an installed distribution is; None if that is not installed."""
    try:
        found = [path for path in files(distribution) or [] if path.name == file]
    except PackageNotFoundError:
        return None
    return Path(str(found[0].locate()))
