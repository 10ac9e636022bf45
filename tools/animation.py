"""Makes the animation of README.md from the film of a run.

./wm launch arm_sim.launch.py episodes:=3 report:=runs/run.json
./wm run python tools/animation.py runs/run.mp4 docs/run.gif
"""

import argparse
from pathlib import Path

import av
from PIL import Image  # comes with matplotlib

WIDTH = 480  # [px]
COLOURS = 96
PERIOD_MS = 100  # of a frame


def frames(film: Path, first: int, last: int | None) -> list[Image.Image]:
    """Returns the film's frames `first` to `last` (exclusive, None: all) as RGB images WIDTH wide."""
    with av.open(str(film)) as container:
        images = [frame.to_image() for frame in container.decode(video=0)][first:last]
    if not images:
        raise SystemExit(f"{film}: no frames from {first} to {last}; choose others")
    return [
        image.resize((WIDTH, round(image.height * WIDTH / image.width)), Image.Resampling.LANCZOS) for image in images
    ]


def write_gif(images: list[Image.Image], file: Path) -> None:
    """Writes an endless GIF. One palette and no dithering, so that what stands still costs nothing in the next frame."""
    sheet = Image.new("RGB", (images[0].width, images[0].height * len(images)))
    for i, image in enumerate(images):
        sheet.paste(image, (0, i * image.height))
    palette = sheet.quantize(COLOURS, dither=Image.Dither.NONE)
    drawn = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    drawn[0].save(file, save_all=True, append_images=drawn[1:], duration=PERIOD_MS, loop=0, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("film", type=Path, help="the MP4 that report:=FILE.json writes beside FILE.json")
    parser.add_argument("out", type=Path, help="the GIF")
    parser.add_argument("--first", type=int, default=0, help="first frame (default: 0)")
    parser.add_argument("--last", type=int, help="the frame after the last (default: all)")
    options = parser.parse_args()
    images = frames(options.film, options.first, options.last)
    write_gif(images, options.out)
    print(f"{options.out}: {len(images)} frames, {options.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
