//! The compressed store of ragged series.

use std::ops::Range;

use crate::{Error, Result};

/// Many series, each with its own times and missing cells, one after another: series `i` has the rows
/// `row_ptr[i]..row_ptr[i + 1]`. Everything is in the file's units, or in a model's after
/// [`Scaling::forward`](super::scale::Scaling::forward).
///
/// Within a series times rise strictly. A series may have no rows. Missing cells hold 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    channels: Vec<String>,
    names: Vec<String>,
    row_ptr: Vec<usize>,
    times: Vec<f64>,
    values: Vec<f64>,
    mask: Vec<bool>,
    errors: Option<Vec<f64>>,
}

/// One series of a [`Panel`]: slices of its `n` rows.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Series<'a> {
    /// The series' name.
    pub name: &'a str,
    /// Strictly rising, length `n`.
    pub times: &'a [f64],
    /// `n × C`, row by row; 0 where missing.
    pub values: &'a [f64],
    /// `n × C`, true where observed.
    pub mask: &'a [bool],
    /// `n × C` standard deviations of the measurement; 0 where none is known.
    pub errors: Option<&'a [f64]>,
}

impl Panel {
    /// Puts a panel of `S` series, `C` channels and `R` rows together. What stands in missing cells is set to 0, of
    /// the values as of the errors.
    ///
    /// # Errors
    /// [`Error::Shape`] unless `row_ptr` rises from 0 to `R` in `S + 1` numbers, `times` has `R` numbers and `values`,
    /// `mask` and `errors` have `R × C`; [`Error::Config`] if there is no channel, a time or an observed value is not
    /// finite, times do not rise strictly within a series, or an error is negative or not finite.
    pub fn new(
        channels: Vec<String>,
        names: Vec<String>,
        row_ptr: Vec<usize>,
        times: Vec<f64>,
        mut values: Vec<f64>,
        mask: Vec<bool>,
        mut errors: Option<Vec<f64>>,
    ) -> Result<Self> {
        let (rows, cells) = (times.len(), times.len() * channels.len());
        let bounds = row_ptr.first() == Some(&0) && row_ptr.last() == Some(&rows) && row_ptr.is_sorted();
        if row_ptr.len() != names.len() + 1 || !bounds {
            let expected = format!("{} numbers from 0 to {rows}", names.len() + 1);
            return Err(Error::shape("row pointers of a panel", expected, format!("{} numbers", row_ptr.len())));
        }
        let lengths =
            [("values", Some(values.len())), ("mask", Some(mask.len())), ("errors", errors.as_ref().map(Vec::len))];
        for (what, length) in lengths {
            if let Some(length) = length.filter(|&length| length != cells) {
                return Err(Error::shape(format!("{what} of a panel"), cells, length));
            }
        }
        if channels.is_empty() {
            return Err(Error::config("a panel has no channel", "name at least one"));
        }
        for (cell, &observed) in mask.iter().enumerate() {
            if !observed {
                values[cell] = 0.0;
            }
            if let Some(error) = errors.as_mut().map(|errors| &mut errors[cell]) {
                if !observed {
                    *error = 0.0;
                }
                if !(error.is_finite() && *error >= 0.0) {
                    return Err(Error::config("a measurement error is negative or not finite", "give it above 0"));
                }
            }
            if !values[cell].is_finite() {
                return Err(Error::config("a value of a panel is not finite", "mark the cell as missing"));
            }
        }
        for (i, name) in names.iter().enumerate() {
            let times = &times[row_ptr[i]..row_ptr[i + 1]];
            if !times.iter().all(|t| t.is_finite()) || times.windows(2).any(|pair| pair[0] >= pair[1]) {
                let what = format!("the times of series `{name}` are not finite and strictly rising");
                return Err(Error::config(what, "sort the rows and keep one per time"));
            }
        }
        Ok(Self { channels, names, row_ptr, times, values, mask, errors })
    }

