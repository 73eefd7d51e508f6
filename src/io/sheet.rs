//! Reading a CSV file with the place of every cell at hand for messages.

use std::io::{self, Cursor};
use std::path::{Path, PathBuf};

use csv::ByteRecord;

use crate::{Error, Result};

/// The largest magnitude a number in a data file may have: its square must stay finite, also in sums.
pub const LARGEST_VALUE: f64 = 1e150;

/// What a file holds, which decides how a bad cell is to be mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Series of observations, some of which may be missing.
    Series,
    /// A number in every cell.
    Numbers,
}

/// A CSV file with a header, read row by row. Names and cells are trimmed of blanks around them; a byte-order mark,
/// any line ending, quoted cells and empty lines are accepted.
#[derive(Debug)]
pub struct Sheet {
    path: PathBuf,
    columns: Vec<String>,
    reader: csv::Reader<Cursor<Vec<u8>>>,
    record: ByteRecord,
    lines: LineCounter,
    content: Content,
}

/// One row of a [`Sheet`], with as many cells as the header.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    path: &'a Path,
    columns: &'a [String],
    record: &'a ByteRecord,
    line: u64,
    content: Content,
}

impl Content {
    fn header(self) -> &'static str {
        match self {
            Self::Series => "give it a header such as `series_id,time,x` and one row per series and time",
            Self::Numbers => "give it a line of names, one a column, and rows of numbers below",
        }
    }

    fn short_row(self) -> &'static str {
        match self {
            Self::Series => "fill it up with empty cells where nothing was observed",
            Self::Numbers => "give every row a number under each name",
        }
    }

    fn large_number(self) -> &'static str {
        match self {
            Self::Series => "give the column in a larger unit",
            Self::Numbers => "choose units in which the numbers are smaller",
        }
    }

    fn not_finite(self, shown: &str) -> String {
        match self {
            Self::Series => format!("leave the cell empty if it was not observed, or pass --missing {shown}"),
            Self::Numbers => "give a finite number in every cell".into(),
        }
    }

    fn not_a_number(self) -> &'static str {
        match self {
            Self::Series => {
                "write a number, leave the cell empty if it was not observed, or name this spelling with --missing"
            }
            Self::Numbers => "give a finite number in every cell",
        }
    }
}

impl Sheet {
    /// Opens a file of series and reads its header.
    ///
    /// # Errors
    /// [`Error::File`] if there is no such file, it is a folder, or it may not be read; [`Error::Data`] if it is empty
    /// or its header is not UTF-8 or names a column twice.
    pub fn open(path: &Path) -> Result<Self> {
        Self::holding(Content::Series, path)
    }

    /// Opens a file whose remedies are those of its content.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub(crate) fn holding(content: Content, path: &Path) -> Result<Self> {
        let mut bytes = read_file(path)?;
        if bytes.starts_with(b"\xef\xbb\xbf") {
            bytes.drain(..3);
        }
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(Cursor::new(bytes));
        let mut record = ByteRecord::new();
        let found = reader.read_byte_record(&mut record).map_err(|bad| csv_error(path, bad))?;
        if !found {
            return Err(data_error(path, None, None, "the file is empty", content.header()));
        }
        let mut lines = LineCounter::default();
        let line = lines.line_of(&record, reader.get_ref().get_ref());
        let columns = record.iter().map(|name| {
            let name = std::str::from_utf8(name).map_err(|_| not_utf8(path, line, None))?;
            Ok(name.trim().to_string())
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        for (i, name) in columns.iter().enumerate() {
            if !name.is_empty() && columns[..i].contains(name) {
                let what = "two columns have this name";
                return Err(data_error(path, Some(line), Some(name), what, "give every column a name of its own"));
            }
        }
        Ok(Self { path: path.into(), columns, reader, record, lines, content })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names in the header, in the order of the file.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The index of a column.
    ///
    /// # Errors
    /// [`Error::Data`] if there is none of this name; the message lists those there are, and `option` as the way to
    /// name another.
    pub fn column(&self, name: &str, option: &str) -> Result<usize> {
        self.columns.iter().position(|c| c == name).ok_or_else(|| {
            let remedy = match &self.columns[..] {
                [only] if only.contains([';', '\t', '|']) => "separate the columns by commas".to_string(),
                _ => format!("name one of them with {option}"),
            };
            let what = format!("no such column, the file has {}", listed(&self.columns));
            data_error(&self.path, Some(1), Some(name), what, remedy)
        })
    }

    /// The next row; none at the end of the file.
    ///
    /// # Errors
    /// [`Error::Data`] if the row is shorter or longer than the header.
    pub fn next_row(&mut self) -> Result<Option<Row<'_>>> {
        let more = self.reader.read_byte_record(&mut self.record).map_err(|bad| csv_error(&self.path, bad))?;
        if !more {
            return Ok(None);
        }
        let line = self.lines.line_of(&self.record, self.reader.get_ref().get_ref());
        let (found, expected) = (self.record.len(), self.columns.len());
        if found != expected {
            let (kind, place, remedy) = if found < expected {
                ("short", self.columns.get(found), self.content.short_row())
            } else {
                ("long", None, "take the extra cells out, or quote a cell that holds a comma")
            };
            let what = format!("the row is too {kind}: {found} cells under a header of {expected}");
            return Err(data_error(&self.path, Some(line), place.map(String::as_str), what, remedy));
        }
        Ok(Some(Row { path: &self.path, columns: &self.columns, record: &self.record, line, content: self.content }))
    }
}

impl<'a> Row<'a> {
    /// The row's line in the file, counted from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The text of a cell, trimmed; empty also where the column does not exist.
    ///
    /// # Errors
    /// [`Error::Data`] if it is not UTF-8.
    pub fn text(&self, column: usize) -> Result<&'a str> {
        let bytes = self.record.get(column).unwrap_or_default();
        let text = std::str::from_utf8(bytes).map_err(|_| not_utf8(self.path, self.line, self.name(column)))?;
        Ok(text.trim())
    }

