//! Ranges, ticks and their labels.

use super::text::superscript;

/// Larger numbers count as missing, so that no range overflows.
const LARGEST: f64 = 1e150;

/// Whether a number can be drawn.
pub(crate) fn usable(value: f64) -> bool {
    value.abs() <= LARGEST
}

/// The span of some numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Range {
    pub low: f64,
    pub high: f64,
}

impl Range {
    /// The span of the usable values, if there are any.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        values.into_iter().filter(|&v| usable(v)).fold(None, |range, v| {
            Some(range.map_or(Self { low: v, high: v }, |r: Self| Self { low: r.low.min(v), high: r.high.max(v) }))
        })
    }

    pub fn span(&self) -> f64 {
        self.high - self.low
    }

    /// Both spans together.
    pub fn join(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    /// Grown to hold `other` as far as `times` its own span on either side: what runs away is cut off.
    pub fn stretch(self, other: Self, times: f64) -> Self {
        let room = times * self.widened().span();
        Self {
            low: self.low.min(other.low.max(self.low - room)),
            high: self.high.max(other.high.min(self.high + room)),
        }
    }

    /// A constant, or what is constant but for rounding, gets some room around it.
    pub fn widened(self) -> Self {
        let middle = 0.5 * self.low + 0.5 * self.high;
        let size = self.low.abs().max(self.high.abs());
        if size < 1e-140 {
            Self { low: -1.0, high: 1.0 }
        } else if self.span() <= 2e-14 * size {
            Self { low: middle - 0.05 * size, high: middle + 0.05 * size }
        } else {
            self
        }
    }

    /// With a margin, as a fraction of the span, on both sides.
    pub fn padded(self, fraction: f64) -> Self {
        let range = self.widened();
        let margin = fraction * range.span();
        Self { low: range.low - margin, high: range.high + margin }
    }
}

/// A labelled place on an axis.
#[derive(Clone, Debug)]
pub(crate) struct Tick {
    pub at: f64,
    pub label: String,
}

/// A range with its ticks.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    range: Range,
    logarithmic: bool,
    pub ticks: Vec<Tick>,
    /// What to add to the axis' name where labels leave a factor or an offset out, such as `×10⁻⁶` or `+ 2459000`.
    pub remark: String,
}

impl Axis {
    /// A linear axis with about `ticks` ticks, no closer than `closest` (0 for no such limit).
    pub fn linear(range: Range, ticks: f64, closest: f64) -> Self {
        let range = range.widened();
        let mut wanted = ticks.clamp(2.0, 50.0);
        loop {
            let step = Step::at_least((range.span() / wanted).max(closest));
            let (first, last) = ((range.low / step.size()).ceil(), (range.high / step.size()).floor());
            if last - first >= 1.0 || wanted >= 12.0 || step.size() <= closest {
                let (ticks, remark) = label(first, last, step);
                return Self { range, logarithmic: false, ticks, remark };
            }
            wanted += 1.0;
        }
    }

    /// A logarithmic axis over positive numbers with about `ticks` ticks.
    pub fn logarithmic(range: Range, ticks: f64) -> Self {
        let low = range.low.clamp(1e-150, LARGEST);
        let high = range.high.clamp(low, LARGEST);
        let (mut low, mut high) = (low.log10(), high.log10());
        // At least a third of a decade, so that a flat loss looks flat.
        let lacking = (0.34 - (high - low)).max(0.0) / 2.0;
        (low, high) = (low - lacking, high + lacking);
        let margin = 0.05 * (high - low);
        let range = Range { low: low - margin, high: high + margin };
        let stride = (range.span() / ticks.clamp(2.0, 50.0)).ceil().max(1.0) as i32;
        let decades = range.low.floor() as i32..=range.high.ceil() as i32;
        let digits: &[i32] = if range.span() > 3.2 {
            &[1]
        } else if range.span() > 1.3 {
            &[1, 2, 5]
        } else {
            &[1, 2, 3, 4, 5, 6, 8]
        };
        let plain = range.low >= -3.3 && range.high <= 5.0;
        let ticks = decades
            .filter(|decade| decade.rem_euclid(stride) == 0)
            .flat_map(|decade| digits.iter().map(move |&digit| (digit, decade)))
            .filter_map(|(digit, decade)| {
                let at = f64::from(decade) + f64::from(digit).log10();
                let label = match (plain, digit) {
                    (true, _) => format!("{:.*}", (-decade).max(0) as usize, f64::from(digit) * 10f64.powi(decade)),
                    (false, 1) => format!("10{}", superscript(decade)),
                    (false, _) => format!("{digit}×10{}", superscript(decade)),
                };
                (range.low <= at && at <= range.high).then_some(Tick { at, label })
            })
            .collect();
        Self { range, logarithmic: true, ticks, remark: String::new() }
    }

