//! Named tensors and a map of strings in one safetensors file.

use std::collections::BTreeMap;
use std::path::Path;

use half::{bf16, f16};
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use serde_json::{Map, Value, json};

use super::write_atomic;
use crate::{Error, Result};

/// The numbers of a tensor, in the precision of the file.
#[derive(Clone, Debug, PartialEq)]
pub enum TensorData {
    /// Half precision.
    F16(Vec<f16>),
    /// The upper half of single precision.
    Bf16(Vec<bf16>),
    /// Single precision.
    F32(Vec<f32>),
    /// Double precision.
    F64(Vec<f64>),
}

impl TensorData {
    /// How many numbers there are.
    pub fn len(&self) -> usize {
        match self {
            Self::F16(numbers) => numbers.len(),
            Self::Bf16(numbers) => numbers.len(),
            Self::F32(numbers) => numbers.len(),
            Self::F64(numbers) => numbers.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn width(&self) -> usize {
        match self {
            Self::F16(_) | Self::Bf16(_) => 2,
            Self::F32(_) => 4,
            Self::F64(_) => 8,
        }
    }
}

/// A tensor: its shape and its numbers, flat, the last axis fastest.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    shape: Vec<usize>,
    data: TensorData,
}

impl Tensor {
    /// A tensor of the given shape.
    ///
    /// # Errors
    /// [`Error::Shape`] if the shape does not hold as many numbers as there are.
    pub fn new(shape: Vec<usize>, data: TensorData) -> Result<Self> {
        let length = data.len();
        match shape.iter().try_fold(1usize, |product, &extent| product.checked_mul(extent)) {
            Some(product) if product == length => Ok(Self { shape, data }),
            _ => Err(Error::shape("tensor", format!("{length} numbers"), format!("shape {shape:?}"))),
        }
    }

    /// The extents; empty for a single number.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The numbers as they are in the file.
    pub fn data(&self) -> &TensorData {
        &self.data
    }

    /// The numbers in double precision.
    pub fn to_f64(&self) -> Vec<f64> {
        match &self.data {
            TensorData::F16(numbers) => numbers.iter().map(|&x| x.into()).collect(),
            TensorData::Bf16(numbers) => numbers.iter().map(|&x| x.into()).collect(),
            TensorData::F32(numbers) => numbers.iter().map(|&x| x.into()).collect(),
            TensorData::F64(numbers) => numbers.clone(),
        }
    }

    /// The type as the file names it: `F16`, `BF16`, `F32`, `F64`.
    pub fn name_of_type(&self) -> &'static str {
        match self.data {
            TensorData::F16(_) => "F16",
            TensorData::Bf16(_) => "BF16",
            TensorData::F32(_) => "F32",
            TensorData::F64(_) => "F64",
        }
    }

    fn bytes(&self) -> Vec<u8> {
        match &self.data {
            TensorData::F16(numbers) => numbers.iter().flat_map(|x| x.to_le_bytes()).collect(),
            TensorData::Bf16(numbers) => numbers.iter().flat_map(|x| x.to_le_bytes()).collect(),
            TensorData::F32(numbers) => numbers.iter().flat_map(|x| x.to_le_bytes()).collect(),
            TensorData::F64(numbers) => numbers.iter().flat_map(|x| x.to_le_bytes()).collect(),
        }
    }
}

/// What a safetensors file holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tensors {
    /// The tensors of type F16, BF16, F32 and F64 by name.
    pub named: BTreeMap<String, Tensor>,
    /// The file's strings by name.
    pub metadata: BTreeMap<String, String>,
    /// Name and type of tensors that [`read`] passed over because they are of another type; [`write()`] ignores it.
    pub passed_over: BTreeMap<String, String>,
}

const HEADER_LENGTH_BYTES: usize = 8;
const METADATA_KEY: &str = "__metadata__";

