//! JSON with numbers that are not finite.
//!
//! JSON has no infinity and no NaN; here they are the strings `"inf"`, `"-inf"` and `"nan"`. All other numbers are
//! written with as many digits as give the same `f64` back.
//!
//! ```
//! #[derive(serde::Serialize, serde::Deserialize)]
//! struct Report {
//!     #[serde(with = "flowmap::io::json::number")]
//!     exponents: Vec<f64>,
//! }
//! let text = serde_json::to_string(&Report { exponents: vec![0.5, f64::NEG_INFINITY] }).unwrap();
//! assert_eq!(text, r#"{"exponents":[0.5,"-inf"]}"#);
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::de::{DeserializeOwned, Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::write_atomic;
use crate::{Error, Result};

/// An `f64` that serialises to a number, or to `"inf"`, `"-inf"` or `"nan"`, and reads both back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Number(pub f64);

/// The spelling of a number that is not finite; none for all others.
pub(crate) fn spelling(value: f64) -> Option<&'static str> {
    if value.is_finite() {
        None
    } else if value.is_nan() {
        Some("nan")
    } else if value > 0.0 {
        Some("inf")
    } else {
        Some("-inf")
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match spelling(self.0) {
            None => serializer.serialize_f64(self.0),
            Some(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct NumberVisitor;
        impl Visitor<'_> for NumberVisitor {
            type Value = Number;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a number, \"inf\", \"-inf\" or \"nan\"")
            }
            fn visit_f64<E>(self, value: f64) -> std::result::Result<Number, E> {
                Ok(Number(value))
            }
            fn visit_i64<E>(self, value: i64) -> std::result::Result<Number, E> {
                Ok(Number(value as f64))
            }
            fn visit_u64<E>(self, value: u64) -> std::result::Result<Number, E> {
                Ok(Number(value as f64))
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> std::result::Result<Number, E> {
                match text {
                    "inf" => Ok(Number(f64::INFINITY)),
                    "-inf" => Ok(Number(f64::NEG_INFINITY)),
                    "nan" => Ok(Number(f64::NAN)),
                    other => Err(E::invalid_value(serde::de::Unexpected::Str(other), &self)),
                }
            }
        }
        deserializer.deserialize_any(NumberVisitor)
    }
}

/// A shape of `f64`s that [`number`] can serialise: `f64`, and `Option`, `Vec` and `BTreeMap<String, _>` of such.
pub trait Numbers: Sized {
    /// The same shape made of [`Number`]s.
    type Json: Serialize + DeserializeOwned;
    /// Into the serialisable shape.
    fn to_json(&self) -> Self::Json;
    /// Back from it.
    fn from_json(json: Self::Json) -> Self;
}

impl Numbers for f64 {
    type Json = Number;
    fn to_json(&self) -> Number {
        Number(*self)
    }
    fn from_json(json: Number) -> Self {
        json.0
    }
}

impl<N: Numbers> Numbers for Option<N> {
    type Json = Option<N::Json>;
    fn to_json(&self) -> Self::Json {
        self.as_ref().map(N::to_json)
    }
    fn from_json(json: Self::Json) -> Self {
        json.map(N::from_json)
    }
}

impl<N: Numbers> Numbers for Vec<N> {
    type Json = Vec<N::Json>;
    fn to_json(&self) -> Self::Json {
        self.iter().map(N::to_json).collect()
    }
    fn from_json(json: Self::Json) -> Self {
        json.into_iter().map(N::from_json).collect()
    }
}

impl<N: Numbers> Numbers for BTreeMap<String, N> {
    type Json = BTreeMap<String, N::Json>;
    fn to_json(&self) -> Self::Json {
        self.iter().map(|(name, n)| (name.clone(), n.to_json())).collect()
    }
    fn from_json(json: Self::Json) -> Self {
        json.into_iter().map(|(name, n)| (name, N::from_json(n))).collect()
    }
}

