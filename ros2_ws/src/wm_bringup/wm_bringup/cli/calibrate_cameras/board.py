"""Make a ChArUco board to print: a PDF at true size, and its file.

Print board.pdf at 100 %, glue it flat onto something stiff, and measure some squares in a row with a ruler: where they are not as long as
board.yaml says, write there how long they are. `mount` in board.yaml says about how the arm holds the board: by default flat
in front of the tool, printed side up when the tool points down, its middle 17 cm along the tool's x axis.
"""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="for board.pdf and board.yaml")
    parser.add_argument("--columns", type=int, default=7, help="squares (default: %(default)s)")
    parser.add_argument("--rows", type=int, default=5, help="squares (default: %(default)s)")
    parser.add_argument(
        "--square-mm", type=float, default=36.0, help="side of a square; markers are 3/4 of it (default: %(default)s)"
    )
    parser.add_argument(
        "--dictionary", default="DICT_4X4_50", help="of the markers, as OpenCV names it (default: %(default)s)"
    )
    parser.add_argument(
        "--page-mm",
        type=float,
        nargs=2,
        default=[297.0, 210.0],
        metavar=("WIDTH", "HEIGHT"),
        help="(default: A4, landscape)",
    )


def run(options: argparse.Namespace) -> int:
    from wm_perception.calibration.board import BOARD_FILE, Board, BoardError

    square = options.square_mm / 1000
    board = Board(options.columns, options.rows, square, round(0.75 * square, 6), options.dictionary)
    page = board.pdf((options.page_mm[0] / 1000, options.page_mm[1] / 1000))
    file = options.folder / BOARD_FILE
    if file.exists() and (unlike := Board.load(file).unlike(board)):
        raise BoardError(
            f"{file}: expected none, or that of the board that is asked for, got {unlike}; what was measured and written there would be"
            " lost: give another folder, or remove that file"
        )
    options.folder.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        board.save(file)
    (options.folder / "board.pdf").write_bytes(page)
    print(
        f"written: {options.folder / 'board.pdf'} and {BOARD_FILE}; print it at 100 % and measure a square: {options.square_mm:g} mm"
    )
    return 0