/// Writes the tensors and the strings, whole or not at all. The same content gives the same bytes.
///
/// # Errors
/// [`Error::Config`] for a tensor with the name the format keeps for itself; those of [`write_atomic`].
pub fn write(path: &Path, content: &Tensors) -> Result<()> {
    if content.named.contains_key(METADATA_KEY) {
        return Err(Error::config(format!("a tensor cannot be called {METADATA_KEY}"), "give it another name"));
    }
    // The header is put together here because the crate's own comes in another order every time. The widest numbers come
    // first, so that every tensor is aligned to its numbers.
    let mut tensors: Vec<_> = content.named.iter().collect();
    tensors.sort_by_key(|(_, tensor)| std::cmp::Reverse(tensor.data.width()));
    let mut header = Map::new();
    header.insert(METADATA_KEY.into(), json!(content.metadata));
    let mut data = Vec::new();
    for (name, tensor) in tensors {
        let start = data.len();
        data.extend(tensor.bytes());
        let info = json!({"dtype": tensor.name_of_type(), "shape": tensor.shape, "data_offsets": [start, data.len()]});
        header.insert(name.clone(), info);
    }
    let mut header = Value::Object(header).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(HEADER_LENGTH_BYTES), b' ');
    write_atomic(path, |writer| {
        writer.write_all(&(header.len() as u64).to_le_bytes())?;
        writer.write_all(&header)?;
        writer.write_all(&data)
    })
}

/// Reads a safetensors file.
///
/// # Errors
/// [`Error::File`] if it cannot be read; [`Error::Format`] if it is cut short, empty, or of another kind.
pub fn read(path: &Path) -> Result<Tensors> {
    let bytes = std::fs::read(path).map_err(|source| Error::File {
        path: path.into(),
        doing: "reading",
        source,
        remedy: "check the path and that you may read it",
    })?;
    parse(&bytes).map_err(|what| {
        Error::format(
            path,
            format!("not a whole safetensors file: {what}"),
            "write the file again, or name one written by this program or by the safetensors library",
        )
    })
}

fn parse(bytes: &[u8]) -> std::result::Result<Tensors, String> {
    let Some((length, rest)) = bytes.split_first_chunk::<HEADER_LENGTH_BYTES>() else {
        return Err(format!("it has {} bytes, fewer than the header's length takes", bytes.len()));
    };
    let length = u64::from_le_bytes(*length);
    let Some((header, data)) = usize::try_from(length).ok().and_then(|n| rest.split_at_checked(n)) else {
        return Err(format!("its header should take {length} bytes and only {} follow", rest.len()));
    };
    let metadata: Metadata = serde_json::from_slice(header).map_err(|bad| format!("its header is damaged: {bad}"))?;
    if metadata.data_len() != data.len() {
        return Err(format!("its tensors should take {} bytes and {} are there", metadata.data_len(), data.len()));
    }
    let mut content = Tensors {
        metadata: metadata.metadata().iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect(),
        ..Tensors::default()
    };
    for (name, info) in metadata.tensors() {
        match numbers(info, data) {
            Some(numbers) => {
                let tensor = Tensor::new(info.shape.clone(), numbers).map_err(|bad| format!("`{name}`: {bad}"))?;
                content.named.insert(name, tensor);
            }
            None => {
                content.passed_over.insert(name, format!("{:?}", info.dtype));
            }
        }
    }
    Ok(content)
}

