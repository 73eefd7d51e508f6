//! Fitted models: read, and integrated as options say.

use crate::models::{Anchor, Fitted, Prediction};
use crate::solve::{self, Independent};
use crate::train::FitConfig;
use crate::{Error, Result};
use std::path::Path;

/// The model in the folder of a fit, and how it was fitted.
pub fn load(folder: &Path) -> Result<(Fitted, FitConfig)> {
    let fitted = Fitted::load(&folder.join("model.safetensors"))?;
    let path = folder.join("config.toml");
    let config = FitConfig::read(&path)?;
    if fitted.scaling.channels.iter().map(|c| &c.name).ne(&config.data.channels) {
        let what = "its channels are not those of the model beside it";
        return Err(Error::format(&path, what, "fit again, or bring back the file of this fit"));
    }
    Ok((fitted, config))
}

/// Lets options override how a fitted model is integrated, and returns the name of the method.
pub fn choose_method(fitted: &mut Fitted, named: Option<&str>, [rtol, atol, step]: [Option<f64>; 3]) -> Result<String> {
    let method = named.map_or_else(|| fitted.solver.method.clone(), String::from);
    if Independent::named(&method).is_none() {
        fitted.solver.method.clone_from(&method);
        // Whoever names another method or tolerance means steps of its own choice, unless a step is named too.
        let chosen = named.is_some() || rtol.is_some() || atol.is_some();
        let adaptive = solve::method(&method)?.error.is_some();
        fitted.solver.step = step.or(fitted.solver.step.filter(|_| !(chosen && adaptive)));
    }
    fitted.solver.rtol = rtol.unwrap_or(fitted.solver.rtol);
    fitted.solver.atol = atol.unwrap_or(fitted.solver.atol);
    fitted.solver.options(fitted.scaling.time_unit)?;
    Ok(method)
}

/// Follows a fitted model from its anchors with the method of that name.
pub fn follow(fitted: &Fitted, method: &str, anchors: &[Anchor], at: &[&[f64]]) -> Result<Prediction> {
    match Independent::named(method) {
        Some(independent) => {
            fitted.predict_independently(independent, anchors, at, (fitted.solver.rtol, fitted.solver.atol))
        }
        None => fitted.predict(anchors, at),
    }
}
