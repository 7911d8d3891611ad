"""Paints in a source's own units: its foot is at 0, 0, it is about 1 high, y goes up. Knows no kind and no motion."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from diffava.scenes import sprites
from diffava.scenes.camera import Camera
from diffava.scenes.sprites import Colour, Curve, Pictures


@dataclass(frozen=True)
class Brush:
    """Where a source stands in the world, which way it looks and how large it is; its shapes go onto the pictures."""

    pictures: Pictures
    camera: Camera
    x: Float[np.ndarray, "F"]
    y: float
    size: float
    side: int  # 1 or -1: whether the source looks right or left

    def _place(self, x: Curve, y: Curve) -> tuple[Float[np.ndarray, "F"], Float[np.ndarray, "F"]]:
        return self.camera.pixels(self.x + self.side * self.size * x, self.y - self.size * y)

    @property
    def _unit(self) -> Float[np.ndarray, "F"]:
        return self.camera.scale * self.size

    def disc(self, x: Curve, y: Curve, radius: Curve, colour: Colour, alpha: Curve = 1.0) -> None:
        """A filled circle."""
        r = radius * self._unit
        sprites.paint(self.pictures, sprites.disc, self._place(x, y), (r, r), (r,), colour, alpha)

    def ring(self, x: Curve, y: Curve, radius: Curve, width: Curve, colour: Colour, alpha: Curve = 1.0) -> None:
        """A circle drawn with a pen of that width."""
        r, half = radius * self._unit, width * self._unit / 2
        sprites.paint(self.pictures, sprites.ring, self._place(x, y), (r + half, r + half), (r, half), colour, alpha)

    def ellipse(
        self, x: Curve, y: Curve, rx: Curve, ry: Curve, colour: Colour, angle: Curve = 0.0, alpha: Curve = 1.0
    ) -> None:
        """A filled ellipse, turned against the clock by `angle`."""
        a, b = rx * self._unit, ry * self._unit
        reach = (a, b) if isinstance(angle, float) and angle == 0 else (np.maximum(a, b), np.maximum(a, b))
        turned = -self.side * np.asarray(angle)
        sprites.paint(self.pictures, sprites.ellipse, self._place(x, y), reach, (a, b, turned), colour, alpha)

    def box(
        self, x: Curve, y: Curve, width: Curve, height: Curve, colour: Colour, angle: Curve = 0.0, alpha: Curve = 1.0
    ) -> None:
        """A filled rectangle about its middle, turned against the clock by `angle`."""
        a, b = width * self._unit / 2, height * self._unit / 2
        cos, sin = np.abs(np.cos(angle)), np.abs(np.sin(angle))
        reach = (a * cos + b * sin, a * sin + b * cos)
        turned = -self.side * np.asarray(angle)
        sprites.paint(self.pictures, sprites.box, self._place(x, y), reach, (a, b, turned), colour, alpha)

    def bar(
        self, start: tuple[Curve, Curve], stop: tuple[Curve, Curve], width: Curve, colour: Colour, alpha: Curve = 1.0
    ) -> None:
        """A line with round ends."""
        (x0, y0), (x1, y1) = self._place(*start), self._place(*stop)
        r = width * self._unit / 2
        dx, dy = (x1 - x0) / 2, (y1 - y0) / 2
        centre, reach = ((x0 + x1) / 2, (y0 + y1) / 2), (np.abs(dx) + r, np.abs(dy) + r)
        sprites.paint(self.pictures, sprites.bar, centre, reach, (dx, dy, r), colour, alpha)

    def triangle(
        self, a: tuple[Curve, Curve], b: tuple[Curve, Curve], c: tuple[Curve, Curve], colour: Colour, alpha: Curve = 1.0
    ) -> None:
        """A filled triangle."""
        corners = [self._place(*point) for point in (a, b, c)]
        xs, ys = np.stack([x for x, _ in corners]), np.stack([y for _, y in corners])
        left, right, top, bottom = xs.min(axis=0), xs.max(axis=0), ys.min(axis=0), ys.max(axis=0)
        x, y = (left + right) / 2, (top + bottom) / 2
        own = tuple(value for px, py in corners for value in (px - x, py - y))
        reach = ((right - left) / 2, (bottom - top) / 2)
        sprites.paint(self.pictures, sprites.triangle, (x, y), reach, own, colour, alpha)

    def field(
        self,
        corner: tuple[float, float],
        extent: tuple[float, float],
        texture: Float[np.ndarray, "h w"],
        moved: tuple[Curve, Curve],
        colour: Colour,
        alpha: Curve = 1.0,
        envelope: Float[np.ndarray, "a b"] | None = None,
    ) -> None:
        """A region whose opacity is a repeating texture that moves through it.

        Args:
            corner: Upper left corner of the region.
            extent: Its width and height; the texture is as fine as the picture's pixels.
            texture: Opacity, in 0..1 or, with an envelope, anything.
            moved: How far the texture has gone right and up.
            colour: In 0..255.
            alpha: Of the whole region.
            envelope: Added to the texture before it is held to 0..1; of any size, rows from the top.
        """
        x = corner[0] if self.side > 0 else -corner[0] - extent[0]
        lefts, tops = self.camera.pixels(self.x + self.size * x, np.full(len(self.x), self.y - self.size * corner[1]))
        unit = float(self._unit.mean())
        wide, high = max(1, round(extent[0] * unit)), max(1, round(extent[1] * unit))
        shape = _resized(envelope, high, wide) if envelope is not None else np.float32(0)
        sprites.paint_field(
            self.pictures,
            (lefts, tops),
            (wide, high),
            texture,
            (self.side * np.asarray(moved[0]) * unit, -np.asarray(moved[1]) * unit),
            shape,
            colour,
            alpha,
        )


def _resized(envelope: Float[np.ndarray, "a b"], high: int, wide: int) -> Float[np.ndarray, "h w"]:
    rows, columns = np.linspace(0, len(envelope) - 1, high), np.linspace(0, envelope.shape[1] - 1, wide)
    across = np.stack([np.interp(columns, np.arange(envelope.shape[1]), row) for row in envelope])
    low = np.minimum(rows.astype(int), len(envelope) - 2) if len(envelope) > 1 else np.zeros(high, int)
    part = (rows - low)[:, None]
    found: Float[np.ndarray, "h w"] = across[low] * (1 - part) + across[np.minimum(low + 1, len(envelope) - 1)] * part
    return np.asarray(found, np.float32)
