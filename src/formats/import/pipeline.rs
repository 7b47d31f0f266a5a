//! From files to a dataset. One thread reads and cuts, others parse what costs time to parse, the caller's
//! places every measurement in its round, and writers write. Whatever is passed on comes in the order of
//! the files, so that every run makes the same dataset.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

use super::detect::Format;
use super::input::Input;
use super::pieces::{Piece, Pieces};
use super::reader::{Reader, tell_end};
use super::store::{Store, Stored, within};
use super::{
    Batch, Counts, FileSummary, ImportError, ImportOptions, ImportSummary, MOST_FAULTS, atlas, fields,
};
use crate::dataset::{Dataset, ImportedFrom, Manifest, UnitInfo};
use crate::model::{WallTime, placed};

/// Text that is parsed at a time.
const CHUNK: usize = 256 * 1024;

/// Measurements of a batch.
const BATCH: usize = 256;

/// Imports files into a dataset in a new folder. `progress` is told the bytes that were read, decompressed.
///
/// # Errors
/// If a file cannot be opened, is of no known format, nothing at all can be read, or the dataset cannot be written.
/// What is damaged inside a file is no error: it is counted in the summary.
pub fn import(
    files: &[PathBuf],
    dir: &Path,
    options: &ImportOptions,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(Dataset, ImportSummary), ImportError> {
    let formats: Vec<Format> =
        files.iter().map(|path| open(path, options).map(|(_, format)| format)).collect::<Result<_, _>>()?;
    let (importing, mut stored, summaries) =
        within(dir, options, |store| read_all(files, &formats, options, store, progress))?;
    if stored.records == 0 {
        importing.give_up();
        return Err(ImportError::Nothing { files: summaries });
    }
    stored.imported.sources = summaries.iter().flat_map(told).collect();
    let manifest = manifest(files, options, &stored).ok_or(ImportError::Nothing { files: Vec::new() })?;
    let dataset = importing.finish(&manifest, &stored.imported)?;
    let summary = ImportSummary {
        files: summaries,
        records: stored.records,
        rounds: stored.imported.rounds.len() as u64,
        vantages: stored.imported.vantages.len() as u64,
        units_left_out: stored.units_left_out,
    };
    Ok((dataset, summary))
}

fn open(path: &Path, options: &ImportOptions) -> Result<(Input, Format), ImportError> {
    let failed = |reason: String| ImportError::File { path: path.to_owned(), reason };
    let mut input = Input::open(path).map_err(|error| failed(format!("cannot be read: {error}")))?;
    let told = options.format.or_else(|| Format::of(&mut input));
    let format = told.ok_or_else(|| match input.take_error() {
        Some(error) => failed(format!("cannot be read: {error}")),
        None => failed(unknown(input.peek())),
    })?;
    Ok((input, format))
}

/// What a file of no known format holds.
fn unknown(begin: &[u8]) -> String {
    const SHOWN: usize = 32;
    let zeros = begin.iter().take_while(|byte| **byte == 0).count();
    let shown = begin.get(..SHOWN).unwrap_or(begin);
    let holds = match std::str::from_utf8(shown) {
        _ if begin.is_empty() => "is empty".to_owned(),
        _ if zeros > 0 => format!("begins with {zeros} bytes of zero"),
        Ok(text) => format!("begins with the text {text:?}"),
        Err(_) => {
            let bytes: Vec<String> = shown.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("begins with the bytes {}", bytes.join(" "))
        }
    };
    let known = Format::ALL.map(Format::as_str).join(", ");
    format!(
        "is of no format that can be imported: it {holds}; known are {known}; --format says which it is"
    )
}

fn told(summary: &FileSummary) -> impl Iterator<Item = ImportedFrom> {
    let from = |(what, number): (&&'static str, &u64)| ImportedFrom {
        file: summary.file.display().to_string(),
        format: summary.format.as_str().to_owned(),
        what: (*what).to_owned(),
        number: *number,
    };
    summary.counts.iter().map(from).collect::<Vec<_>>().into_iter()
}

/// What is handed on in the order of the files.
enum Ordered {
    /// A file begins.
    File,
    /// A batch that is ready.
    Ready(Batch),
    /// A batch that is being made.
    Later(Receiver<Batch>),
}

/// A piece of work for those who parse.
type Work = (Vec<(u64, Vec<u8>)>, SyncSender<Batch>);

fn read_all(
    files: &[PathBuf],
    formats: &[Format],
    options: &ImportOptions,
    store: &mut Store<'_>,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Vec<FileSummary>, ImportError> {
    let (ordered, in_order) = sync_channel(8);
    let (work, works) = sync_channel::<Work>(4);
    let works = Arc::new(Mutex::new(works));
    std::thread::scope(|scope| {
        let parsers = std::thread::available_parallelism().map_or(1, |number| number.get().min(8));
        for _ in 0..parsers {
            let works = Arc::clone(&works);
            scope.spawn(move || parse(&works));
        }
        drop(works);
        scope.spawn(move || {
            let mut hand = Hand { ordered, work, progress };
            files.iter().zip(formats).try_for_each(|(path, format)| hand.read_file(path, *format, options))
        });
        let summary = |(file, format): (&PathBuf, &Format)| FileSummary {
            file: file.clone(),
            format: *format,
            counts: Counts::default(),
            faults: Vec::new(),
        };
        let mut summaries: Vec<FileSummary> = files.iter().zip(formats).map(summary).collect();
        collect(in_order, &mut summaries, store)?;
        Ok(summaries)
    })
}

fn collect(
    in_order: Receiver<Ordered>,
    summaries: &mut [FileSummary],
    store: &mut Store<'_>,
) -> Result<(), ImportError> {
    let mut summaries = summaries.iter_mut();
    let mut summary = None;
    for next in in_order {
        let batch = match next {
            Ordered::File => {
                summary = summaries.next();
                continue;
            }
            Ordered::Ready(batch) => batch,
            Ordered::Later(batch) => batch.recv().unwrap_or_default(),
        };
        if let Some(summary) = &mut summary {
            note(summary, &batch);
        }
        store.take(batch)?;
    }
    Ok(())
}

fn note(summary: &mut FileSummary, batch: &Batch) {
    for (what, number) in &batch.counts {
        let count = summary.counts.entry(what).or_default();
        *count = count.saturating_add(*number);
    }
    let room = MOST_FAULTS.saturating_sub(summary.faults.len());
    summary.faults.extend(batch.faults.iter().take(room).cloned());
}

/// One of those who parse: until there is no more work.
fn parse(works: &Mutex<Receiver<Work>>) {
    loop {
        let work = works.lock().ok().and_then(|works| works.recv().ok());
        let Some((objects, done)) = work else { return };
        let mut batch = Batch::default();
        for (offset, object) in &objects {
            atlas::read(object, *offset, &mut batch);
        }
        // Nobody waits for it any more if the import was given up.
        let _ = done.send(batch);
    }
}

/// The one who reads. Everything in it gives `None` when nobody listens any more.
struct Hand<'p> {
    ordered: SyncSender<Ordered>,
    work: SyncSender<Work>,
    progress: &'p (dyn Fn(u64) + Sync),
}

