"""What caes reads beside pictures: runs, tables of labels, and what is typed."""

import tempfile
from functools import cache
from pathlib import Path
from random import Random

from tests.hostile.seeds import Seed, values

NAMES = [f"{letter}.png" for letter in "abcdef"]
TABLES = (
    "name,label\n" + "".join(f"{name},{n % 2}\n" for n, name in enumerate(NAMES)),
    "\ufeff" + "".join(f"{name};cat\n" for name in NAMES),
    "".join(f'"folder/{name}"\t"dog, or cat"\n' for name in NAMES),
)
TEXTS = {
    "arch": ("16C3-MP2-8C3-MP2", "32C5-MP2-64C5-MP2-128C3", "8C3-MP2-300N-32N"),
    "scale": ("auto", "minmax", "percentiles:1,99", "standard"),
    "noise": ("masking:0.3", "gaussian:0.1", "salt-and-pepper:0.1", "none,masking:0.5"),
    "sparsity": ("wta", "wta:0.05"),
    "augment": ("digits", "photos", "shift:0.08+rotate:12+scale:0.12", "flip+crop:4"),
    "head": ("300N", "500N-100N", "none"),
    "size": ("64x96", "28X28"),
    "split": ("train[:1000]", "train[10%:]+test", "test"),
    "epochs": ("20", "3,2,1"),
    "learning-rate": ("0.001", "1e-3,1e-4"),
    "batch-size": ("64",),
    "seed": ("33",),
    "hold-out": ("0.1",),
    "tile": ("32",),
}
"""Options, and what is rightly typed for them."""
LONGEST = 5_000
"""Letters that are typed at most."""
_LETTERS = "0123456789-+.:,;%[]xCNMPeE \t\n\0=@'\"\\/∞é٣𝟜"
_NUMBERS = ("0", "-1", "9" * 400, "1e999", "nan", "inf", "-0.0", "1_0", "0x10", "", "٣")


@cache
def tables() -> tuple[Seed, ...]:
    """Tables of labels."""
    return tuple(Seed("labels", "labels.csv", text.encode("utf-8")) for text in TABLES)


@cache
def runs() -> tuple[dict[str, bytes], ...]:
    """The files of two trained networks, an auto-encoder and a classifier."""
    import numpy as np

    import caes

    pixels = np.stack([values(8, 8) + np.uint8(n) for n in range(6)])
    stack = caes.CAE("2C3-MP2", schedule="greedy", decoder="tied", loss="mse",
                     epochs=1, random_state=0, device="cpu").fit(pixels)  # fmt: skip
    classifier = caes.CAEClassifier(stack, head="4N", epochs=1, random_state=0)
    classifier.fit(pixels, [0, 1] * 3)
    found = []
    for model in (stack, classifier):
        with tempfile.TemporaryDirectory() as folder:
            model.save(Path(folder) / "run")
            files = sorted((Path(folder) / "run").iterdir())
            found.append({path.name: path.read_bytes() for path in files})
    return tuple(found)


def typed(random: Random) -> tuple[str, str]:
    """Draw an option and a text for it, most of them wrong."""
    option = random.choice(sorted(TEXTS))
    text = random.choice(TEXTS[option])
    for _ in range(random.choice([1, 1, 2, 5])):
        text = random.choice(_CHANGES)(random, text)[:LONGEST]
    return option, text


def _number(random: Random, text: str) -> str:
    places = [place for place, letter in enumerate(text) if letter.isdigit()]
    place = random.choice(places) if places else 0
    return text[:place] + random.choice(_NUMBERS) + text[place + 1 :]


def _letter(random: Random, text: str) -> str:
    place = random.randint(0, len(text))
    return text[:place] + random.choice(_LETTERS) + text[place + random.randint(0, 1) :]


def _repeated(random: Random, text: str) -> str:
    return random.choice("-,+:").join([text] * random.choice([2, 3, 300]))


def _cut(random: Random, text: str) -> str:
    return text[: random.randint(0, len(text))]


_CHANGES = (_number, _number, _letter, _letter, _repeated, _cut)
