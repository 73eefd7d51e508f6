use proptest::prelude::*;

use super::*;
use crate::io::table::{self, Cell};
use crate::series::testing::{data, real};

fn read_bytes(bytes: &[u8], options: &ReadOptions) -> Result<(Panel, Vec<Warning>)> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d.csv");
    std::fs::write(&path, bytes).unwrap();
    read_csv(&path, options)
}

fn read(text: &str) -> Result<(Panel, Vec<Warning>)> {
    read_bytes(text.as_bytes(), &ReadOptions::default())
}

fn with_errors() -> ReadOptions {
    ReadOptions { errors: vec![("x".into(), "e".into())], ..ReadOptions::default() }
}

#[track_caller]
fn assert_message(outcome: Result<(Panel, Vec<Warning>)>, message: &str) {
    let error = outcome.unwrap_err();
    assert!(error.is_input());
    let text = error.to_string();
    assert!(text.contains(message), "\n  {text}\nshould contain\n  {message}");
    assert!(text.contains("; "), "{text} names no remedy");
}

#[test]
fn bad_cells_are_told_with_line_column_and_remedy() {
    for (text, message) in [
        ("time,x\n1,2\n2,abc\n", "d.csv:3:x: `abc` is not a number; write a number, leave the cell empty"),
        ("time,x\n1,NaN\n", "d.csv:2:x: `NaN` is not a finite number; leave the cell empty if it was not observed"),
        ("time,x\n1,nan\n", "d.csv:2:x: `nan` is not a finite number"),
        ("time,x\n1,-nan(0x8)\n", "is not a finite number"),
        ("time,x\n1,inf\n", "d.csv:2:x: `inf` is not a finite number"),
        ("time,x\n1,-Infinity\n", "d.csv:2:x: `-Infinity` is not a finite number"),
        ("time,x\n1,1.#INF\n", "d.csv:2:x: `1.#INF` is not a finite number"),
        ("time,x\nNaN,1\n", "d.csv:2:time: `NaN` is not a finite number"),
        ("time,x\n1,\"2,5\"\n", "d.csv:2:x: `2,5` is not a number; write the decimal mark as a point"),
        ("time,x\n1,2e150\n", "d.csv:2:x: 2e150 is too large to be squared (the limit is 1e150)"),
        ("time,x\n1,-1e999\n", "d.csv:2:x: -1e999 is too large"),
        ("time,x\n1e200,1\n", "d.csv:2:time: 1e200 is too large"),
        ("time,x\n,1\n", "d.csv:2:time: the time is missing; give the time"),
        ("series_id,time,x\n,1,1\n", "d.csv:2:series_id: the series' name is missing"),
        ("time,x,y\n1,2,3\n2,3\n", "d.csv:3:y: the row is too short: 2 cells under a header of 3"),
        ("time,x\n1,2,3\n", "d.csv:2: the row is too long: 3 cells under a header of 2"),
        ("time,x\n1,2\n\n\n2,3\n1.0,4\n", "d.csv:6:time: series `series` has time 1 on line 2 already; keep one row"),
        ("series_id,time,x\na,0,1\nb,0,1\na,-0,1\n", "d.csv:4:time: series `a` has time 0 on line 2 already"),
        ("time,x\r\n1,2\r\n2,abc\r\n", "d.csv:3:x: `abc`"),
    ] {
        assert_message(read(text), message);
    }
}

#[test]
fn bad_headers_and_files_are_told() {
    for (text, message) in [
        ("", "d.csv: the file is empty; give it a header"),
        ("\u{feff}", "d.csv: the file is empty"),
        ("\n\n", "d.csv: the file is empty"),
        ("time,x\n", "d.csv: the file has a header and no rows"),
        ("t,x\n1,2\n", "d.csv:1:time: no such column, the file has t, x; name one of them with --time"),
        (
            "series_id;time;x\na;1;2\n",
            "d.csv:1:time: no such column, the file has series_id;time;x; separate the columns",
        ),
        ("time,x,x\n1,2,3\n", "d.csv:1:x: two columns have this name"),
        ("time,series_id\n1,a\n", "d.csv:1: the file has no column besides time and series"),
        (",time,x\n0,1,2\n", "d.csv:1: column 1 has no name"),
    ] {
        assert_message(read(text), message);
    }
    let options = ReadOptions::default();
    assert_message(read_bytes(b"time,x\n1,\xff\n", &options), "d.csv:2:x: the text is not UTF-8; save the file as");
    assert_message(read_bytes(b"\xff\xfet\0i\0", &options), "d.csv:1: the text is not UTF-8");
    let folder = tempfile::tempdir().unwrap();
    let folder_error = read_csv(folder.path(), &options).unwrap_err();
    assert!(matches!(folder_error, Error::File { .. }));
    assert!(folder_error.to_string().contains("name a CSV file, not a folder"));
    let missing = read_csv(&folder.path().join("none.csv"), &options).unwrap_err();
    assert!(matches!(missing, Error::File { .. }) && missing.to_string().contains("none.csv: reading: "));
}

