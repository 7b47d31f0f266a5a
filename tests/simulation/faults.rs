//! What goes wrong at the vantage: how runs of the program end before their time, what the disk and the
//! system refuse, how the wall clock is stepped, and who opts out.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use tetherline::dataset::{DiskStep, DiskTrouble};
use tetherline::model::{MonoTime, Prefix, SendFault};

use crate::campaign::Order;
use crate::dice::Dice;
use crate::world::World;

/// What goes wrong in one campaign.
#[derive(Clone, Debug)]
pub(crate) struct Faults {
    /// How each run of the program ends, but for the last.
    pub(crate) endings: Vec<Ending>,
    /// When the wall clock is stepped, and by how many nanoseconds.
    pub(crate) steps: Vec<(MonoTime, i64)>,
    /// How often the system does not take a packet, and what it says.
    pub(crate) refusals: f64,
    pub(crate) refusal: SendFault,
    /// How often the kernel drops what arrives.
    pub(crate) drops: f64,
    /// Whether the kernel stamps packets.
    pub(crate) stamps: bool,
    pub(crate) opt_outs: Vec<(MonoTime, Prefix)>,
}

/// How a run of the program ends before its time, and how long it is down then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    pub(crate) how: How,
    pub(crate) down: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// SIGKILL while it sends its packet of this number.
    KilledAtSend(u64),
    /// SIGKILL before this step of writing to the disk.
    KilledAtStep(u64),
    /// At this step the disk says so, once or for ever; an interrupted system call is no end.
    DiskSays { at: u64, kind: io::ErrorKind, ever: bool },
    /// The interface goes away while this packet is sent.
    LinkLost(u64),
    /// SIGINT or SIGTERM after so long.
    Stopped(Duration),
}

impl Faults {
    pub(crate) fn none() -> Self {
        Self {
            endings: Vec::new(),
            steps: Vec::new(),
            refusals: 0.0,
            refusal: SendFault::NoBuffer,
            drops: 0.0,
            stamps: false,
            opt_outs: Vec::new(),
        }
    }

    /// Killed so often, at packets spread over a campaign that sends this many.
    pub(crate) fn kills(seed: u64, times: u64, packets: u64) -> Self {
        let mut dice = Dice::new(seed, "kills");
        let share = (packets / (times + 1)).max(1);
        let kill = |_| Ending { how: How::KilledAtSend(dice.among(1..=share)), down: Duration::ZERO };
        Self { endings: (0..times).map(kill).collect(), ..Self::none() }
    }

    pub(crate) fn draw(seed: u64, world: &World, order: &Order) -> Self {
        let mut dice = Dice::new(seed, "faults");
        let length = u64::try_from(world.length.as_micros()).expect("short");
        let refusal = [
            SendFault::NoBuffer,
            SendFault::NoRoute,
            SendFault::InterfaceDown,
            SendFault::Forbidden,
            SendFault::TooLarge,
        ];
        Self {
            endings: (0..dice.among(0..=6)).map(|_| Ending::draw(&mut dice, length)).collect(),
            steps: clock_steps(&mut dice, length, world.speed),
            refusals: if dice.chance(0.3) { 0.1 } else { 0.0 },
            refusal: *dice.one_of(&refusal),
            drops: if dice.chance(0.2) { 0.05 } else { 0.0 },
            stamps: dice.chance(0.5),
            opt_outs: opt_outs(&mut dice, length, order),
        }
    }
}

impl Ending {
    fn draw(dice: &mut Dice, length: u64) -> Self {
        let how = match dice.among(0..=9) {
            0..=2 => How::KilledAtSend(some(dice, 400)),
            3..=5 => How::KilledAtStep(some(dice, 300)),
            6..=7 => How::DiskSays {
                at: some(dice, 300),
                kind: *dice.one_of(&[
                    io::ErrorKind::StorageFull,
                    io::ErrorKind::Other,
                    io::ErrorKind::Interrupted,
                ]),
                ever: dice.chance(0.5),
            },
            8 => How::LinkLost(some(dice, 400)),
            _ => How::Stopped(dice.span(1..=length / 2)),
        };
        let down = if dice.chance(0.5) { Duration::ZERO } else { dice.span(0..=length / 10) };
        Self { how, down }
    }
}

