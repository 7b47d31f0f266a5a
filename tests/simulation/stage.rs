//! Plays a campaign in a world while things go wrong, and writes down all that the judge needs: every packet
//! with its moment, every answer with the question that it belongs to, and what was found in the dataset.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tetherline::dataset::{ClockStep, Dataset, Disk, Ledger, OptOut, ProbeRecord, RoundSummary};
use tetherline::lab::VirtualInternet;
use tetherline::measure::campaign::{
    Circumstances, Onlooker, Rehearsal, RunEnd, RunError, manifest, prepare_virtual, rehearse,
    station_order,
};
use tetherline::measure::guard::{self, Permit};
use tetherline::measure::net::{Arrival, Link, LinkLost, VirtualLink};
use tetherline::model::{ClockPair, MonoTime, Prefix, Probe, SendFault, Underlay, Untrusted, WallTime};
use tetherline::wire::Codec;

use crate::campaign::Order;
use crate::dice::Dice;
use crate::faults::{Faults, FaultyDisk, How};
use crate::planted::Plant;
use crate::played::sources;
use crate::world::World;

/// A packet that the campaign wanted sent.
#[derive(Clone, Debug)]
pub(crate) struct Sending {
    pub(crate) probe: Probe,
    pub(crate) at: MonoTime,
    pub(crate) run: usize,
    /// Its place among the packets that entered the lab, or why the system did not take it.
    pub(crate) result: Result<usize, SendFault>,
}

/// A packet that the lab brought to the vantage.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) at: MonoTime,
    pub(crate) bytes: Vec<u8>,
    /// Which packet that entered the lab it answers; `None` if it was forged.
    pub(crate) answers: Option<usize>,
    pub(crate) fate: Fate,
}

/// What became of it at the vantage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// No program was running.
    Unheard,
    /// The kernel dropped it.
    Dropped,
    /// This run of the program was given it.
    Heard(usize),
    /// This run's link took it for somebody else's.
    Foreign(usize),
}

/// One run of the program.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) began: MonoTime,
    pub(crate) ended: MonoTime,
    /// What ended it; `None` if it came to its end.
    pub(crate) how: Option<How>,
    pub(crate) finished: bool,
    /// What the next run found, in the order of rounds.
    pub(crate) left: Vec<ProbeRecord>,
}

/// A campaign that is over, with all that the judge needs.
pub(crate) struct Played {
    pub(crate) world: World,
    pub(crate) order: Order,
    pub(crate) faults: Faults,
    pub(crate) injected: Vec<(MonoTime, Vec<u8>)>,
    pub(crate) sendings: Vec<Sending>,
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) runs: Vec<Run>,
    pub(crate) records: Vec<ProbeRecord>,
    pub(crate) rounds: Vec<RoundSummary>,
    pub(crate) ledger: Ledger,
    pub(crate) opt_outs: Vec<OptOut>,
    pub(crate) clock_steps: Vec<ClockStep>,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    pub(crate) dataset: PathBuf,
    _folder: tempfile::TempDir,
}

impl Played {
    /// What the vantage's wall clock really shows.
    pub(crate) fn wall(&self, at: MonoTime) -> WallTime {
        true_wall(&self.world, &self.faults, at)
    }

    pub(crate) fn finished(&self) -> bool {
        self.runs.last().is_some_and(|run| run.finished)
    }
}

fn true_wall(world: &World, faults: &Faults, at: MonoTime) -> WallTime {
    let clock = ClockPair::new(MonoTime::default(), world.start).squeezed(world.speed);
    let past = faults.steps.iter().filter(|(when, _)| *when <= at);
    let ahead: i64 = past.map(|(_, by)| by).sum();
    WallTime::from_nanos(clock.wall(at).as_nanos().saturating_add(ahead))
}

/// The network, which goes on whatever becomes of the program.
struct Net {
    internet: VirtualInternet,
    injected: Vec<(MonoTime, Vec<u8>)>,
    deliveries: Vec<Delivery>,
}

#[derive(Clone)]
struct Tap(Rc<RefCell<Net>>);

impl Underlay for Tap {
    fn inject(&mut self, now: MonoTime, packet: &[u8]) {
        let mut net = self.0.borrow_mut();
        net.injected.push((now, packet.to_vec()));
        net.internet.inject(now, packet);
    }

    fn advance(&mut self, until: MonoTime) -> Option<(MonoTime, Vec<u8>)> {
        let mut net = self.0.borrow_mut();
        let (at, bytes) = net.internet.advance(until)?;
        let answers = net.internet.answered().map(|question| usize::try_from(question).expect("few"));
        net.deliveries.push(Delivery { at, bytes: bytes.clone(), answers, fate: Fate::Unheard });
        Some((at, bytes))
    }
}

