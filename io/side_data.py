"""What decoders say beside a frame's samples."""

from typing import Any

import av

__all__ = ["side_data_of"]


def side_data_of(frame: av.VideoFrame) -> Any:
    """A frame's side data, by `av.sidedata.sidedata.Type` (PyAV's stubs know names only); a dict without any if none.

    PyAV gives out none of a frame that has a kind which PyAV does not know, as those of multi-view HEVC have.
    """
    try:
        data: Any = frame.side_data
        data.keys()
    except ValueError:
        return {}
    return data
