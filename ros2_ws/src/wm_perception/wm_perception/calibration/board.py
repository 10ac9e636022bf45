"""The ChArUco board: its file, the page to print, and its corners in an image."""

from collections.abc import Collection
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from wm_core.atomic import replace_synced
from wm_core.checked_yaml import load_checked
from wm_core.rotations import pose_of, rotation_of

_VECTOR = {"type": "array", "items": {"type": "number"}, "minItems": 3, "maxItems": 3}
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["columns", "rows", "square", "marker", "dictionary"],
    "additionalProperties": False,
    "properties": {
        "columns": {"type": "integer", "minimum": 3, "maximum": 40},
        "rows": {"type": "integer", "minimum": 3, "maximum": 40},
        "square": {"type": "number", "exclusiveMinimum": 0},
        "marker": {"type": "number", "exclusiveMinimum": 0},
        "dictionary": {"type": "string", "pattern": "^DICT_"},
        "mount": {
            "type": "object",
            "required": ["position", "rpy_deg"],
            "additionalProperties": False,
            "properties": {"position": _VECTOR, "rpy_deg": _VECTOR},
        },
    },
}
_FEWEST_CORNERS = 6  # of a board in an image: fewer say little of where it is
_POINTS_PER_METRE = 72 / 0.0254  # PDF's unit
A4 = (0.297, 0.210)  # [m]
_MARGIN = 0.008  # [m] that most printers cannot print on
BOARD_FILE = "board.yaml"


class BoardError(ValueError):
    """A board that cannot be used: names the file and the field."""


