"""The landmark VAE's networks: the published size, distributions against torch's own, conditions, checkpoints."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from nets.anclaf import parameter_count
from nets.card import CheckpointFault, ModelCard
from nets.checkpoint import load, save
from nets.landmark_vae import Code, LandmarkVae, LandmarkVaeConfig
from nets.torch_runtime import load_network

SMALL = LandmarkVaeConfig(points=7, latent=4, encoder=(16, 8), decoder=(8, 16))
CARD = ModelCard("small", "landmark-vae", SMALL.to_dict(), {}, "data", "terms", "command")


def built(**changes: object) -> LandmarkVae:
    torch.manual_seed(3)
    model = LandmarkVae(replace(SMALL, **changes)).eval()
    model.average.copy_(torch.randn(21))
    return model


def faces(count: int) -> torch.Tensor:
    return torch.randn(count, 21, generator=torch.Generator().manual_seed(1))


def test_the_published_networks_have_the_published_number_of_parameters() -> None:
    model = LandmarkVae(LandmarkVaeConfig())
    encoder = model.encoder, model.mean, model.log_variance
    assert sum(map(parameter_count, encoder)) == 394_800
    assert parameter_count(model.decoder) == 399_649


def test_the_divergence_is_torchs() -> None:
    code = Code(torch.randn(5, 7), torch.randn(5, 7))
    own = Normal(code.mean, torch.exp(code.log_variance / 2))
    torch.testing.assert_close(code.divergence(), kl_divergence(own, Normal(0.0, 1.0)).sum(1))


def test_samples_have_the_distributions_moments() -> None:
    code = Code(torch.tensor([[-1.0, 0.0, 2.0]]), torch.tensor([[-2.0, 0.0, 1.0]]))
    torch.manual_seed(0)
    drawn = code.sample(20000)[:, 0]
    torch.testing.assert_close(drawn.mean(0), code.mean[0], atol=0.05, rtol=0)
    torch.testing.assert_close(drawn.var(0).log(), code.log_variance[0], atol=0.05, rtol=0)


def test_only_a_conditional_model_reads_the_neutral_face() -> None:
    own, one, other = faces(3), faces(6)[3:], faces(9)[6:]
    for model, differs in ((built(), True), (built(conditional=False), False)):
        z = model.encode(own, one).mean
        assert torch.equal(model.encode(own, other).mean, z) is not differs
        assert torch.equal(model.decode(z, other), model.decode(z, one)) is not differs
    plain = built(conditional=False)
    assert torch.equal(plain.encode(own).mean, plain.encode(own, one).mean)


def test_without_the_neutral_face_it_says_so() -> None:
    with pytest.raises(ValueError, match=r"a conditional model \(M1, M2\) needs the neutral face; got none"):
        built().encode(faces(1))


def test_the_average_is_taken_off_and_added_again() -> None:
    model, shift = built(), torch.randn(21)
    z, drawn = model.encode(faces(2), faces(2)).mean, model.decode(torch.zeros(2, 4), faces(2))
    model.average += shift
    torch.testing.assert_close(model.encode(faces(2) + shift, faces(2) + shift).mean, z)
    torch.testing.assert_close(model.decode(torch.zeros(2, 4), faces(2) + shift), drawn + shift)


def test_samples_are_decoded_as_one_by_one() -> None:
    model, z = built(), torch.randn(3, 5, 4)
    several = model.decode(z, faces(5))
    assert several.shape == (3, 5, 21)
    torch.testing.assert_close(several, torch.stack([model.decode(each, faces(5)) for each in z]))


def test_a_checkpoint_gives_the_same_model(tmp_path: Path) -> None:
    model = built()
    save(tmp_path / "small.safetensors", model, CARD)
    loaded, card = load(tmp_path / "small.safetensors")
    assert isinstance(loaded, LandmarkVae)
    assert (loaded.config, card.kind) == (SMALL, "landmark-vae")
    assert torch.equal(loaded.encode(faces(3), faces(3)).mean, model.encode(faces(3), faces(3)).mean)


def test_it_does_not_tell_valence_and_arousal(tmp_path: Path) -> None:
    save(tmp_path / "small.safetensors", built(), CARD)
    with pytest.raises(CheckpointFault, match="small reads landmarks, not pictures; give it by --landmark-model"):
        load_network(tmp_path / "small.safetensors")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"points": 0}, "points is 0; expected a whole number, 1 to 16384"),
        ({"dropout": 1.0}, "dropout is 1.0; expected 0 to less than 1"),
        ({"depth": 3}, "unexpected keyword argument 'depth'"),
    ],
)
def test_a_card_that_describes_no_model(change: dict, text: str, tmp_path: Path) -> None:
    save(tmp_path / "small.safetensors", built(), replace(CARD, config={**SMALL.to_dict(), **change}))
    with pytest.raises(CheckpointFault, match=f"the card's config is not one of 'landmark-vae': .*{text}"):
        load(tmp_path / "small.safetensors")
