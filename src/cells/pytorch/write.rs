//! Writing.

use crate::cells::{Kind, Layers};
use crate::io::tensors::{self, Tensor, TensorData, Tensors};
use crate::{Error, Real, Result};
use std::path::Path;

/// How tensors are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// With layer and direction, as those of `torch.nn.LSTM`: `weight_ih_l0_reverse`.
    Layers,
    /// Without, as those of `torch.nn.LSTMCell`: `weight_ih`. Only for one layer in one direction.
    Cell,
}

/// Writes parameters in the order of [`Layers`] so that `load_state_dict` of PyTorch's module takes them: names with this
/// prefix, matrices row by row, in the precision of `params`; without biases if `bias` is false, as for `bias=False`.
///
/// # Errors
/// [`Error::Shape`] for a wrong number of parameters; [`Error::Config`] for what PyTorch has no module for: a classic GRU,
/// a nonlinearity other than tanh and relu, several layers or directions in a cell's form, biases that are not zero but
/// are not to be written; those of [`tensors::write`].
pub fn write<T: Real>(path: &Path, layers: &Layers, params: &[T], prefix: &str, form: Form, bias: bool) -> Result<()> {
    let expected = layers.param_count::<T>();
    if params.len() != expected {
        return Err(Error::shape("parameters of a recurrent net", expected, params.len()));
    }
    use crate::nn::Activation::{Relu, Tanh};
    if !matches!(layers.kind, Kind::Rnn(Tanh | Relu) | Kind::Lstm | Kind::Gru) {
        return Err(Error::config(
            format!("PyTorch has no module for {}", layers.kind),
            "write a tanh, relu, LSTM or GRU net",
        ));
    }
    if form == Form::Cell && (layers.layers, layers.bidirectional) != (1, false) {
        return Err(Error::config("a cell has one layer and one direction", "write the net with its layers"));
    }
    let mut content = Tensors::default();
    let mut rest = params;
    for spec in layers.params::<T>(prefix) {
        let (numbers, after) = rest.split_at(spec.len());
        rest = after;
        let rows = spec.shape[0];
        if spec.shape.len() == 1 && !bias {
            if numbers.iter().any(|&x| x != T::zero()) {
                return Err(Error::config(format!("`{}` is not zero", spec.name), "write the net with its biases"));
            }
            continue;
        }
        let by_rows = (0..rows).flat_map(|i| numbers.iter().skip(i).step_by(rows));
        let data = match T::NAME {
            "f32" => TensorData::F32(by_rows.map(|x| x.f64() as f32).collect()),
            _ => TensorData::F64(by_rows.map(|x| x.f64()).collect()),
        };
        let name = match form {
            Form::Layers => spec.name,
            Form::Cell => spec.name.trim_end_matches("_l0").into(),
        };
        content.named.insert(name, Tensor::new(spec.shape, data)?);
    }
    tensors::write(path, &content)
}
