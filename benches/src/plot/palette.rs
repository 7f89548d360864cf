//! Who is drawn in which colour.

use plotters::style::RGBColor;

/// Colours that stay apart for most eyes, after Paul Tol's muted scheme
/// (<https://personal.sron.nl/~pault/#sec:qualitative>), and darker ones of the same kind.
const COLOURS: &[RGBColor] = &[
    RGBColor(51, 34, 136),
    RGBColor(136, 204, 238),
    RGBColor(68, 170, 153),
    RGBColor(17, 119, 51),
    RGBColor(153, 153, 51),
    RGBColor(221, 204, 119),
    RGBColor(204, 102, 119),
    RGBColor(136, 34, 85),
    RGBColor(170, 68, 153),
    RGBColor(110, 110, 110),
    RGBColor(230, 120, 40),
    RGBColor(30, 90, 180),
    RGBColor(120, 70, 30),
    RGBColor(0, 0, 0),
];

/// The colour of the contestant at this place.
pub(super) fn colour(place: usize) -> RGBColor {
    COLOURS[place % COLOURS.len()]
}

/// For the framework itself among its peers.
pub(super) const OURS: RGBColor = RGBColor(51, 34, 136);

/// For everybody else.
pub(super) const THEIRS: RGBColor = RGBColor(150, 160, 175);

/// For text and axes.
pub(super) const INK: RGBColor = RGBColor(40, 40, 40);
