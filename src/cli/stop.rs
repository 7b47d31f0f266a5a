//! SIGINT and SIGTERM for commands that have no runtime of their own that could listen.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::{io, thread};

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use super::exit::Code;

/// Whether a signal asked for an end.
pub(super) struct Stop(Arc<AtomicU8>);

impl Stop {
    /// Listens from now on.
    ///
    /// # Errors
    /// If the system has no room for another thread or signal handler.
    pub(super) fn listen() -> io::Result<Self> {
        let seen = Arc::new(AtomicU8::new(0));
        let runtime = Builder::new_current_thread().enable_io().build()?;
        let (mut interrupt, mut terminate) = {
            let _inside = runtime.enter();
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
        };
        let told = Arc::clone(&seen);
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            let code = runtime.block_on(async {
                tokio::select! {
                    _ = interrupt.recv() => Code::Interrupted,
                    _ = terminate.recv() => Code::Terminated,
                }
            });
            told.store(code as u8, Ordering::Relaxed);
        })?;
        Ok(Self(seen))
    }

    /// The exit code that says which one came.
    pub(super) fn seen(&self) -> Option<Code> {
        [Code::Interrupted, Code::Terminated]
            .into_iter()
            .find(|code| *code as u8 == self.0.load(Ordering::Relaxed))
    }
}
