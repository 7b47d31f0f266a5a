//! The running program, from outside: what it returns, says and leaves behind when it is killed, stopped,
//! refused or short of disk.
//!
//! Tests that could send run the program under `tetherline lab`, in a network namespace without a way out;
//! they are ignored here, and `scripts/test` runs them where the system has such namespaces.
#![allow(clippy::disallowed_methods, reason = "a test reads the time that it bounds a wait by")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::CommandFactory;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tetherline::cli::Cli;
use tetherline::dataset::{Dataset, DatasetError, ProbeRecord, RoundState};
use tetherline::model::{BlockRule, Outcome, Probe};

const PROGRAM: &str = env!("CARGO_BIN_EXE_tetherline");
const SCENARIO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios/small.toml");

/// Long enough for anything here on a busy machine; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// Two networks, three probers, rounds every ten and twenty seconds.
const CAMPAIGN: &str = r#"
[campaign]
name = "small"
duration = "12s"

[vantage]
name = "here"

[rates]
total = 150
per_unit = 60
per_responder = 60
liveness_per_unit_hour = 3600

[[targets]]
prefix = "175.45.176.0/23"
per_unit = 3
hitlist = ["175.45.176.21", "175.45.176.22", "175.45.177.10"]

[[probers]]
name = "echo"
kind = "echo"
every = "10s"
jitter = "0s"
timeout = "300ms"

[[probers]]
name = "tcp"
kind = "tcp"
every = "20s"
jitter = "0s"
timeout = "300ms"
ports = [80, 81]
attempts = 2

[[probers]]
name = "trace"
kind = "trace"
every = "10s"
jitter = "0s"
timeout = "300ms"
flows = 12
max_ttl = 8
gap_limit = 3

[output]
directory = "data"
"#;

/// Only echoes, so that it can do without privileges.
const ECHO_ONLY: &str = r#"
[campaign]
name = "echo-only"
[vantage]
name = "here"
[[targets]]
prefix = "175.45.176.0/24"
per_unit = 2
hitlist = ["175.45.176.21", "175.45.176.22"]
[[probers]]
name = "echo"
kind = "echo"
every = "1h"
timeout = "500ms"
[output]
directory = "data"
"#;

/// A folder with a campaign in it.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new(campaign: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("probes.toml"), campaign).expect("written");
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// The program, outside of any lab: for commands that cannot send.
    fn program(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).current_dir(self.folder.path()).output().expect("started")
    }

    /// A shell script in the lab, with the program as `$T`.
    fn in_lab(&self, script: &str) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(["lab", SCENARIO, "--", "sh", "-c", script]).current_dir(self.folder.path());
        command.env("T", PROGRAM).stdin(Stdio::null());
        command
    }

    fn run_in_lab(&self, script: &str) -> Output {
        self.in_lab(script).output().expect("started")
    }

    /// `tetherline run` in the lab, in the background.
    fn start(&self) -> Running {
        let mut command = self.in_lab("echo pid $$ >&2; exec $T run probes.toml");
        Running::new(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("started"))
    }

    fn dataset(&self) -> Dataset {
        Dataset::open_read_only(&self.data()).expect("a dataset that opens")
    }

    fn records(&self) -> Vec<ProbeRecord> {
        records(&self.data())
    }

    fn names(&self) -> BTreeSet<String> {
        let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
        let entries = fs::read_dir(self.folder.path()).expect("readable");
        entries.map(|entry| name(entry).to_string_lossy().into_owned()).collect()
    }
}

fn records(dataset: &Path) -> Vec<ProbeRecord> {
    let dataset = Dataset::open_read_only(dataset).expect("a dataset that opens");
    dataset.records().expect("readable").map(|record| record.expect("a readable record")).collect()
}

/// A campaign that runs in the lab.
struct Running {
    lab: Child,
    /// The process of `tetherline run`.
    pid: Pid,
    lines: Receiver<String>,
    said: Vec<String>,
}

impl Running {
    fn new(mut lab: Child) -> Self {
        let (sender, lines) = channel();
        let stderr = BufReader::new(lab.stderr.take().expect("piped"));
        std::thread::spawn(move || {
            stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let mut running = Self { lab, pid: Pid::from_raw(0), lines, said: Vec::new() };
        let line = running.hear("pid ");
        let number = line.trim_start_matches("pid ").parse().expect("a process id");
        running.pid = Pid::from_raw(number);
        running
    }

    /// Waits for a line that begins so.
    fn hear(&mut self, beginning: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left);
            let line = line.unwrap_or_else(|_| panic!("{beginning:?} was never said, but {:?}", self.said));
            self.said.push(line.clone());
            if line.starts_with(beginning) {
                return line;
            }
        }
    }

