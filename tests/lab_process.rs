//! The running program around a command in a lab: what ends it, what it returns, what it leaves behind.
//!
//! The commands send nothing, and are in a network namespace without a way out; the tests are ignored here, and
//! `scripts/test` runs them where the system has such namespaces.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tetherline");
const SCENARIO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios/small.toml");

/// A shell script in the lab.
fn lab(script: &str) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["lab", SCENARIO, "--", "sh", "-c", script]);
    command
}

/// A lab whose command has said its first line.
struct Running {
    lab: Child,
    output: BufReader<ChildStdout>,
    first: String,
}

impl Running {
    fn new(command: &mut Command) -> Self {
        let mut lab = command.stdout(Stdio::piped()).spawn().expect("started");
        let mut output = BufReader::new(lab.stdout.take().expect("piped"));
        let mut first = String::new();
        output.read_line(&mut first).expect("a line");
        Self { lab, output, first: first.trim().to_owned() }
    }

    fn signal(&self, signal: Signal) {
        let lab = i32::try_from(self.lab.id()).expect("a process id");
        kill(Pid::from_raw(lab), signal).expect("it is still there");
    }

    /// Waits for its end: the exit code, and what the command said beside its first line.
    fn end(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).expect("text");
        (self.lab.wait().expect("waited for").code(), rest)
    }
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn a_signal_to_the_lab_alone_ends_the_command_in_it_in_a_namespace() {
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143), (Signal::SIGHUP, 129)] {
        let running = Running::new(lab("echo $$; exec sleep 1000").process_group(0));
        let command = Pid::from_raw(running.first.parse().expect("a process id"));
        running.signal(signal);
        assert_eq!(running.end(), (Some(code), String::new()), "{signal}");
        assert_eq!(kill(command, None), Err(Errno::ESRCH), "{signal}");
    }
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn a_command_that_tidies_up_first_is_waited_for_and_its_exit_code_kept_in_a_namespace() {
    let script = "trap 'sleep 0.3; echo tidy; exit 7' TERM; echo ready; while :; do sleep 0.1; done";
    let running = Running::new(&mut lab(script));
    running.signal(Signal::SIGTERM);
    assert_eq!(running.end(), (Some(7), "tidy\n".to_owned()));
}

/// What counts interrupts for a second after the first.
const COUNTS: &str = "
import signal, time
heard = []
signal.signal(signal.SIGINT, lambda *_: heard.append(0))
print('ready', flush=True)
while not heard: time.sleep(0.1)
time.sleep(1)
print('interrupted', len(heard))
";

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn an_interrupt_from_a_terminal_reaches_the_command_once_in_a_namespace() {
    let inside = format!("exec {PROGRAM} lab {SCENARIO} -- python3 -c \"$COUNTS\"");
    let mut terminal = Command::new("script");
    terminal.args(["--quiet", "--return", "--command", &inside, "/dev/null"]);
    let mut running = Running::new(terminal.env("COUNTS", COUNTS).stdin(Stdio::piped()));
    assert_eq!(running.first, "ready");
    let control_c = [3];
    running.lab.stdin.as_mut().expect("piped").write_all(&control_c).expect("written");
    let (code, said) = running.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("interrupted 1"), "{said}");
}

fn run(script: &str) -> Output {
    lab(script).output().expect("started")
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn the_exit_code_is_that_of_the_command_as_a_shell_would_tell_it_in_a_namespace() {
    for (script, code) in [("exit 0", 0), ("exit 3", 3), ("kill -KILL $$", 137), ("kill -PIPE $$", 141)] {
        assert_eq!(run(script).status.code(), Some(code), "{script}");
    }
    let missing = Command::new(PROGRAM).args(["lab", SCENARIO, "--", "no-such-program"]).output();
    let missing = missing.expect("started");
    let said = String::from_utf8_lossy(&missing.stderr).into_owned();
    assert_eq!(missing.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot run no-such-program"), "{said}");
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn the_command_has_the_vantages_address_and_no_way_but_into_the_lab_in_a_namespace() {
    let said = run("ip -o route show table all | grep -v 'table local'; ip -o link show; echo \"$HOME\"");
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let routes: Vec<&str> = said.lines().filter(|line| line.contains(" via ")).collect();
    let [route] = routes.as_slice() else { panic!("{said}") };
    assert!(
        route.starts_with("default via 188.1.144.1 dev vantage0 proto static src 188.1.144.10"),
        "{said}"
    );
    for interface in ["lo: ", "vantage0@internet0: ", "internet0@vantage0: "] {
        assert!(said.contains(interface), "{said}");
    }
    assert_eq!(said.lines().last(), std::env::var("HOME").ok().as_deref(), "its environment");
}
