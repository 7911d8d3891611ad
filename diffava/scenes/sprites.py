"""Smooth-edged shapes painted into many pictures at once, each in its bounding box. Knows pixels, no scene.

A shape is a signed distance in pixels, negative inside; a pixel is covered by as much of it as half a pixel allows.
Where a shape goes and how it turns is given for all frames at once, so that NumPy and not Python does the arithmetic.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

Curve = float | Float[np.ndarray, "F"]
Colour = Float[np.ndarray, "3"]
Distance = Callable[..., Float[np.ndarray, "N h w"]]
Pictures = Float[np.ndarray, "F 3 height width"]


def ellipse(x: np.ndarray, y: np.ndarray, rx: np.ndarray, ry: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Distance from an ellipse, to first order: right where it matters, at the edge."""
    cos, sin = np.cos(angle), np.sin(angle)
    u, v = x * cos + y * sin, y * cos - x * sin
    reach = np.sqrt((u / rx) ** 2 + (v / ry) ** 2)
    found: np.ndarray = (reach - 1) * np.minimum(rx, ry)
    return found


def disc(x: np.ndarray, y: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Distance from a disc."""
    found: np.ndarray = np.sqrt(x * x + y * y) - radius
    return found


def ring(x: np.ndarray, y: np.ndarray, radius: np.ndarray, half_width: np.ndarray) -> np.ndarray:
    """Distance from a circle drawn with a pen."""
    found: np.ndarray = np.abs(disc(x, y, radius)) - half_width
    return found


def bar(x: np.ndarray, y: np.ndarray, dx: np.ndarray, dy: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Distance from a line with round ends, from (-dx, -dy) to (dx, dy)."""
    along = np.clip((x * dx + y * dy) / (dx * dx + dy * dy + 1e-6), -1, 1)
    found: np.ndarray = disc(x - along * dx, y - along * dy, radius)
    return found


def box(x: np.ndarray, y: np.ndarray, half_width: np.ndarray, half_height: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Distance from a turned rectangle, in the largest-coordinate norm."""
    cos, sin = np.cos(angle), np.sin(angle)
    found: np.ndarray = np.maximum(np.abs(x * cos + y * sin) - half_width, np.abs(y * cos - x * sin) - half_height)
    return found


def triangle(x: np.ndarray, y: np.ndarray, *corners: np.ndarray) -> np.ndarray:
    """Distance from a triangle whose corners ax, ay, bx, by, cx, cy are in either order."""
    points = [(corners[k], corners[k + 1]) for k in (0, 2, 4)]
    (ax, ay), (bx, by), (cx, cy) = points
    turn = np.sign((bx - ax) * (cy - ay) - (by - ay) * (cx - ax))
    found: np.ndarray | None = None
    for (px, py), (qx, qy) in zip(points, [*points[1:], points[0]], strict=True):
        length = np.hypot(qx - px, qy - py) + 1e-6
        side = ((qy - py) * (x - px) - (qx - px) * (y - py)) * (turn / length)
        found = side if found is None else np.maximum(found, side)
    assert found is not None
    return found


def paint(
    pictures: Pictures,
    distance: Distance,
    centre: tuple[Curve, Curve],
    reach: tuple[Curve, Curve],
    parameters: tuple[Curve, ...],
    colour: Colour,
    alpha: Curve,
) -> None:
    """Lay one shape over the pictures.

    Args:
        pictures: Changed in place.
        distance: One of the functions above; it is given pixel offsets from the centre and `parameters`.
        centre: Of the shape, in pixels.
        reach: How far the shape goes from its centre at most, in pixels to each side and up or down.
        parameters: Of the distance, in pixels or radians.
        colour: Red, green and blue in 0..255.
        alpha: How opaque it is; frames where it is 0 cost nothing.
    """
    frames, _, height, width = pictures.shape
    values = np.empty((5 + len(parameters), frames), np.float32)
    for row, value in zip(values, (*centre, *reach, alpha, *parameters), strict=True):
        row[:] = value
    x, y, rx, ry, opacity = values[:5]
    seen = (opacity > 0) & (x + rx > 0) & (x - rx < width) & (y + ry > 0) & (y - ry < height)
    shown = np.flatnonzero(seen)
    if not len(shown):
        return
    values = values[:, shown]
    still = bool((values == values[:, :1]).all())
    if still:
        values = values[:, :1]
    x, y, rx, ry, opacity = values[:5]
    left, top = np.floor(x - rx - 1).astype(int), np.floor(y - ry - 1).astype(int)
    wide, high = int(2 * rx.max()) + 4, int(2 * ry.max()) + 4
    across = (np.arange(wide, dtype=np.float32) + 0.5 + (left - x)[:, None]).astype(np.float32)[:, None, :]
    down = (np.arange(high, dtype=np.float32) + 0.5 + (top - y)[:, None]).astype(np.float32)[:, :, None]
    cover = 0.5 - distance(across, down, *values[5:, :, None, None])
    np.clip(cover, 0, 1, out=cover)
    cover *= opacity[:, None, None]
    _blend(pictures, shown, cover, left.tolist(), top.tolist(), colour[:, None, None].astype(np.float32), still)


def _blend(
    pictures: Pictures,
    shown: np.ndarray,
    cover: Float[np.ndarray, "N h w"],
    left: list[int],
    top: list[int],
    colour: Float[np.ndarray, "3 1 1"],
    still: bool,
) -> None:
    _, _, height, width = pictures.shape
    _, high, wide = cover.shape
    if still:
        x0, x1, y0, y1 = max(left[0], 0), min(left[0] + wide, width), max(top[0], 0), min(top[0] + high, height)
        mask = cover[0, y0 - top[0] : y1 - top[0], x0 - left[0] : x1 - left[0]]
        tinted, kept = mask * colour, 1 - mask
        for frame in shown.tolist():
            part = pictures[frame, :, y0:y1, x0:x1]
            part *= kept
            part += tinted
        return
    for n, frame in enumerate(shown.tolist()):
        x0, x1, y0, y1 = max(left[n], 0), min(left[n] + wide, width), max(top[n], 0), min(top[n] + high, height)
        part = pictures[frame, :, y0:y1, x0:x1]
        part += cover[n, y0 - top[n] : y1 - top[n], x0 - left[n] : x1 - left[n]] * (colour - part)


def paint_field(
    pictures: Pictures,
    corner: tuple[Curve, Curve],
    extent: tuple[int, int],
    texture: Float[np.ndarray, "rows columns"],
    moved: tuple[Curve, Curve],
    envelope: Float[np.ndarray, "h w"] | np.float32,
    colour: Colour,
    alpha: Curve,
) -> None:
    """Lay a repeating texture over a region, moved by whole pixels; the arguments are those of `Brush.field`."""
    frames, _, height, width = pictures.shape
    rows, columns = texture.shape
    values = np.empty((5, frames))
    for row, value in zip(values, (*corner, *moved, alpha), strict=True):
        row[:] = value
    wide, high = extent
    repeated = np.tile(texture, (2 + high // rows, 2 + wide // columns)).astype(np.float32)
    tint = colour[:, None, None].astype(np.float32)
    places = np.round(values[:4]).astype(int)
    places[2] %= columns
    places[3] %= rows
    for frame in np.flatnonzero(values[4] > 0).tolist():
        left, top, right_moved, down_moved = places[:, frame].tolist()
        x0, x1, y0, y1 = max(left, 0), min(left + wide, width), max(top, 0), min(top + high, height)
        if x0 >= x1 or y0 >= y1:
            continue
        u, v = (columns - right_moved) % columns, (rows - down_moved) % rows
        window = repeated[v + y0 - top : v + y1 - top, u + x0 - left : u + x1 - left]
        if isinstance(envelope, np.ndarray):
            window = np.clip(window + envelope[y0 - top : y1 - top, x0 - left : x1 - left], 0, 1)
        part = pictures[frame, :, y0:y1, x0:x1]
        part += (window * np.float32(values[4, frame])) * (tint - part)
