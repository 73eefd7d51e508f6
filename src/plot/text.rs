//! Text without a font at hand: widths are estimated, a little too wide rather than too narrow.

/// Width of `text` in pixels at a font size in pixels.
pub(crate) fn width(text: &str, size: f64) -> f64 {
    text.chars().map(em).sum::<f64>() * size
}

/// How much wider bold letters are.
pub(crate) const BOLD: f64 = 1.14;

/// The advance of a character in ems, after DejaVu Sans, the widest of the fallback fonts.
fn em(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | '\'' | '|' => 0.3,
        ' ' | '.' | ',' | ':' | ';' | '!' | 'I' | '·' => 0.34,
        'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '/' | '-' => 0.41,
        '⁰' | '¹' | '²' | '³' | '⁴' | '⁵' | '⁶' | '⁷' | '⁸' | '⁹' | '⁻' => 0.44,
        'm' | 'w' | 'M' | 'W' | '@' | '%' | '…' => 0.98,
        '+' | '−' | '×' | '=' | '<' | '>' | '~' => 0.84,
        'A'..='Z' | '&' => 0.72,
        '\u{300}'..='\u{36f}' => 0.0,
        c if (c as u32) >= 0x1100 => 1.0,
        _ => 0.64,
    }
}

/// One line of characters that XML allows: control characters become spaces.
pub(crate) fn clean(text: &str) -> String {
    let spaced: String = text
        .chars()
        .map(|c| if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}' | '\u{2028}' | '\u{2029}') { ' ' } else { c })
        .collect();
    spaced.trim().to_owned()
}

/// The cleaned text, cut with an ellipsis if it is wider than `room` pixels.
pub(crate) fn fit(text: &str, size: f64, room: f64) -> String {
    let text = clean(text);
    if width(&text, size) <= room {
        return text;
    }
    let room = room - width("…", size);
    let mut used = 0.0;
    let mut kept: String = text
        .chars()
        .take_while(|&c| {
            used += em(c) * size;
            used <= room
        })
        .collect();
    kept.truncate(kept.trim_end().len());
    kept.push('…');
    kept
}

/// A whole number as superscript.
pub(crate) fn superscript(n: i32) -> String {
    n.to_string()
        .chars()
        .map(|c| match c {
            '-' => '⁻',
            '1' => '¹',
            '2' => '²',
            '3' => '³',
            '4' => '⁴',
            '5' => '⁵',
            '6' => '⁶',
            '7' => '⁷',
            '8' => '⁸',
            '9' => '⁹',
            _ => '⁰',
        })
        .collect()
}