/// For `#[serde(with = "flowmap::io::json::number")]` on a field of a [`Numbers`] type.
pub mod number {
    use super::*;

    /// Serialises the field.
    ///
    /// # Errors
    /// The serialiser's own.
    pub fn serialize<N: Numbers, S: Serializer>(value: &N, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        value.to_json().serialize(serializer)
    }

    /// Reads the field back.
    ///
    /// # Errors
    /// What is there is neither a number nor one of the three strings.
    pub fn deserialize<'de, N: Numbers, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<N, D::Error> {
        N::Json::deserialize(deserializer).map(N::from_json).map_err(D::Error::custom)
    }
}

/// Writes `value` as indented JSON, whole or not at all.
///
/// # Errors
/// Those of [`write_atomic`].
pub fn write<V: Serialize>(path: &Path, value: &V) -> Result<()> {
    write_atomic(path, |mut writer| {
        serde_json::to_writer_pretty(&mut writer, value)?;
        writer.write_all(b"\n")
    })
}

/// Reads a JSON file.
///
/// # Errors
/// [`Error::File`] if it cannot be read, [`Error::Format`] if it is not the JSON that was expected.
pub fn read<V: DeserializeOwned>(path: &Path) -> Result<V> {
    let bytes = std::fs::read(path).map_err(|source| Error::File {
        path: path.into(),
        doing: "reading",
        source,
        remedy: "check the path and that you may read it",
    })?;
    serde_json::from_slice(&bytes).map_err(|bad| {
        Error::format(path, format!("not the expected JSON: {bad}"), "write the file again by its command")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    struct Everything {
        #[serde(with = "number")]
        one: f64,
        #[serde(with = "number")]
        none: Option<f64>,
        #[serde(with = "number")]
        many: Vec<f64>,
        #[serde(with = "number")]
        named: BTreeMap<String, Option<f64>>,
    }

    #[test]
    fn non_finite_numbers_are_the_three_strings() {
        let value = Everything {
            one: f64::INFINITY,
            none: None,
            many: vec![f64::NEG_INFINITY, 0.1, -0.0, 3.0],
            named: [("a".to_string(), Some(1e300)), ("b".to_string(), None)].into(),
        };
        let text = serde_json::to_string(&value).unwrap();
        assert_eq!(text, r#"{"one":"inf","none":null,"many":["-inf",0.1,-0.0,3.0],"named":{"a":1e+300,"b":null}}"#);
        assert_eq!(serde_json::from_str::<Everything>(&text).unwrap(), value);
        assert_eq!(serde_json::to_string(&Number(f64::NAN)).unwrap(), "\"nan\"");
        assert!(serde_json::from_str::<Number>("\"nan\"").unwrap().0.is_nan());
        assert_eq!(serde_json::from_str::<Number>("-3").unwrap(), Number(-3.0));
        assert!(serde_json::from_str::<Number>("\"many\"").is_err());
    }

    #[test]
    fn a_foreign_file_is_a_format_error_and_a_missing_one_a_file_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json");
        assert!(matches!(read::<Number>(&path), Err(Error::File { .. })));
        for bytes in [&b""[..], b"{", b"\xff\xfe", b"[1]"] {
            std::fs::write(&path, bytes).unwrap();
            assert!(matches!(read::<Number>(&path), Err(Error::Format { .. })));
        }
        write(&path, &Number(0.25)).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"0.25\n");
        assert_eq!(read::<Number>(&path).unwrap(), Number(0.25));
    }

    proptest! {
        #[test]
        fn every_number_reads_back_to_the_last_bit(bits: u64) {
            let value = f64::from_bits(bits);
            let text = serde_json::to_string(&Number(value)).unwrap();
            let back = serde_json::from_str::<Number>(&text).unwrap().0;
            prop_assert!(back.to_bits() == bits || (back.is_nan() && value.is_nan()));
        }
    }
}
