//! What lessons share: quick mode, and a figure under `out/`.
#![allow(dead_code, reason = "each lesson uses its part")]

use flowmap::plot::{Line, LinesFigure, LinesPanel, lines_figure};

/// Whether a run only has to show that it runs.
pub fn quick() -> bool {
    std::env::var_os("FLOWMAP_QUICK").is_some()
}

/// Logarithms to base 10 of what is given in nats.
pub fn tens(nats: &[f64]) -> Vec<f64> {
    nats.iter().map(|x| x / std::f64::consts::LN_10).collect()
}

/// A panel of curves.
pub fn panel(x: &str, y: &str, lines: Vec<Line>) -> LinesPanel {
    LinesPanel { x: x.into(), y: y.into(), lines, ..LinesPanel::default() }
}

/// Draws curves and writes them under `out/`.
pub fn figure(name: &str, title: &str, panels: Vec<LinesPanel>) -> flowmap::Result<()> {
    remarked(name, title, panels, &[])
}

/// The same with remarks in the key.
pub fn remarked(name: &str, title: &str, panels: Vec<LinesPanel>, remarks: &[&str]) -> flowmap::Result<()> {
    let remarks = remarks.iter().map(|remark| remark.to_string()).collect();
    write_figure(name, &lines_figure(&LinesFigure { title: title.into(), panels, remarks })?)
}

/// Writes a figure under `out/`.
pub fn write_figure(name: &str, svg: &str) -> flowmap::Result<()> {
    let path = std::path::Path::new("out").join(format!("{name}.svg"));
    std::fs::create_dir_all("out").map_err(|source| flowmap::Error::File {
        path: "out".into(),
        doing: "making the folder",
        source,
        remedy: "run it from a folder that may be written to",
    })?;
    flowmap::io::write_atomic(&path, |writer| writer.write_all(svg.as_bytes()))?;
    println!("figure: {}", path.display());
    Ok(())
}
