"""Every example: its help, its options' errors, and with settings that take seconds, what it prints and draws."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

import minigrad

EXAMPLES = Path(__file__).parents[2] / "examples"
SHARED = {"adversarial.py", "common.py", "pictures.py", "segmentation.py", "translation.py"}  # what examples import
SCRIPTS = sorted({path.name for path in EXAMPLES.glob("*.py")} - SHARED)

if missing := [name for name in ("tqdm", "matplotlib") if find_spec(name) is None]:
    pytest.skip(f"{' and '.join(missing)} not installed", allow_module_level=True)

# The smallest settings of each example, the last line that it should print, and the pictures that it should draw.
SHORT = {
    "architectures.py": (["--only=lenet-5"], r"1 networks; the largest is LeNet-5 with 61,706 parameters", {"architectures.png"}),
    "classify_emoji.py": (
        ["--epochs=1", "--train-size=64", "--width=4"],
        r"test accuracy 0\.\d{3} \(always the largest category: 0\.238\)",
        {"classify_emoji.png"},
    ),
    "colourise.py": (
        ["--epochs=1", "--rounds=1", "--steps=1", "--width=4", "--batch-size=4"],
        r"PSNR \d+\.\d\d dB, with the game \d+\.\d\d dB, left grey \d+\.\d\d dB",
        {"colourise.png"},
    ),
    "gan_augmentation.py": (
        ["--epochs=1", "--each=5", "--width=4", "--drawn=100", "--repeats=1", "--steps=2"],
        r"test accuracy 0\.\d{3} without and 0\.\d{3} with drawn digits",
        {"gan_augmentation.png"},
    ),
    "gan_failures.py": (["--epochs=1", "--turns=1", "--steps=2"], r"modes \d -> \d, loss \S+ -> \S+, gradient \S+ times as long", {"gan_failures.png"}),
    "gan_mnist.py": (
        ["--epochs=1", "--train-size=128", "--width=4", "--conditional"], r"recognised of the digits asked for 0\.\d{3}", {"gan_mnist.png"},
    ),
    "inpaint.py": (
        ["--epochs=1", "--rounds=1", "--steps=1", "--width=4", "--batch-size=4"],
        r"PSNR in the gaps \d+\.\d\d dB, with the game \d+\.\d\d dB, smooth \d+\.\d\d dB",
        {"inpaint.png"},
    ),
    "lapgan_emoji.py": (
        ["--epochs=1", "--steps=1", "--width=4", "--drawn=60", "--judge-epochs=1"],
        r"Frechet distance \d+\.\d, of the smallest level enlarged \d+\.\d",
        {"lapgan_emoji.png"},
    ),
    "mnist.py": (["--epochs=1", "--train-size=200", "--model=fully-connected"], r"test accuracy 0\.\d{3}", {"fully-connected.png"}),
    "overfitting.py": (["--epochs=2", "--digits=100"], r"dropout changes the test loss from \d\.\d{3} to \d\.\d{3}", {"overfitting.png"}),
    "segment_emoji.py": (["--epochs=1", "--steps=1", "--width=2", "--batch-size=2"], r"test Dice of U-Net 0\.\d{3}", {"segment_emoji.png"}),
    "segment_nuclei.py": (["--epochs=1", "--steps=1", "--width=2", "--batch-size=2"], r"test Dice of U-Net 0\.\d{3}", {"segment_nuclei.png"}),
    "stackgan_emoji.py": (
        ["a red heart", "--epochs=1", "--steps=1", "--width=4", "--word-epochs=1", "--judge-epochs=1"],
        r"agreement with the phrase's category 0\.\d{3}, unconditional 0\.\d{3}",
        {"stackgan_emoji.png"},
    ),
    "super_resolution.py": (
        ["--epochs=1", "--rounds=1", "--steps=1", "--width=4", "--blocks=1", "--batch-size=2"],
        r"PSNR \d+\.\d\d dB, bicubic \d+\.\d\d dB",
        {"super_resolution.png"},
    ),
    "textbook.py": ([], r"\d+ computations agree with the course", {"textbook.png"}),
    "transfer.py": (
        ["--examples=1", "--epochs=1", "--pretraining=1"], r"fine-tuning gains on average [+-]0\.\d{3} and [+-]0\.\d{3}", {"transfer.png"},
    ),
}  # fmt: skip


def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(EXAMPLES / script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def test_every_example_is_in_the_list() -> None:
    assert sorted(SHORT) == SCRIPTS


@pytest.mark.parametrize("script", SHORT)
def test_it_runs_and_draws(script: str, tmp_path: Path) -> None:
    arguments, last_line, pictures = SHORT[script]
    done = run(script, *arguments, "--out", tmp_path, "--quiet")
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(last_line, done.stdout.splitlines()[-1]), done.stdout
    assert done.stderr == ""  # no warnings either
    from matplotlib.image import imread

    assert {path.name for path in tmp_path.glob("*.png")} == pictures
    for name in pictures:
        picture = imread(tmp_path / name)
        assert min(picture.shape[:2]) > 100 and picture[..., :3].std() > 0.01, name


@pytest.mark.parametrize("script", SHORT)
def test_help_and_wrong_options(script: str) -> None:
    done = run(script, "--help")
    usage, said = done.stdout.split("\n\n", 1)
    there = set(re.findall(r"--[a-z-]+", usage))
    assert done.returncode == 0 and {"--out", "--threads", "--no-plot", "--quiet"} <= there
    assert ("--full" in there) == ("as large as in the papers" in said)
    for settings in re.findall(r"as large as in the papers: (.*?) where not", " ".join(said.split())):
        assert set(re.findall(r"--[a-z-]+", settings)) <= there - {"--full"} and re.fullmatch(r"(--[a-z-]+ \d+ ?)+", settings)
    done = run(script, "--bogus")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"{script}: error: unrecognized arguments: --bogus (--help names the options)\n"


def test_transfer_starts_from_a_checkpoint_of_torchvisions_format(tmp_path: Path) -> None:
    done = run("transfer.py", "--checkpoint", tmp_path / "nowhere.pth", "--out", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")  # before anything is trained
    assert done.stderr.startswith("transfer.py: error: argument --checkpoint: weights: there is no file")
    minigrad.save(minigrad.models.resnet18().state_dict(), tmp_path / "resnet18.safetensors")
    short = ["--examples=1", "--epochs=1", "--pretraining=1", "--quiet", "--out", tmp_path]
    done = run("transfer.py", "--checkpoint", tmp_path / "resnet18.safetensors", *short)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^emoji, +1 examples each: at random 0\.\d{3}, pretrained, frozen 0\.\d{3}", done.stdout, re.MULTILINE), done.stdout


def test_more_examples_than_there_are(tmp_path: Path) -> None:
    for script, option in (("classify_emoji.py", "--train-size"), ("gan_mnist.py", "--train-size"), ("mnist.py", "--train-size"), ("overfitting.py", "--digits")):
        done = run(script, f"{option}=99999", "--out", tmp_path)
        assert done.returncode == 2
        assert re.fullmatch(rf"{script}: error: argument {option}: there are \d+ \w+ to train on, not 99999\n", done.stderr), done.stderr


def test_a_game_goes_on_where_it_was_left(tmp_path: Path) -> None:
    """Two epochs at once, and one epoch and then another, leave the same bits."""
    left = []
    for folder, epochs in (("whole", 2), ("parts", 1), ("parts", 2)):
        done = run("gan_mnist.py", "--train-size=128", "--width=4", "--no-plot", "--quiet", "--resume", f"--epochs={epochs}", "--out", tmp_path / folder)
        assert done.returncode == 0, done.stderr
        saved = minigrad.load(tmp_path / folder / "gan_mnist.checkpoint")
        left.append((saved["progress"], {(part, name): value.numpy() for part in ("average", "discriminator") for name, value in saved["parts"][part].items()}))
    (whole, weights), _, (parts, others) = left
    assert whole == parts and len(whole["history"]["generator loss"]) == whole["epoch"] == 2
    assert weights.keys() == others.keys()
    for name, value in weights.items():
        assert (value == others[name]).all(), name


def test_a_training_that_was_killed_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    short = ["--epochs=4", "--steps=1", "--width=2", "--batch-size=2", "--quiet", "--no-plot"]
    whole = run("segment_nuclei.py", *short, "--out", tmp_path / "whole")
    parts = ["segment_nuclei.py", *short, "--resume", "--out", str(tmp_path / "parts")]
    command = [sys.executable, str(EXAMPLES / parts[0]), *parts[1:]]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as killed:
        while killed.poll() is None and not (tmp_path / "parts" / "segment_nuclei_segnet.checkpoint").exists():
            time.sleep(0.001)
        killed.kill()
    done = run(*parts)
    assert (done.returncode, done.stderr) == (whole.returncode, whole.stderr) == (0, "")
    assert done.stdout == whole.stdout


def test_checkpoints_are_not_mixed_with_those_of_other_settings(tmp_path: Path) -> None:
    """What is said beside --full counts; examples keep apart in one folder; other settings are refused before anything is trained."""
    short = ["--full", "--epochs=1", "--steps=1", "--width=2", "--batch-size=2", "--quiet", "--no-plot", "--resume", "--out", tmp_path]
    for script in ("segment_nuclei.py", "segment_emoji.py"):
        done = run(script, *short)
        assert (done.returncode, done.stderr) == (0, "")
        settings = json.loads((tmp_path / f"{Path(script).stem}.settings.json").read_text(encoding="utf-8"))
        assert (settings["width"], settings["batch_size"]) == (2, 2)
    files = {path: path.read_bytes() for path in tmp_path.iterdir()}
    # The learning rate follows the number of epochs.
    for other, told in (("--width=3", "width 2, not 3"), ("--epochs=2", "epochs 1, not 2")):
        done = run("segment_nuclei.py", *short, other)
        assert (done.returncode, done.stdout) == (2, "")
        expected = f"segment_nuclei.py: error: argument --resume: the checkpoints in {tmp_path} were made with {told}; choose another --out\n"
        assert done.stderr == expected
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == files


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--loss=hinge", "--label-smoothing=0.1"], "argument --label-smoothing: losses: label_smoothing=0.1 is for minimax and non-saturating"),
        (["--penalty=-1"], "argument --penalty: should be a number of at least 0, but is -1"),
        (["--penalty=nan"], "argument --penalty: should be a number of at least 0, but is nan"),
        (["--batch-size=30", "--k=4", "--train-size=100"], "argument --batch-size: a turn takes 120 digits, but there are 100"),
        (["--conditional", "--fully-connected"], "--conditional is for convolutional players"),
    ],
)
def test_wrong_games_are_refused_before_anything_is_trained(options: list[str], message: str, tmp_path: Path) -> None:
    done = run("gan_mnist.py", *options, "--quiet", "--out", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"gan_mnist.py: error: {message}") and done.stderr.count("\n") == 1


def test_the_gallery_is_what_its_program_writes() -> None:
    pytest.importorskip("PIL")
    path = EXAMPLES.parent / "docs" / "make_gallery.py"
    spec = spec_from_file_location("make_gallery", path)
    assert spec is not None and spec.loader is not None
    gallery = module_from_spec(spec)
    spec.loader.exec_module(gallery)
    names = [name for part in gallery.SHOWN.values() for name in part]
    assert {f"{name.split()[0]}.py" for name in names} == set(SCRIPTS)
    results = json.loads(gallery.RESULTS.read_text(encoding="utf-8"))
    assert list(results) == names, "python docs/make_gallery.py NAME runs what is missing"
    assert (path.parent / "gallery.md").read_text(encoding="utf-8") == gallery.page(results)
    assert gallery.table(results) in (EXAMPLES.parent / "README.md").read_text(encoding="utf-8")
    for name in results:
        assert 1000 < (gallery.PICTURES / gallery.file_of(name)).stat().st_size < 60_000