    /// The channels' names, length `C`.
    pub fn channels(&self) -> &[String] {
        &self.channels
    }

    /// The series' names, length `S`, in the order in which they first appear in the file.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Where each series' rows begin, and the number of rows at the end; length `S + 1`.
    pub fn row_ptr(&self) -> &[usize] {
        &self.row_ptr
    }

    /// The times of all rows.
    pub fn times(&self) -> &[f64] {
        &self.times
    }

    /// The values of all rows, `rows × C`, row by row; 0 where missing.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Which cells are observed, `rows × C`.
    pub fn mask(&self) -> &[bool] {
        &self.mask
    }

    /// Standard deviations of the measurements, `rows × C`, where the file gave any; 0 where none is known.
    pub fn errors(&self) -> Option<&[f64]> {
        self.errors.as_deref()
    }

    /// The number of series `S`.
    pub fn series_count(&self) -> usize {
        self.names.len()
    }

    /// The number of rows of all series together.
    pub fn row_count(&self) -> usize {
        self.times.len()
    }

    /// The number of channels `C`.
    pub fn channel_count(&self) -> usize {
        self.channels.len()
    }

    /// The rows of series `i` in the panel; empty if there is no such series.
    pub fn rows(&self, i: usize) -> Range<usize> {
        match self.row_ptr.get(i..i.saturating_add(2)) {
            Some(&[start, end]) => start..end,
            _ => 0..0,
        }
    }

    /// Series `i`, if there is one.
    pub fn get(&self, i: usize) -> Option<Series<'_>> {
        let name = self.names.get(i)?;
        let rows = self.rows(i);
        let cells = rows.start * self.channel_count()..rows.end * self.channel_count();
        Some(Series {
            name,
            times: &self.times[rows],
            values: &self.values[cells.clone()],
            mask: &self.mask[cells.clone()],
            errors: self.errors.as_ref().map(|errors| &errors[cells]),
        })
    }

    /// All series in order.
    pub fn series(&self) -> impl Iterator<Item = Series<'_>> {
        (0..self.names.len()).filter_map(|i| self.get(i))
    }

    /// The times of each series, one slice a series.
    pub fn times_by_series(&self) -> Vec<&[f64]> {
        self.series().map(|series| series.times).collect()
    }

    /// The observed values of channel `c`, series by series; empty if there is no such channel.
    pub fn observed_values(&self, c: usize) -> Vec<f64> {
        self.series().flat_map(|series| series.observed(c)).map(|(_, value)| value).collect()
    }

    /// A panel of parts of series: for each pair of a series' index and a range of its own rows (0 is its first) one
    /// series of the same name, in the order given. A range may be empty.
    ///
    /// # Errors
    /// [`Error::Shape`] if a series or a range is not there.
    pub fn select(&self, parts: impl IntoIterator<Item = (usize, Range<usize>)>) -> Result<Self> {
        let channels = self.channel_count();
        let mut chosen = Self {
            channels: self.channels.clone(),
            names: Vec::new(),
            row_ptr: vec![0],
            times: Vec::new(),
            values: Vec::new(),
            mask: Vec::new(),
            errors: self.errors.as_ref().map(|_| Vec::new()),
        };
        for (i, part) in parts {
            let rows = self.rows(i);
            if i >= self.series_count() || part.start > part.end || part.end > rows.len() {
                let expected = format!("a series below {} and rows within it", self.series_count());
                return Err(Error::shape("part of a panel", expected, format!("rows {part:?} of series {i}")));
            }
            let rows = rows.start + part.start..rows.start + part.end;
            let cells = rows.start * channels..rows.end * channels;
            chosen.names.push(self.names[i].clone());
            chosen.times.extend_from_slice(&self.times[rows]);
            chosen.values.extend_from_slice(&self.values[cells.clone()]);
            chosen.mask.extend_from_slice(&self.mask[cells.clone()]);
            if let (Some(to), Some(from)) = (&mut chosen.errors, &self.errors) {
                to.extend_from_slice(&from[cells]);
            }
            chosen.row_ptr.push(chosen.times.len());
        }
        Ok(chosen)
    }
}

