"""LeVAsa's networks: the published sizes, distributions against torch's own, heads, quadrants and checkpoints."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.distributions import Normal, kl_divergence

from nets.anclaf import parameter_count
from nets.card import CheckpointFault, ModelCard
from nets.checkpoint import load, save
from nets.levasa import HIGH, LEVELS, Latents, Levasa, LevasaConfig
from nets.products import TransposedConvolution, cut, joined
from train.metrics import quadrant_of

SMALL = LevasaConfig(channels=1, widths=(8, 8, 16, 16), hidden=(24, 16), latent=6)
CARD = ModelCard("small", "levasa", SMALL.to_dict(), {}, "data", "terms", "command")


def built(config: LevasaConfig = SMALL, **changes: object) -> Levasa:
    torch.manual_seed(3)
    return Levasa(replace(config, **changes)).eval()


def crops(count: int, channels: int = 1, size: int = 64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, channels, size, size), generator=generator, dtype=torch.uint8)


def test_the_published_networks_have_the_published_number_of_parameters() -> None:
    model = Levasa(LevasaConfig(output="relu", heads="none"))
    encoder, decoder = (model.encoder, model.mean, model.log_variance), (model.decoder, model.output)
    assert sum(map(parameter_count, encoder)) == 4_004_416
    assert sum(map(parameter_count, decoder)) == 4_005_321


def test_the_weights_begin_as_published() -> None:
    model = built(LevasaConfig())
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear) and layer.weight.numel() > 2000:
            assert layer.weight.std().item() == pytest.approx(0.05, rel=0.05)
        elif isinstance(layer, nn.BatchNorm2d) and layer.num_features > 60:
            assert layer.weight.mean().item() == pytest.approx(1, abs=0.02)
            assert layer.weight.std().item() == pytest.approx(0.02, rel=0.5)


@pytest.mark.parametrize(("size", "sides"), [(64, (64, 31, 15, 7, 3)), (97, (97, 48, 23, 11, 5))])
@pytest.mark.parametrize(("channels", "output"), [(1, "sigmoid"), (3, "relu")])
@pytest.mark.parametrize("training", [True, False])
def test_a_picture_comes_back_in_its_size(size: int, sides: tuple, channels: int, output: str, training: bool) -> None:
    model = built(size=size, channels=channels, output=output).train(training)
    assert model.config.sides == sides
    latents = model.latents(crops(4, channels, size))
    assert latents.mean.shape == latents.log_variance.shape == (4, 3, 6)
    picture = model.decode(latents.sample())
    assert picture.shape == (4, channels, size, size)
    assert picture.min() >= 0
    assert output == "relu" or picture.max() <= 1


def test_the_divergence_is_torchs() -> None:
    latents = Latents(torch.randn(5, 3, 7), torch.randn(5, 3, 7))
    own = Normal(latents.mean, torch.exp(latents.log_variance / 2))
    expected = kl_divergence(own, Normal(0.0, 1.0)).sum(2)
    torch.testing.assert_close(latents.divergence(), expected)
    standard = Latents(torch.zeros(2, 3, 7), torch.zeros(2, 3, 7))
    assert standard.divergence().abs().max() == 0


def test_samples_have_the_distributions_moments() -> None:
    mean, log_variance = torch.tensor([-1.0, 0.0, 2.0]), torch.tensor([-2.0, 0.0, 1.0])
    latents = Latents(*(values[None, :, None].expand(20000, 3, 1) for values in (mean, log_variance)))
    torch.manual_seed(0)
    drawn = latents.sample()[..., 0]
    torch.testing.assert_close(drawn.mean(0), mean, atol=0.05, rtol=0)
    torch.testing.assert_close(drawn.var(0).log(), log_variance, atol=0.05, rtol=0)


@pytest.mark.parametrize(("heads", "width"), [("scalar", 1), ("repeat", 6), ("classes", 21)])
def test_valence_is_read_in_the_first_latent_and_arousal_in_the_second(heads: str, width: int) -> None:
    model, z = built(heads=heads), torch.randn(4, 3, 6)
    assert model.head_outputs(z).shape == (4, 2, width)
    before = model.affect(z)
    for part, moved in ((0, [True, False]), (1, [False, True]), (2, [False, False])):
        other = z.clone()
        other[:, part] += 1
        assert (model.affect(other) != before).any(0).tolist() == moved


def test_repeated_heads_are_the_mean_component() -> None:
    z = torch.randn(4, 3, 6)
    torch.testing.assert_close(built(heads="repeat").affect(z), z[:, :2].mean(2))


def test_class_heads_give_the_expected_tenth() -> None:
    model, z = built(heads="classes"), torch.randn(4, 3, 6)
    chances = model.head_outputs(z).softmax(2)
    tenths = torch.arange(-10, 11) / 10
    torch.testing.assert_close(model.affect(z), (chances * tenths).sum(2))


def test_a_vanilla_model_tells_no_affect() -> None:
    model = built(heads="none")
    for ask in (lambda: model.affect(torch.zeros(1, 3, 6)), lambda: model.encode(crops(1))):
        with pytest.raises(ValueError, match="a vanilla LeVAsa has no heads: it tells neither valence nor arousal"):
            ask()


@pytest.mark.parametrize("heads", ["scalar", "repeat", "classes"])
def test_encoding_is_the_same_in_every_batch(heads: str) -> None:
    model, faces = built(heads=heads), crops(16)
    with torch.no_grad():
        whole = model.encode(faces)
        assert [part.shape for part in whole[:3]] == [(16, 18), (16, 4), (16, 2)]
        for size in (1, 4, 16):
            parts = [model.encode(part) for part in faces.split(size)]
            for name in model.answers:
                own = torch.cat([getattr(part, name) for part in parts])
                torch.testing.assert_close(own, getattr(whole, name), atol=1e-4, rtol=0)
        assert torch.equal(whole[0], model.latents(faces).mean.flatten(1))


def test_certain_heads_name_the_quadrant_of_their_affect() -> None:
    _, quadrant, affect = built().encode(crops(32))[:3]
    assert torch.equal(quadrant.argmax(1), torch.from_numpy(quadrant_of(affect.detach().numpy())))
    assert set(quadrant.unique().tolist()) == {0.0, 1.0}


def test_class_heads_give_the_quadrants_joint_probability() -> None:
    model = built(heads="classes")
    with torch.no_grad():
        for head in model.heads:
            head.weight.mul_(20)
        quadrant = model.encode(crops(8)).quadrant
        valence, arousal = model.head_outputs(model.latents(crops(8)).mean).softmax(2).unbind(1)
    expected = torch.zeros(8, 4)
    for v, a in product(range(LEVELS), range(LEVELS)):
        number = int(quadrant_of(torch.tensor([[v - HIGH, a - HIGH]]).numpy())[0])
        expected[:, number] += valence[:, v] * arousal[:, a]
    torch.testing.assert_close(quadrant, expected)
    torch.testing.assert_close(quadrant.sum(1), torch.ones(8))
    assert quadrant.std() > 0.01


@pytest.mark.parametrize("side", [3, 4])
def test_a_transposed_convolution_by_products_is_torchs(side: int) -> None:
    layer = TransposedConvolution(5, 4, side, stride=2).double()
    maps = torch.randn(2, 5, 3, 4, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(layer.train()(maps), nn.ConvTranspose2d.forward(layer, maps))
    torch.testing.assert_close(layer.eval()(maps), nn.ConvTranspose2d.forward(layer, maps))
    assert torch.autograd.gradcheck(layer.train(), (maps,))


def test_cutting_is_the_transpose_of_joining() -> None:
    maps, patches = torch.randn(2, 7, 9, 3), torch.randn(2, 3, 4, 3, 3, 3)
    torch.testing.assert_close((cut(maps, 3, 2) * patches).sum(), (maps * joined(patches, 2)).sum())


@pytest.mark.parametrize("heads", ["none", "scalar", "classes"])
def test_a_checkpoint_gives_the_same_model(heads: str, tmp_path: Path) -> None:
    model = built(heads=heads)
    save(tmp_path / "small.safetensors", model, replace(CARD, config=model.config.to_dict()))
    loaded, card = load(tmp_path / "small.safetensors")
    assert isinstance(loaded, Levasa)
    assert (loaded.config, card.kind) == (model.config, "levasa")
    assert torch.equal(loaded.latents(crops(3)).mean, model.latents(crops(3)).mean)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"heads": "several"}, "heads is 'several'; expected none, repeat, scalar, classes"),
        ({"size": 20}, "size is 20 px, too small for 4 convolutions of stride 2"),
        ({"depth": 3}, "unexpected keyword argument 'depth'"),
    ],
)
def test_a_card_that_describes_no_model(change: dict, text: str, tmp_path: Path) -> None:
    save(tmp_path / "small.safetensors", built(), replace(CARD, config={**SMALL.to_dict(), **change}))
    with pytest.raises(CheckpointFault, match=f"the card's config is not one of 'levasa': .*{text}"):
        load(tmp_path / "small.safetensors")
