//! The colours of all figures, safe for the colour-blind.
//!
//! The hues are those of Okabe and Ito, "Color Universal Design" (2008).

/// Red, green and blue, 0 to 255.
pub type Rgb = (u8, u8, u8);

/// `#E69F00`.
pub const ORANGE: Rgb = (230, 159, 0);
/// `#56B4E9`.
pub const SKY_BLUE: Rgb = (86, 180, 233);
/// `#009E73`.
pub const BLUISH_GREEN: Rgb = (0, 158, 115);
/// `#F0E442`: too light for lines on white, good for areas.
pub const YELLOW: Rgb = (240, 228, 66);
/// `#0072B2`.
pub const BLUE: Rgb = (0, 114, 178);
/// `#D55E00`.
pub const VERMILLION: Rgb = (213, 94, 0);
/// `#CC79A7`.
pub const REDDISH_PURPLE: Rgb = (204, 121, 167);
/// `#000000`.
pub const BLACK: Rgb = (0, 0, 0);

/// The hues of the first, second, … series: neighbours differ in lightness too.
pub const SERIES: [Rgb; 6] = [BLUE, VERMILLION, BLUISH_GREEN, REDDISH_PURPLE, ORANGE, SKY_BLUE];

/// Titles and names.
pub(crate) const INK: Rgb = (38, 42, 48);
/// Tick labels, remarks, legend marks that stand for any hue.
pub(crate) const GREY: Rgb = (96, 102, 110);
/// Axis lines.
pub(crate) const LINE: Rgb = (170, 175, 182);
/// Grid lines.
pub(crate) const GRID: Rgb = (232, 234, 238);
/// Shaded spans.
pub(crate) const SHADE: Rgb = (243, 244, 247);
/// Background.
pub(crate) const WHITE: Rgb = (255, 255, 255);
