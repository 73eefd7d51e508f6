//! Reading a panel from a long CSV file.

use std::collections::HashMap;
use std::path::Path;

use super::{Notice, Panel, Warning};
use crate::io::{LARGEST_VALUE, Row, Sheet};
use crate::{Error, Result};

/// The series column that is used when none is named and the file has it.
pub const SERIES_COLUMN: &str = "series_id";

/// The name of the only series in a file without a series column.
pub const ONLY_SERIES: &str = "series";

/// Which columns of a file are what.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadOptions {
    /// The time column.
    pub time: String,
    /// The series column. If none is named, [`SERIES_COLUMN`] where the file has it, else all rows are one series.
    pub series: Option<String>,
    /// The channels, in this order; if none are named, all columns that are nothing else, in the file's order.
    pub channels: Option<Vec<String>>,
    /// Pairs of a channel and the column with its measurements' standard deviations.
    pub errors: Vec<(String, String)>,
    /// What a cell that was not observed may hold besides nothing.
    pub missing: Vec<String>,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self { time: "time".into(), series: None, channels: None, errors: Vec::new(), missing: Vec::new() }
    }
}

/// Reads a file of one row per series and time.
///
/// Rows of a series need not stand together, nor in order; rows without any observed cell are kept.
///
/// # Errors
/// [`Error::File`] if the file cannot be read. [`Error::Data`], whose message begins with path, line and column, for
/// an empty file or one with a header only; a column that does not exist, exists twice, or has no name and would be a
/// channel; a short or long row; text, NaN, infinity or more than [`LARGEST_VALUE`] in a number cell; a missing time
/// or series; the same time twice in a series; a measurement error that is not above 0 where the value is observed.
/// [`Error::Config`] if one column is named for two purposes.
pub fn read_csv(path: &Path, options: &ReadOptions) -> Result<(Panel, Vec<Warning>)> {
    let mut sheet = Sheet::open(path)?;
    let columns = Columns::find(&sheet, options)?;
    let mut table = Table::default();
    while let Some(row) = sheet.next_row()? {
        table.push(&row, &columns, &options.missing)?;
    }
    if table.rows.is_empty() {
        let what = "the file has a header and no rows";
        return Err(crate::io::data_error(path, None, None, what, "give it one row per series and time"));
    }
    let names = columns.channels.iter().map(|&c| sheet.columns()[c].clone()).collect();
    table.into_panel(path, &options.time, names, columns.errors.is_some())
}

/// The columns by their index in the file.
struct Columns {
    time: usize,
    series: Option<usize>,
    channels: Vec<usize>,
    /// Per channel, if any has one.
    errors: Option<Vec<Option<usize>>>,
}

impl Columns {
    fn find(sheet: &Sheet, options: &ReadOptions) -> Result<Self> {
        let time = sheet.column(&options.time, "--time")?;
        let series = find_series(sheet, options.series.as_deref(), time)?;
        let error_columns = options.errors.iter().map(|(_, column)| sheet.column(column, "--error"));
        let error_columns = error_columns.collect::<Result<Vec<_>>>()?;
        let is_other = |c: usize| c == time || Some(c) == series || error_columns.contains(&c);
        let channels: Vec<usize> = match &options.channels {
            Some(named) => named.iter().map(|name| sheet.column(name, "--channels")).collect::<Result<_>>()?,
            None => (0..sheet.columns().len()).filter(|&c| !is_other(c)).collect(),
        };
        for (i, &c) in channels.iter().enumerate() {
            let name = &sheet.columns()[c];
            if is_other(c) || channels[..i].contains(&c) {
                let what = format!("column `{name}` is named as a channel and for something else, or twice");
                return Err(Error::config(what, "name every column once"));
            }
            if name.is_empty() {
                let what = format!("column {} has no name", c + 1);
                let remedy = "name it in the header, or say with --channels which columns to use";
                return Err(crate::io::data_error(sheet.path(), Some(1), None, what, remedy));
            }
        }
        if channels.is_empty() {
            let what = "the file has no column besides time and series";
            return Err(crate::io::data_error(sheet.path(), Some(1), None, what, "add a column of values"));
        }
        let mut errors = vec![None; channels.len()];
        for ((channel, column), &index) in options.errors.iter().zip(&error_columns) {
            let at = channels.iter().position(|&c| sheet.columns()[c] == *channel).ok_or_else(|| {
                let what =
                    format!("column `{column}` holds the errors of `{channel}`, which is not among the channels");
                Error::config(what, "name a channel")
            })?;
            if errors[at].is_some() || index == time || Some(index) == series {
                let what = format!("column `{column}` cannot hold the errors of channel `{channel}`");
                return Err(Error::config(what, "name one column for each channel, and no column for two purposes"));
            }
            errors[at] = Some(index);
        }
        Ok(Self { time, series, channels, errors: (!options.errors.is_empty()).then_some(errors) })
    }
}