    /// The number in a cell; none if it is empty or one of the spellings in `missing`.
    ///
    /// # Errors
    /// [`Error::Data`] if it is text, NaN, infinite, or beyond [`LARGEST_VALUE`] in magnitude.
    pub fn number(&self, column: usize, missing: &[String]) -> Result<Option<f64>> {
        let text = self.text(column)?;
        if text.is_empty() || missing.iter().any(|spelling| spelling == text) {
            return Ok(None);
        }
        let shown = clipped(text);
        match text.parse::<f64>() {
            Ok(value) if value.abs() <= LARGEST_VALUE => Ok(Some(value)),
            Ok(_) if text.contains(|c: char| c.is_ascii_digit()) => Err(self.error(
                column,
                format!("{shown} is too large to be squared (the limit is {LARGEST_VALUE:e})"),
                self.content.large_number(),
            )),
            _ if looks_not_finite(text) => {
                Err(self.error(column, format!("`{shown}` is not a finite number"), self.content.not_finite(&shown)))
            }
            _ if text.replacen(',', ".", 1).parse::<f64>().is_ok() => {
                Err(self.error(column, format!("`{shown}` is not a number"), "write the decimal mark as a point"))
            }
            _ => Err(self.error(column, format!("`{shown}` is not a number"), self.content.not_a_number())),
        }
    }

    /// An error at a cell of this row.
    pub fn error(&self, column: usize, what: impl Into<String>, remedy: impl Into<String>) -> Error {
        data_error(self.path, Some(self.line), self.name(column), what, remedy)
    }

    fn name(&self, column: usize) -> Option<&'a str> {
        self.columns.get(column).map(String::as_str)
    }
}

/// An error in a data file, with its place.
pub(crate) fn data_error(
    path: &Path,
    line: Option<u64>,
    column: Option<&str>,
    what: impl Into<String>,
    remedy: impl Into<String>,
) -> Error {
    let column = column.filter(|name| !name.is_empty()).map(clipped);
    Error::Data { path: path.into(), line, column, what: what.into(), remedy: remedy.into() }
}

/// Names for a message, not more than fit on a screen.
pub(crate) fn listed(names: &[String]) -> String {
    const SHOWN: usize = 20;
    let mut text = names.iter().take(SHOWN).map(|name| clipped(name)).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    text
}

/// Text from a file made fit for a message: one line, not long.
pub(crate) fn clipped(text: &str) -> String {
    const SHOWN: usize = 40;
    let one_line = |c: char| if c.is_control() { ' ' } else { c };
    let mut shown: String = text.chars().take(SHOWN).map(one_line).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

fn read_file(path: &Path) -> Result<Vec<u8>> {
    let failed = |source, remedy| Error::File { path: path.into(), doing: "reading", source, remedy };
    if path.is_dir() {
        return Err(failed(io::ErrorKind::IsADirectory.into(), "name a CSV file, not a folder"));
    }
    std::fs::read(path).map_err(|source| failed(source, "check the path and that you may read it"))
}

fn not_utf8(path: &Path, line: u64, column: Option<&str>) -> Error {
    data_error(path, Some(line), column, "the text is not UTF-8", "save the file as CSV in UTF-8")
}

fn csv_error(path: &Path, bad: csv::Error) -> Error {
    data_error(path, None, None, bad.to_string(), "check the file's quotes and commas")
}

fn looks_not_finite(text: &str) -> bool {
    let word = text.trim_start_matches(['+', '-']).to_ascii_lowercase();
    word.starts_with("nan") || word.starts_with("inf") || word.starts_with('∞') || word.starts_with("1.#")
}

/// Counts lines on its own: the csv crate's count runs late behind empty lines and CRLF.
#[derive(Debug, Default)]
struct LineCounter {
    at: usize,
    ends: u64,
}

impl LineCounter {
    fn line_of(&mut self, record: &ByteRecord, bytes: &[u8]) -> u64 {
        let start = record.position().map_or(0, |position| position.byte() as usize);
        while let Some(&byte) = bytes.get(self.at) {
            if self.at >= start && byte != b'\n' && byte != b'\r' {
                break;
            }
            if byte == b'\n' || (byte == b'\r' && bytes.get(self.at + 1) != Some(&b'\n')) {
                self.ends += 1;
            }
            self.at += 1;
        }
        self.ends + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Vec<u64> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.csv");
        std::fs::write(&path, bytes).unwrap();
        let mut sheet = Sheet::open(&path).unwrap();
        let mut lines = Vec::new();
        while let Some(row) = sheet.next_row().unwrap() {
            lines.push(row.line());
        }
        lines
    }

    #[test]
    fn lines_are_those_an_editor_shows() {
        assert_eq!(lines(b"a,b\n1,2\n3,4\n"), [2, 3]);
        assert_eq!(lines(b"a,b\r\n1,2\r\n3,4"), [2, 3]);
        assert_eq!(lines(b"a,b\r1,2\r3,4\r"), [2, 3]);
        assert_eq!(lines(b"\n\na,b\n\n1,2\n\r\n\n3,4\n\n"), [5, 8]);
        assert_eq!(lines(b"a,b\n\"1\n\n\",2\n3,4\n"), [2, 5]);
        assert_eq!(lines(b"\xef\xbb\xbfa,b\n1,2\n"), [2]);
    }
}