@dataclass(frozen=True)
class Board:
    """A ChArUco board. Its frame is OpenCV's: origin in the upper left corner as printed, x right, y down, z into the board.

    `square`, `marker` [m]: sides; `mount` (4, 4): about where the middle of the board is in the tool's frame, with the board's
    axes; it is solved for, and needed only for choosing poses.
    """

    columns: int = 7
    rows: int = 5
    square: float = 0.036
    marker: float = 0.027
    dictionary: str = "DICT_4X4_50"
    mount: tuple[tuple[float, ...], tuple[float, ...]] = (
        (0.17, 0.0, 0.0),
        (0.0, 0.0, 0.0),
    )  # position [m], rpy [degrees]

    def __post_init__(self) -> None:
        if self.marker >= self.square:
            raise BoardError(f"expected markers smaller than squares, got {self.marker} and {self.square} m")
        code = getattr(cv2.aruco, self.dictionary, None)
        if code is None:
            raise BoardError(f"expected a dictionary of OpenCV such as DICT_4X4_50, got '{self.dictionary}'")
        found = len(cv2.aruco.getPredefinedDictionary(code).bytesList)
        if self.columns * self.rows // 2 > found:
            raise BoardError(
                f"expected at most {found} markers, of {self.dictionary}, got {self.columns * self.rows // 2}"
            )

    @staticmethod
    def load(file: str | Path) -> "Board":
        """Read a board's file; raises BoardError naming file and field."""
        try:
            data = load_checked(Path(file), _SCHEMA, BoardError)
        except OSError as error:
            raise BoardError(
                f"expected a board file, cannot read {file}: {error.strerror}; ./wm calibrate-cameras board makes one"
            ) from error
        mount = data.pop("mount", None)
        if mount:
            data["mount"] = (tuple(mount["position"]), tuple(mount["rpy_deg"]))
        return Board(**data)

    def save(self, file: Path) -> None:
        """Write a board's file, to be read by people too."""
        position, angles = map(list, self.mount)
        fields = {name: getattr(self, name) for name in ("columns", "rows", "square", "marker", "dictionary")}
        text = yaml.safe_dump(fields | {"mount": {"position": position, "rpy_deg": angles}}, sort_keys=False)
        replace_synced(
            file, f"# A ChArUco board: lengths [m]. mount: about where its middle is in the tool's frame.\n{text}"
        )

    def unlike(self, other: "Board", leave_out: Collection[str] = ()) -> str:
        """Fields in which another board differs, for people: `square 0.0355 in place of 0.036`; empty: they are the same."""
        names = [field.name for field in fields(self) if field.name not in leave_out]
        changed = [name for name in names if getattr(self, name) != getattr(other, name)]
        return ", ".join(f"{name} {getattr(self, name)} in place of {getattr(other, name)}" for name in changed)

    @property
    def size(self) -> np.ndarray:
        """Width and height (2,) [m]."""
        return np.array([self.columns, self.rows]) * self.square

    @property
    def corners(self) -> np.ndarray:
        """Inner corners (n, 3) [m] in the board's frame, by their numbers."""
        return np.asarray(self._made().getChessboardCorners(), float)

    @property
    def outline(self) -> np.ndarray:
        """The four outer corners (4, 3) [m] in the board's frame, in turn."""
        width, height = self.size
        return np.array([[0, 0, 0], [width, 0, 0], [width, height, 0], [0, height, 0]])

    @property
    def mounted(self) -> np.ndarray:
        """Pose (4, 4) of the board's frame in the tool's, about."""
        position, angles = self.mount
        rotation = rotation_of(angles)
        return pose_of(rotation, np.array(position) - rotation @ np.append(self.size / 2, 0.0))

    def find(self, rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Corners (n, 2) [px] in an image (H, W, 3) uint8, pixel centres at integers, and their numbers (n,); None: not seen."""
        grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
        corners, numbers, _, _ = cv2.aruco.CharucoDetector(self._made()).detectBoard(grey)
        if numbers is None or len(numbers) < _FEWEST_CORNERS:
            return None
        numbers = numbers.reshape(-1)
        places = self.corners[numbers, :2]
        if np.linalg.matrix_rank(places - places.mean(0), 0.5 * self.square) < 2:  # on one line
            return None
        return corners.reshape(-1, 2).astype(float), numbers

    def black(self) -> np.ndarray:
        """What is printed black: rectangles (n, 4) left, upper, right, lower [m] in the board's frame."""
        found = [
            (column * self.square, row * self.square, (column + 1) * self.square, (row + 1) * self.square)
            for row in range(self.rows)
            for column in range(self.columns)
            if (row + column) % 2 == 0
        ]
        board = self._made()
        dictionary = board.getDictionary()
        cells = dictionary.markerSize + 2  # with its border
        side = self.marker / cells
        for number, outline in zip(board.getIds().reshape(-1), board.getObjPoints(), strict=True):
            left, upper = outline[:, :2].min(0)
            bits = cv2.aruco.generateImageMarker(dictionary, int(number), cells)
            found += [
                (left + b * side, upper + a * side, left + (b + 1) * side, upper + (a + 1) * side)
                for a, b in np.argwhere(bits == 0)
            ]
        return np.array(found, float)

    def pattern(self, cells: int = 4) -> np.ndarray:
        """The print as an image (h, w) bool, True black: as many pixels along a marker's cell as `cells`, where the squares allow it."""
        side = self.marker / (self._made().getDictionary().markerSize + 2) / cells
        width, height = np.rint(self.size / side).astype(int)
        made = np.zeros((height, width), bool)
        for left, upper, right, lower in np.rint(self.black() / side).astype(int):
            made[upper:lower, left:right] = True
        return made

    def pdf(self, page: tuple[float, float] = A4) -> bytes:
        """A page of a given width and height [m] with the board in its middle, at true size; raises BoardError if it is too small."""
        origin = (np.array(page) - self.size) / 2
        if (origin < _MARGIN).any():
            raise BoardError(
                f"expected a board that fits a page of {page[0]:g} x {page[1]:g} m, got {self.size[0]:g} x {self.size[1]:g} m; take"
                " fewer or smaller squares, or a larger page"
            )
        width, height = (value * _POINTS_PER_METRE for value in page)
        rectangles = []
        for left, upper, right, lower in (self.black() + np.tile(origin, 2)) * _POINTS_PER_METRE:
            rectangles.append(f"{left:.4f} {height - lower:.4f} {right - left:.4f} {lower - upper:.4f} re")
        said = (
            f"ChArUco {self.columns} x {self.rows}, {self.dictionary}, squares {1e3 * self.square:g} mm, markers"
            f" {1e3 * self.marker:g} mm. Print at 100 %, glue it flat, and measure a square."
        )
        text = (
            f"BT /F1 8 Tf {origin[0] * _POINTS_PER_METRE:.2f} {0.5 * _MARGIN * _POINTS_PER_METRE:.2f} Td ({said}) Tj ET"
        )
        return _pdf_of("\n".join([*rectangles, "f", text]), width, height)

    def _made(self) -> Any:
        dictionary = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, self.dictionary))
        return cv2.aruco.CharucoBoard((self.columns, self.rows), self.square, self.marker, dictionary)


def _pdf_of(content: str, width: float, height: float) -> bytes:
    """A PDF of one page (ISO 32000-1, 7.5): its objects, and where each begins."""
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width:.4f} {height:.4f}] /Contents 4 0 R"
        " /Resources << /Font << /F1 5 0 R >> >> >>",
        f"<< /Length {len(content)} >>\nstream\n{content}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    made, starts = b"%PDF-1.4\n", []
    for number, each in enumerate(objects, 1):
        starts.append(len(made))
        made += f"{number} 0 obj\n{each}\nendobj\n".encode("ascii")
    table = "".join(f"{start:010} 00000 n \n" for start in starts)
    end = (
        f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\n"
    )
    return made + f"{end}startxref\n{len(made)}\n%%EOF\n".encode("ascii")
