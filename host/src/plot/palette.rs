//! Colours, markers and dashes by which curves are told apart, also by those
//! who do not see all colours, and in print.

/// The palette of Okabe and Ito ("Color Universal Design", 2008), but for its
/// yellow, which is too light on white, and its black, which is the text's; a
/// dark violet is there instead.
pub const COLOURS: [&str; 7] = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A5195"];

/// Stroke dash arrays in units of the line's width; the first is a whole line.
pub const DASHES: [&str; 5] = ["", "5 2.5", "1.5 2", "8 2.5 1.5 2.5", "3 1.5 1 1.5"];

/// Shapes of points. Their number has no factor in common with that of the
/// colours or the dashes, so that cycling through both gives all combinations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marker {
    /// A disc.
    Circle,
    /// A square.
    Square,
    /// A triangle that points up.
    Up,
    /// A square on its corner.
    Diamond,
    /// A triangle that points down.
    Down,
    /// A circle that is empty.
    Ring,
}

/// All shapes.
pub const MARKERS: [Marker; 6] =
    [Marker::Circle, Marker::Square, Marker::Up, Marker::Diamond, Marker::Down, Marker::Ring];

/// Grey of what stays in the background: all runs behind a frontier.
pub const BACKGROUND: &str = "#8C8C8C";
/// Colour of text.
pub const INK: &str = "#262626";
/// Colour of axes.
pub const AXIS: &str = "#595959";
/// Colour of the grid.
pub const GRID: &str = "#E3E3E3";

/// A colour for each of `count` levels. Numbers that are more than the palette
/// has get shades from dark to light, so that their order is seen; names go
/// round the palette, and are told apart by their markers too.
pub fn colours(count: usize, ordered: bool) -> Vec<String> {
    if ordered && count > COLOURS.len() {
        return (0..count).map(|at| shade(at as f64 / (count - 1) as f64)).collect();
    }
    (0..count).map(|at| COLOURS[at % COLOURS.len()].to_owned()).collect()
}

/// Colours of viridis (van der Walt and Smith, 2015; public domain) at equal
/// distances, but for its lightest end.
const SHADES: [[f64; 3]; 8] = [
    [68.0, 1.0, 84.0],
    [70.0, 50.0, 126.0],
    [54.0, 92.0, 141.0],
    [39.0, 127.0, 142.0],
    [31.0, 161.0, 135.0],
    [74.0, 193.0, 109.0],
    [128.0, 205.0, 70.0],
    [178.0, 205.0, 40.0],
];

fn shade(share: f64) -> String {
    let place = share.clamp(0.0, 1.0) * (SHADES.len() - 1) as f64;
    let from = (place.floor() as usize).min(SHADES.len() - 2);
    let part = place - from as f64;
    let channel = |i: usize| (SHADES[from][i] + part * (SHADES[from + 1][i] - SHADES[from][i])).round() as u8;
    format!("#{:02X}{:02X}{:02X}", channel(0), channel(1), channel(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirty_curves_differ() {
        let names = colours(30, false);
        let looks: std::collections::HashSet<_> =
            (0..30).map(|i| (names[i].clone(), i % MARKERS.len())).collect();
        assert_eq!(looks.len(), 30);
        let shades: std::collections::HashSet<_> = colours(30, true).into_iter().collect();
        assert_eq!(shades.len(), 30);
        assert_eq!(colours(3, true), colours(3, false));
        assert_eq!(shade(0.0), "#440154");
    }
}
