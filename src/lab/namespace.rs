//! A private network namespace for this process, and the cable in it.
//!
//! The namespace has no way out by construction: every interface in it is either the loopback or one end of
//! a pair whose other end is in it too. Nothing here needs a program from outside, and no privilege where
//! the system lets users make user namespaces.
//!
//! ```text
//! the kernel's routes ── vantage0 ════ internet0 ── packet socket of the lab
//! ```

mod cable;

use std::fs;
use std::io;
use std::path::Path;

use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Uid, getegid, geteuid};

pub(super) use cable::{Cable, GATEWAY_MAC, VANTAGE_MAC, lay};

/// Proof that this process is in a network namespace of its own that has no way out.
#[derive(Debug)]
pub struct Namespace {
    /// Only this module makes it.
    _private: (),
}

/// Why there is no private namespace.
#[derive(Debug, thiserror::Error)]
pub enum NoNamespace {
    /// The system makes user namespaces only for processes with one thread.
    #[error("cannot enter a network namespace: this process has {0} threads, and must have one")]
    Threads(usize),
    /// The system makes no namespace for this user.
    #[error(
        "the system refused a private network namespace; allow user namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns) or run as root"
    )]
    Refused(#[source] io::Error),
    /// It made one, but refused a step on the way.
    #[error("the system made a private namespace, but refused to {step}")]
    Step {
        /// What was refused.
        step: &'static str,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// It made one, but refused to set up the network in it.
    #[error("the system made a private network namespace, but refused to {step}")]
    Network {
        /// What was refused.
        step: &'static str,
        /// The system's reason.
        #[source]
        source: rtnetlink::Error,
    },
    /// The namespace that was to be taken over is somebody's network.
    #[error(
        "this network namespace has the interface {0:?}, and may lead somewhere: it must have nothing but lo"
    )]
    NotPrivate(String),
}

impl Namespace {
    /// Moves this process into a network namespace of its own and sets up the loopback. Whoever is not root
    /// gets a user namespace, too, and is root in it. Root stays who it is where the system allows it:
    /// programs that drop privileges need `setgroups`, which such a user namespace must deny.
    ///
    /// Must be called before there is a second thread. After an error the process may be in a namespace
    /// without a network: nothing can be measured from it, but virtual time works.
    ///
    /// # Errors
    /// What the system refused.
    pub fn enter() -> Result<Self, NoNamespace> {
        let threads = threads();
        if threads != 1 {
            return Err(NoNamespace::Threads(threads));
        }
        let (user, group) = (geteuid(), getegid());
        let as_root = user.is_root() && unshare(CloneFlags::CLONE_NEWNET).is_ok();
        if !as_root {
            let both = CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET;
            unshare(both).map_err(|refused| NoNamespace::Refused(refused.into()))?;
            become_root(user, group.as_raw())?;
        }
        Self::adopt()
    }

    /// Takes over the network namespace in which this process already is, as under `unshare -rn`, and sets
    /// up the loopback.
    ///
    /// # Errors
    /// If there is an interface beside the loopback (tunnels that the kernel puts everywhere do not count
    /// while they are down), or if the system refuses.
    pub fn adopt() -> Result<Self, NoNamespace> {
        cable::only_loopback()?;
        // So that the unprivileged ping sockets of the kernel can be tried, too. Without it only they fail.
        let _ = fs::write("/proc/sys/net/ipv4/ping_group_range", "0 0");
        Ok(Self { _private: () })
    }
}

/// How many threads this process has; 1 if the system does not tell.
fn threads() -> usize {
    fs::read_dir("/proc/self/task").map_or(1, Iterator::count)
}

/// Maps the caller to root. Group mappings need `setgroups` denied first (`user_namespaces(7)`).
fn become_root(user: Uid, group: u32) -> Result<(), NoNamespace> {
    let maps = [
        ("/proc/self/setgroups", "deny".to_owned(), "deny setgroups in it"),
        ("/proc/self/uid_map", format!("0 {user} 1"), "map the user to root in it"),
        ("/proc/self/gid_map", format!("0 {group} 1"), "map the group to root in it"),
    ];
    for (file, text, step) in maps {
        fs::write(Path::new(file), text).map_err(|source| NoNamespace::Step { step, source })?;
    }
    Ok(())
}