/// The link of one run of the program, with the system's moods.
struct MoodyLink {
    inner: VirtualLink<Tap>,
    net: Rc<RefCell<Net>>,
    sendings: Rc<RefCell<Vec<Sending>>>,
    codec: Codec,
    run: usize,
    how: Option<How>,
    disk: Arc<FaultyDisk>,
    faults: Faults,
    dice: Dice,
    sent: u64,
    dropped: u64,
    waiting: VecDeque<Arrival>,
    lost: bool,
    plant: Plant,
}

impl MoodyLink {
    fn ends_here(&mut self) -> bool {
        let number = self.sent;
        self.sent += 1;
        match self.how {
            Some(How::KilledAtSend(at)) if at == number => self.disk.kill(),
            Some(How::LinkLost(at)) if at == number => {}
            _ => return false,
        }
        self.lost = true;
        true
    }

    /// What the kernel's stamp of an arrival is taken for, if it stamps: one that was made before a step of the
    /// wall clock and read after it is wrong by the step.
    fn stamp(&mut self, at: MonoTime, answers: Option<usize>) -> Option<MonoTime> {
        if !self.faults.stamps {
            return None;
        }
        let just = |when: MonoTime| when <= at && at.since(when) < Duration::from_millis(300);
        let step = self.faults.steps.iter().find(|(when, _)| just(*when)).map_or(0, |(_, by)| *by);
        let sent = answers.map(|question| self.net.borrow().injected[question].0);
        let is_short = sent.is_none_or(|sent| at.since(sent) < Duration::from_millis(900));
        let spoilt = step != 0 && is_short && self.dice.chance(0.5);
        let nanos = if spoilt { at.as_nanos().saturating_add_signed(step) } else { at.as_nanos() };
        Some(MonoTime::from_nanos(nanos))
    }

    fn note_fates(&self, from: usize, last: Fate) {
        let mut net = self.net.borrow_mut();
        let count = net.deliveries.len();
        for (index, delivery) in net.deliveries.iter_mut().enumerate().skip(from) {
            delivery.fate = if index + 1 == count { last } else { Fate::Foreign(self.run) };
        }
    }
}

impl Link for MoodyLink {
    fn now(&self) -> MonoTime {
        self.inner.now()
    }

    fn send(&mut self, permit: Permit) -> Result<MonoTime, SendFault> {
        let probe = *permit.probe();
        if self.ends_here() {
            return Err(SendFault::Other);
        }
        let at = self.inner.now();
        let run = self.run;
        if self.dice.chance(self.faults.refusals) {
            let result = Err(self.faults.refusal);
            self.sendings.borrow_mut().push(Sending { probe, at, run, result });
            return Err(self.faults.refusal);
        }
        let question = self.net.borrow().injected.len();
        let sent = self.inner.send(permit);
        let result = sent.map(|_| question);
        self.sendings.borrow_mut().push(Sending { probe, at, run, result });
        if self.faults.stamps && sent.is_ok() {
            self.waiting.push_back(Arrival::Departed { key: self.codec.key_of(&probe), kernel: at });
        }
        sent
    }

    fn wait(&mut self, until: MonoTime) -> Option<Arrival> {
        if self.lost {
            return None;
        }
        if let Some(arrival) = self.waiting.pop_front() {
            return Some(arrival);
        }
        loop {
            let before = self.net.borrow().deliveries.len();
            let Some(arrival) = self.inner.wait(until) else {
                self.note_fates(before, Fate::Foreign(self.run));
                return None;
            };
            if self.dice.chance(self.faults.drops) {
                self.dropped += 1;
                self.note_fates(before, Fate::Dropped);
                continue;
            }
            self.note_fates(before, Fate::Heard(self.run));
            let answers = self.net.borrow().deliveries.last().and_then(|delivery| delivery.answers);
            let arrival = match arrival {
                Arrival::Answer { answer, at, .. } => {
                    Arrival::Answer { answer, at, kernel: self.stamp(at, answers) }
                }
                other => other,
            };
            return self.plant.alter(arrival, &self.codec, &self.sendings.borrow());
        }
    }

    fn kernel_drops(&self) -> u64 {
        self.dropped
    }

    fn lost(&self) -> Option<LinkLost> {
        self.lost.then(|| LinkLost { interface: "eth0".to_owned() })
    }
}

/// What those who opt out are noted with.
const ASKED: &str = "asked";

