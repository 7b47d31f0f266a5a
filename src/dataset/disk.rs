//! The way to the disk: every step by which a dataset changes what lies there. Whoever rehearses trouble
//! stands in the way of any of them; in earnest nobody does.
//!
//! A file is written under a hidden temporary name, made durable, and renamed; then its folder is made
//! durable. Nothing that is created here follows a symbolic link or takes over a file that is there.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::DatasetError;
use super::folder::part_path;

/// A step that changes what lies on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DiskStep {
    /// A folder is made.
    CreateFolder,
    /// A file is made, empty.
    CreateFile,
    /// Some bytes are written to a file.
    Write,
    /// A file is made durable.
    SyncFile,
    /// A file gets its name.
    Rename,
    /// The names in a folder are made durable.
    SyncFolder,
    /// A file is removed.
    Remove,
    /// A transaction of the catalogue begins.
    Begin,
    /// It is made durable.
    Commit,
    /// It was made durable, and the program hears of it: what fails here was done all the same.
    Committed,
}

/// What can go wrong with a disk.
pub trait DiskTrouble: Send + Sync + fmt::Debug {
    /// Asked before each step.
    ///
    /// # Errors
    /// What the system says instead of taking the step.
    fn before(&self, step: DiskStep) -> io::Result<()>;
}

/// The disk of a dataset; by default one with which nothing goes wrong that the system does not say, and on which
/// what was written is durable when a step is done.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    trouble: Option<Arc<dyn DiskTrouble>>,
    unhurried: bool,
}

impl Disk {
    /// A disk that may also fail by this trouble.
    #[must_use]
    pub fn with_trouble(trouble: Arc<dyn DiskTrouble>) -> Self {
        Self { trouble: Some(trouble), unhurried: false }
    }

    /// A disk on which the system chooses when to make durable what was written: for what can be had again, as a
    /// rehearsal can. A crash of the program loses nothing, a loss of power may lose everything.
    #[must_use]
    pub const fn unhurried() -> Self {
        Self { trouble: None, unhurried: true }
    }

    /// Whether the system chooses.
    pub(super) const fn is_unhurried(&self) -> bool {
        self.unhurried
    }

    /// Asks for leave to take a step.
    pub(super) fn before(&self, step: DiskStep) -> io::Result<()> {
        self.trouble.as_ref().map_or(Ok(()), |trouble| trouble.before(step))
    }

    /// Makes a folder and those that it lies in.
    pub(super) fn create_folders(&self, path: &Path) -> Result<(), DatasetError> {
        let created = self.before(DiskStep::CreateFolder).and_then(|()| fs::create_dir_all(path));
        created.map_err(|error| DatasetError::from_io(path, "create the folder", error))
    }

    /// Writes a whole file.
    pub(super) fn write_whole(&self, path: &Path, bytes: &[u8]) -> Result<(), DatasetError> {
        let part = part_path(path);
        let mut file = self.create_part(&part)?;
        let written = file.write_all(bytes).and_then(|()| file.sync());
        written.map_err(|error| self.give_up(&part, error))?;
        self.publish(&part, path)
    }

    /// Renames a durable temporary file to its name, durably.
    pub(super) fn publish(&self, part: &Path, path: &Path) -> Result<(), DatasetError> {
        let renamed = self.before(DiskStep::Rename).and_then(|()| fs::rename(part, path));
        renamed.map_err(|error| DatasetError::from_io(path, "rename", error))?;
        path.parent().map_or(Ok(()), |folder| self.sync_folder(folder))
    }

    /// Creates a temporary file; one that a crash left behind goes first.
    pub(super) fn create_part(&self, part: &Path) -> Result<DiskFile, DatasetError> {
        self.remove_if_there(part)?;
        self.create_new(part)
    }

    /// Creates a file that must not be there, and not by way of a link.
    pub(super) fn create_new(&self, path: &Path) -> Result<DiskFile, DatasetError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o640).custom_flags(libc::O_NOFOLLOW);
        let created = self.before(DiskStep::CreateFile).and_then(|()| options.open(path));
        let file = created.map_err(|error| DatasetError::from_io(path, "create", error))?;
        Ok(DiskFile { file, disk: self.clone() })
    }

    /// Removes a temporary file after an error, and gives the error.
    pub(super) fn give_up(&self, part: &Path, error: io::Error) -> DatasetError {
        let _ = self.remove_if_there(part);
        DatasetError::from_io(part, "write", error)
    }

    /// Removes a file; one that is not there is as good as removed.
    pub(super) fn remove_if_there(&self, path: &Path) -> Result<(), DatasetError> {
        match self.before(DiskStep::Remove).and_then(|()| fs::remove_file(path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(DatasetError::from_io(path, "remove", error))
            }
            _ => Ok(()),
        }
    }

    /// Makes a folder inside `parent` unless it is there, durably. A link in its place is refused.
    pub(super) fn ensure_folder(&self, parent: &Path, name: &str) -> Result<PathBuf, DatasetError> {
        let path = parent.join(name);
        match self.before(DiskStep::CreateFolder).and_then(|()| fs::create_dir(&path)) {
            Ok(()) => self.sync_folder(parent)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let is_folder = fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir());
                if !is_folder {
                    return Err(DatasetError::from_io(&path, "use what should be a folder", error));
                }
            }
            Err(error) => return Err(DatasetError::from_io(&path, "create the folder", error)),
        }
        Ok(path)
    }

    /// Makes the names in a folder durable.
    pub(super) fn sync_folder(&self, path: &Path) -> Result<(), DatasetError> {
        if self.unhurried {
            return Ok(());
        }
        let leave = self.before(DiskStep::SyncFolder);
        let synced = leave.and_then(|()| File::open(path)).and_then(|folder| folder.sync_all());
        synced.map_err(|error| DatasetError::from_io(path, "make durable", error))
    }
}

/// A file that is being written.
#[derive(Debug)]
pub(super) struct DiskFile {
    file: File,
    disk: Disk,
}

impl DiskFile {
    /// Makes it durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.disk.before(DiskStep::SyncFile)?;
        if self.disk.unhurried { Ok(()) } else { self.file.sync_all() }
    }
}

impl Write for DiskFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.disk.before(DiskStep::Write)?;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
