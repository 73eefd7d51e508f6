//! What lessons share: quick mode, and a figure under `out/`.

use flowmap::plot::{LinesFigure, LinesPanel, lines_figure};

/// Whether a run only has to show that it runs.
#[allow(dead_code, reason = "some lessons are always quick")]
pub fn quick() -> bool {
    std::env::var_os("FLOWMAP_QUICK").is_some()
}

/// Draws curves and writes them under `out/`.
#[allow(dead_code, reason = "some lessons draw other figures")]
pub fn figure(name: &str, title: &str, panels: Vec<LinesPanel>) -> flowmap::Result<()> {
    write_figure(name, &lines_figure(&LinesFigure { title: title.into(), panels, remarks: Vec::new() })?)
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
