//! From text to a scenario, also where one file extends another: the topology of the one, the clock, the
//! events and the dice of the other.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use toml::Spanned;

use super::check::{self, Course};
use super::{BuiltIn, Scenario, raw};
use crate::model::{FileErrors, SourceText};

/// Larger files are refused unread.
const LONGEST_FILE: usize = 64 * 1024 * 1024;

/// Reads a file, or, under its name, a built-in scenario.
pub(super) fn named(path: &Path) -> Result<Scenario, FileErrors> {
    let name = path.display().to_string();
    if let Some(built_in) = BuiltIn::named(&name) {
        return built_in.scenario();
    }
    let unreadable = |error| {
        let rule = format!("cannot be read: {error}; give a scenario file, or {}", BuiltIn::names());
        FileErrors(vec![SourceText::new(&name, "").error(rule)])
    };
    let text = text_of(path).map_err(unreadable)?;
    parse(&name, &text, path.parent())
}

/// What is extended may lie in this folder; without one only built-in scenarios may be.
pub(super) fn parse(name: &str, text: &str, folder: Option<&Path>) -> Result<Scenario, FileErrors> {
    let source = SourceText::new(name, text);
    short_enough(&source, text)?;
    match extends(&source, text)? {
        None => {
            let file = source.parse()?;
            check::check(&source, &file, &Course::of(&source, &file))
        }
        Some(base) => extended(&source, &base, folder),
    }
}

fn extended(
    source: &SourceText<'_>,
    base: &Spanned<String>,
    folder: Option<&Path>,
) -> Result<Scenario, FileErrors> {
    let refused = |rule: String| {
        let found = format!("extends = {}", base.get_ref());
        FileErrors(vec![source.error_at(&base.span(), found, rule)])
    };
    let (name, text) = base_text(base.get_ref(), folder).map_err(refused)?;
    let base_source = SourceText::new(&name, &text);
    short_enough(&base_source, &text)?;
    if extends(&base_source, &text)?.is_some() {
        return Err(refused("must be a whole scenario, not one that extends another".to_owned()));
    }
    let file: raw::File = base_source.parse()?;
    // What is wrong with it comes alone: it is nothing that this file could mend.
    check::check(&base_source, &file, &Course::of(&base_source, &file))?;
    let extension: raw::Extension = source.parse()?;
    let course = Course::of(&base_source, &file).extended(source, &extension);
    check::check(&base_source, &file, &course)
}

/// The scenario that a file extends. Most do not, and are not read twice to be sure.
fn extends(source: &SourceText<'_>, text: &str) -> Result<Option<Spanned<String>>, FileErrors> {
    if !text.contains("extends") {
        return Ok(None);
    }
    source.parse().map(|raw::Head { extends }| extends)
}

/// Name and text of a scenario that another one extends, or why it cannot be.
fn base_text(name: &str, folder: Option<&Path>) -> Result<(String, String), String> {
    if let Some(built_in) = BuiltIn::named(name) {
        return Ok((built_in.file.to_owned(), built_in.text.to_owned()));
    }
    let names = BuiltIn::names();
    let Some(folder) = folder else { return Err(format!("must be {names}")) };
    let path: PathBuf = folder.join(name);
    let text = text_of(&path).map_err(|error| {
        format!("cannot be read: {error}: must be a scenario file, named from the folder of this one, or {names}")
    })?;
    Ok((path.display().to_string(), text))
}

/// No more of it than is needed to see that it is too long.
fn text_of(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let longest = u64::try_from(LONGEST_FILE).unwrap_or(u64::MAX);
    File::open(path)?.take(longest.saturating_add(1)).read_to_string(&mut text)?;
    Ok(text)
}

fn short_enough(source: &SourceText<'_>, text: &str) -> Result<(), FileErrors> {
    if text.len() <= LONGEST_FILE {
        return Ok(());
    }
    let rule = format!("must be at most {LONGEST_FILE} bytes long");
    Err(FileErrors(vec![source.error(rule)]))
}
