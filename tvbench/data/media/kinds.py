"""What a file is, by its first bytes, where a name of its kind helps a person on. Opens nothing."""

from __future__ import annotations

from collections.abc import Sequence

BRANDS = {
    b"avif": "AVIF",
    b"avis": "AVIF",
    b"heic": "HEIC",
    b"heix": "HEIC",
    b"mif1": "HEIC",
    b"msf1": "HEIC",
    b"jxl ": "JPEG XL",
    b"jp2 ": "JPEG 2000",
}
"""By the brand of an ISO file."""
MARKS: Sequence[tuple[bytes, str]] = (
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"%!PS", "PostScript"),
    (b"\xc5\xd0\xd3\xc6", "PostScript"),
    (b"%PDF", "PDF"),
    (b"8BPS", "Photoshop"),
    (b"DDS ", "DDS"),
    (b"BLP1", "BLP"),
    (b"BLP2", "BLP"),
    (b"qoif", "QOI"),
    (b"\0\0\1\0", "ICO"),
    (b"\0\0\2\0", "CUR"),
    (b"icns", "ICNS"),
    (b"SIMPLE  =", "FITS"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\x89HDF", "HDF5"),
    (b"GRIB", "GRIB"),
    (b"BUFR", "BUFR"),
    (b"<svg", "SVG"),
    (b"/* XPM */", "XPM"),
    (b"\x01\xda", "SGI"),
    (b"\x59\xa6\x6a\x95", "SUN"),
    (b"\xd7\xcd\xc6\x9a", "WMF"),
    *((b"P%d" % number, "PPM") for number in range(1, 8)),
)
"""Pictures of other kinds."""
BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF", b"BM")
"""Of the pictures that are read."""


def not_read(data: bytes) -> str:
    """The name of a picture format that is known and not read; "" for anything else."""
    if data[4:8] == b"ftyp":
        return BRANDS.get(data[8:12], "")
    start = data[:64].lstrip() if data[:1].isspace() else data[:64]
    return next((name for mark, name in MARKS if start.startswith(mark)), "")