/// The series column: the named one, or the usual one if the file has it.
pub(super) fn find_series(sheet: &Sheet, named: Option<&str>, time: usize) -> Result<Option<usize>> {
    match named {
        Some(name) => {
            let series = sheet.column(name, "--series")?;
            if series == time {
                let what = format!("column `{name}` is named for both time and series");
                return Err(Error::config(what, "name two different columns"));
            }
            Ok(Some(series))
        }
        None => Ok(sheet.columns().iter().position(|name| name == SERIES_COLUMN).filter(|&c| c != time)),
    }
}

/// The series' name in a row.
pub(super) fn series_name<'a>(row: &Row<'a>, column: Option<usize>) -> Result<&'a str> {
    let Some(column) = column else { return Ok(ONLY_SERIES) };
    match row.text(column)? {
        "" => Err(row.error(column, "the series' name is missing", "say which series the row belongs to")),
        name => Ok(name),
    }
}

/// The time in a row.
pub(super) fn time(row: &Row, column: usize, missing: &[String]) -> Result<f64> {
    match row.number(column, missing)? {
        // Adding 0 makes one zero of the two.
        Some(time) => Ok(time + 0.0),
        None => Err(row.error(column, "the time is missing", "give the time, or take the row out")),
    }
}

/// Series of rows as they come, in order of first appearance.
#[derive(Default)]
pub(super) struct SeriesIndex {
    pub names: Vec<String>,
    by_name: HashMap<String, usize>,
}

impl SeriesIndex {
    pub fn index_of(&mut self, name: &str) -> usize {
        if let Some(&i) = self.by_name.get(name) {
            return i;
        }
        self.by_name.insert(name.into(), self.names.len());
        self.names.push(name.into());
        self.names.len() - 1
    }
}

/// A row's place: in which series, when, and on which line of the file.
#[derive(Clone, Copy)]
pub(super) struct Key {
    pub series: usize,
    pub time: f64,
    pub line: u64,
}

/// The rows' indices in order of series and time.
///
/// # Errors
/// [`Error::Data`] if a series has a time twice.
pub(super) fn sorted(path: &Path, time_column: &str, rows: &[Key], names: &[String]) -> Result<Vec<usize>> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    let key = |i: usize| (rows[i].series, rows[i].time);
    order.sort_by(|&a, &b| key(a).0.cmp(&key(b).0).then(key(a).1.total_cmp(&key(b).1)));
    // Of several duplicates the one that stands first in the file is told.
    let twice = order.windows(2).filter(|pair| key(pair[0]) == key(pair[1])).min_by_key(|pair| rows[pair[1]].line);
    if let Some(&[first, second]) = twice {
        let name = crate::io::clipped(&names[rows[second].series]);
        let what = format!(
            "series `{name}` has time {} on line {} already",
            crate::io::table::Cell::Number(rows[second].time),
            rows[first].line
        );
        let remedy = "keep one row for each series and time";
        return Err(crate::io::data_error(path, Some(rows[second].line), Some(time_column), what, remedy));
    }
    Ok(order)
}

/// The file's rows in its own order.
#[derive(Default)]
struct Table {
    series: SeriesIndex,
    rows: Vec<Key>,
    values: Vec<Option<f64>>,
    errors: Vec<f64>,
}

impl Table {
    fn push(&mut self, row: &Row, columns: &Columns, missing: &[String]) -> Result<()> {
        let series = self.series.index_of(series_name(row, columns.series)?);
        self.rows.push(Key { series, time: time(row, columns.time, missing)?, line: row.line() });
        for (at, &channel) in columns.channels.iter().enumerate() {
            let value = row.number(channel, missing)?;
            self.values.push(value);
            if let Some(errors) = &columns.errors {
                let error = errors[at].map(|column| measurement_error(row, column, value.is_some(), missing));
                self.errors.push(error.transpose()?.unwrap_or(0.0));
            }
        }
        Ok(())
    }

