//! Parameters as a user sets them.

use crate::{Error, Result};

/// Values of some parameters by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings(Vec<(String, f64)>);

impl Settings {
    /// Reads `key=value` texts.
    ///
    /// # Errors
    /// If a text is of another form, a value is no finite number, or a key comes twice.
    pub fn parse<S: AsRef<str>>(texts: &[S]) -> Result<Self> {
        let mut settings = Self::default();
        for text in texts {
            let text = text.as_ref();
            let parts = text.split_once('=').map(|(key, value)| (key.trim(), value.trim()));
            let Some((key, value)) = parts.filter(|(key, _)| !key.is_empty()) else {
                let what = format!("the setting `{}` is not of the form key=value", crate::io::clipped(text));
                return Err(Error::config(what, "write it as in rho=28"));
            };
            if settings.get(key).is_some() {
                return Err(Error::config(format!("`{key}` is set twice"), "set each parameter once"));
            }
            match value.parse() {
                Ok(value) => settings.set(key, value)?,
                Err(_) => {
                    let what = format!("`{}` is set to `{}`", crate::io::clipped(key), crate::io::clipped(value));
                    return Err(Error::config(what, "give a number"));
                }
            }
        }
        Ok(settings)
    }

    /// Sets a parameter, whether it was set before or not.
    ///
    /// # Errors
    /// If the value is not finite.
    pub fn set(&mut self, key: &str, value: f64) -> Result<()> {
        if !value.is_finite() {
            let what = format!("`{}` is set to {value}", crate::io::clipped(key));
            return Err(Error::config(what, "give a finite number"));
        }
        self.0.retain(|(known, _)| known != key);
        self.0.push((key.into(), value));
        Ok(())
    }

    /// What a parameter is set to, if it is.
    pub fn get(&self, key: &str) -> Option<f64> {
        self.iter().find(|(known, _)| *known == key).map(|(_, value)| value)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(key, value)| (key.as_str(), *value))
    }
}
