"""The keys of the live window: what each does, in words; the window, its help and the command line read them here."""

QUIT, PAUSE, RECORD, NEUTRAL, MARK, SCREENSHOT, HELP = "q", " ", "r", "n", "m", "s", "h"

KEYS: dict[str, str] = {
    QUIT: "quit",
    PAUSE: "pause, go on",
    RECORD: "start or end a recording",
    NEUTRAL: "take the neutral baseline: relax your face",
    MARK: "set a marker",
    SCREENSHOT: "save a screenshot",
    HELP: "show or hide the keys",
}
"""Key to what it does; Esc is QUIT as well."""


def key_name(key: str) -> str:
    """A key as it is printed: "space" for " "."""
    return "space" if key == " " else key
