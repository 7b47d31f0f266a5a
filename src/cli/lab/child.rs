//! The command that runs in a lab, and the signals that ask for its end.
//!
//! Whoever asks the lab to end means the command in it: the lab stays until that has come to its end. So such a
//! signal is held back from the beginning, and handed on as soon as there is a command. What a terminal sends
//! (^C) it sends to the whole group; that has reached the command already.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawnp};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd, siginfo};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// The signals that ask for an end.
const ASKING: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];

/// How often the command is looked after where its end is not told, because whoever started this program does
/// not want to hear of the end of children.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Signals that wait for a command.
pub(super) struct Held {
    arriving: SignalFd,
    /// What was held back before.
    before: SigSet,
}

impl Held {
    /// Holds them back in this thread, and in those that it will start.
    ///
    /// # Errors
    /// What the system refused.
    pub(super) fn hold() -> io::Result<Self> {
        let mut held = SigSet::from_iter(ASKING);
        held.add(Signal::SIGCHLD);
        let arriving = SignalFd::with_flags(&held, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        let before = held.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        Ok(Self { arriving, before })
    }

    /// Runs a command to its end, unless an end was asked for before. Returns its exit code, or 128 and the number
    /// of the signal that ended it, as a shell would.
    ///
    /// # Errors
    /// If it cannot be started or waited for.
    pub(super) fn run(&self, command: &Command) -> io::Result<i32> {
        while let Some(signal) = self.arriving.read_signal()? {
            if let Some(early) = asked(&signal) {
                return Ok(code(early));
            }
        }
        self.wait(self.spawn(command)?)
    }

    fn wait(&self, child: Pid) -> io::Result<i32> {
        loop {
            match waitpid(child, Some(WaitPidFlag::WNOHANG))? {
                WaitStatus::Exited(_, code) => return Ok(code),
                WaitStatus::Signaled(_, signal, _) => return Ok(code(signal)),
                _ => {}
            }
            let mut watched = [PollFd::new(self.arriving.as_fd(), PollFlags::POLLIN)];
            // Why it returned does not matter: what follows looks at all that may have happened.
            let _ = ppoll(&mut watched, Some(LOOK_AGAIN.into()), None);
            while let Some(signal) = self.arriving.read_signal()? {
                hand_on(&signal, child);
            }
        }
    }

    /// Starts a command that holds back nothing, and lets itself be ended by a broken pipe.
    fn spawn(&self, command: &Command) -> nix::Result<Pid> {
        let mut attributes = PosixSpawnAttr::init()?;
        attributes
            .set_flags(PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF)?;
        attributes.set_sigmask(&self.before)?;
        attributes.set_sigdefault(&SigSet::from_iter([Signal::SIGPIPE]))?;
        let program = text(command.get_program())?;
        let arguments = command.get_args().map(text).collect::<nix::Result<Vec<_>>>()?;
        let arguments = [vec![program.clone()], arguments].concat();
        posix_spawnp(
            &program,
            &PosixSpawnFileActions::init()?,
            &attributes,
            &arguments,
            &environment(command)?,
        )
    }
}

/// Signals the command, unless a terminal has done so.
fn hand_on(signal: &siginfo, child: Pid) {
    if let Some(asked) = asked(signal).filter(|_| signal.ssi_code != libc::SI_KERNEL) {
        // It may just have ended.
        let _ = kill(child, asked);
    }
}

fn asked(signal: &siginfo) -> Option<Signal> {
    ASKING.into_iter().find(|asking| u32::try_from(*asking as i32) == Ok(signal.ssi_signo))
}

const fn code(signal: Signal) -> i32 {
    (signal as i32).saturating_add(128)
}

/// This process's environment, with what the command is to find beside it.
fn environment(command: &Command) -> nix::Result<Vec<CString>> {
    let mut variables: BTreeMap<OsString, OsString> = env::vars_os().collect();
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => variables.insert(name.to_owned(), value.to_owned()),
            None => variables.remove(name),
        };
    }
    let line = |(name, value): (OsString, OsString)| text(&[name, value].join(OsStr::new("=")));
    variables.into_iter().map(line).collect()
}

fn text(words: &OsStr) -> nix::Result<CString> {
    CString::new(words.as_bytes()).map_err(|_| Errno::EINVAL)
}
