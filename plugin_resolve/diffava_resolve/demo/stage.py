"""What the demo's shots are painted with: soft-edged shapes before a sky and a ground. Knows no time and no files.

A thing is painted in its own units: its foot is at 0, 0, it is about 1 high, y goes up. Ground, horizon and sizes are
those of the scenes that `mini` learned to see from.
"""

import math
from collections.abc import Callable

import numpy as np

Image = np.ndarray  # float32 [height, width, 3] in 0..1

WIDTH_PIXELS = 640
HEIGHT_PIXELS = 360
_HORIZON, _FOOT = 0.72, 0.8  # from the top, in heights of the picture
_Y, _X = np.mgrid[0:HEIGHT_PIXELS, 0:WIDTH_PIXELS].astype(np.float32) + np.float32(0.5)


def background(sky: str, ground: str) -> Image:
    """Sky above the horizon and ground below it, a little lighter towards the viewer."""
    depth = _Y / HEIGHT_PIXELS - _HORIZON
    below = np.clip(depth * HEIGHT_PIXELS, 0, 1)[..., None]
    image: Image = _rgb(sky) * (1 - below) + _rgb(ground) * below + (0.08 * depth)[..., None]
    return image


class Stage:
    """One picture on which a thing is painted, shape after shape.

    Args:
        behind: What `background` gave; it stays as it is.
        size: The thing's height, in heights of the picture.
    """

    def __init__(self, behind: Image, size: float) -> None:
        self.image = behind.copy()
        self._unit_pixels = size * HEIGHT_PIXELS

    def ellipse(self, x: float, y: float, rx: float, ry: float, colour: str, angle_rad: float = 0.0) -> None:
        """A filled ellipse, turned against the clock."""
        a, b = rx * self._unit_pixels, ry * self._unit_pixels

        def distance(right: np.ndarray, up: np.ndarray) -> np.ndarray:
            along, across = _turned(right, up, angle_rad)
            outside: np.ndarray = (np.hypot(along / a, across / b) - 1) * min(a, b)
            return outside

        self._paint(x, y, max(rx, ry), distance, colour)

    def box(self, x: float, y: float, width: float, height: float, colour: str, angle_rad: float = 0.0) -> None:
        """A filled rectangle about its middle, turned against the clock."""
        half_width, half_height = width * self._unit_pixels / 2, height * self._unit_pixels / 2

        def distance(right: np.ndarray, up: np.ndarray) -> np.ndarray:
            along, across = _turned(right, up, angle_rad)
            outside: np.ndarray = np.maximum(np.abs(along) - half_width, np.abs(across) - half_height)
            return outside

        self._paint(x, y, math.hypot(width, height) / 2, distance, colour)

    def bar(self, start: tuple[float, float], stop: tuple[float, float], width: float, colour: str) -> None:
        """A line with round ends."""
        x, y = (start[0] + stop[0]) / 2, (start[1] + stop[1]) / 2
        half = math.hypot(stop[0] - start[0], stop[1] - start[1]) / 2
        angle_rad = math.atan2(stop[1] - start[1], stop[0] - start[0])
        half_pixels, radius_pixels = half * self._unit_pixels, width * self._unit_pixels / 2

        def distance(right: np.ndarray, up: np.ndarray) -> np.ndarray:
            along, across = _turned(right, up, angle_rad)
            outside: np.ndarray = np.hypot(np.maximum(np.abs(along) - half_pixels, 0), across) - radius_pixels
            return outside

        self._paint(x, y, half + width, distance, colour)

    def _paint(
        self,
        x: float,
        y: float,
        reach: float,
        distance: Callable[[np.ndarray, np.ndarray], np.ndarray],
        colour: str,
    ) -> None:
        """Paint where the distance is negative, within `reach` of the middle, with an edge of one pixel."""
        middle_x = WIDTH_PIXELS / 2 + x * self._unit_pixels
        middle_y = _FOOT * HEIGHT_PIXELS - y * self._unit_pixels
        pixels = reach * self._unit_pixels + 2
        rows = slice(max(0, int(middle_y - pixels)), max(0, int(middle_y + pixels) + 1))
        columns = slice(max(0, int(middle_x - pixels)), max(0, int(middle_x + pixels) + 1))
        outside = distance(_X[rows, columns] - middle_x, middle_y - _Y[rows, columns])
        cover = np.clip(0.5 - outside, 0, 1)[..., None]
        self.image[rows, columns] = self.image[rows, columns] * (1 - cover) + _rgb(colour) * cover


def _turned(right: np.ndarray, up: np.ndarray, angle_rad: float) -> tuple[np.ndarray, np.ndarray]:
    """The same points as a thing sees them that is turned against the clock."""
    cos, sin = math.cos(angle_rad), math.sin(angle_rad)
    return right * cos + up * sin, up * cos - right * sin


def _rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)], np.float32) / 255