/// The numbers of one tensor; none if they are of a type this crate has no use for, or out of the file's bounds.
fn numbers(info: &TensorInfo, data: &[u8]) -> Option<TensorData> {
    let bytes = data.get(info.data_offsets.0..info.data_offsets.1)?;
    match info.dtype {
        Dtype::F16 => Some(TensorData::F16(bytes.as_chunks().0.iter().map(|&b| f16::from_le_bytes(b)).collect())),
        Dtype::BF16 => Some(TensorData::Bf16(bytes.as_chunks().0.iter().map(|&b| bf16::from_le_bytes(b)).collect())),
        Dtype::F32 => Some(TensorData::F32(bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect())),
        Dtype::F64 => Some(TensorData::F64(bytes.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b)).collect())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn example() -> Tensors {
        let tensor = |shape: &[usize], data| Tensor::new(shape.to_vec(), data).unwrap();
        Tensors {
            named: [
                ("weight".to_string(), tensor(&[2, 3], TensorData::F32(vec![1.0, -2.5, 0.1, 4.0, f32::MAX, -0.0]))),
                ("offset".to_string(), tensor(&[2], TensorData::F64(vec![0.1, f64::MIN_POSITIVE]))),
                ("nothing".to_string(), tensor(&[0, 4], TensorData::F64(vec![]))),
                ("half".to_string(), tensor(&[2], TensorData::F16(vec![f16::from_f32(0.1), f16::MIN]))),
                ("brain".to_string(), tensor(&[1], TensorData::Bf16(vec![bf16::from_f32(-2.7)]))),
                ("scalar".to_string(), tensor(&[], TensorData::F64(vec![7.0]))),
            ]
            .into(),
            metadata: (0..20).map(|i| (format!("key{i}"), format!("value \"{i}\" ü"))).collect(),
            passed_over: BTreeMap::new(),
        }
    }

    fn written(content: &Tensors) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        write(&path, content).unwrap();
        assert_eq!(read(&path).unwrap(), *content);
        std::fs::read(&path).unwrap()
    }

    #[test]
    fn what_is_written_reads_back_the_same_and_in_the_same_bytes() {
        let bytes = written(&example());
        assert_eq!(bytes, written(&example()));
        written(&Tensors::default());
    }

    #[test]
    fn the_safetensors_library_reads_our_files() {
        let bytes = written(&example());
        let theirs = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let weight = theirs.tensor("weight").unwrap();
        assert_eq!((weight.dtype(), weight.shape()), (Dtype::F32, &[2, 3][..]));
        assert_eq!(weight.data()[..4], 1.0f32.to_le_bytes());
    }

    #[test]
    fn a_net_written_by_the_safetensors_library_is_read() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/nagisa_char_bilstm.safetensors");
        let net = read(&path).unwrap();
        assert_eq!(net.named["weight_ih_l0"].shape(), [64, 32]);
        assert_eq!(net.named["weight_ih_l0"].to_f64().len(), 64 * 32);
        assert!(net.passed_over.is_empty());
    }

    #[test]
    fn damaged_and_foreign_files_are_format_errors_that_name_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let whole = written(&example());
        let mut longer = whole.clone();
        longer.push(0);
        let huge = [&u64::MAX.to_le_bytes()[..], b"{}"].concat();
        for bytes in
            [&[][..], b"abc", &whole[..100], &whole[..whole.len() - 1], &longer, &huge, b"series_id,time,x\na,1,2"]
        {
            std::fs::write(&path, bytes).unwrap();
            let error = read(&path).unwrap_err();
            assert!(matches!(error, Error::Format { .. }), "{error}");
            assert!(error.to_string().contains("x.safetensors: not a whole safetensors file"), "{error}");
        }
        assert!(matches!(read(&folder.path().join("none")), Err(Error::File { .. })));
        assert!(matches!(read(folder.path()), Err(Error::File { .. })));
    }

    #[test]
    fn sizes_that_overflow_are_refused_without_a_panic() {
        let mut header = Map::new();
        for i in 0..8u64 {
            let offsets = [i << 61, ((i + 1) << 61).wrapping_sub(1)];
            header.insert(format!("t{i}"), json!({"dtype": "U8", "shape": [1u64 << 61], "data_offsets": offsets}));
        }
        let header = Value::Object(header).to_string();
        let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat();
        assert!(parse(&bytes).is_err());
    }

    #[test]
    fn tensors_of_other_types_are_passed_over_by_name() {
        let header = r#"{"count":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}"#;
        let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 8]].concat();
        let content = parse(&bytes).unwrap();
        assert_eq!(content.passed_over["count"], "I64");
        assert!(content.named.is_empty());
    }

    #[test]
    fn a_shape_that_does_not_fit_is_refused() {
        assert!(Tensor::new(vec![2, 2], TensorData::F64(vec![1.0])).is_err());
        assert!(Tensor::new(vec![usize::MAX, 2], TensorData::F64(vec![])).is_err());
        let reserved =
            Tensors { named: [(METADATA_KEY.into(), example().named["scalar"].clone())].into(), ..example() };
        assert!(matches!(write(Path::new("never"), &reserved), Err(Error::Config { .. })));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(start in proptest::collection::vec(any::<u8>(), 0..200), cut in 0usize..1000, flip in 0usize..1000) {
            let _ = parse(&start);
            let mut whole = written(&example());
            let at = flip % whole.len();
            whole[at] ^= 0x15;
            whole.truncate(whole.len().saturating_sub(cut % 50));
            let _ = parse(&whole);
        }
    }
}
