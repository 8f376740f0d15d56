"""`affect rerun`: a source tracked again as its sheet tells, and compared byte by byte."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tracker.commands.options import debug_option
from tracker.commands.track import EXIT_CODES, summary
from tracker.config import BatchConfig, OutputConfig, QualityLimits, SmoothingConfig, SourceOptions, TrackerConfig
from tracker.errors import SourceError, UsageError

if TYPE_CHECKING:
    from tracker.outputs import Sheet


@click.command()
@click.argument("meta", metavar="META.json")
@click.option("-o", "--out", "folder", default="rerun", show_default=True, metavar="DIR", help="Folder of the outputs.")
@click.option("--model", metavar="NAME|PATH", help="Where the model lies now.")
@debug_option(expose_value=True)
@click.pass_context
def rerun(context: click.Context, meta: str, folder: str, model: str | None, debug: bool) -> None:
    """Track a source again with the options and the model that NAME.meta.json tells, and compare the outputs.

    The exit code is 1 where the bytes of an output are not the same.
    """
    from tracker.batch import run_batch
    from tracker.commands.models import model_card
    from tracker.manifest import digest_of
    from tracker.outputs import SHEET, identity, read_sheet

    file = Path(meta)
    sheet = read_sheet(file)
    if not sheet.get("complete") or "source" not in sheet.get("options", {}) or "model_given" not in sheet:
        raise UsageError(f"{meta} tells of no complete run of `affect track`; expected its NAME{SHEET}")
    if Path(folder).resolve() == file.parent.resolve():
        raise UsageError(f"{folder} holds what is compared with; give -o another folder")
    told, uri = sheet["source"], ""
    for name in (told["uri"], _at_home(told["uri"]), _at_home(told["path"])):
        with suppress(SourceError):
            if not uri and name and identity(name)["path"] == told["path"]:
                uri, now = name, identity(name)
    if not uri or any(now[name] != told[name] for name in ("path", "size", "mtime")):
        raise UsageError(f"{told['uri']} is not there as it was when {meta} was written; expected the same file")
    config = replace(config_of(sheet, file.name.removesuffix(SHEET), folder), debug=debug)
    config = replace(config, model=model or str(_at_home(sheet["model_given"])))
    models = {"model": model_card(config.model).sha256}
    if config.tracker.landmark_model:
        models["landmark_model"] = model_card(config.tracker.landmark_model).sha256
    for name, sha256 in models.items():
        if sheet[name]["sha256"] != sha256:
            raise UsageError(f"the model {sheet[name]['name']} has another SHA-256 than in {meta}; give --model PATH")
    outcome = run_batch([uri], config, models)[0]
    click.echo(summary([outcome]), err=True)
    if outcome.state != "done":
        context.exit(EXIT_CODES[outcome.state] or 2)
    made = read_sheet(Path(f"{outcome.output}{SHEET}"))
    same = True
    for kind, path in sheet["outputs"].items():
        beside = file.parent / path
        before, after = beside if beside.exists() else Path(path), Path(folder) / made["outputs"][kind]
        if not before.exists():
            click.echo(f"{before} is not there to compare with", err=True)
            continue
        equal = digest_of(before) == digest_of(after)
        same &= equal
        click.echo(f"{after}: {'the same bytes as' if equal else 'differs from'} {before}", err=True)
    context.exit(0 if same else 1)


def config_of(sheet: "Sheet", stem: str, folder: str) -> BatchConfig:
    """The configuration of a run that wrote a sheet, but for the outputs' folder and name, which are given.

    Raises UsageError for options that this version does not have.
    """
    options: dict[str, Any] = sheet["options"]
    output = options["output"]
    text = stem.replace("{", "{{").replace("}", "}}")
    jsonl = f"{folder}/" if output["jsonl"] else None
    try:
        parts = {
            "smoothing": SmoothingConfig(**options["tracker"]["smoothing"]),
            "quality": QualityLimits(**options["tracker"]["quality"]),
        }
        return BatchConfig(
            source=SourceOptions(**options["source"]),
            tracker=TrackerConfig(**{**_files_at_home(options["tracker"]), **parts}),
            output=OutputConfig(**{**_files_at_home(output), "folder": folder, "name": text, "jsonl": jsonl}),
        )
    except (TypeError, KeyError) as error:
        told = f"version {sheet.get('version')} had options that this one has not ({error})"
        raise UsageError(f"{told}; run it again with that version") from error


def _at_home(path: str | None) -> str | None:
    """A path of a sheet, which has ~ for the home folder, as it can be opened."""
    return str(Path(path).expanduser()) if path and path.startswith("~") else path


def _files_at_home(options: dict[str, Any]) -> dict[str, Any]:
    return {name: _at_home(value) if isinstance(value, str) else value for name, value in options.items()}