impl Hand<'_> {
    fn read_file(&mut self, path: &Path, format: Format, options: &ImportOptions) -> Option<()> {
        self.ordered.send(Ordered::File).ok()?;
        let input = match open(path, options) {
            Ok((input, _)) => input,
            Err(error) => {
                let mut batch = Batch::default();
                batch.fault(0, error);
                return self.ready(batch);
            }
        };
        if format == Format::Atlas {
            return self.read_atlas(input);
        }
        self.read_in_order(Reader::new(format, input, written_at(path)))
    }

    fn read_in_order(&mut self, mut reader: Reader) -> Option<()> {
        let mut batch = Batch::default();
        while reader.step(&mut batch) {
            if batch.measurements.len() >= BATCH {
                (self.progress)(reader.input().offset());
                self.ready(std::mem::take(&mut batch))?;
            }
        }
        self.ready(batch)
    }

    fn read_atlas(&mut self, input: Input) -> Option<()> {
        let mut pieces = Pieces::new(input);
        loop {
            let (mut objects, mut size, mut faults) = (Vec::new(), 0_usize, Batch::default());
            let ended = loop {
                let mut object = Vec::new();
                match pieces.next(&mut object) {
                    Piece::Object(offset) => {
                        size = size.saturating_add(object.len());
                        objects.push((offset, object));
                    }
                    Piece::Fault(offset, reason) => faults.fault(offset, reason),
                    Piece::End => break true,
                }
                if size >= CHUNK || faults.faults.len() >= MOST_FAULTS {
                    break false;
                }
            };
            if ended {
                tell_end(pieces.input(), &mut faults);
            }
            (self.progress)(pieces.input().offset());
            self.later(objects)?;
            self.ready(faults)?;
            if ended {
                return Some(());
            }
        }
    }

    fn ready(&mut self, batch: Batch) -> Option<()> {
        if batch == Batch::default() { Some(()) } else { self.ordered.send(Ordered::Ready(batch)).ok() }
    }

    fn later(&mut self, objects: Vec<(u64, Vec<u8>)>) -> Option<()> {
        let (done, batch) = sync_channel(1);
        self.work.send((objects, done)).ok()?;
        self.ordered.send(Ordered::Later(batch)).ok()
    }
}

/// When a file was written; the epoch where the system does not know.
fn written_at(path: &Path) -> WallTime {
    let modified = std::fs::metadata(path).and_then(|found| found.modified()).ok();
    let since = modified.and_then(|modified| modified.duration_since(std::time::UNIX_EPOCH).ok());
    WallTime::from_nanos(0).after(since.unwrap_or_default())
}

/// `None` never: both words are names.
fn manifest(files: &[PathBuf], options: &ImportOptions, stored: &Stored) -> Option<Manifest> {
    let names = stored.imported.vantages.iter().map(|(name, _)| name);
    let only = match (names.len(), names.clone().next()) {
        (1, Some(name)) => Some(name.clone()),
        _ => None,
    };
    let sent = stored.imported.rounds.iter().filter_map(|round| round.sent).map(|(first, _)| first);
    let here = std::env::current_dir().unwrap_or_default();
    let texts = |paths: &[PathBuf]| {
        let absolute = |path: &PathBuf| placed(&here, &path.display().to_string());
        paths.iter().map(|path| absolute(path).display().to_string()).collect()
    };
    let listed: Vec<String> = files.iter().map(|file| format!("# {}\n", file.display())).collect();
    Some(Manifest {
        campaign: options.campaign.clone().or_else(|| fields::name("imported"))?,
        vantage: only.or_else(|| fields::name("several"))?,
        seed: 0,
        started_at: sent.min().unwrap_or(WallTime::from_nanos(0)),
        program_version: concat!("tetherline ", env!("CARGO_PKG_VERSION")).to_owned(),
        key_fingerprint: String::new(),
        rehearsal: false,
        scenario: None,
        speed: 1.0,
        config_toml: format!("# imported from\n{}", listed.concat()),
        units: stored.units.iter().map(|unit| UnitInfo { unit: *unit, control: false }).collect(),
        events: Vec::new(),
        origins: texts(&options.origins),
        as_names: texts(&options.as_names),
        sources: Vec::new(),
    })
}