/// A number up to `most`, small ones as likely as large ones.
fn some(dice: &mut Dice, most: u64) -> u64 {
    let upper = dice.among(1..=most);
    dice.among(0..=upper)
}

/// By a second, an hour, ten years, in both directions.
fn clock_steps(dice: &mut Dice, length: u64, speed: f64) -> Vec<(MonoTime, i64)> {
    const SECOND: f64 = 1e9;
    if !dice.chance(0.3) {
        return Vec::new();
    }
    let mut steps = Vec::new();
    for _ in 0..dice.among(1..=2) {
        let by = *dice.one_of(&[1.05, 1.05, 3_600.0, 315_576_000.0 / speed]) * speed;
        let sign = if dice.chance(0.5) { 1.0 } else { -1.0 };
        let at = MonoTime::default().after(dice.span(0..=length));
        #[allow(clippy::cast_possible_truncation, reason = "ten years fit")]
        steps.push((at, (by * sign * SECOND) as i64));
    }
    steps.sort_unstable();
    steps
}

/// Some targets, but never all.
fn opt_outs(dice: &mut Dice, length: u64, order: &Order) -> Vec<(MonoTime, Prefix)> {
    let mut targets: Vec<IpAddr> = order.targets.keys().copied().collect();
    targets.retain(|target| !order.opt_outs.iter().any(|out| out.contains(*target)));
    if targets.len() < 2 || !dice.chance(0.25) {
        return Vec::new();
    }
    vec![(MonoTime::default().after(dice.span(0..=length)), Prefix::host(targets[0]))]
}

/// The disk of one run of the program.
#[derive(Debug)]
pub(crate) struct FaultyDisk {
    how: How,
    /// The dataset, and where it is kept as a kill leaves it.
    folder: PathBuf,
    corpse: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    steps: u64,
    killed: bool,
    said: bool,
}

impl FaultyDisk {
    pub(crate) fn new(how: How, folder: &Path, corpse: &Path) -> Self {
        let state = Mutex::default();
        Self { how, folder: folder.to_owned(), corpse: corpse.to_owned(), state }
    }

    /// Nothing of this process reaches the disk any more.
    pub(crate) fn kill(&self) {
        let mut state = self.state.lock().expect("not poisoned");
        if !std::mem::replace(&mut state.killed, true) {
            copy(&self.folder, &self.corpse);
        }
    }

    pub(crate) fn was_killed(&self) -> bool {
        self.state.lock().expect("not poisoned").killed
    }

    pub(crate) fn has_said_no(&self) -> bool {
        self.state.lock().expect("not poisoned").said
    }
}

impl DiskTrouble for FaultyDisk {
    fn before(&self, _: DiskStep) -> io::Result<()> {
        let step = {
            let mut state = self.state.lock().expect("not poisoned");
            state.steps += 1;
            state.steps - 1
        };
        match self.how {
            How::KilledAtStep(at) if step == at => self.kill(),
            How::DiskSays { at, kind, ever }
                if step == at || (ever && step > at && kind != io::ErrorKind::Interrupted) =>
            {
                self.state.lock().expect("not poisoned").said = true;
                return Err(kind.into());
            }
            _ => {}
        }
        if self.was_killed() { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(()) }
    }
}

/// What the next run of the program finds: the files, without what only the killed process knew of them.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    let Ok(entries) = std::fs::read_dir(from) else { return };
    for entry in entries {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else if !entry.file_name().to_string_lossy().ends_with("-shm") {
            std::fs::copy(entry.path(), &target).expect("copied");
        }
    }
}
