"""`affect export`: what the tracker runs without torch, written beside a checkpoint."""

from pathlib import Path

import click

from tracker.commands.models import checked
from tracker.commands.options import debug_option


@click.command()
@click.argument("models", nargs=-1, required=True, metavar="CHECKPOINT...")
@debug_option()
def export(models: tuple[str, ...]) -> None:
    """Write the encoder of each CHECKPOINT as NAME.float.onnx, and as NAME.int8.onnx where its card has ranges.

    A CHECKPOINT is a .safetensors file. Both files hold the graph alone: the weights stay where they are, so that all
    must stay together. Training ends with this by itself. It needs torch; what runs the files does not.
    """
    from nets.card import ENCODERS, encoder_path, find
    from nets.onnx.export import export_encoder

    for model in models:
        path: Path = checked(find, model)
        card = checked(export_encoder, path)
        for kind in ENCODERS:
            if kind in card.artefact["sha256"]:
                click.echo(f"wrote {encoder_path(path, kind)}")
