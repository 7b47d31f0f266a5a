//! Writes all forms of the report into a folder. A file is there whole or not at all: it is written under
//! a name of its own, and renamed when it is complete.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::analyse::compare::Findings;

use super::{AllWays, Style, csv_files, html, latex_files, path_figure, terminal, timeline_figure};

/// Why a report could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The folder is not there and cannot be made.
    #[error("cannot make the folder {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A file cannot be written; the one that was there before, if any, is untouched.
    #[error("cannot write {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The page could not be filled in.
    #[error("cannot fill in the template of the page")]
    Page(#[from] askama::Error),
    /// A figure could not be put into PDF.
    #[error("cannot put a figure into PDF")]
    Figure(#[source] io::Error),
    /// A table could not be put into CSV.
    #[error("cannot put a table into CSV")]
    Table(#[from] csv::Error),
}

/// Writes `report.html`, `report.txt`, the CSV files with their dictionary `columns.csv`, the figures and
/// the LaTeX tables into a folder, which is made if it is not there. Returns what was written, in order.
///
/// Files of these names that are there already are replaced; others are left alone.
///
/// # Errors
/// The first file or folder that could not be written. Files before it are complete.
pub fn write_all(findings: &Findings, folder: &Path) -> Result<Vec<PathBuf>, ReportError> {
    write_files(contents(findings)?, folder)
}

fn write_files(files: Vec<(&'static str, Vec<u8>)>, folder: &Path) -> Result<Vec<PathBuf>, ReportError> {
    fs::create_dir_all(folder).map_err(|source| ReportError::Folder { path: folder.to_owned(), source })?;
    let written = files.into_iter().map(|(name, bytes)| {
        let path = folder.join(name);
        match replace(folder, name, &bytes) {
            Ok(()) => Ok(path),
            Err(source) => Err(ReportError::File { path, source }),
        }
    });
    written.collect()
}

/// Writes `links.csv`, `hops.csv` and `limits.csv` beside the report. Returns what was written, in order.
///
/// # Errors
/// As for [`write_all`].
pub fn write_ways(ways: &AllWays, folder: &Path) -> Result<Vec<PathBuf>, ReportError> {
    let (mut links, mut hops, mut limits) = (Vec::new(), Vec::new(), Vec::new());
    let filled = ways
        .write_links(&mut links)
        .and_then(|()| ways.write_hops(&mut hops))
        .and_then(|()| ways.write_limits(&mut limits));
    filled.map_err(|source| ReportError::File { path: folder.to_owned(), source })?;
    write_files(vec![("links.csv", links), ("hops.csv", hops), ("limits.csv", limits)], folder)
}

fn contents(findings: &Findings) -> Result<Vec<(&'static str, Vec<u8>)>, ReportError> {
    let mut files = vec![
        ("report.html", html(findings)?.into_bytes()),
        ("report.txt", terminal(findings, Style::PLAIN).into_bytes()),
    ];
    let (timeline, paths) = (timeline_figure::draw(findings), path_figure::draw(findings));
    for (svg, pdf, figure) in
        [("timeline.svg", "timeline.pdf", timeline), ("paths.svg", "paths.pdf", paths)]
    {
        files.push((svg, figure.svg().into_bytes()));
        files.push((pdf, figure.pdf().map_err(ReportError::Figure)?));
    }
    files.extend(csv_files(findings)?);
    files.extend(latex_files(findings).into_iter().map(|(name, text)| (name, text.into_bytes())));
    Ok(files)
}

/// Writes beside the file and renames over it. What a crash left under the passing name is taken away.
fn replace(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let passing = folder.join(format!(".{name}.partial"));
    let mut file = match create(&passing) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(&passing)?;
            create(&passing)?
        }
        other => other?,
    };
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    let renamed = written.and_then(|()| fs::rename(&passing, folder.join(name)));
    if renamed.is_err() {
        let _ = fs::remove_file(&passing);
    }
    renamed
}

/// Never follows a link and never opens what somebody else put there.
fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}
