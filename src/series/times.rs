//! Reading the times at which predictions are asked for.

use std::path::Path;

use super::read::{Key, SeriesIndex, find_series, series_name, sorted, time};
use crate::Result;
use crate::io::{Sheet, data_error};

/// Times at which predictions are asked for, each list strictly rising.
#[derive(Clone, Debug, PartialEq)]
pub enum RequestedTimes {
    /// The same for every series.
    All(Vec<f64>),
    /// By series' name, in order of first appearance.
    BySeries(Vec<(String, Vec<f64>)>),
}

/// Reads a CSV file with a column of times. With a series column (the one named, or `series_id` where the file has it)
/// each series has its own times, without they hold for all. Other columns are not looked at.
///
/// # Errors
/// As [`read_csv`](super::read::read_csv) for the columns it reads.
pub fn read_times(path: &Path, time_column: &str, series_column: Option<&str>) -> Result<RequestedTimes> {
    let mut sheet = Sheet::open(path)?;
    let at = sheet.column(time_column, "--time")?;
    let series = find_series(&sheet, series_column, at)?;
    let (mut index, mut rows) = (SeriesIndex::default(), Vec::new());
    while let Some(row) = sheet.next_row()? {
        let name = series_name(&row, series)?;
        rows.push(Key { series: index.index_of(name), time: time(&row, at, &[])?, line: row.line() });
    }
    if rows.is_empty() {
        return Err(data_error(path, None, None, "the file has a header and no rows", "give it one row per time"));
    }
    let order = sorted(path, time_column, &rows, &index.names)?;
    if series.is_none() {
        return Ok(RequestedTimes::All(order.iter().map(|&row| rows[row].time).collect()));
    }
    let mut by_series: Vec<(String, Vec<f64>)> = index.names.into_iter().map(|name| (name, Vec::new())).collect();
    for row in order {
        by_series[rows[row].series].1.push(rows[row].time);
    }
    Ok(RequestedTimes::BySeries(by_series))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, series: Option<&str>) -> Result<RequestedTimes> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        std::fs::write(&path, text).unwrap();
        read_times(&path, "time", series)
    }

    #[test]
    fn times_hold_for_all_series_or_for_each() {
        assert_eq!(read("time\n2\n1\n", None).unwrap(), RequestedTimes::All(vec![1.0, 2.0]));
        let by_series = RequestedTimes::BySeries(vec![("b".into(), vec![1.0, 3.0]), ("a".into(), vec![2.0])]);
        assert_eq!(read("series_id,time,note\nb,3,x\na,2,y\nb,1,z\n", None).unwrap(), by_series);
        assert_eq!(read("who,time\nb,3\na,2\nb,1\n", Some("who")).unwrap(), by_series);
    }

    #[test]
    fn bad_times_are_named_by_line() {
        for (text, series, message) in [
            ("t\n1\n", None, ":1:time: no such column, the file has t; name one of them with --time"),
            ("time\n1\n", Some("who"), ":1:who: no such column"),
            ("time\n", None, ": the file has a header and no rows"),
            ("time\n1\n1\n", None, ":3:time: series `series` has time 1 on line 2 already"),
            ("time,x\n1,\n,1\n", None, ":3:time: the time is missing"),
            ("time\nsoon\n", None, ":2:time: `soon` is not a number"),
            ("time\n1\n", Some("time"), "named for both time and series"),
        ] {
            let error = read(text, series).unwrap_err().to_string();
            assert!(error.contains(message), "{error} should contain {message}");
        }
    }
}
