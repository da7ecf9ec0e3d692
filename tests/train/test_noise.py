import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from caes.errors import ArgumentError
from caes.train.noise import KINDS, Corruption, parse_corruption
from tests.refusals import refusing


def _noise(text: str, clean: torch.Tensor, seed: int = 0) -> torch.Tensor:
    corruption = parse_corruption(text)
    assert corruption is not None
    return corruption(clean, torch.Generator().manual_seed(seed))


def test_masking_sets_its_share_to_zero_and_leaves_the_rest() -> None:
    clean = torch.rand(100, 40, 25) + 0.5
    noisy = _noise("masking:0.3", clean)
    hit = noisy == 0
    assert float(hit.float().mean()) == pytest.approx(0.3, abs=0.005)
    assert torch.equal(noisy[~hit], clean[~hit])


def test_gaussian_noise_has_its_deviation_and_no_bias() -> None:
    clean = torch.rand(100, 40, 25)
    added = _noise("gaussian:0.2", clean) - clean
    assert float(added.std()) == pytest.approx(0.2, rel=0.01)
    assert float(added.mean()) == pytest.approx(0, abs=0.003)


def test_salt_and_pepper_come_in_equal_parts() -> None:
    clean = torch.full((100, 40, 25), 0.5)
    noisy = _noise("salt-and-pepper:0.4", clean)
    for value, share in ((0, 0.2), (1, 0.2), (0.5, 0.6)):
        found = float((noisy == value).float().mean())
        assert found == pytest.approx(share, abs=0.005)


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_draws_the_noise_and_the_clean_picture_stays(kind: str) -> None:
    clean = torch.rand(5, 6, 7)
    before = clean.clone()
    assert torch.equal(_noise(f"{kind}:0.5", clean), _noise(f"{kind}:0.5", clean))
    assert not torch.equal(
        _noise(f"{kind}:0.5", clean, 1), _noise(f"{kind}:0.5", clean)
    )
    assert torch.equal(clean, before)
    assert torch.equal(_noise(f"{kind}:0", clean), clean)


@given(st.sampled_from(KINDS), st.floats(0, 1))
@example("masking", 1.0)
def test_what_is_printed_reads_back(kind: str, strength: float) -> None:
    strength = float(f"{strength:g}")
    assert parse_corruption(str(Corruption(kind, strength))) == Corruption(
        kind, strength
    )


@pytest.mark.parametrize(
    "text",
    ["", "masking", "masking:", "masking:1.1", "masking:-1", "fog:0.3", "nan:nan"],
)
def test_other_texts_are_refused(text: str) -> None:
    message = f"noise: received {text!r}; allowed: masking:SHARE, gaussian:DEVIATION or salt-and-pepper:SHARE. Try masking:0.3."
    with refusing(ArgumentError, message):
        parse_corruption(text)