#[test]
fn columns_named_wrongly_are_told() {
    let text = b"series_id,time,x,e\na,1,2,0.1\n";
    let channels = |names: &[&str]| Some(names.iter().map(|n| n.to_string()).collect());
    let default = ReadOptions::default;
    for (options, message) in [
        (
            ReadOptions { series: Some("who".into()), ..default() },
            ":1:who: no such column, the file has series_id, time",
        ),
        (ReadOptions { series: Some("time".into()), ..default() }, "named for both time and series"),
        (ReadOptions { channels: channels(&["y"]), ..default() }, ":1:y: no such column"),
        (ReadOptions { channels: channels(&["x", "x"]), ..default() }, "column `x` is named as a channel and for"),
        (ReadOptions { channels: channels(&["time"]), ..default() }, "column `time` is named as a channel and for"),
        (ReadOptions { channels: channels(&["x", "e"]), ..with_errors() }, "column `e` is named as a channel and for"),
        (ReadOptions { channels: channels(&[]), ..default() }, "no column besides"),
        (ReadOptions { errors: vec![("x".into(), "z".into())], ..default() }, ":1:z: no such column"),
        (ReadOptions { errors: vec![("y".into(), "e".into())], ..default() }, "which is not among the channels"),
        (
            ReadOptions { errors: vec![("x".into(), "time".into())], ..default() },
            "cannot hold the errors of channel `x`",
        ),
    ] {
        assert_message(read_bytes(text, &options), message);
    }
}

#[test]
fn a_series_column_is_needed_only_if_it_was_named() {
    let (panel, _) = read("time,x\n1,2\n2,3\n").unwrap();
    assert_eq!(panel.names(), [ONLY_SERIES]);
    let options = ReadOptions { series: Some(SERIES_COLUMN.into()), ..ReadOptions::default() };
    assert_message(read_bytes(b"time,x\n1,2\n", &options), "d.csv:1:series_id: no such column");
}

#[test]
fn spreadsheets_marks_line_ends_quotes_and_blanks_are_accepted() {
    let plain = read("series_id,time,x\na b,1,2\n\"q,\"\"r\",2,-3e-2\n").unwrap().0;
    let dressed = b"\xef\xbb\xbfseries_id, time ,\"x\"\r\na b, 1,\"2\"\r\n\r\n\"q,\"\"r\", 2 ,-3E-2\r\n";
    assert_eq!(read_bytes(dressed, &ReadOptions::default()).unwrap().0, plain);
    assert_eq!(plain.names(), ["a b", "q,\"r"]);
}

#[test]
fn empty_cells_and_named_spellings_are_missing() {
    let options = ReadOptions { missing: vec!["NA".into(), "-999".into()], ..ReadOptions::default() };
    let (panel, _) = read_bytes(b"time,x,y\n1,NA,2\n2,,-999\n3,4,5\n", &options).unwrap();
    assert_eq!(panel.mask(), [false, true, false, false, true, true]);
    assert_eq!(panel.values(), [0.0, 2.0, 0.0, 0.0, 4.0, 5.0]);
    assert_message(read_bytes(b"time,x\nNA,1\n", &options), "the time is missing");
}

#[test]
fn measurement_errors_belong_to_observed_cells() {
    let (panel, _) = read_bytes(b"time,x,e,y\n1,2,0.5,7\n2,,,8\n3,,0.1,9\n", &with_errors()).unwrap();
    assert_eq!(panel.channels(), ["x", "y"]);
    assert_eq!(panel.errors().unwrap(), [0.5, 0.0, 0.0, 0.0, 0.0, 0.0]);
    for (cell, message) in [
        ("0", "d.csv:2:e: the measurement error is not above 0; give a standard deviation above 0"),
        ("-1", "d.csv:2:e: the measurement error is not above 0"),
        ("", "d.csv:2:e: the value is observed and its measurement error is missing"),
        ("x", "d.csv:2:e: `x` is not a number"),
    ] {
        assert_message(read_bytes(format!("time,x,e\n1,2,{cell}\n").as_bytes(), &with_errors()), message);
    }
}

#[test]
fn series_stand_in_order_of_appearance_with_rows_in_order_of_time() {
    let (panel, warnings) = read("series_id,time,x\nb,3,1\na,1,2\nb,1,3\nb,2,4\na,2,5\n").unwrap();
    assert_eq!(panel.names(), ["b", "a"]);
    assert_eq!((panel.row_ptr(), panel.times()), (&[0, 3, 5][..], &[1.0, 2.0, 3.0, 1.0, 2.0][..]));
    assert_eq!(panel.values(), [3.0, 4.0, 1.0, 2.0, 5.0]);
    let notice = Notice::UnorderedRows { count: 2, series: "b".into() };
    assert_eq!(warnings.len(), 1);
    assert_eq!((&warnings[0].notice, warnings[0].line), (&notice, Some(4)));
    let text = warnings[0].to_string();
    assert!(
        text.ends_with("d.csv:4: 2 rows stand after a later time of their series (first in `b`); they were sorted in")
    );
}

