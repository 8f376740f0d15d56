"""Cuts sample.mp4 out of the film that sample.md names: packets are copied, nothing is encoded again.

python tests/assets/cut_sample.py ../shared/media/WolfgangLanger_Pexels.mp4 tests/assets/sample.mp4
"""

import sys

import av

START_S, END_S = 6.006, 15.015  # both are key frames of the film


def cut(film: str, excerpt: str) -> None:
    """Copy picture and sound shown from START_S to END_S; times begin at 0."""
    with av.open(film) as source, av.open(excerpt, "w") as target:
        copies = {stream: target.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is None or not START_S <= float(packet.pts * packet.time_base) < END_S:
                continue
            shift = round(START_S / packet.time_base)
            packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, copies[packet.stream]
            target.mux(packet)


if __name__ == "__main__":
    cut(*sys.argv[1:])
