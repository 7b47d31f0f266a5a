//! What is read, from what seeds, and what must hold of it.

mod datasets;
mod imports;
mod origins;
mod packets;
mod texts;

use std::io::Write;
use std::path::PathBuf;

use super::court::Said;

/// A reader of bytes from outside.
pub(crate) struct Target {
    /// As its corpus is called.
    pub(crate) name: &'static str,
    /// Which test plays it.
    pub(crate) group: &'static str,
    /// What it is for, besides its corpus; asked by its name.
    pub(crate) seeds: fn(&str) -> Vec<Vec<u8>>,
    /// Reads, checks what must hold, and tells what was said.
    pub(crate) read: fn(&[u8]) -> Said,
    /// Bytes that it may hold, besides 64 for each of the input.
    pub(crate) memory: u64,
    /// How many times as long as a quick one it takes.
    pub(crate) costs: u64,
}

const MB: u64 = 1_000_000;

/// All of them. None is for what the kernel, `SQLite` and the resolver read.
pub(crate) const ALL: &[Target] = &[
    Target {
        name: "packets",
        group: "packets",
        seeds: packets::seeds,
        read: packets::read,
        memory: MB,
        costs: 1,
    },
    import("warts", imports::warts),
    import("scamper-json", imports::scamper_json),
    import("atlas-json", imports::atlas),
    import("yarrp", imports::yarrp),
    import("caracal", imports::caracal),
    import("mtr-json", imports::mtr),
    import("trippy-json", imports::trippy),
    Target {
        seeds: imports::packed_seeds,
        costs: 4,
        // An object may have 4 MiB, and what holds it doubles.
        memory: 24 * MB,
        ..import("measurements", imports::any)
    },
    origins("pfx2as", origins::pfx2as),
    origins("pyasn", origins::pyasn),
    origins("iptoasn", origins::iptoasn),
    origins("overrides", origins::overrides),
    origins("delegated", origins::delegated),
    origins("as2org", origins::organisations),
    origins("ixp", origins::exchange_points),
    origins("mrt", origins::mrt),
    origins("mmdb", origins::mmdb),
    Target { seeds: origins::packed_seeds, costs: 4, memory: 12 * MB, ..origins("origins", origins::any) },
    text("as-relations", texts::as_relations, MB),
    text("as-names", texts::as_names, MB),
    text("cymru", texts::cymru, MB),
    text("dns-cache", texts::dns_cache, MB),
    text("opt-outs", texts::opt_outs, MB),
    text("csv", texts::csv, MB),
    Target { costs: 4, seeds: texts::campaigns, ..text("campaign", texts::campaign, 200 * MB) },
    Target { costs: 4, seeds: texts::scenarios, ..text("scenario", texts::scenario, 200 * MB) },
    dataset("dataset-manifest", datasets::manifest_seed, datasets::manifest),
    dataset("dataset-catalogue", datasets::catalogue_seed, datasets::catalogue),
    dataset("dataset-journal", datasets::journal_seed, datasets::journal),
    dataset("dataset-parquet", datasets::parquet_seed, datasets::parquet),
];

const fn import(name: &'static str, read: fn(&[u8]) -> Said) -> Target {
    Target { name, group: "import", seeds: imports::seeds_of, read, memory: 3 * MB, costs: 1 }
}

const fn origins(name: &'static str, read: fn(&[u8]) -> Said) -> Target {
    Target { name, group: "origins", seeds: none, read, memory: 3 * MB, costs: 1 }
}

const fn text(name: &'static str, read: fn(&[u8]) -> Said, memory: u64) -> Target {
    Target { name, group: "texts", seeds: none, read, memory, costs: 1 }
}

const fn dataset(name: &'static str, seeds: fn(&str) -> Vec<Vec<u8>>, read: fn(&[u8]) -> Said) -> Target {
    Target { name, group: "dataset", seeds, read, memory: 100 * MB, costs: 10 }
}

/// All that there is lies in the corpus.
fn none(_: &str) -> Vec<Vec<u8>> {
    Vec::new()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bzip2.write_all(bytes).unwrap();
    bzip2.finish().unwrap()
}

thread_local! {
    static FOLDER: tempfile::TempDir = tempfile::tempdir().unwrap();
}

/// A file with these bytes, until the next one of this thread.
fn in_file(bytes: &[u8]) -> PathBuf {
    let path = FOLDER.with(|folder| folder.path().join("file"));
    std::fs::write(&path, bytes).unwrap();
    path
}
