//! What an `.npy` file says about itself, and its numbers.

use crate::{Error, Result};
use std::io::Read;
use std::path::Path;

/// The header of an `.npy` file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Type of the numbers as numpy spells it: `<f4`.
    pub dtype: String,
    /// Whether the first axis is fastest.
    pub fortran_order: bool,
    /// Extents.
    pub shape: Vec<usize>,
}

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// Headers are some hundred bytes long; a longer one is no header.
const LONGEST_HEADER: usize = 1 << 20;

/// Reads the header of a file.
///
/// # Errors
/// [`Error::File`] if it cannot be read; [`Error::Format`] if it is not an `.npy` file.
pub fn read_header(path: &Path) -> Result<Header> {
    let failed = |source| Error::File { path: path.into(), doing: "reading", source, remedy: "check the path" };
    let refused = |what: &str| Error::format(path, what, "write it with numpy.save");
    let mut start = Vec::new();
    std::fs::File::open(path).and_then(|file| file.take(12).read_to_end(&mut start)).map_err(failed)?;
    let (offset, length) = match start.strip_prefix(MAGIC) {
        Some([1, _, a, b, ..]) => (10, usize::from(u16::from_le_bytes([*a, *b]))),
        Some([2 | 3, _, a, b, c, d, ..]) => (12, u32::from_le_bytes([*a, *b, *c, *d]) as usize),
        _ => return Err(refused("not an npy file of version 1 to 3")),
    };
    if length > LONGEST_HEADER {
        return Err(refused("its header is too long to be one"));
    }
    let mut bytes = Vec::new();
    let limit = (offset + length) as u64;
    std::fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)).map_err(failed)?;
    let text = bytes.get(offset..offset + length).ok_or_else(|| refused("it ends within its header"))?;
    let header = parse(&String::from_utf8_lossy(text)).ok_or_else(|| refused("its header is damaged"))?;
    let Some(item) = item_size(&header.dtype) else { return Ok(header) };
    let needed = header.shape.iter().try_fold(item, |bytes, &extent| bytes.checked_mul(extent as u64));
    let there = std::fs::metadata(path).map_err(failed)?.len().saturating_sub(limit);
    match needed {
        Some(needed) if needed == there => Ok(header),
        Some(needed) if needed < there => {
            let what = format!("{} bytes follow behind its numbers", there - needed);
            Err(Error::format(path, what, "write one array, and nothing else, with numpy.save"))
        }
        _ => Err(refused("it ends before its numbers do")),
    }
}

/// Bytes of an item, which end its type's name: `<f4`, `|b1`; text has four a character. Other names (records, objects, times)
/// say less.
fn item_size(dtype: &str) -> Option<u64> {
    let name = dtype.trim_start_matches(['<', '>', '|', '=']);
    let (kind, size) = name.split_at_checked(1)?;
    let size = size.parse::<u64>().ok()?;
    match kind {
        "f" | "i" | "u" | "c" | "b" | "S" | "V" => Some(size),
        "U" => size.checked_mul(4),
        _ => None,
    }
}

/// The numbers of an `.npy` file.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Extents.
    pub shape: Vec<usize>,
    /// All numbers, the last axis fastest.
    pub values: Vec<f64>,
}

/// Reads the numbers of a file in double precision: floating-point or whole ones, of one or two axes if the first is fastest.
///
/// # Errors
/// Those of [`read_header`]; [`Error::Format`] if the numbers are of another type.
pub fn read(path: &Path) -> Result<Array> {
    let Header { dtype, fortran_order, shape } = read_header(path)?;
    let failed = |source| Error::File { path: path.into(), doing: "reading", source, remedy: "check the path" };
    let refused = |what: String| Error::format(path, what, "save it as an array of float32 or float64");
    let bytes = std::fs::read(path).map_err(failed)?;
    let (order, kind) = dtype.split_at_checked(1).unwrap_or(("", &dtype));
    let size = kind.get(1..).and_then(|size| size.parse::<usize>().ok()).unwrap_or(0);
    if !["<", ">", "|", "="].contains(&order)
        || !["f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"].contains(&kind)
    {
        return Err(refused(format!("its numbers are of the type {dtype}")));
    }
    let count: usize = shape.iter().product();
    let numbers = &bytes[bytes.len() - count * size..];
    let one = |chunk: &[u8]| {
        let mut bits = [0; 8];
        bits[..size].copy_from_slice(chunk);
        if order == ">" {
            bits[..size].reverse();
        }
        let whole = u64::from_le_bytes(bits);
        // Signed numbers are shifted up to their sign and back.
        let shift = 64 - 8 * size as u32;
        match kind {
            "f4" => f64::from(f32::from_bits(whole as u32)),
            "f8" => f64::from_bits(whole),
            kind if kind.starts_with('i') => ((whole << shift) as i64 >> shift) as f64,
            _ => whole as f64,
        }
    };
    let values: Vec<f64> = numbers.chunks_exact(size).map(one).collect();
    let values = match (fortran_order, &shape[..]) {
        (true, &[rows, columns]) => (0..count).map(|at| values[at % columns * rows + at / columns]).collect(),
        (true, [_, _, _, ..]) => {
            let what = format!("an array of {} axes whose first is fastest", shape.len());
            return Err(Error::format(path, what, "save it with numpy.ascontiguousarray"));
        }
        _ => values,
    };
    Ok(Array { shape, values })
}

