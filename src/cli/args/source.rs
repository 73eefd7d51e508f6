//! What is measured: a named system, a recurrent net, or a fitted model.

use clap::{Args, ValueEnum, ValueHint};
use std::path::PathBuf;

/// A system that steps: a named one, a recurrent net, or a fitted model.
#[derive(Args, Clone, Debug)]
#[command(group = clap::ArgGroup::new("source").required(true).args(["system", "rnn", "model"]))]
pub struct SourceArgs {
    /// A named system; `flowmap systems` lists them
    #[arg(long, value_name = "NAME", help_heading = "What is measured")]
    pub system: Option<String>,
    /// A recurrent net in a safetensors file, named as in PyTorch's state_dict
    #[arg(long, value_name = "WEIGHTS.safetensors", value_hint = ValueHint::FilePath, help_heading = "What is measured")]
    pub rnn: Option<PathBuf>,
    /// The folder of a fitted model
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "What is measured")]
    pub model: Option<PathBuf>,
    /// A parameter of the system; may come several times
    #[arg(long, value_name = "KEY=VALUE", allow_hyphen_values = true, conflicts_with_all = ["rnn", "model"])]
    pub set: Vec<String>,
    /// The start of the system, one number a component [default: its usual one]
    #[arg(long, value_name = "A,B,…", value_delimiter = ',', allow_hyphen_values = true, conflicts_with = "rnn")]
    pub start: Option<Vec<f64>>,
    /// The method that steps a flow [default: rk4, or the system's own]
    #[arg(long, value_name = "NAME", conflicts_with = "rnn")]
    pub method: Option<String>,
    /// Its step, in units of time [default: one that suits the system]
    #[arg(long, value_name = "X", allow_negative_numbers = true, conflicts_with = "rnn")]
    pub step: Option<f64>,
    #[command(flatten)]
    pub net: NetArgs,
    /// Starts near the given one, averaged over [default: those of the system; 1 for a net]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub starts: Option<u32>,
}

/// Which part of a net, and what drives it.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Recurrent nets")]
pub struct NetArgs {
    /// Inputs, a row a step: an npy array (steps, features), or a CSV file of numbers under a header; may come several times,
    /// for a start each
    #[arg(long, value_name = "X.npy|X.csv", requires = "rnn", value_hint = ValueHint::FilePath)]
    pub inputs: Vec<PathBuf>,
    /// The same input at every step: the net is autonomous [default without --inputs: zero]
    #[arg(long, value_name = "A,B,…", value_delimiter = ',', allow_hyphen_values = true)]
    #[arg(requires = "rnn", conflicts_with = "inputs")]
    pub constant_input: Option<Vec<f64>>,
    /// A linear layer in the same file, NAME.weight and NAME.bias, whose output is the next input: the net is autonomous
    #[arg(long, value_name = "NAME", requires = "rnn", conflicts_with_all = ["inputs", "constant_input"])]
    pub feed_back: Option<String>,
    /// Which net, where the file holds several: the names of its tensors up to weight_ih_l0
    #[arg(long, value_name = "PREFIX", requires = "rnn")]
    pub prefix: Option<String>,
    /// What the tensors' names do not say: rnn-tanh, rnn-relu, rnn-linear, lstm, gru, classic-gru
    #[arg(long, value_name = "KIND", requires = "rnn")]
    pub cell: Option<String>,
    /// The order of the gates' rows
    #[arg(long, value_enum, default_value_t = Gates::Pytorch)]
    pub gates: Gates,
    /// One layer, counted from 0, driven by the layers below [default: all as one map; the first of a bidirectional net]
    #[arg(long, value_name = "N", requires = "rnn")]
    pub layer: Option<usize>,
    /// Which direction of a bidirectional net; backward takes the inputs from the last row to the first
    #[arg(long, value_enum, requires = "rnn")]
    pub direction: Option<Direction>,
    /// The start: a file of one row, hidden states of all layers, then (LSTM) their cell states [default: zero]
    #[arg(long, value_name = "FILE", requires = "rnn", value_hint = ValueHint::FilePath)]
    pub h0: Option<PathBuf>,
    /// Precision of everything
    #[arg(long, value_enum, default_value_t = Precision::F64)]
    pub precision: Precision,
}

impl NetArgs {
    /// The first option that is given and means something to nets alone.
    pub fn given(&self) -> Option<&'static str> {
        [
            ("--inputs", !self.inputs.is_empty()),
            ("--constant-input", self.constant_input.is_some()),
            ("--feed-back", self.feed_back.is_some()),
            ("--prefix", self.prefix.is_some()),
            ("--cell", self.cell.is_some()),
            ("--gates", self.gates != Gates::Pytorch),
            ("--layer", self.layer.is_some()),
            ("--direction", self.direction.is_some()),
            ("--h0", self.h0.is_some()),
            ("--precision", self.precision != Precision::F64),
        ]
        .into_iter()
        .find_map(|(option, given)| given.then_some(option))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Gates {
    /// i f g o, r z n
    Pytorch,
    /// i f g o, z r n
    Keras,
    /// i o f g, z r n
    Onnx,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Direction {
    Forward,
    Backward,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Precision {
    F32,
    F64,
}