impl<'a> Series<'a> {
    /// Times and values of the cells of channel `c` that are observed, in order of time.
    pub fn observed(self, c: usize) -> impl Iterator<Item = (f64, f64)> + 'a {
        let channels = self.values.len().checked_div(self.times.len()).unwrap_or(0);
        let cells = (0..self.times.len()).map(move |row| (row, row * channels + c));
        let present = cells.filter(move |&(_, cell)| c < channels && self.mask[cell]);
        present.map(move |(row, cell)| (self.times[row], self.values[cell]))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::panel;
    use super::*;

    #[test]
    fn series_and_their_observed_cells_are_views() {
        let panel = panel(&[("a", &[(0.0, &[Some(1.0), None]), (1.0, &[None, Some(2.0)])]), ("b", &[])]);
        let series: Vec<_> = panel.series().collect();
        assert_eq!(series[0].values, [1.0, 0.0, 0.0, 2.0]);
        assert_eq!(series[0].observed(1).collect::<Vec<_>>(), [(1.0, 2.0)]);
        assert_eq!(series[0].observed(9).count(), 0);
        assert_eq!(series[1].observed(0).count(), 0);
        assert_eq!((panel.rows(0), panel.rows(1), panel.rows(7)), (0..2, 2..2, 0..0));
    }

    #[test]
    fn parts_are_selected_by_series_and_row() {
        let rows: &[(f64, &[Option<f64>])] = &[(0.0, &[Some(1.0)]), (1.0, &[Some(2.0)]), (2.0, &[Some(3.0)])];
        let panel = panel(&[("a", rows), ("b", rows)]);
        let part = panel.select([(1, 1..3), (0, 0..0)]).unwrap();
        assert_eq!(part.names(), ["b", "a"]);
        assert_eq!((part.row_ptr(), part.values()), (&[0, 2, 2][..], &[2.0, 3.0][..]));
        assert_eq!(panel.select([(0, 0..3), (1, 0..3)]).unwrap(), panel);
        for bad in [(2, 0..0), (0, 0..4), (0, Range { start: 2, end: 1 }), (usize::MAX, 0..1)] {
            assert!(matches!(panel.select([bad]), Err(Error::Shape { .. })));
        }
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let make = |row_ptr: &[usize], times: &[f64], values: &[f64], mask: &[bool], errors: Option<Vec<f64>>| {
            let (row_ptr, times) = (row_ptr.to_vec(), times.to_vec());
            Panel::new(vec!["x".into()], vec!["a".into()], row_ptr, times, values.to_vec(), mask.to_vec(), errors)
        };
        assert!(make(&[0, 2], &[0.0, 1.0], &[1.0, f64::NAN], &[true, false], Some(vec![0.1, 7.0])).is_ok());
        assert!(make(&[0, 2], &[0.0, 1.0], &[1.0, f64::NAN], &[true, true], None).is_err());
        assert!(make(&[0, 2], &[1.0, 1.0], &[1.0, 2.0], &[true, true], None).is_err());
        assert!(make(&[0, 2], &[0.0, f64::NAN], &[1.0, 2.0], &[true, true], None).is_err());
        assert!(make(&[0, 2], &[0.0, 1.0], &[1.0, 2.0], &[true, true], Some(vec![-1.0, 1.0])).is_err());
        assert!(make(&[0, 2], &[0.0, 1.0], &[1.0], &[true, true], None).is_err());
        assert!(make(&[0, 1], &[0.0, 1.0], &[1.0, 2.0], &[true, true], None).is_err());
        assert!(make(&[], &[0.0, 1.0], &[1.0, 2.0], &[true, true], None).is_err());
        assert!(Panel::new(vec![], vec![], vec![0], vec![], vec![], vec![], None).is_err());
    }
}