/// Reads the Python dictionary `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
fn parse(text: &str) -> Option<Header> {
    let after = |key: &str| Some(text.split_once(&format!("'{key}'"))?.1.trim_start().strip_prefix(':')?.trim_start());
    let dtype = after("descr")?.strip_prefix('\'')?.split_once('\'')?.0.to_string();
    let fortran_order = match after("fortran_order")? {
        rest if rest.starts_with("True") => true,
        rest if rest.starts_with("False") => false,
        _ => return None,
    };
    let extents = after("shape")?.strip_prefix('(')?.split_once(')')?.0;
    let extents = extents.split(',').map(str::trim).filter(|extent| !extent.is_empty());
    let shape = extents.map(|extent| extent.parse().ok()).collect::<Option<_>>()?;
    Some(Header { dtype, fortran_order, shape })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_of_a_file_that_numpy_wrote_is_read() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/nagisa_char_input.npy");
        let header = read_header(&path).unwrap();
        assert_eq!((header.dtype.as_str(), header.fortran_order, header.shape.len()), ("<f4", false, 2));
    }

    #[test]
    fn shapes_of_any_rank_are_read() {
        let shape = |text: &str| parse(&format!("{{'descr': '<f8', 'fortran_order': True, 'shape': {text}, }}"));
        assert_eq!(shape("()").unwrap().shape, [0; 0]);
        assert_eq!(shape("(3,)").unwrap().shape, [3]);
        assert_eq!(shape("(3, 4, 5)").unwrap().shape, [3, 4, 5]);
        assert!(shape("(3, x)").is_none());
        assert!(shape("(-3,)").is_none());
    }

    #[test]
    fn a_file_is_as_long_as_its_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        let whole = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("data/nagisa_char_input.npy")).unwrap();
        for (bytes, told) in [
            (whole[..whole.len() - 1].to_vec(), "it ends before its numbers do"),
            ([&whole[..], b"\n"].concat(), "1 bytes follow behind its numbers"),
            ([&whole[..], &whole[..]].concat(), "bytes follow behind its numbers; write one array"),
        ] {
            std::fs::write(&path, bytes).unwrap();
            for error in [read(&path).unwrap_err(), read_header(&path).unwrap_err()] {
                assert!(error.to_string().contains(told), "{error}");
            }
        }
        // What numpy writes of text, dates and objects is told as what it is, not as damaged.
        for (dtype, size) in [("<U3", Some(12)), ("|S3", Some(3)), ("|b1", Some(1)), ("<M8[ns]", None), ("|O", None)] {
            assert_eq!(item_size(dtype), size, "{dtype}");
        }
    }

    #[test]
    fn damaged_files_are_format_errors() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        for bytes in [
            &b""[..],
            b"\x93NUMPY",
            b"\x93NUMPY\x01\x00",
            b"\x93NUMPY\x01\x00\xff\xff{",
            b"\x93NUMPY\x03\x00\xff\xff\xff\xff{",
            b"\x93NUMPY\x01\x00\x02\x00{}",
            b"a,b\n1,2",
        ] {
            std::fs::write(&path, bytes).unwrap();
            assert!(matches!(read_header(&path), Err(Error::Format { .. })), "{bytes:?}");
        }
    }
}
