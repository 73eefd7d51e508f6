//! The folder that a run writes its results to.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::atomic::TEMPORARY;
use super::write_atomic;
use crate::{Error, Result};

/// A folder known to accept files. Files in it are replaced one by one; others are left alone.
#[derive(Clone, Debug)]
pub struct OutputFolder {
    path: PathBuf,
}

impl OutputFolder {
    /// Creates the folder with its parents where they are missing and tries it with a file of `bytes` bytes, so that a
    /// long run does not find out at its end that nothing can be kept. `files` are the names that will be written; what
    /// writes of a run that was killed have left is removed.
    ///
    /// # Errors
    /// [`Error::File`] if the folder cannot be created or written to, or something that is no file has one of the names;
    /// folders created on the way are removed again.
    pub fn create(path: &Path, files: &[&str], bytes: usize) -> Result<Self> {
        if let Some(taken) = files.iter().map(|name| path.join(name)).find(|file| file.exists() && !file.is_file()) {
            return Err(Error::File {
                path: taken,
                doing: "preparing to write it",
                source: io::ErrorKind::AlreadyExists.into(),
                remedy: "move what has this name away, or choose another folder with --out",
            });
        }
        let mut created = Vec::new();
        let outcome = create_with_parents(path, &mut created).and_then(|()| try_writing(path, bytes));
        outcome.map_err(|source| {
            for folder in created.iter().rev() {
                // Another program may have put something there since; then it stays, and the first error is told.
                let _ = fs::remove_dir(folder);
            }
            Error::File {
                path: path.into(),
                doing: "preparing the output folder",
                source,
                remedy: "choose a folder that you may write to, with space left",
            }
        })?;
        sweep(path);
        Ok(Self { path: path.into() })
    }

    /// The folder's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes text to the file `name`, whole or not at all, as [`write_atomic`] does.
    ///
    /// # Errors
    /// Those of [`write_atomic`].
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        write_atomic(&self.file(name), |writer| writer.write_all(text.as_bytes()))
    }
}

fn create_with_parents(path: &Path, created: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut missing: Vec<&Path> = path.ancestors().take_while(|p| !p.as_os_str().is_empty() && !p.exists()).collect();
    while let Some(folder) = missing.pop() {
        match fs::create_dir(folder) {
            Ok(()) => created.push(folder.into()),
            Err(refused) if refused.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
            Err(refused) => return Err(refused),
        }
    }
    Ok(())
}

/// Removes temporary files left by a run that was killed while it wrote. One that cannot be removed does no harm.
fn sweep(path: &Path) {
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn try_writing(path: &Path, bytes: usize) -> io::Result<()> {
    let mut probe = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(path)?;
    let block = [0x5a; 4096];
    for written in (0..bytes.max(1)).step_by(block.len()) {
        probe.write_all(&block[..block.len().min(bytes.max(1) - written)])?;
    }
    probe.as_file().sync_all()?;
    probe.close()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_are_created_and_the_trial_file_is_gone() {
        let base = tempfile::tempdir().unwrap();
        let folder = OutputFolder::create(&base.path().join("a/b/c"), &["x.txt"], 10_000).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        folder.write("x.txt", "1").unwrap();
        assert_eq!(fs::read(folder.file("x.txt")).unwrap(), b"1");
    }

    #[test]
    fn an_existing_folder_keeps_its_other_files() {
        let base = tempfile::tempdir().unwrap();
        fs::write(base.path().join("mine.txt"), "kept").unwrap();
        let folder = OutputFolder::create(base.path(), &[], 1).unwrap();
        folder.write("x.txt", "").unwrap();
        assert_eq!(fs::read(base.path().join("mine.txt")).unwrap(), b"kept");
    }

    #[test]
    fn a_refused_folder_leaves_nothing_behind() {
        let base = tempfile::tempdir().unwrap();
        fs::write(base.path().join("file"), "").unwrap();
        for refused in ["file", "file/below", "new/\0bad/deep"] {
            let error = OutputFolder::create(&base.path().join(refused), &[], 1).unwrap_err();
            assert!(matches!(error, Error::File { .. }), "{error}");
            assert!(error.to_string().contains("choose a folder"), "{error}");
        }
        let left: Vec<_> = fs::read_dir(base.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["file"]);
    }

    #[test]
    fn a_folder_under_a_files_name_is_refused_and_leftovers_are_swept() {
        let base = tempfile::tempdir().unwrap();
        fs::create_dir(base.path().join("model")).unwrap();
        assert!(OutputFolder::create(base.path(), &["other", "model"], 1).is_err());
        fs::write(base.path().join(".flowmap-old"), "half").unwrap();
        OutputFolder::create(base.path(), &["other"], 1).unwrap();
        assert!(!base.path().join(".flowmap-old").exists());
    }
}
