"""The report of a session: one HTML file with its traces, its video and its faces, that opens with the network off."""

from tracker.report.page import write_report

__all__ = ["write_report"]
