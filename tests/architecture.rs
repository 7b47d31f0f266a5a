//! The floors of the house: a module imports only from lower floors, or from its own wing in the order in
//! which the data walks. A reader may trust the map in `lib.rs` because this test fails when it lies.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What each room may use, besides itself. What is not named here may not be used.
const MAY_USE: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("multipath", &["model"]),
    ("limits", &["model"]),
    ("wire", &["model"]),
    ("dataset", &["model"]),
    ("analyse::origin", &["model"]),
    ("analyse::path", &["model", "limits", "dataset", "analyse::origin"]),
    ("analyse::ways", &["model", "multipath", "limits", "dataset"]),
    ("analyse::voices", &["model", "limits", "dataset"]),
    ("analyse::graph", &["model", "dataset", "analyse::origin", "analyse::path"]),
    ("analyse::topology", &["model", "analyse::path"]),
    ("analyse::aliases", &["model", "analyse::origin", "analyse::path"]),
    ("analyse::borders", &["model", "analyse::origin", "analyse::path", "analyse::aliases"]),
    ("analyse::diversity", &["model", "analyse::graph", "analyse::aliases"]),
    (
        "analyse::compare",
        &[
            "model",
            "dataset",
            "analyse::origin",
            "analyse::path",
            "analyse::graph",
            "analyse::ways",
            "analyse::diversity",
            "analyse::aliases",
            "analyse::borders",
            "analyse::topology",
        ],
    ),
    ("measure::schedule", &["model", "measure::campaign::config"]),
    ("measure::probe", &["model", "multipath", "limits", "measure::schedule"]),
    ("measure::guard", &["model", "measure::schedule"]),
    ("measure::net", &["model", "wire", "measure::guard"]),
    (
        "measure::campaign",
        &[
            "model",
            "multipath",
            "limits",
            "wire",
            "dataset",
            "measure::schedule",
            "measure::probe",
            "measure::guard",
            "measure::net",
        ],
    ),
    ("formats", &["model", "wire", "dataset", "analyse"]),
    ("lab", &["model"]),
    ("report", &["model", "dataset", "analyse", "formats"]),
    (
        "cli",
        &[
            "model",
            "multipath",
            "limits",
            "wire",
            "dataset",
            "analyse",
            "measure",
            "formats",
            "lab",
            "report",
        ],
    ),
];

#[test]
fn no_room_uses_a_higher_floor_or_the_other_wing() {
    let mut broken = Vec::new();
    for file in sources(Path::new("src")).into_iter().filter(|file| !is_test(file)) {
        let Some(room) = room_of(&file) else { continue };
        let text = fs::read_to_string(&file).expect("a source file can be read");
        for used in used_rooms(product_of(&text)) {
            if !allowed(&room, &used) {
                broken.push(format!("{} ({room}) uses {used}", file.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn only_net_opens_raw_sockets_and_only_the_guard_mints_permits() {
    for file in sources(Path::new("src")) {
        let text = fs::read_to_string(&file).expect("a source file can be read");
        let name = file.display().to_string();
        let mints = text.contains("Permit::mint");
        assert!(!mints || name.starts_with("src/measure/guard/"), "{name} mints a permit");
        let opens = text.contains("Socket::new") || text.contains("UdpSocket::bind");
        let may_open = ["src/measure/net/", "src/lab/", "src/formats/dns"];
        let in_test = name.ends_with("tests.rs");
        assert!(
            !opens || in_test || may_open.iter().any(|place| name.starts_with(place)),
            "{name} opens a socket"
        );
    }
}

#[test]
fn the_binary_stays_a_thin_front_end() {
    let lines = fs::read_to_string("src/main.rs").expect("main.rs can be read").lines().count();
    assert!(lines <= 50, "src/main.rs has {lines} lines");
}

/// `analyse::path` for `src/analyse/path/hops.rs`; `None` for the files that tie rooms together.
fn room_of(file: &Path) -> Option<String> {
    let parts: Vec<&str> = file.iter().skip(1).filter_map(|part| part.to_str()).collect();
    let (first, second) = (*parts.first()?, parts.get(1).copied());
    let named = |room: &str| MAY_USE.iter().any(|(name, _)| *name == room);
    if named(first) {
        return Some(first.to_owned());
    }
    let wing = second.map(|second| format!("{first}::{}", second.trim_end_matches(".rs")))?;
    named(&wing).then_some(wing)
}

/// Every room that a file names through `crate::`.
fn used_rooms(text: &str) -> BTreeSet<String> {
    let starts = text.match_indices("crate::").map(|(at, word)| at + word.len());
    starts.filter_map(|at| named_room(&text[at..])).collect()
}

fn named_room(path: &str) -> Option<String> {
    let mut words = path.split("::").map(|word| {
        let end = word.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(word.len());
        &word[..end]
    });
    let first = words.next()?;
    let longer = format!("{first}::{}", words.next().unwrap_or_default());
    let third = format!("{longer}::{}", words.next().unwrap_or_default());
    let known = |room: &str| MAY_USE.iter().any(|(name, uses)| *name == room || uses.contains(&room));
    [third, longer, first.to_owned()].into_iter().find(|room| known(room))
}

fn allowed(room: &str, used: &str) -> bool {
    let within = |outer: &str, inner: &str| inner == outer || inner.starts_with(&format!("{outer}::"));
    let permitted = MAY_USE.iter().find(|(name, _)| *name == room).map_or(&[][..], |(_, uses)| uses);
    within(room, used) || permitted.iter().any(|may| within(may, used))
}

/// Tests may build what they need from any room.
fn is_test(file: &Path) -> bool {
    file.iter().any(|part| part == "tests" || part == "tests.rs" || part == "testing.rs")
}

/// A file up to the tests at its end.
fn product_of(text: &str) -> &str {
    text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or(text)
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a source folder can be read") {
        let path = entry.expect("a folder entry can be read").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}
