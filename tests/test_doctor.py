"""What affect doctor finds."""

from importlib import util
from pathlib import Path

import pytest
from click.testing import CliRunner

from nets import card
from tracker.cli import main
from tracker.commands import doctor


def test_a_whole_installation() -> None:
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 0, result.output
    for told in ("has all it needs", "every file is what its card says", "onnxruntime", "CPUExecutionProvider"):
        assert told in result.output


def test_what_is_missing_is_named_with_what_it_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    find = util.find_spec
    monkeypatch.setattr(doctor, "find_spec", lambda name: None if name in ("torch", "pyarrow", "av") else find(name))
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 1
    assert "missing: av; pip install affect-tracker" in result.output
    assert "missing pyarrow, for --parquet: pip install 'affect-tracker[parquet]'" in result.output
    assert "missing torch, for train, prepare," in result.output


def test_a_damaged_model_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in card.WEIGHTS.glob("anclaf-compact.*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "anclaf-compact.int8.onnx").write_bytes(b"planted")
    monkeypatch.setattr(card, "WEIGHTS", tmp_path)
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 1 and "anclaf-compact.int8.onnx is truncated or was changed" in result.output
