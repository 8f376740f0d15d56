import numpy as np
import pytest

from train.clips.camera import NONE_SHARE, Occlusion, Shot, draw_shot, strength, wander

SIZE, SIDE = 64, 80
TIME = np.arange(90) / 30


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE]
    return (120 + 60 * np.sin(x / 5) * np.cos(y / 7)).astype(np.uint8)


def shot_with(**changes: object) -> Shot:
    return Shot(**{**vars(Shot.clean(90, SIZE)), **changes})


@pytest.fixture(scope="module")
def shots() -> list[Shot]:
    rng = np.random.default_rng(3)
    return [draw_shot(rng, TIME, SIZE, 0.35) for _ in range(300)]


def test_a_clean_shot_is_the_middle_of_the_scene(scene: np.ndarray, rng: np.random.Generator) -> None:
    crop = Shot.clean(3, SIZE).film(1, scene, SIZE, rng)
    np.testing.assert_array_equal(crop, scene[8:72, 8:72])


def test_noise_is_new_in_every_frame(scene: np.ndarray, rng: np.random.Generator) -> None:
    shot = shot_with(noise=12.0)
    a, b = (shot.film(i, scene, SIZE, rng).astype(float) for i in (0, 1))
    assert (a - scene[8:72, 8:72]).std() == pytest.approx(12, rel=0.05)
    assert (a - b).std() == pytest.approx(12 * 2**0.5, rel=0.05)


def test_placing_moves_the_crop(scene: np.ndarray, rng: np.random.Generator) -> None:
    placing = np.tile(np.eye(2, 3), (90, 1, 1))
    placing[:, :, 2] = (3, -2)
    crop = shot_with(placing=placing).film(0, scene, SIZE, rng)
    np.testing.assert_array_equal(crop, scene[6:70, 11:75])


def test_a_small_sensor_loses_detail_but_not_place(rng: np.random.Generator) -> None:
    y, x = np.mgrid[:SIDE, :SIDE]
    spot = (255 * np.exp(-((x - 50) ** 2 + (y - 30) ** 2) / 60)).astype(np.uint8)
    seen = [shot_with(side=side).film(0, spot, SIZE, rng).astype(float) for side in (64, 20)]
    middles = [np.array([(s * x[:SIZE, :SIZE]).sum(), (s * y[:SIZE, :SIZE]).sum()]) / s.sum() for s in seen]
    np.testing.assert_allclose(middles[1], middles[0], atol=0.2)
    np.testing.assert_allclose(middles[0], (42, 22), atol=0.2)
    assert seen[1].max() < seen[0].max() - 5


def test_light_gain_gamma_and_slope(rng: np.random.Generator) -> None:
    grey = np.full((SIDE, SIDE), 100, np.uint8)
    gain = shot_with(gain=np.full(90, 0.5), gamma=np.full(90, 2.0)).film(0, grey, SIZE, rng)
    assert gain.mean() == pytest.approx(255 * 0.5 * (100 / 255) ** 2, abs=0.6)
    slope = shot_with(slope=np.tile((0.5, 0.0), (90, 1))).film(0, grey, SIZE, rng).astype(float)
    assert slope[:, -1].mean() > 135 and slope[:, 0].mean() < 65
    assert np.ptp(slope, axis=0).max() == 0


def test_a_camera_does_not_burn_out(rng: np.random.Generator) -> None:
    bright = np.full((SIDE, SIDE), 200, np.uint8)
    assert shot_with(gain=np.full(90, 2.0)).film(0, bright, SIZE, rng).mean() == pytest.approx(175, abs=1)


def test_motion_blurs_along_its_way_only(rng: np.random.Generator) -> None:
    edge = np.zeros((SIDE, SIDE), np.uint8)
    edge[:, 40:] = 200
    along, across = (
        shot_with(motion=np.tile(motion, (90, 1))).film(0, edge, SIZE, rng) for motion in ((8.0, 0.0), (0.0, 8.0))
    )
    # a drawn line is a little soft on its sides
    assert np.abs(across.astype(int) - edge[8:72, 8:72]).max() < 40
    between = (along[30] > 10) & (along[30] < 190)
    assert 6 <= between.sum() <= 10 and (np.diff(along[30].astype(int)) >= 0).all()


def test_blur_and_compression_change_pictures(scene: np.ndarray, rng: np.random.Generator) -> None:
    clean = scene[8:72, 8:72].astype(float)
    blurred = shot_with(blur=np.full(90, 2.0)).film(0, scene, SIZE, rng)
    assert blurred.std() < 0.95 * clean.std()
    errors = [np.abs(shot_with(quality=q).film(0, scene, SIZE, rng) - clean).mean() for q in (15, 90)]
    assert errors[0] > 2 * errors[1] > 0