/// The vantage: its clock, its operator, and its mail.
struct Vantage<'a> {
    world: &'a World,
    faults: &'a Faults,
    stop_at: MonoTime,
    now: MonoTime,
    /// How many opt-outs the program has been told.
    told: usize,
}

impl Onlooker for Vantage<'_> {
    fn clocks(&mut self, now: MonoTime, _: ClockPair) -> ClockPair {
        self.now = now;
        ClockPair::new(now, true_wall(self.world, self.faults, now))
    }

    /// As in earnest, the whole file is news to a program that has just started.
    fn opt_outs(&mut self) -> Vec<guard::OptOut> {
        let known = self.faults.opt_outs.iter().filter(|(at, _)| *at <= self.now);
        let as_written = |(_, prefix): &(MonoTime, Prefix)| guard::OptOut {
            prefix: *prefix,
            reference: Untrusted::new(ASKED),
        };
        let known: Vec<guard::OptOut> = known.map(as_written).collect();
        let fresh = known.get(self.told..).unwrap_or_default().to_vec();
        self.told = known.len();
        fresh
    }

    fn watch(&mut self, _: WallTime) -> ControlFlow<()> {
        if self.now >= self.stop_at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// One campaign, from its first start to its end.
struct Stage {
    world: World,
    order: Order,
    faults: Faults,
    plant: Plant,
    seed: u64,
    folder: tempfile::TempDir,
    /// Where the dataset is; each kill moves it.
    dataset: PathBuf,
    net: Rc<RefCell<Net>>,
    sendings: Rc<RefCell<Vec<Sending>>>,
    runs: Vec<Run>,
    now: MonoTime,
}

/// Where the faults of a campaign come from.
pub(crate) enum Trouble {
    Drawn,
    Given(Faults),
}

/// Plays the campaign of a seed.
pub(crate) fn play(seed: u64, trouble: Trouble, plant: Plant) -> Played {
    // No power is lost here: where there is a file system in memory, it will do.
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder");
    let world = World::draw(seed);
    let order = Order::draw(seed, &world, &folder.path().join("optout.txt"));
    let faults = match trouble {
        Trouble::Drawn => Faults::draw(seed, &world, &order),
        Trouble::Given(faults) => faults,
    };
    let internet = VirtualInternet::new(&world.scenario);
    let net = Net { internet, injected: Vec::new(), deliveries: Vec::new() };
    let stage = Stage {
        dataset: folder.path().join("dataset"),
        net: Rc::new(RefCell::new(net)),
        sendings: Rc::default(),
        runs: Vec::new(),
        now: MonoTime::default(),
        world,
        order,
        faults,
        plant,
        seed,
        folder,
    };
    stage.play()
}

impl Stage {
    fn play(mut self) -> Played {
        let limit = MonoTime::default().after(self.world.length * 2 + Duration::from_secs(60));
        for number in 0..=self.faults.endings.len() {
            let ending = self.faults.endings.get(number).copied();
            let over = self.run(number, ending.map(|ending| ending.how), limit);
            if over || self.now >= limit {
                break;
            }
            self.be_down(ending.map_or(Duration::ZERO, |ending| ending.down));
        }
        self.close()
    }

    /// Runs the program once; whether the campaign is over.
    fn run(&mut self, number: usize, how: Option<How>, limit: MonoTime) -> bool {
        let corpse = self.folder.path().join(format!("dataset-{number}"));
        let never = How::Stopped(Duration::MAX);
        let disk = Arc::new(FaultyDisk::new(how.unwrap_or(never), &self.dataset, &corpse));
        let began = self.now;
        let ended = self.rehearse(number, how, limit, &disk);
        if disk.was_killed() {
            self.dataset = corpse;
        }
        let finished = matches!(ended, Ok(RunEnd::Finished));
        let is_excused = disk.was_killed() || disk.has_said_no();
        match &ended {
            Err(RunError::Dataset(error)) => assert!(is_excused, "the disk is sound, and yet: {error}"),
            Err(RunError::Incomplete { .. }) => {
                assert!(matches!(how, Some(How::LinkLost(_) | How::KilledAtSend(_))), "no link was lost");
            }
            Err(error) => panic!("{error}"),
            Ok(_) => {}
        }
        self.plant.tamper(&self.dataset);
        let left = self.found();
        self.runs.push(Run { began, ended: self.now, how, finished, left });
        finished && !disk.was_killed()
    }

    fn rehearse(
        &mut self,
        number: usize,
        how: Option<How>,
        limit: MonoTime,
        disk: &Arc<FaultyDisk>,
    ) -> Result<RunEnd, RunError> {
        let pair = ClockPair::new(self.now, true_wall(&self.world, &self.faults, self.now))
            .squeezed(self.world.speed);
        self.read_mail();
        let station = station_order(&self.order.campaign, pair.speed()).expect("good opt-outs");
        // As in earnest, each run has a key of its own.
        let key_seed = self.plant.key_seed(self.seed, number);
        let sources = sources(&self.world.scenario);
        let (engine, codec, fingerprint) =
            prepare_virtual(station, key_seed, sources, pair).expect("no target is refused");
        let on_disk = Disk::with_trouble(disk.clone());
        let dataset = if self.dataset.join("campaign.toml").exists() {
            Dataset::open_on(on_disk, &self.dataset)?
        } else {
            let circumstances = Circumstances {
                started_at: pair.wall(self.now),
                key_fingerprint: fingerprint,
                rehearsal: true,
                scenario: None,
                speed: pair.speed(),
                origins: Vec::new(),
                as_names: Vec::new(),
                sources,
            };
            let manifest = manifest(&self.order.campaign, &self.order.toml, circumstances);
            Dataset::create_on(on_disk, &self.dataset, &manifest)?
        };
        let mut link = MoodyLink {
            inner: VirtualLink::new(Tap(Rc::clone(&self.net)), codec.clone(), self.now),
            net: Rc::clone(&self.net),
            sendings: Rc::clone(&self.sendings),
            codec,
            run: number,
            how,
            disk: Arc::clone(disk),
            faults: self.faults.clone(),
            dice: Dice::new(self.seed.wrapping_add(number as u64), "link"),
            sent: 0,
            dropped: 0,
            waiting: VecDeque::new(),
            lost: false,
            plant: self.plant,
        };
        let stop_at = match how {
            Some(How::Stopped(after)) => self.now.after(after).min(limit),
            _ => limit,
        };
        let mut vantage =
            Vantage { world: &self.world, faults: &self.faults, stop_at, now: self.now, told: 0 };
        let rehearsal =
            Rehearsal { campaign: &self.order.campaign, engine, link: &mut link, pair, once: false };
        let ended = rehearse(rehearsal, dataset, &mut vantage);
        self.now = link.now();
        ended.map(|(_, end)| end)
    }

    /// The operator writes down who asked not to be probed.
    fn read_mail(&self) {
        let file = self.folder.path().join("optout.txt");
        let known = std::fs::read_to_string(&file).expect("readable");
        let asked = self.faults.opt_outs.iter().filter(|(at, _)| *at <= self.now);
        let lines = asked.map(|(_, prefix)| format!("{prefix}  # {ASKED}\n"));
        let fresh: String = lines.filter(|line| !known.contains(line.as_str())).collect();
        std::fs::write(&file, known + &fresh).expect("written");
    }

    /// What the next run will find.
    fn found(&self) -> Vec<ProbeRecord> {
        let Ok(dataset) = Dataset::open_read_only(&self.dataset) else { return Vec::new() };
        dataset.records().expect("readable").map(|record| record.expect("readable")).collect()
    }

    /// Nobody listens; the network goes on.
    fn be_down(&mut self, down: Duration) {
        let until = self.now.after(down);
        let mut tap = Tap(Rc::clone(&self.net));
        while tap.advance(until).is_some() {}
        self.now = until;
    }

    fn close(self) -> Played {
        let dataset = Dataset::open(&self.dataset).expect("a dataset");
        let records =
            dataset.records().expect("readable").map(|record| record.expect("readable")).collect();
        let (rounds, ledger) =
            (dataset.rounds().expect("readable"), dataset.total_ledger().expect("readable"));
        let (opt_outs, clock_steps) =
            (dataset.opt_outs().expect("readable"), dataset.clock_steps().expect("readable"));
        drop(dataset);
        let mut files = BTreeMap::new();
        sealed_files(&self.dataset.join("rounds"), "rounds", &mut files);
        let mut net = self.net.borrow_mut();
        Played {
            injected: std::mem::take(&mut net.injected),
            deliveries: std::mem::take(&mut net.deliveries),
            sendings: self.sendings.take(),
            world: self.world,
            order: self.order,
            faults: self.faults,
            runs: self.runs,
            records,
            rounds,
            ledger,
            opt_outs,
            clock_steps,
            files,
            dataset: self.dataset,
            _folder: self.folder,
        }
    }
}

fn sealed_files(folder: &Path, name: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let entry = entry.expect("an entry");
        let name = format!("{name}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            sealed_files(&entry.path(), &name, files);
        } else {
            files.insert(name, std::fs::read(entry.path()).expect("readable"));
        }
    }
}
