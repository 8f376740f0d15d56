"""Addresses: no user, password, token or key of one is ever told, wherever it goes."""

import base64
import json
import re
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from stream_servers import Server, answers, sends, transport_stream

from tracker.addresses import shown, shown_in, told_apart, with_password, without_home
from tracker.cli import main
from tracker.config import CaptureOptions
from tracker.faults import plain_line
from tracker.outputs import identity, source_name
from tracker.sources.live import open_live

SHOWN = {
    "rtsp://me:p@ss@host/live?a=b@c": "rtsp://host/live?...",
    "http://host/video.cgi?user=admin&pwd=secret": "http://host/video.cgi?...",
    "http://host/x.ts?token=s&key=s&sig=s&pwd=s&password=s&auth=s": "http://host/x.ts?...",
    "http://host#token=secret": "http://host",
    "rtsp://admin:p#ss@cam/1": "rtsp://cam/1",
    "rtsp://admin:p?ss@cam/1": "rtsp://cam/1",
    "rtsp://admin:secret@cam:554/1": "rtsp://cam:554/1",
    "RTSP://Admin:Secret@cam:554/1": "rtsp://cam:554/1",
    "Http://u:secret@[::1]:8080/x": "http://[::1]:8080/x",
    "rtsp://TOKEN@cam/1": "rtsp://cam/1",
    "rtsp://admin:pa/ss@cam/1": "rtsp://...",
    "rtsp://admin:12/ss@cam/1": "rtsp://...",
    "rtsp://admin:12?ss@cam/1": "rtsp://...",
    "rtsp://me:p@s/s@host/live": "rtsp://...",
    "http://host/x;pwd=secret": "http://host/...",
    "http://host/x;pwd=secret/y?a=1": "http://host/...",
    "rtsp://cam:554/user=admin_password=secret_channel=1.sdp": "rtsp://cam:554/...",
    "rtsp://cam/user%3Dadmin%26password%3Dsecret": "rtsp://cam/...",
    "rtsp://cam:7441/AbCdEfGh12345678": "rtsp://cam:7441/...",
    "https://host/hls/0b5e1c0e-1234-4abc-9def-0123456789ab/i.m3u8": "https://host/hls/.../i.m3u8",
    "rtmp://live.host.tv/app/live_123_secret": "rtmp://live.host.tv/app/...",
    "RTMPS://host:443/app/secret?x=1": "rtmps://host:443/app/...",
    "rtmp://host/app pubPasswd=secret": "rtmp://host/app",
    "srt://host:9000?streamid=secret&passphrase=secret": "srt://host:9000?...",
    "cache:http://u:secret@host/x": "cache:http://host/x",
    "concat:http://u:secret@host/x|http://other/y": "concat:http://...",
    "tee:[f=flv]rtmp://u:secret@host/x": "...",
    "http://proxy/http://u:secret@host/x": "http://...",
    "rtsp:/admin:secret@cam/1": "rtsp://cam/1",
    "rtsp:admin:secret@cam/1": "rtsp://cam/1",
    "http://host/a@b.mp4": "http://host/a@b.mp4",
    "http://127.0.0.1:8080/clips/a.mp4": "http://127.0.0.1:8080/clips/a.mp4",
    "udp://@239.0.0.1:1234": "udp://239.0.0.1:1234",
    "clips/me@home.mp4": "clips/me@home.mp4",
    "camera:0": "camera:0",
    "-": "-",
}


@pytest.mark.parametrize("uri", SHOWN)
def test_what_is_shown_of_an_address(uri: str) -> None:
    assert shown(uri) == SHOWN[uri]
    assert shown(shown(uri)) == shown(uri)
    kept = [told_apart(uri), source_name(uri)] if "://" in uri else []
    assert not re.search("secret|admin", " ".join([shown(uri), *kept]), re.IGNORECASE)


def test_addresses_in_any_text() -> None:
    text = "Error: 'http://me:secret@host/x?token=secret'; see https://docs.python.org/3/ (tcp://127.0.0.1:9: refused)."
    expected = "Error: 'http://host/x?...'; see https://docs.python.org/3/ (tcp://127.0.0.1:9: refused)."
    assert shown_in(text) == expected and shown_in(expected) == expected
    assert plain_line(OSError("http://me:secret@host/")) == "unexpected OSError: http://host/; run again with --debug"


def test_the_same_address_is_known_again() -> None:
    one, other = "http://me:secret@host/x?channel=1", "http://me:secret@host/x?channel=2"
    assert shown(one) == shown(other) == "http://host/x?..."
    assert told_apart(one) == told_apart("HTTP" + one[4:]) != told_apart(other)
    assert re.fullmatch(r"http://host/x\?\.\.\. \([0-9a-f]{12}\)", told_apart(one))
    assert identity(one)["path"] == told_apart(one)


def test_a_password_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert with_password("rtsp://me@cam/1") == "rtsp://me@cam/1"
    monkeypatch.setenv("AFFECT_PASSWORD", "p@ss/w:rd?")
    assert with_password("rtsp://me@cam/1") == "rtsp://me:p%40ss%2Fw%3Ard%3F@cam/1"
    for other in ("rtsp://cam/1", "rtsp://me:own@cam/1", "http://cam/a@b", "clip.mp4", "udp://@239.0.0.1:1"):
        assert with_password(other) == other


