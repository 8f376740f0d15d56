"""`affect edit`: a face changed by a generative model, as a picture."""

import json
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from tracker.commands.models import checked, model_card
from tracker.commands.options import debug_option, setting
from tracker.commands.tables import table
from tracker.config import EditConfig
from tracker.errors import CheckpointError, UsageError

if TYPE_CHECKING:
    from tracker.editing.edit import Edit
    from tracker.sinks.files import PartFile


@click.command()
@click.argument("faces", nargs=-1, required=True, metavar="FACE...")
@click.option("--model", required=True, metavar="NAME|PATH", help="Of `affect models`, or a .safetensors file.")
@setting(EditConfig, "walk", "--walk", help="LeVAsa: what changes, a strip for one, a grid for both.")
@setting(EditConfig, "steps", "--steps", metavar="N", help="LeVAsa: pictures from one end to the other.")
@click.option(
    "--range",
    nargs=2,
    type=float,
    metavar="LOW HIGH",
    help="LeVAsa: of V and A.  [default: what the model was trained on]",
)
@setting(EditConfig, "at", "--at", type=float, metavar="S", help="The frame of each video at so many seconds.")
@click.option("-o", "--out", type=Path, default="edit.png", show_default=True, help="The picture (.png).")
@click.option("--json", "file", type=Path, help="Write every value to this file.")
@debug_option()
@click.pass_context
def edit(
    context: click.Context, /, faces: tuple[str, ...], model: str, out: Path, file: Path | None, **options: Any
) -> None:
    """Change the expression of a face and write what comes of it as a picture.

    FACE is a picture, or a video of which a frame is taken; its largest face counts. A LeVAsa walks the latents of
    valence (or arousal) until its heads tell what was asked for, and decodes them. A DisVAE takes two faces or more
    and puts the expression of each on the identity of each. Below each picture stands what the model reads in it
    when it is encoded again.
    """
    config = EditConfig(**options)
    check_files(faces, out, file)
    given = [name for name in options if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    with complete(out) as picture, complete(file) if file else nullcontext() as values:
        made = edited(faces, model, config, given)
        picture.write(made.picture)
        if values is not None:
            values.write(json.dumps(made.values, indent=2).encode() + b"\n")
    click.echo("\n".join([*table(made.rows), *made.notes]))
    click.echo(f"wrote {out}" + (f" and {file}" if file else ""), err=True)


def edited(faces: tuple[str, ...], model: str, config: EditConfig, given: Iterable[str] = ()) -> "Edit":
    """What the editor of the model's kind makes of the faces; given are the settings that the user chose.

    CheckpointError for a kind that changes none, UsageError for a setting that it does not heed.
    """
    card = model_card(model)
    from nets.torch_runtime import load_network
    from tracker.editing import EDITORS

    if card.kind not in EDITORS:
        raise CheckpointError(
            f"{card.name} is a model of kind {card.kind!r}, which makes no faces; expected one of kind "
            f"{', '.join(EDITORS)} (see affect train)"
        )
    editor = EDITORS[card.kind]
    check_given(given, editor.heeds, card.kind)
    return editor.change(faces, *checked(load_network, model), config)


def check_given(given: Iterable[str], heeds: Collection[str], kind: str) -> None:
    """Raise UsageError where a setting was given that models of the kind do not heed."""
    idle = _options(name for name in given if name not in heeds)
    if idle:
        raise UsageError(
            f"{idle} would change nothing: a model of kind {kind!r} heeds {_options(heeds)} alone; leave out {idle}"
        )


def _options(names: Iterable[str]) -> str:
    return ", ".join(f"--{name}" for name in names)


def check_files(faces: tuple[str, ...], out: Path, file: Path | None) -> None:
    """Raise UsageError unless the outputs are a .png and another file, and neither is one of the faces."""
    if out.suffix.lower() != ".png":
        raise UsageError(f"--out is {out}; expected a name that ends in .png")
    outputs = [path.resolve() for path in (out, file) if path is not None]
    if len({*outputs, *(Path(face).resolve() for face in faces)}) < len(outputs) + len(set(faces)):
        raise UsageError("an output would overwrite a face or the other output; give each a name of its own")


@contextmanager
def complete(path: Path) -> Iterator["PartFile"]:
    """A file that bears its name once the block has ended well, and is not there otherwise; SinkError."""
    from tracker.sinks.files import PartFile

    file = PartFile(path, hidden=True)
    try:
        yield file
        file.finish()
    except BaseException:
        file.discard()
        raise
