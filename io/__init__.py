"""Every byte in or out: videos, image sequences, masks, intermediate files. No tensors, no jobs."""

from reelprior.io.chunks import read_frames, write_frames
from reelprior.io.coding import Coding, codec_names
from reelprior.io.errors import InputError, MediaError, OutputError
from reelprior.io.files import atomic_path, load_arrays, save_arrays, sha256
from reelprior.io.frame import Frame
from reelprior.io.images import list_images
from reelprior.io.masks import Masks, open_masks
from reelprior.io.probe import MediaInfo, StreamInfo, VideoInfo, probe
from reelprior.io.reader import Reader, VideoReader, open_reader
from reelprior.io.scan import FrameIndex, scan
from reelprior.io.sequence import SequenceReader
from reelprior.io.tags import ColourTags
from reelprior.io.writer import Writer, check_output, open_writer

__all__ = [
    "Coding",
    "ColourTags",
    "Frame",
    "FrameIndex",
    "InputError",
    "Masks",
    "MediaError",
    "MediaInfo",
    "OutputError",
    "Reader",
    "SequenceReader",
    "StreamInfo",
    "VideoInfo",
    "VideoReader",
    "Writer",
    "atomic_path",
    "check_output",
    "codec_names",
    "list_images",
    "load_arrays",
    "open_masks",
    "open_reader",
    "open_writer",
    "probe",
    "read_frames",
    "save_arrays",
    "scan",
    "sha256",
    "write_frames",
]