def test_home_is_a_tilde(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert without_home("/home/me/a b.mp4") == "~/a b.mp4" and without_home("/home/me") == "~"
    assert without_home("cannot read /home/me/x: 1, '/home/me'") == "cannot read ~/x: 1, '~'"
    for other in ("/home/melanie/x", "/mnt/home/me/x", "home/me/x"):
        assert without_home(other) == other


PIECES = transport_stream(40)
ADDRESS = "user:SeCrEt@127.0.0.1:{port}/live.ts?token=SeCrEt&channel=1"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def told_of(result: Result, folder: Path) -> str:
    """Everything that a call said and wrote, names of files too."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    kept = [file.name + file.read_bytes().decode("utf-8", "replace") for file in files]
    return "\n".join([result.output, str(result.exception), *kept])


@pytest.mark.parametrize("scheme", ["http", "HTTP"])
def test_no_command_tells_a_password(scheme: str, tmp_path: Path) -> None:
    length = sum(map(len, PIECES))
    play = answers(f"HTTP/1.0 200 OK\nContent-Type: video/mp2t\nContent-Length: {length}", sends(PIECES))
    for command in ("track", "info", "live"):
        with Server(play) as server:
            uri = f"{scheme}://{ADDRESS.format(port=server.port)}"
            options = {"track": ["-o", tmp_path, "--plot", "--source-column", "--jsonl", f"{tmp_path}/"], "info": []}
            live = ["--headless", "--record", "--no-record-video", "--duration", 0.5, "-o", tmp_path]
            result = run(command, uri, *options.get(command, live))
        assert result.exit_code == 0, result.output
        told = told_of(result, tmp_path)
        assert f"http://127.0.0.1:{server.port}/live.ts?..." in told
        assert not re.search("secret|user:", told, re.IGNORECASE)
    (sheet,) = [json.loads(file.read_text()) for file in tmp_path.glob("live.meta.json")]
    assert sheet["source"]["uri"] == shown(sheet["source"]["uri"]) and sheet["source"]["path"].endswith(")")


@pytest.mark.parametrize(
    "uri",
    [
        "http://user:SeCrEt@127.0.0.1:1/x?token=SeCrEt",
        "RTMP://127.0.0.1:1/app/SeCrEt",
        "rtsp://user:SeC/rEt@127.0.0.1:1/x",
        "rtsp:/user:SeCrEt@127.0.0.1:1/x",
        "ftp://user:SeCrEt@127.0.0.1:1/x",
        "nosuch://user:SeCrEt@127.0.0.1:1/x",
        "http://[x:SeCrEt@",
    ],
)
def test_no_error_line_tells_a_password(uri: str, tmp_path: Path) -> None:
    for command in (["track", "-o", tmp_path], ["track", "--debug", "-o", tmp_path], ["info"], ["live", "--headless"]):
        result = run(*command, uri)
        assert result.exit_code in (1, 2) and "error: " in result.output
        assert not re.search("secret|SeC|rEt@|user:", told_of(result, tmp_path))


def asks(said: list[str]) -> Callable[[socket.socket], None]:
    """An HTTP server that wants a user and a password, and notes what it is given."""

    def play(connection: socket.socket) -> None:
        request = connection.recv(4096).decode()
        said.extend(re.findall(r"Authorization: Basic (\S+)", request))
        if "Authorization" not in request:
            head = 'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="x"\r\nConnection: close\r\n\r\n'
            connection.sendall(head.encode())
            return
        connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: video/mp2t\r\n\r\n")
        sends(PIECES)(connection)

    return play


def test_the_password_of_a_prompt_reaches_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFFECT_PASSWORD", "")
    said: list[str] = []
    with Server(asks(said)) as server:
        uri = f"http://me@127.0.0.1:{server.port}/live"
        refused = run("info", uri)
        assert refused.exit_code == 1
        result = CliRunner().invoke(main, ["info", "--ask-password", uri], input="p@ss/w:rd\n")
    assert result.exit_code == 0, result.output
    assert base64.b64decode(said[-1]).decode() == "me:p@ss/w:rd" and "p@ss" not in result.output


def test_events_and_info_of_a_live_source_hide_it() -> None:
    told: list[str] = []
    hasty = CaptureOptions(stall_s=1.0, longest_wait_s=0.2)
    with Server(sends(PIECES)) as server:
        uri = f"tcp://127.0.0.1:{server.port}?token=SeCrEt"
        with open_live(uri, hasty, told.append) as source:
            assert source.info.uri == f"tcp://127.0.0.1:{server.port}?..."
            threading.Timer(2.5, source.close).start()
            list(source)
    assert told and "SeCrEt" not in "".join(told)


def test_a_sheet_has_no_home_folder_and_resume_knows_the_source(
    sample_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    clip, out = tmp_path / "clips" / "me.mp4", tmp_path / "out"
    clip.parent.mkdir()
    clip.write_bytes(sample_clip.read_bytes())
    command = ("track", clip, "-o", out, "--jsonl", f"{out}/lines/", "--end", 0.2)
    (out / "lines").mkdir(parents=True)
    assert run(*command).exit_code == 0
    sheet = out / "me.meta.json"
    first = sheet.read_text()
    assert str(tmp_path) not in first and json.loads(first)["source"]["path"] == "~/clips/me.mp4"
    assert "is complete" in run(*command, "--resume").output and sheet.read_text() == first
    before = json.loads(first)
    before["source"]["path"] = str(clip)
    before["options"]["output"]["jsonl"] = f"{out}/lines/"
    sheet.write_text(json.dumps(before))  # as an earlier release wrote it
    assert "is complete" in run(*command, "--resume").output
    assert run(*command, "--overwrite", "--full-paths").exit_code == 0
    assert json.loads(sheet.read_text())["source"]["path"] == str(clip)
    assert "is complete" in run(*command, "--resume").output
    assert [file.name for file in out.glob("*.csv")] == ["me.csv"]