    /// Where a value lies: 0 at the low end, 1 at the high end; none if it cannot be drawn on this axis.
    pub fn fraction(&self, value: f64) -> Option<f64> {
        if !usable(value) || (self.logarithmic && value <= 0.0) {
            return None;
        }
        Some(self.tick_fraction(if self.logarithmic { value.log10() } else { value }))
    }

    /// How far a small displacement goes, as a share of the axis; none on a logarithmic one.
    pub fn slope(&self, by: f64) -> Option<f64> {
        (!self.logarithmic && usable(by)).then(|| by / self.range.span())
    }

    /// Where a tick lies.
    pub fn tick_fraction(&self, at: f64) -> f64 {
        (at - self.range.low) / self.range.span()
    }

    /// The widest label, in pixels.
    pub fn label_width(&self, size: f64) -> f64 {
        self.ticks.iter().map(|tick| super::text::width(&tick.label, size)).fold(0.0, f64::max)
    }
}

/// A step between ticks: 1, 2 or 5 times a power of ten, kept as whole numbers so that labels are exact.
#[derive(Clone, Copy)]
struct Step {
    digit: i32,
    power: i32,
}

impl Step {
    fn at_least(size: f64) -> Self {
        let power = size.max(1e-300).log10().floor() as i32;
        // A hair of tolerance, lest rounding in the logarithm make 1 into 2.
        let digit = [1, 2, 5].into_iter().find(|&d| f64::from(d) * 10f64.powi(power) >= size * (1.0 - 1e-9));
        digit.map_or(Self { digit: 1, power: power + 1 }, |digit| Self { digit, power })
    }

    fn size(self) -> f64 {
        f64::from(self.digit) * 10f64.powi(self.power)
    }
}

/// Ticks from `first` to `last` steps: short, distinct labels, and the factor or offset they leave out.
fn label(first: f64, last: f64, step: Step) -> (Vec<Tick>, String) {
    let count = (last - first).clamp(0.0, 100.0) as usize;
    let steps: Vec<f64> = (0..=count).map(|i| first + i as f64).collect();
    let digit = f64::from(step.digit);
    let unit = 10f64.powi(step.power);
    // In units of 10^power all ticks are whole numbers. Too many digits: count from a round number below them.
    let largest = first.abs().max(last.abs()) * digit;
    let offset = if largest >= 1e6 {
        let room = 10f64.powf(((last - first) * digit + 1.0).log10().ceil().max(1.0));
        // A rounder number still if there is one among the ticks.
        let round = (0.5 * (first + last) * digit / (10.0 * room)).round() * 10.0 * room;
        let among = first * digit <= round && round <= last * digit;
        if among { round } else { (first * digit / room).floor() * room }
    } else {
        0.0
    };
    let whole = |i: f64| i * digit - offset;
    let reach = whole(first).abs().max(whole(last).abs()).max(1.0);
    let top = reach.log10().floor() as i32 + step.power;
    let factor = if !(-3..6).contains(&top) || (top < 0 && step.power < -5) { top } else { 0 };
    let decimals = (factor - step.power).max(0) as usize;
    let scale = 10f64.powi(step.power - factor);
    let ticks = steps
        .iter()
        .map(|&i| Tick { at: i * digit * unit, label: minus(format!("{:.decimals$}", whole(i) * scale + 0.0)) })
        .collect();
    let mut remark = String::new();
    if factor != 0 {
        remark.push_str(&format!("×10{}", superscript(factor)));
    }
    if offset != 0.0 {
        let sign = if offset < 0.0 { "− " } else { "+ " };
        let gap = if remark.is_empty() { "" } else { " " };
        remark.push_str(&format!("{gap}{sign}{}", plain(offset.abs(), step.power)));
    }
    (ticks, remark)
}

/// `whole`·10^`power`, written out if that is short.
fn plain(whole: f64, power: i32) -> String {
    let value = whole * 10f64.powi(power);
    if (1e-3..1e10).contains(&value) {
        return format!("{:.*}", (-power).max(0) as usize, value)
            .trim_end_matches(|c| power < 0 && c == '0')
            .trim_end_matches('.')
            .to_owned();
    }
    // Whole numbers below 1e15 print all their digits, so nothing of the offset is lost.
    let digits = format!("{whole:.0}");
    let exponent = digits.len() as i32 - 1 + power;
    let (lead, rest) = digits.split_at(1);
    let rest = rest.trim_end_matches('0');
    let point = if rest.is_empty() { "" } else { "." };
    format!("{lead}{point}{rest}×10{}", superscript(exponent))
}

/// A true minus sign, and none before zero.
fn minus(label: String) -> String {
    match label.strip_prefix('-') {
        Some(rest) if rest.chars().all(|c| matches!(c, '0' | '.')) => rest.to_owned(),
        Some(rest) => format!("−{rest}"),
        None => label,
    }
}