    fn into_panel(
        self,
        path: &Path,
        time: &str,
        channels: Vec<String>,
        has_errors: bool,
    ) -> Result<(Panel, Vec<Warning>)> {
        let order = sorted(path, time, &self.rows, &self.series.names)?;
        let count = channels.len();
        let cells = || order.iter().flat_map(|&row| row * count..(row + 1) * count);
        let mut row_ptr = vec![0; self.series.names.len() + 1];
        for row in &self.rows {
            row_ptr[row.series + 1] += 1;
        }
        for i in 1..row_ptr.len() {
            row_ptr[i] += row_ptr[i - 1];
        }
        let unordered = unordered(path, &self.rows, &self.series.names);
        let panel = Panel::new(
            channels,
            self.series.names,
            row_ptr,
            order.iter().map(|&row| self.rows[row].time).collect(),
            cells().map(|cell| self.values[cell].unwrap_or(0.0)).collect(),
            cells().map(|cell| self.values[cell].is_some()).collect(),
            has_errors.then(|| cells().map(|cell| self.errors[cell]).collect()),
        )?;
        let line_of = |panel_row: usize| self.rows[order[panel_row]].line;
        let warnings =
            unordered.into_iter().chain(single_rows(path, &panel, line_of)).chain(channel_warnings(path, &panel));
        let warnings = warnings.collect();
        Ok((panel, warnings))
    }
}

fn measurement_error(row: &Row, column: usize, observed: bool, missing: &[String]) -> Result<f64> {
    let error = row.number(column, missing)?;
    match error {
        _ if !observed => Ok(0.0),
        // Its square must be above 0 as well.
        Some(error) if error >= 1.0 / LARGEST_VALUE => Ok(error),
        Some(_) => Err(row.error(column, "the measurement error is not above 0", "give a standard deviation above 0")),
        None => Err(row.error(
            column,
            "the value is observed and its measurement error is missing",
            "give its standard deviation, or leave the value's cell empty as well",
        )),
    }
}

fn unordered(path: &Path, rows: &[Key], names: &[String]) -> Option<Warning> {
    let mut latest = vec![f64::NEG_INFINITY; names.len()];
    let mut early = Vec::new();
    for row in rows {
        if row.time < latest[row.series] {
            early.push(row);
        }
        latest[row.series] = latest[row.series].max(row.time);
    }
    early.first().map(|first| Warning {
        path: path.into(),
        line: Some(first.line),
        notice: Notice::UnorderedRows { count: early.len(), series: names[first.series].clone() },
    })
}

fn single_rows(path: &Path, panel: &Panel, line_of: impl Fn(usize) -> u64) -> Option<Warning> {
    let single: Vec<usize> = (0..panel.series_count()).filter(|&i| panel.rows(i).len() == 1).collect();
    single.first().map(|&first| Warning {
        path: path.into(),
        line: Some(line_of(panel.rows(first).start)),
        notice: Notice::SingleRow { count: single.len(), series: panel.names()[first].clone() },
    })
}

/// Constant channels, and those missing in some series. A channel that is missing in all is an error of its own.
fn channel_warnings(path: &Path, panel: &Panel) -> Vec<Warning> {
    let mut notices = Vec::new();
    for (c, channel) in panel.channels().iter().enumerate() {
        let mut values = panel.series().flat_map(|series| series.observed(c)).map(|(_, value)| value);
        let Some(first) = values.next() else { continue };
        if values.all(|value| value == first) {
            notices.push(Notice::ConstantChannel { channel: channel.clone(), value: first });
        }
        let without: Vec<_> = panel.series().filter(|series| series.observed(c).next().is_none()).collect();
        if let Some(series) = without.first() {
            notices.push(Notice::ChannelMissing {
                channel: channel.clone(),
                count: without.len(),
                of: panel.series_count(),
                series: series.name.into(),
            });
        }
    }
    notices.into_iter().map(|notice| Warning { path: path.into(), line: None, notice }).collect()
}

#[cfg(test)]
mod tests;
