"""Non-local means over neighbouring frames by OpenCV (Buades et al. 2005): ``fastNlMeansDenoisingColoredMulti``."""

import cv2
import numpy as np
from script import Video, parser, serve

__all__ = ["denoise"]

_WINDOW, _PATCH, _SEARCH = 5, 7, 21


def denoise(noisy: Video, *, strength: float) -> Video:
    """Denoise over as many neighbours as the window has; fewer at the ends of the clip."""
    frames = [np.ascontiguousarray(frame[..., ::-1]) for frame in noisy]  # R'G'B' -> B'G'R'
    result = []
    for t in range(len(frames)):
        radius = min(_WINDOW // 2, t, len(frames) - 1 - t)
        denoised = cv2.fastNlMeansDenoisingColoredMulti(
            frames, t, 2 * radius + 1, None, strength, strength, _PATCH, _SEARCH
        )
        result.append(denoised[..., ::-1])
    return np.stack(result)


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--strength", type=float, required=True, help="h, of luma and chroma")
    options = arguments.parse_args()
    serve(options, lambda noisy: denoise(noisy, strength=options.strength))
