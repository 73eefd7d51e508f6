//! Irregular series.