#[test]
fn what_is_unusual_is_warned_of_with_counts_and_places() {
    let (_, warnings) = read("series_id,time,x,y,z\na,1,2,5,\na,2,2,6,\nb,1,2,,\nc,1,2,,\n").unwrap();
    let texts: Vec<String> = warnings.iter().map(|w| w.to_string().split_once("d.csv").unwrap().1.into()).collect();
    assert_eq!(
        texts,
        [
            ":4: 2 series have one row each (first `b`); they are used for conditioning only",
            ": channel `x` is 2 wherever it is observed; it is not scaled",
            ": channel `y` is never observed in 2 of 3 series (first `b`)",
        ]
    );
}

#[test]
fn hopper_is_forty_series_of_fifty_rows() {
    let (panel, warnings) = read_csv(&data("hopper_mini.csv"), &ReadOptions::default()).unwrap();
    assert_eq!((panel.series_count(), panel.row_count(), panel.channel_count()), (40, 2000, 14));
    assert!((0..40).all(|i| panel.rows(i).len() == 50));
    assert!(panel.mask().iter().all(|&observed| observed));
    assert_eq!(warnings, []);
}

#[test]
fn the_stars_have_empty_cells_and_error_bars() {
    let errors = [("mag_B", "err_B"), ("mag_R", "err_R")].map(|(c, e)| (c.to_string(), e.to_string())).to_vec();
    let options = ReadOptions { errors, ..ReadOptions::default() };
    let (panel, warnings) = read_csv(&data("macho_3stars.csv"), &options).unwrap();
    assert_eq!(panel.channels(), ["mag_B", "mag_R"]);
    let lengths: Vec<usize> = (0..3).map(|i| panel.rows(i).len()).collect();
    assert_eq!((panel.names()[0].as_str(), lengths), ("111.23746.772", vec![305, 65, 368]));
    assert!(panel.mask().contains(&false));
    let errors = panel.errors().unwrap();
    assert!(errors.iter().zip(panel.mask()).all(|(&error, &observed)| (error > 0.0) == observed));
    assert_eq!(warnings, []);
}

#[test]
fn single_records_are_one_series() {
    assert_eq!(real("lynx_hare.csv").row_ptr(), [0, 21]);
    let co2 = real("mauna_loa_co2.csv");
    assert_eq!((co2.row_ptr(), co2.names()), (&[0, 2225][..], &["mauna_loa".to_string()][..]));
}

fn write(path: &std::path::Path, panel: &Panel) {
    let header: Vec<String> =
        ["series_id", "time"].map(String::from).into_iter().chain(panel.channels().to_vec()).collect();
    let count = panel.channel_count();
    let rows = panel.series().flat_map(|series| {
        (0..series.times.len()).map(move |row| {
            let cell = |cell: usize| Cell::from(series.mask[cell].then_some(series.values[cell]));
            let values = (row * count..(row + 1) * count).map(cell);
            [series.name.into(), series.times[row].into()].into_iter().chain(values).collect()
        })
    });
    table::write(path, &header, rows).unwrap();
}

fn any_panel() -> impl Strategy<Value = Panel> {
    let cell = prop_oneof![1 => Just(None), 4 => (-1e150..1e150f64).prop_map(Some), 4 => (-9.0..9.0f64).prop_map(Some)];
    let series = proptest::collection::btree_map(-1000..1000i32, proptest::collection::vec(cell, 2), 1..6);
    proptest::collection::vec(series, 1..5).prop_map(|series| {
        let mut row_ptr = vec![0];
        series.iter().for_each(|rows| row_ptr.push(row_ptr[row_ptr.len() - 1] + rows.len()));
        let cells: Vec<Option<f64>> = series.iter().flat_map(|rows| rows.values().flatten().copied()).collect();
        Panel::new(
            vec!["x".into(), "a \"quoted\", name".into()],
            (0..series.len()).map(|i| format!("series, {i}")).collect(),
            row_ptr,
            series.iter().flat_map(|rows| rows.keys().map(|&t| f64::from(t) / 7.0)).collect(),
            cells.iter().map(|c| c.unwrap_or(0.0)).collect(),
            cells.iter().map(Option::is_some).collect(),
            None,
        )
        .unwrap()
    })
}

proptest! {
    #[test]
    fn what_is_written_reads_back_the_same(panel in any_panel()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.csv");
        write(&path, &panel);
        prop_assert_eq!(read_csv(&path, &ReadOptions::default()).unwrap().0, panel);
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read_bytes(&bytes, &ReadOptions::default());
    }

    #[test]
    fn no_text_like_a_table_panics(text in "(series_id,)?time,x\r?\n([ab\",0-9.eE+\\-\r\n\u{feff}é ]{0,9},?){0,30}") {
        let _ = read(&text);
        let _ = read_bytes(text.as_bytes(), &with_errors());
    }
}