def test_an_occlusion_enters_stays_and_leaves() -> None:
    path = np.array([(-60.0, 0.0), (0.0, 0.0), (2.0, 2.0), (60.0, 0.0)])
    occlusion = Occlusion(10, 9, path, 0.3, np.full((20, 30), 40, np.uint8))
    shot = shot_with(occlusions=(occlusion,))
    hidden = np.array([shot.hidden(frame, SIZE) for frame in range(90)])
    assert hidden[12:17].all() and not hidden[:10].any() and not hidden[19:].any()
    look, mask = occlusion.hides(14, SIDE)
    assert look[40, 40] == 40 and mask[40, 40] == 1 and mask.sum() == pytest.approx(600, rel=0.05)


def test_occlusions_hide_what_is_behind(scene: np.ndarray, rng: np.random.Generator) -> None:
    occlusion = Occlusion(0, 5, np.zeros((4, 2)), 0.0, np.full((32, 32), 250, np.uint8))
    crop = shot_with(occlusions=(occlusion,)).film(2, scene, SIZE, rng)
    assert (crop[18:46, 18:46] == 250).all()
    np.testing.assert_array_equal(crop[:14], scene[8:22, 8:72])


def test_drawn_occlusions_have_their_share_and_length(shots: list[Shot]) -> None:
    struck = [shot for shot in shots if shot.occlusions]
    assert len(struck) / len(shots) == pytest.approx(0.35, abs=0.07)
    frames = [o.frames for shot in struck for o in shot.occlusions]
    assert min(frames) == 3 and max(frames) == 15
    assert {len(shot.occlusions) for shot in struck} == {1, 2}
    hides = [shot.hidden(o.start + o.frames // 2, SIZE) for shot in struck for o in shot.occlusions]
    assert np.mean(hides) > 0.9


def test_alignments_tremble_and_drift_as_asked(shots: list[Shot]) -> None:
    """Frame-to-frame changes are mostly trembling: 0.2 to 1 px, up to 1.5 degrees and 1.5 per cent."""
    centre = np.array([(SIZE - 1) / 2, (SIZE - 1) / 2, 1])
    shift = np.array([(shot.placing @ centre - centre[:2])[:, 0] for shot in shots])
    still = [np.abs(row).max() == 0 for row in shift]
    assert np.mean(still) == pytest.approx(NONE_SHARE**2, abs=0.02)
    tremble = np.diff(shift, n=2, axis=1).std(axis=1) / 6**0.5
    assert 0.2 < np.median(tremble) < 0.8 and tremble.max() < 1.3
    angle = np.degrees([np.arctan2(shot.placing[:, 1, 0], shot.placing[:, 0, 0]) for shot in shots])
    assert np.abs(angle).max() < 15 and 0.4 < angle.std() < 3
    assert np.abs(shift).max() < 12


def test_effects_range_from_none_to_strong(shots: list[Shot]) -> None:
    noise = np.array([shot.noise for shot in shots])
    assert (noise == 0).mean() == pytest.approx(NONE_SHARE, abs=0.06)
    assert 3 < np.median(noise) < 8 and 12 < noise.max() <= 20
    sides = np.array([shot.side for shot in shots])
    assert sides.min() >= 16 and sides.max() == 64 and 0.4 < (sides == 64).mean() < 0.6
    assert {0} < {shot.quality for shot in shots if shot.quality < 30}
    assert any((np.hypot(*shot.motion.T) > 3).any() for shot in shots)


def test_strength_is_mild_for_most() -> None:
    rng = np.random.default_rng(0)
    values = np.array([strength(rng) for _ in range(4000)])
    assert (values == 0).mean() == pytest.approx(NONE_SHARE, abs=0.02)
    assert (values < 0.5).mean() > 0.75 and values.max() > 0.9


def test_wandering_is_smooth_whatever_the_rate() -> None:
    walks = np.array([wander(np.random.default_rng(i), np.linspace(0, 4, 401), 0.8) for i in range(200)])
    assert walks.std() == pytest.approx(0.85, abs=0.15) and abs(walks.mean()) < 0.15
    assert np.abs(np.diff(walks)).max() < 0.15
    sparse = wander(np.random.default_rng(7), np.linspace(0, 4, 41), 0.8)
    np.testing.assert_allclose(sparse, walks[7, ::10], atol=1e-9)
