//! Writing one file whole or not at all.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::{Error, Result};

const REMEDY: &str = "check that the folder exists, may be written to and has space left, or choose another place";

/// How temporary names begin.
pub(super) const TEMPORARY: &str = ".flowmap-";

/// Writes a file so that `path` holds either all that `fill` wrote or what was there before.
///
/// The bytes go to a temporary name in the same folder, are flushed to the disk, and the name is then changed.
///
/// # Errors
/// [`Error::File`] if the folder cannot be written to, the disk is full, `fill` fails or `path` is a folder; the
/// temporary file is gone then.
pub fn write_atomic(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let attempt = || -> io::Result<()> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(TEMPORARY);
        // Temporary files are private by default; a result is readable to whomever the user's umask allows.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let mut file = builder.tempfile_in(folder_of(path))?;
        let mut writer = BufWriter::new(file.as_file_mut());
        fill(&mut writer)?;
        writer.flush()?;
        drop(writer);
        file.as_file().sync_all()?;
        file.persist(path).map_err(|refused| refused.error)?;
        Ok(())
    };
    attempt().map_err(|source| Error::File { path: path.into(), doing: "writing", source, remedy: REMEDY })
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn entries(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn a_file_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        fs::write(&path, "old and longer").unwrap();
        write_atomic(&path, |w| w.write_all(b"new")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(entries(folder.path()), 1);
    }

    #[test]
    fn a_failed_write_keeps_the_old_file_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        fs::write(&path, "old").unwrap();
        let full = |w: &mut dyn Write| {
            w.write_all(b"half of ")?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        };
        let error = write_atomic(&path, full).unwrap_err();
        assert!(matches!(error, Error::File { .. }));
        assert!(error.to_string().contains("has space left"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(entries(folder.path()), 1);
    }

    #[test]
    fn a_missing_folder_and_a_folder_as_target_are_errors_that_leave_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("none").join("a.txt");
        assert!(matches!(write_atomic(&missing, |_| Ok(())), Err(Error::File { .. })));
        fs::create_dir(folder.path().join("taken")).unwrap();
        assert!(matches!(write_atomic(&folder.path().join("taken"), |_| Ok(())), Err(Error::File { .. })));
        assert_eq!(entries(folder.path()), 1);
    }

    #[cfg(unix)]
    #[test]
    fn permissions_follow_the_umask_as_for_any_other_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (ours, plain) = (folder.path().join("ours"), folder.path().join("plain"));
        write_atomic(&ours, |_| Ok(())).unwrap();
        fs::write(&plain, "").unwrap();
        let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&ours), mode(&plain));
    }
}
