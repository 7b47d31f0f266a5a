//! What lies in the folder of a dataset: read without following links and without trust in lengths. What
//! changes it is in [`super::disk`].

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::statvfs::statvfs;

use super::DatasetError;
use crate::model::Bytes;

/// The longest `campaign.toml` that is read, in bytes.
const LONGEST_MANIFEST: u64 = 64 << 20;

/// The longest file beside the records that is read, in bytes: what look-ups keep is below half of it.
const LONGEST_BESIDE: u64 = 512 << 20;

/// Makes sure that the disk of a folder, which need not be there yet, has room.
///
/// # Errors
/// [`DatasetError::Short`], or the system's reason.
pub fn ensure_room(dir: &Path, least: Bytes) -> Result<(), DatasetError> {
    let failed = |error: Errno| DatasetError::from_io(dir, "see how much room there is", error.into());
    let there = std::path::absolute(dir).map_err(|error| DatasetError::from_io(dir, "find", error))?;
    let there = there.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let disk = statvfs(there).map_err(failed)?;
    let free = Bytes(disk.blocks_available().saturating_mul(disk.fragment_size()));
    if free < least { Err(DatasetError::Short { path: dir.to_owned(), free, least }) } else { Ok(()) }
}

/// The hidden temporary name beside a file: readers of a folder of Parquet files skip it.
pub(super) fn part_path(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".part");
    path.with_file_name(name)
}

/// Opens a file that must be a plain file, without following a link and without waiting on a pipe.
pub(super) fn open_plain(path: &Path, write: bool) -> Result<File, DatasetError> {
    let failed = |error| DatasetError::from_io(path, "open", error);
    let mut options = OpenOptions::new();
    options.read(true).write(write).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    let file = options.open(path).map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "not a plain file")));
    }
    Ok(file)
}

/// Reads a file of text, up to the length that a manifest may have.
pub(super) fn read_text(file: &File, path: &Path) -> Result<String, DatasetError> {
    let mut text = String::new();
    let read = file.take(LONGEST_MANIFEST.saturating_add(1)).read_to_string(&mut text);
    match read {
        Ok(_) if u64::try_from(text.len()).unwrap_or(u64::MAX) > LONGEST_MANIFEST => {
            Err(DatasetError::damaged(path, "longer than a campaign.toml can be"))
        }
        Ok(_) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(DatasetError::damaged(path, error)),
        Err(error) => Err(DatasetError::from_io(path, "read", error)),
    }
}

/// The bytes of a plain file, up to a limit; `None` if there is none of that name.
pub(super) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, DatasetError> {
    if fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    let read = open_plain(path, false)?.take(LONGEST_BESIDE.saturating_add(1)).read_to_end(&mut bytes);
    let length = read.map_err(|error| DatasetError::from_io(path, "read", error))?;
    if u64::try_from(length).unwrap_or(u64::MAX) > LONGEST_BESIDE {
        return Err(DatasetError::damaged(path, "longer than a file beside the records can be"));
    }
    Ok(Some(bytes))
}

/// The names in a folder.
pub(super) fn names_in(path: &Path) -> Result<Vec<OsString>, DatasetError> {
    let failed = |error| DatasetError::from_io(path, "read the folder", error);
    fs::read_dir(path)
        .map_err(failed)?
        .map(|entry| entry.map(|found| found.file_name()).map_err(failed))
        .collect()
}
