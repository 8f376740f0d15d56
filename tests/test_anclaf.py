"""The ANCLaF networks: sizes as published, causality, and the errors of the released code that are not repeated."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from nets.anclaf import Anclaf, AnclafConfig, parameter_count, with_quadrant_head, with_recurrence
from nets.anclaf.combiner import Recurrence

PAPER = AnclafConfig()
COMPACT = AnclafConfig.compact()
TINY = replace(COMPACT, generator_width=4, combiner_widths=(8, 8, 12), hidden=6)


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def recurrent(kind: str) -> Anclaf:
    return Anclaf(replace(TINY, recurrence=kind)).eval()


def window(batch: int = 3, length: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(batch, length, TINY.feature), torch.ones(batch, length, dtype=torch.bool)


def test_paper_generator_has_the_published_parameters() -> None:
    assert parameter_count(Anclaf(PAPER).generator) == 456_864


def test_paper_discriminator_differs_by_the_four_quadrants_and_the_released_spare_layer() -> None:
    # released: 2,803,962 with two affect outputs; ten of them belong to a layer that its forward never calls
    assert parameter_count(Anclaf(PAPER).discriminator) == 2_803_962 - 10 + 2 * 512 * 2 * 2


@pytest.mark.parametrize(("kind", "expected"), [("none", 11_210_690), ("lstm", 14_359_490), ("attention", 16_458_691)])
def test_paper_combiner_has_the_published_parameters(kind: str, expected: int) -> None:
    combiner = Anclaf(replace(PAPER, quadrant_planes=0, recurrence=kind)).combiner
    frame_head = 0 if kind == "none" else parameter_count(combiner.head)
    assert parameter_count(combiner) - frame_head == expected


def test_compact_is_about_three_million() -> None:
    assert parameter_count(Anclaf(COMPACT)) <= 3_000_000


@pytest.mark.parametrize("config", [PAPER, COMPACT], ids=["paper", "compact"])
def test_shapes(config: AnclafConfig) -> None:
    model = Anclaf(config).eval()
    image = torch.rand(2, config.channels, config.size, config.size) * 2 - 1
    latent, reconstruction = model.generator(image)
    side = config.size // 4
    assert latent.shape == (2, 64, side, side)
    assert reconstruction.shape == image.shape
    out = model(image)
    assert (out.feature.shape, out.affect.shape, out.quadrant_logits.shape) == ((2, config.feature), (2, 2), (2, 4))
    feature, quadrant, affect = model.encode((image + 1) * 127.5)[:3]
    assert torch.allclose(quadrant.sum(1), torch.ones(2))
    assert (feature.shape, affect.shape) == ((2, config.feature), (2, 2))


def test_paper_latent_carries_patterns_only() -> None:
    latent, _ = Anclaf(PAPER).generator(torch.rand(2, 3, 128, 128))
    assert latent.mean(dim=(2, 3)).abs().max() < 1e-4
    assert (latent.std(dim=(2, 3)) - 1).abs().max() < 0.01


@pytest.mark.parametrize("config", [PAPER, COMPACT], ids=["paper", "compact"])
def test_evaluation_is_a_function_of_each_crop_alone(config: AnclafConfig) -> None:
    model = Anclaf(config).eval()
    crops = torch.randint(0, 256, (4, config.channels, config.size, config.size))
    together = model.encode(crops)
    alone = [model.encode(crop[None]) for crop in crops]
    for name in model.answers:
        pieces = torch.cat([getattr(answer, name) for answer in alone])
        assert torch.allclose(getattr(together, name), pieces, atol=1e-4)


def test_standard_scaling_does_not_see_the_light() -> None:
    model = Anclaf(COMPACT)
    crop = torch.randint(0, 256, (1, 1, 64, 64)).float()
    assert torch.allclose(model.scale(crop), model.scale(0.3 * crop + 20), atol=1e-5)
    assert model.scale(torch.full((1, 1, 64, 64), 90.0)).abs().max() == 0


@pytest.mark.parametrize(("planes", "extra"), [(4, 4), (1, 1), (0, 0)])
def test_quadrant_planes_reach_the_combiner(planes: int, extra: int) -> None:
    model = Anclaf(replace(TINY, quadrant_planes=planes)).eval()
    latent, logits = torch.randn(2, 16, 16, 16), torch.tensor([[9.0, 0, 0, 0], [0, 0, 0, 9.0]])
    zq = model._zq(latent, logits)
    assert zq.shape == (2, 16 + extra, 16, 16)
    if planes:
        assert not torch.allclose(model.combiner(zq)[1][0], model.combiner(model._zq(latent, logits.flip(0)))[1][0])
    if planes == 1:
        assert zq[:, -1].amax(dim=(1, 2)).tolist() == [0, 3]


def test_combiner_does_not_teach_the_discriminator() -> None:
    model = Anclaf(TINY)
    model(torch.rand(4, 1, 64, 64)).affect.sum().backward()
    assert all(p.grad is None for p in model.discriminator.parameters())
    assert any(p.grad.abs().sum() > 0 for p in model.generator.encoder.parameters())


def test_a_head_on_z_takes_the_place_of_the_decoder_and_d() -> None:
    model = Anclaf(TINY).eval()
    grown, crops = with_quadrant_head(model).eval(), torch.randint(0, 256, (3, 1, 64, 64))
    before, whole = model.encode(crops), grown(grown.scale(crops))
    assert torch.equal(whole.affect, before[2])
    assert torch.equal(torch.softmax(grown.judged(grown.generator.encoder(grown.scale(crops))), 1), before[1])
    grown.generator.decoder = grown.discriminator = None
    feature, quadrant, affect = grown.encode(crops)[:3]
    logits = grown.quadrant_head(grown.generator.encoder(grown.scale(crops)))
    assert torch.equal(quadrant, torch.softmax(logits, 1))
    assert not torch.allclose(quadrant, before[1], atol=1e-3)
    assert (feature.shape, affect.shape) == (before[0].shape, before[2].shape)


def test_the_head_comes_off_again_and_stays_through_the_curriculum() -> None:
    model, crops = Anclaf(TINY).eval(), torch.randint(0, 256, (2, 1, 64, 64))
    grown = with_quadrant_head(model).eval()
    bare = with_quadrant_head(grown, False).eval()
    assert all(torch.equal(a, b) for a, b in zip(bare.encode(crops)[:3], model.encode(crops)[:3], strict=True))
    longer = with_recurrence(grown, "lstm").eval()
    assert all(torch.equal(a, b) for a, b in zip(longer.encode(crops)[:3], grown.encode(crops)[:3], strict=True))


@pytest.mark.parametrize(("size", "parts"), [(32, 2), (64, 3), (96, 4), (128, 4)])
def test_the_head_fits_every_size(size: int, parts: int) -> None:
    head = Anclaf(replace(TINY, size=size, quadrant_head=True)).quadrant_head
    assert head(torch.randn(2, 16, size // 4, size // 4)).shape == (2, 4)
    assert sum(isinstance(layer, nn.Conv2d) for layer in head) == parts


@pytest.mark.parametrize("kind", ["lstm", "attention"])
def test_recurrence_is_causal(kind: str) -> None:
    recurrence = recurrent(kind).combiner.recurrence
    assert isinstance(recurrence, Recurrence)
    rows, valid = window()
    changed = rows.clone()
    changed[:, 5:] += 1
    before, after = recurrence(rows, valid)[0], recurrence(changed, valid)[0]
    assert torch.equal(before[:, :5], after[:, :5])
    assert not torch.allclose(before[:, 5], after[:, 5])


@pytest.mark.parametrize("kind", ["lstm", "attention"])
def test_what_is_not_valid_does_not_matter(kind: str) -> None:
    model = recurrent(kind)
    rows, valid = window()
    valid[:, :5] = False
    other = rows.clone()
    other[:, :5] = 7.0
    short = model.combine(rows[:, 5:], valid[:, 5:])[0]
    assert torch.allclose(model.combine(rows, valid)[0], short, atol=1e-6)
    assert torch.allclose(model.combine(other, valid)[0], short, atol=1e-6)


def test_lstm_is_torch_s_own() -> None:
    recurrence = recurrent("lstm").combiner.recurrence
    assert isinstance(recurrence, Recurrence)
    whole = nn.LSTM(TINY.feature, TINY.hidden, batch_first=True)
    whole.load_state_dict({f"{name}_l0": value for name, value in recurrence.cell.state_dict().items()})
    rows, valid = window()
    assert torch.allclose(recurrence(rows, valid)[0], recurrence.head(whole(rows)[0]), atol=1e-6)


@pytest.mark.parametrize("score", ["linear", "mlp"])
def test_attention_weighs_the_past_of_the_same_clip(score: str) -> None:
    """The released code mixes clips by viewing (n, B, S) as (B, n, S)."""
    model = Anclaf(replace(TINY, recurrence="attention", score=score)).eval()
    rows, valid = window()
    affect, attention = model.combine(rows, valid)
    assert attention is not None
    assert torch.allclose(attention.sum(1), torch.ones(3), atol=1e-6)
    assert attention[:, -1].abs().max() == 0
    other = rows.clone()
    other[1:] = torch.randn(2, 8, TINY.feature)
    assert torch.allclose(model.combine(other, valid)[0][0], affect[0], atol=1e-6)


@pytest.mark.parametrize(("score", "depends"), [("linear", False), ("mlp", True)])
def test_the_linear_score_ignores_its_query(score: str, depends: bool) -> None:
    attention = Anclaf(replace(TINY, recurrence="attention", score=score)).combiner.recurrence.attention
    keys, valid = torch.randn(2, 5, 12), torch.ones(2, 5, dtype=torch.bool)
    a, b = (attention(query, keys, valid)[1] for query in (torch.randn(2, 12), torch.randn(2, 12)))
    assert torch.allclose(a, b, atol=1e-6) != depends


def test_first_frame_has_no_context() -> None:
    rows, valid = window(length=1)
    affect, attention = recurrent("attention").combine(rows, valid)
    assert torch.isfinite(affect).all()
    assert attention.tolist() == [[0.0]] * 3


@pytest.mark.parametrize("score", ["linear", "mlp"])
def test_attention_starts_exactly_at_the_lstm(score: str) -> None:
    model = Anclaf(replace(TINY, recurrence="lstm", score=score)).eval()
    grown = with_recurrence(model, "attention").eval()
    rows, valid = window()
    assert torch.equal(model.combine(rows, valid)[0], grown.combine(rows, valid)[0])
    grown.combine(rows, valid)[0].sum().backward()
    assert grown.combiner.recurrence.cell.weight_ih.grad[:, TINY.feature :].abs().sum() > 0


def test_single_frame_model_answers_for_the_newest_row() -> None:
    model = Anclaf(TINY).eval()
    rows, valid = window()
    affect, attention = model.combine(rows, valid)
    assert attention is None
    assert torch.equal(affect, model.combiner.head(rows[:, -1]))


def test_config_survives_json() -> None:
    assert AnclafConfig.from_dict(COMPACT.to_dict()) == COMPACT
    with pytest.raises(TypeError, match="colour"):
        AnclafConfig.from_dict({**COMPACT.to_dict(), "colour": 1})