    /// Lets it run; false if it ended by itself before.
    fn let_run(&mut self, span: Duration) -> bool {
        let deadline = Instant::now() + span;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => self.said.push(line),
                Err(RecvTimeoutError::Timeout) => return true,
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill(self.pid, signal).expect("it is still there");
    }

    /// Waits for its end: the exit code, and all that it said.
    fn end(mut self) -> (Option<i32>, String) {
        assert!(!self.let_run(PATIENCE), "it does not end; it said {:?}", self.said);
        (self.lab.wait().expect("waited for").code(), self.said.join("\n"))
    }
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// All that must hold of a dataset at any time, however it was stopped.
fn assert_sound(bench: &Bench) {
    let (dataset, records) = (bench.dataset(), bench.records());
    let distinct: BTreeSet<Probe> = records.iter().map(|record| record.probe).collect();
    assert_eq!(distinct.len(), records.len(), "a probe is recorded twice");
    for round in dataset.rounds().expect("readable") {
        let of_round = records.iter().filter(|record| record.probe.round == round.header.id).count() as u64;
        assert_eq!(round.rows, of_round);
        assert!(round.ledger.balances(), "round {}: {}", round.header.id, round.ledger);
        let decided = [round.ledger.answered, round.ledger.late, round.ledger.silent];
        let failed = [round.ledger.blocked, round.ledger.send_failed];
        assert_eq!(decided.iter().chain(&failed).sum::<u64>(), of_round, "round {}", round.header.id);
    }
}

/// What must hold when all is done, with what was acknowledged on the way.
fn assert_whole(bench: &Bench, acknowledged: &[ProbeRecord]) {
    assert_sound(bench);
    let dataset = bench.dataset();
    assert!(dataset.open_rounds().expect("readable").is_empty());
    assert!(dataset.rounds().expect("readable").iter().all(|round| round.state == RoundState::Complete));
    let records = bench.records();
    assert!(acknowledged.iter().all(|record| records.contains(record)), "an acknowledged record is lost");
    let report = bench.program(&["report", "data"]);
    assert_eq!(code(&report), Some(0), "{}", said(&report));
    assert!(String::from_utf8_lossy(&report.stdout).contains("175.45.176.0/24"));
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn killed_at_any_moment_it_loses_and_doubles_nothing_in_a_namespace() {
    let bench = Bench::new(CAMPAIGN);
    let mut acknowledged: Vec<ProbeRecord> = Vec::new();
    let mut state = 20_171_001_u64;
    let mut kills = 0;
    while kills < 20 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut running = bench.start();
        if !running.let_run(Duration::from_millis((state >> 33) % 1_200)) {
            break;
        }
        running.signal(Signal::SIGKILL);
        let (code, said) = running.end();
        kills += 1;
        assert_eq!(code, Some(137), "{said}");
        match Dataset::open_read_only(&bench.data()) {
            Err(DatasetError::NotADataset { .. }) if acknowledged.is_empty() => continue,
            opened => drop(opened.expect("a dataset that opens")),
        }
        let now = bench.records();
        assert!(acknowledged.iter().all(|record| now.contains(record)), "lost after kill {kills}");
        assert_sound(&bench);
        acknowledged = now;
    }
    assert!(kills >= 10 && acknowledged.len() > 100, "{kills} kills, {} records", acknowledged.len());
    let (code, said) = bench.start().end();
    assert_eq!(code, Some(0), "{said}");
    assert_whole(&bench, &acknowledged);
}

fn nanos(time: SystemTime) -> i64 {
    i64::try_from(time.duration_since(UNIX_EPOCH).expect("after 1970").as_nanos()).expect("fits")
}

fn stops_on(signal: Signal, expected: i32) {
    let bench = Bench::new(CAMPAIGN);
    let mut running = bench.start();
    running.hear("recording into");
    assert!(running.let_run(Duration::from_millis(1_500)), "it ended by itself");
    let asked = SystemTime::now();
    running.signal(signal);
    let (code, said) = running.end();
    assert!(asked.elapsed().expect("time goes on") < Duration::from_secs(2), "it took too long to stop");
    assert_eq!(code, Some(expected), "{said}");
    assert!(said.contains("the same command goes on from here"), "{said}");

    let last = bench.records().iter().filter_map(|record| record.sent_at).max().expect("a packet");
    let asked_ns = nanos(asked);
    assert!(last.as_nanos() <= asked_ns + 200_000_000, "a packet left after the stop");
    assert!(last.as_nanos() > asked_ns - 500_000_000, "what was decided just before the stop is recorded");
    assert_sound(&bench);

    let acknowledged = bench.records();
    let (code, said) = bench.start().end();
    assert_eq!(code, Some(0), "{said}");
    assert_whole(&bench, &acknowledged);
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn an_interrupt_stops_it_at_once_and_the_same_command_goes_on_in_a_namespace() {
    stops_on(Signal::SIGINT, 130);
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn a_termination_stops_it_at_once_and_the_same_command_goes_on_in_a_namespace() {
    stops_on(Signal::SIGTERM, 143);
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn an_interrupt_from_the_terminal_reaches_the_campaign_before_its_lab_ends_in_a_namespace() {
    let bench = Bench::new(CAMPAIGN);
    let mut command = bench.in_lab("echo pid $$ >&2; exec $T run probes.toml");
    command.process_group(0).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut running = Running::new(command.spawn().expect("started"));
    running.hear("recording into");
    assert!(running.let_run(Duration::from_millis(500)), "it ended by itself");
    let lab = i32::try_from(running.lab.id()).expect("a process id");
    nix::sys::signal::killpg(Pid::from_raw(lab), Signal::SIGINT).expect("they are still there");
    let (code, said) = running.end();
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains("the same command goes on from here"), "{said}");
    assert_sound(&bench);
}

/// An uplink that is unplugged, a tunnel that ends: what is asked then would be recorded as silence.
#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn an_interface_that_goes_away_is_incomplete_and_the_same_command_goes_on_in_a_namespace() {
    let bench = Bench::new(CAMPAIGN);
    nix::unistd::mkfifo(&bench.path("go"), nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    let script = "echo pid $$ >&2; $T run probes.toml & read go < go; ip link del vantage0; wait $!";
    let mut command = bench.in_lab(script);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut running = Running::new(command.spawn().expect("started"));
    running.hear("recording into");
    assert!(running.let_run(Duration::from_secs(1)), "it ended by itself");
    fs::write(bench.path("go"), "now\n").expect("written");
    let (code, said) = running.end();
    assert_eq!(code, Some(3), "{said}");
    for part in ["\"vantage0\" is gone", "round 2 of", "not whole", "the same command goes on"] {
        assert!(said.contains(part), "{part} is missing in: {said}");
    }
    assert_sound(&bench);
    let acknowledged = bench.records();
    assert!(acknowledged.iter().all(|record| !matches!(record.outcome, Outcome::SendFailed(_))));
    assert!(!bench.dataset().open_rounds().expect("readable").is_empty());

    let (code, said) = bench.start().end();
    assert_eq!(code, Some(0), "{said}");
    assert_whole(&bench, &acknowledged);
}

/// Somebody asks while the campaign runs: the operator adds a line, and nobody has to be stopped.
#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn an_opt_out_takes_effect_within_a_second_while_it_runs_in_a_namespace() {
    let bench =
        Bench::new(&CAMPAIGN.replace("[vantage]", "[guard]\nopt_outs = \"optout.txt\"\n\n[vantage]"));
    fs::write(bench.path("optout.txt"), "# nobody yet\n").expect("written");
    let mut running = bench.start();
    running.hear("recording into");
    assert!(running.let_run(Duration::from_millis(1_500)), "it ended by itself");
    fs::write(bench.path("optout.txt"), "175.45.177.0/24  # noc, ticket 17\n").expect("written");
    let asked = nanos(SystemTime::now());
    let (code, said) = running.end();
    assert_eq!(code, Some(0), "{said}");

    let records = bench.records();
    let of_unit = |record: &&ProbeRecord| record.unit.to_string() == "175.45.177.0/24";
    let sent: Vec<i64> =
        records.iter().filter(of_unit).filter_map(|r| Some(r.sent_at?.as_nanos())).collect();
    assert!(sent.iter().any(|at| *at < asked), "nothing was sent before: nothing is shown");
    assert!(sent.iter().all(|at| *at < asked + 1_000_000_000), "probed although opted out");
    let opt_outs = bench.dataset().opt_outs().expect("readable");
    let [opt_out] = opt_outs.as_slice() else { panic!("kept once: {opt_outs:?}") };
    assert_eq!(
        (opt_out.prefix.to_string().as_str(), opt_out.reference.as_str()),
        ("175.45.177.0/24", "noc, ticket 17")
    );
    assert!(sent.iter().all(|at| *at <= opt_out.at.as_nanos()), "probed after it is said to hold");
    let report = bench.program(&["report", "data"]);
    let told = format!(
        "not probed from then on: 175.45.177.0/24 from {}",
        opt_out.at.to_string()[..10].to_owned()
    );
    assert!(String::from_utf8_lossy(&report.stdout).contains(&told), "{told} is not in the report");
    let refused = Outcome::Blocked(BlockRule::OptOut);
    assert!(records.iter().filter(of_unit).any(|record| record.outcome == refused));
    assert!(records.iter().filter(|r| !of_unit(r)).all(|record| record.outcome != refused));
    assert_sound(&bench);

    goes_on_without_the_opted_out(&bench, &records);
}

/// The same command still goes on; with nobody left to ask, it says why it does not.
fn goes_on_without_the_opted_out(bench: &Bench, before: &[ProbeRecord]) {
    let again = bench.run_in_lab("exec $T run probes.toml --once");
    assert_eq!(code(&again), Some(0), "{}", said(&again));
    assert!(said(&again).contains("opted out: 175.45.177.0/24 (noc, ticket 17)"), "{}", said(&again));
    let fresh = bench.records().into_iter().filter(|record| !before.contains(record)).collect::<Vec<_>>();
    assert!(fresh.iter().any(|record| record.sent_at.is_some()));
    let refused = fresh.iter().filter(|record| record.unit.to_string() == "175.45.177.0/24");
    assert!(refused.into_iter().all(|record| record.outcome == Outcome::Blocked(BlockRule::OptOut)));
    assert_eq!(bench.dataset().opt_outs().expect("readable").len(), 1, "kept once");
    fs::write(bench.path("optout.txt"), "175.45.176.0/23  # all\n").expect("written");
    let none = bench.run_in_lab("exec $T run probes.toml --once");
    assert_eq!(code(&none), Some(2), "{}", said(&none));
    assert_one_complaint(&none, "must not be probed");
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn a_second_run_of_the_same_campaign_is_turned_away_and_harms_nothing_in_a_namespace() {
    let bench = Bench::new(CAMPAIGN);
    let mut running = bench.start();
    running.hear("recording into");
    let second = bench.run_in_lab("exec $T run probes.toml");
    assert_eq!(code(&second), Some(5), "{}", said(&second));
    assert_one_complaint(&second, "data");
    let (code, said) = running.end();
    assert_eq!(code, Some(0), "{said}");
    assert_whole(&bench, &[]);
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn once_runs_one_round_of_each_prober_and_once_more_one_more_in_a_namespace() {
    let bench = Bench::new(CAMPAIGN);
    for times in 1..=2 {
        let output = bench.run_in_lab("exec $T run probes.toml --once");
        assert_eq!(code(&output), Some(0), "{}", said(&output));
        let rounds = bench.dataset().rounds().expect("readable");
        for prober in ["echo", "tcp", "trace"] {
            let of_prober = rounds.iter().filter(|round| round.header.prober.as_str() == prober).count();
            assert_eq!(of_prober, times, "{prober}");
        }
    }
    assert_whole(&bench, &[]);

    // The reader of an export goes away after the first line.
    let mut export = Command::new(PROGRAM)
        .args(["export", "data"])
        .current_dir(bench.folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    let mut first = String::new();
    BufReader::with_capacity(64, export.stdout.take().expect("piped"))
        .read_line(&mut first)
        .expect("a line");
    assert!(first.starts_with("vantage,"), "{first}");
    let mut complaint = String::new();
    export.stderr.take().expect("piped").read_to_string(&mut complaint).expect("text");
    assert_eq!((export.wait().expect("waited for").code(), complaint.as_str()), (Some(0), ""));
}

/// A rehearsal is worth little if its report cannot tell whose routers were crossed.
#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn a_campaign_rehearsed_in_the_lab_knows_its_ases_ever_after_in_a_namespace() {
    let bench = Bench::new(CAMPAIGN);
    fs::create_dir(bench.path("tmp")).expect("created");
    let script = "exec $T run probes.toml --once --output rehearsed";
    let output = bench.in_lab(script).env("TMPDIR", bench.path("tmp")).output().expect("started");
    assert_eq!(code(&output), Some(0), "{}", said(&output));
    assert_eq!(fs::read_dir(bench.path("tmp")).expect("readable").count(), 0, "left behind by the lab");
    let report = bench.program(&["report", "rehearsed"]);
    let text = String::from_utf8_lossy(&report.stdout);
    for part in ["AS131279", "AS3356 Level 3"] {
        assert!(text.contains(part), "{part} is missing in: {text}");
    }
    let paths = bench.program(&["paths", "rehearsed", "--summary"]);
    let text = String::from_utf8_lossy(&paths.stdout);
    assert!(text.contains("AS680 AS3356 AS131279"), "{text}");
    let trace = bench.run_in_lab("exec $T trace 175.45.176.21");
    assert!(String::from_utf8_lossy(&trace.stdout).contains("AS3356"), "{trace:?}");
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn rounds_run_once_do_not_use_up_the_rounds_of_the_schedule_in_a_namespace() {
    let bench = Bench::new(&CAMPAIGN.replace("\"12s\"", "\"25s\""));
    let once = bench.run_in_lab("exec $T run probes.toml --once && exec $T run probes.toml --once");
    assert_eq!(code(&once), Some(0), "{}", said(&once));
    let before = bench.dataset().rounds().expect("readable").len();
    let (code, said) = bench.start().end();
    assert_eq!(code, Some(0), "{said}");
    let rounds = bench.dataset().rounds().expect("readable");
    let scheduled = |name: &str| {
        let later = rounds.iter().skip(before);
        later.filter(|round| round.header.prober.as_str() == name).count()
    };
    assert!(scheduled("echo") >= 1 && scheduled("trace") >= 1, "{rounds:?}");
    assert_whole(&bench, &[]);
}

#[test]
fn a_wrong_campaign_file_is_refused_with_line_key_value_and_rule_and_nothing_is_written() {
    let bench = Bench::new(&CAMPAIGN.replace("total = 150", "total = 150\nper_prefix = 0"));
    for command in ["run", "plan"] {
        let output = bench.program(&[command, "probes.toml"]);
        assert_eq!(code(&output), Some(2), "{}", said(&output));
        for part in ["probes.toml:11", "per_prefix"] {
            assert!(said(&output).contains(part), "{part} is missing in: {}", said(&output));
        }
    }
    let bench = Bench::new(&CAMPAIGN.replace("total = 150", "total = 0"));
    let output = bench.program(&["run", "probes.toml"]);
    assert_eq!(code(&output), Some(2));
    for part in ["probes.toml:10", "rates.total = 0", "must be"] {
        assert!(said(&output).contains(part), "{part} is missing in: {}", said(&output));
    }
    let output = bench.program(&["run", "absent.toml"]);
    assert_eq!(code(&output), Some(2));
    assert!(said(&output).contains("absent.toml: cannot be read"), "{}", said(&output));
    assert_eq!(bench.names(), ["probes.toml".to_owned()].into());
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn public_targets_without_an_operator_are_refused_by_name_before_anything_else_in_a_namespace() {
    let bench = Bench::new(CAMPAIGN);
    // A bridge is nothing that this program knows to be closed; it leads nowhere all the same.
    let script = "ip link add br0 type bridge && ip link set br0 up && exec $T run probes.toml";
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net", "sh", "-c", script]).env("T", PROGRAM);
    let output = command.current_dir(bench.folder.path()).output().expect("started");
    assert_eq!(code(&output), Some(2), "{}", said(&output));
    for part in ["175.45.176.21", "175.45.177.10", "[operator]"] {
        assert!(said(&output).contains(part), "{part} is missing in: {}", said(&output));
    }
    assert_eq!(bench.names(), ["probes.toml".to_owned()].into());
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn special_purpose_targets_are_refused_by_name_even_in_the_lab_in_a_namespace() {
    let special = "[[targets]]\nprefix = \"192.0.2.0/24\"\nper_unit = 1\n[[probers]]";
    let bench = Bench::new(&ECHO_ONLY.replace("[[probers]]", special));
    let output = bench.run_in_lab("exec $T run probes.toml");
    assert_eq!(code(&output), Some(2), "{}", said(&output));
    for part in ["192.0.2.", "never probed"] {
        assert!(said(&output).contains(part), "{part} is missing in: {}", said(&output));
    }
    assert_eq!(bench.names(), ["probes.toml".to_owned()].into());
}

/// One sentence on standard error, beside what the program says of itself.
fn assert_one_complaint(output: &Output, expected: &str) {
    let text = said(output);
    let complaints: Vec<&str> = text.lines().filter(|line| line.starts_with("tetherline: ")).collect();
    assert_eq!(complaints.len(), 1, "{text}");
    assert!(complaints[0].contains(expected), "{expected} is missing in: {text}");
    assert!(!text.contains("panicked"), "{text}");
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn a_folder_that_cannot_be_written_or_is_somebody_else_s_is_a_storage_error_in_a_namespace() {
    let bench =
        Bench::new(&ECHO_ONLY.replace("directory = \"data\"", "directory = \"/proc/sys/net/data\""));
    let output = bench.run_in_lab("exec $T run probes.toml");
    assert_eq!(code(&output), Some(5), "{}", said(&output));
    assert_one_complaint(&output, "/proc/sys/net/data");

    let bench = Bench::new(ECHO_ONLY);
    fs::create_dir(bench.data()).expect("created");
    fs::write(bench.data().join("thesis.tex"), "mine").expect("written");
    let output = bench.run_in_lab("exec $T run probes.toml");
    assert_eq!(code(&output), Some(5), "{}", said(&output));
    assert_one_complaint(&output, "not empty and not a dataset");
    assert_eq!(fs::read_dir(bench.data()).expect("readable").count(), 1);
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn other_settings_and_a_newer_format_are_refused_and_change_nothing_in_a_namespace() {
    let bench = Bench::new(ECHO_ONLY);
    let output = bench.run_in_lab("exec $T run probes.toml --once");
    assert_eq!(code(&output), Some(0), "{}", said(&output));
    let before = bench.records();

    fs::write(bench.path("probes.toml"), ECHO_ONLY.replace("\"1h\"", "\"2h\"")).expect("written");
    let output = bench.run_in_lab("exec $T run probes.toml --once");
    assert_eq!(code(&output), Some(2), "{}", said(&output));
    assert_one_complaint(&output, "other settings");
    assert_eq!(bench.records(), before);

    fs::write(bench.path("probes.toml"), ECHO_ONLY).expect("written");
    let manifest = bench.data().join("campaign.toml");
    let text = fs::read_to_string(&manifest).expect("readable");
    let newer = text.replacen("format = ", "format = 9", 1);
    fs::write(&manifest, &newer).expect("written");
    for script in ["exec $T run probes.toml --once", "exec $T report data", "exec $T export data"] {
        let output = bench.run_in_lab(script);
        assert_eq!(code(&output), Some(5), "{script}: {}", said(&output));
        assert_one_complaint(&output, "newer");
    }
    assert_eq!(fs::read_to_string(&manifest).expect("readable"), newer);
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn a_rehearsal_in_virtual_time_is_not_gone_on_with_in_a_namespace() {
    let bench = Bench::new(ECHO_ONLY);
    let rehearsed =
        bench.program(&["run", "probes.toml", "--rehearse", SCENARIO, "--output", "data", "--once"]);
    assert_eq!(code(&rehearsed), Some(0), "{}", said(&rehearsed));
    let before = bench.records();
    assert!(!before.is_empty());
    let output = bench.run_in_lab("exec $T run probes.toml --once");
    assert_eq!(code(&output), Some(2), "{}", said(&output));
    assert_one_complaint(&output, "holds a rehearsal: give this one another output folder");
    assert_eq!(bench.records(), before);
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn a_disk_that_is_nearly_full_is_left_alone_in_a_namespace() {
    let bench = Bench::new(CAMPAIGN);
    fs::create_dir(bench.data()).expect("created");
    let script = "exec unshare --mount sh -c '
        mount -t tmpfs -o size=20m tmpfs data || exit 99
        $T run probes.toml; code=$?; ls -A data; exit $code'";
    let output = bench.run_in_lab(script);
    assert_eq!(code(&output), Some(5), "{}", said(&output));
    assert_one_complaint(&output, "20 MiB free on the disk, less than output.min_free = 100 MiB");
    assert!(output.stdout.is_empty(), "something was written: {output:?}");
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn a_disk_that_fills_up_stops_it_while_everything_can_still_be_recorded_in_a_namespace() {
    let bench = Bench::new(&with_room("5MiB"));
    fs::create_dir(bench.data()).expect("created");
    nix::unistd::mkfifo(&bench.path("go"), nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    let script = "echo pid $$ >&2; exec unshare --mount sh -c '
        mount -t tmpfs -o size=12m tmpfs data || exit 99
        $T run probes.toml & read go < go
        head -c 8000000 /dev/zero > data/others; wait $!; code=$?
        rm data/others; cp -a data saved; exit $code'";
    let mut command = bench.in_lab(script);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut running = Running::new(command.spawn().expect("started"));
    running.hear("recording into");
    assert!(running.let_run(Duration::from_millis(1_500)), "it ended by itself");
    fs::write(bench.path("go"), "now\n").expect("written");
    let (code, said) = running.end();
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("less than output.min_free = 5120 KiB; nothing recorded is lost"), "{said}");

    fs::remove_dir(bench.data()).expect("removed");
    fs::rename(bench.path("saved"), bench.data()).expect("renamed");
    let acknowledged = bench.records();
    assert!(!acknowledged.is_empty());
    assert_sound(&bench);
    let (code, said) = bench.start().end();
    assert_eq!(code, Some(0), "{said}");
    assert_whole(&bench, &acknowledged);
}

fn with_room(min_free: &str) -> String {
    CAMPAIGN.replace("[output]", &format!("[output]\nmin_free = \"{min_free}\""))
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn a_full_disk_stops_it_and_loses_nothing_in_a_namespace() {
    let bench = Bench::new(&with_room("0MiB"));
    fs::create_dir(bench.data()).expect("created");
    let script = "exec unshare --mount sh -c '
        mount -t tmpfs -o size=700k tmpfs data || exit 99
        $T run probes.toml; code=$?
        cp -a data saved; exit $code'";
    let started = Instant::now();
    let output = bench.run_in_lab(script);
    assert_eq!(code(&output), Some(5), "{}", said(&output));
    assert!(started.elapsed() < Duration::from_secs(11), "it went on after the disk was full");
    assert_one_complaint(&output, "no space left on the disk");
    let acknowledged = records(&bench.path("saved"));
    assert!(!acknowledged.is_empty());

    fs::remove_dir(bench.data()).expect("removed");
    fs::rename(bench.path("saved"), bench.data()).expect("renamed");
    assert_sound(&bench);
    let (code, said) = bench.start().end();
    assert_eq!(code, Some(0), "{said}");
    assert_whole(&bench, &acknowledged);
}

/// Runs a program without `CAP_NET_RAW`.
const UNPRIVILEGED: &str =
    "exec setpriv --bounding-set -net_raw --inh-caps -net_raw $T run probes.toml --once";

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn without_the_privilege_one_sentence_says_what_to_grant_in_a_namespace() {
    let bench = Bench::new(CAMPAIGN);
    let output = bench.run_in_lab(UNPRIVILEGED);
    assert_eq!(code(&output), Some(4), "{}", said(&output));
    assert_one_complaint(&output, "setcap cap_net_raw=ep");
    assert_eq!(bench.names(), ["probes.toml".to_owned()].into());
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn echoes_do_without_the_privilege_and_say_whose_clock_they_used_in_a_namespace() {
    let bench = Bench::new(ECHO_ONLY);
    let output = bench.run_in_lab(UNPRIVILEGED);
    assert_eq!(code(&output), Some(0), "{}", said(&output));
    let export = bench.program(&["export", "data"]);
    let text = String::from_utf8(export.stdout).expect("text");
    let rows: Vec<&str> = text.lines().skip(1).collect();
    assert_eq!(rows.len(), 2, "{text}");
    assert!(rows.iter().all(|row| row.contains("answered") && row.contains("user_space")), "{text}");
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn nobody_listening_to_its_talk_does_not_stop_a_campaign_in_a_namespace() {
    let bench = Bench::new(ECHO_ONLY);
    let mut command = bench.in_lab("exec 2>/dev/full; exec $T run probes.toml --once");
    let output = command.output().expect("started");
    assert_eq!(code(&output), Some(0));
    assert_whole(&bench, &[]);
}

/// A campaign whose plan does not hang on where the test runs.
const PLANNED: &str = r#"
[campaign]
name = "planned"
[operator]
name = "Network Measurement Group"
contact = "probing@uni-somewhere.de"
purpose = "A test of what plan prints"
[vantage]
name = "here"
[[targets]]
prefix = "175.45.176.0/22"
per_unit = 5
[[targets]]
prefix = "2001:678::/32"
unit_length = 33
per_unit = 2
control = true
[[probers]]
name = "echo"
kind = "echo"
every = "30m"
[[probers]]
name = "trace"
kind = "trace"
every = "60m"
protocol = "udp"
"#;

#[test]
fn a_plan_is_told_at_once_and_touches_nothing() {
    let bench = Bench::new(PLANNED);
    let started = Instant::now();
    let output = bench.program(&["plan", "probes.toml"]);
    assert!(started.elapsed() < Duration::from_secs(2), "a plan took {:?}", started.elapsed());
    assert_eq!((code(&output), said(&output).as_str()), (Some(0), ""));
    insta::assert_snapshot!("plan", String::from_utf8(output.stdout).expect("text"));
    assert_eq!(bench.names(), ["probes.toml".to_owned()].into());
}

#[test]
fn a_generated_scenario_can_be_checked_and_comes_again_from_its_seed() {
    let bench = Bench::new(PLANNED);
    let generate = ["lab", "generate", "--ases", "25", "--seed", "7"];
    let printed = bench.program(&generate);
    assert_eq!((code(&printed), said(&printed).as_str()), (Some(0), ""));
    let written = bench.program(&[&generate[..], &["--output", "internet.toml"]].concat());
    assert_eq!((code(&written), written.stdout.len()), (Some(0), 0));
    assert_eq!(fs::read(bench.path("internet.toml")).expect("written"), printed.stdout);
    let checked = bench.program(&["lab", "check", "internet.toml"]);
    assert_eq!(code(&checked), Some(0), "{}", said(&checked));
}

#[test]
fn a_scenario_is_generated_from_a_table_of_relationships() {
    let bench = Bench::new(PLANNED);
    let rows: Vec<String> = (2..20).map(|number| format!("{}|{number}|-1", number / 2)).collect();
    fs::write(
        bench.path("t.as-rel"),
        format!("# a tree\n{}\n11|19|-1|bgp\n11|19|0|mlp\n", rows.join("\n")),
    )
    .expect("written");
    let generated = bench.program(&["lab", "generate", "--as-rel", "t.as-rel", "--target-as", "19"]);
    assert_eq!(code(&generated), Some(0), "{}", said(&generated));
    assert_eq!(
        said(&generated).trim_end(),
        "t.as-rel: left out what contradicts earlier lines about the same two ASes: 1 lines"
    );
    let text = String::from_utf8(generated.stdout).expect("text");
    assert!(text.contains("the target is AS19; providers of the target: AS9, AS11."), "{text}");
    fs::write(bench.path("t.as-rel"), "1|2|-1\n2|3\n").expect("written");
    let refused = bench.program(&["lab", "generate", "--as-rel", "t.as-rel"]);
    assert_eq!(code(&refused), Some(2));
    assert!(said(&refused).contains("t.as-rel:2: "), "{}", said(&refused));
    let refused = bench.program(&["lab", "generate", "--ases", "3"]);
    assert_eq!((code(&refused), said(&refused).contains("at least 10")), (Some(2), true));
}

#[test]
fn hegemony_is_told_of_tables_of_collectors_and_a_file_without_one_is_refused() {
    let bench = Bench::new(PLANNED);
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus/mrt");
    let hegemony = |file: &str, more: &[&str]| {
        let file = corpus.join(file);
        let file = file.to_str().expect("text");
        bench.program(&[&["origin", "hegemony", "AS131279", "AS4837", "--rib", file], more].concat())
    };
    let told = hegemony("rib", &[]);
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(text.contains("full feeds: 1 of 3") && text.contains("1.0000  AS10"), "{text}");
    assert!(text.contains("AS4837: no full feed has a route to it"), "{text}");
    let object: serde_json::Value =
        serde_json::from_slice(&hegemony("rib", &["--json"]).stdout).expect("one object");
    assert_eq!(object["origins"][1]["scores"][0]["hegemony"], 1.0, "{object}");
    let refused = hegemony("updates", &[]);
    assert_eq!((code(&refused), said(&refused).contains("no table of a route collector")), (Some(2), true));
}

#[test]
fn every_command_says_what_it_does() {
    let bench = Bench::new(PLANNED);
    let help = |arguments: &[&str]| {
        let output = bench.program(arguments);
        assert_eq!(code(&output), Some(0), "{arguments:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    insta::assert_snapshot!("help", help(&["--help"]));
    for command in Cli::command().get_subcommands() {
        let name = command.get_name();
        insta::assert_snapshot!(format!("help-{name}"), help(&[name, "--help"]));
        for sub in command.get_subcommands() {
            let sub = sub.get_name();
            insta::assert_snapshot!(format!("help-{name}-{sub}"), help(&[name, sub, "--help"]));
        }
    }
}
