//! Alarms beside a running campaign: a thread of its own looks at the rounds that are over, and tells what changed.
//!
//! It learns of rounds from the dataset alone, so nothing of it holds up a packet or a record, and looks no more than
//! a twentieth of the time.
//!
//! ```text
//!  waiting ──▶ looking ──▶ waiting …  ──▶ (the campaign came to its end) a last look
//!     └─────────────────────────────────▶ (it was stopped) nothing more
//! ```

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::ProgressBar;

use super::exit::{Code, Failure, OrFail};
use super::out;
use super::report::failure;
use crate::dataset::Dataset;
use crate::model::{Clock, SystemClock};
use crate::report::{Lookout, alarm_line};

/// How often the dataset is looked at for rounds that are over.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// After a look it is waited for so many times as long as that took.
const REST: u32 = 19;

/// Alarms of one look that are shown; `alarms.csv` has all.
const MOST_SHOWN: usize = 20;

/// Who watches a campaign.
pub(super) struct Watcher {
    last_look: Sender<()>,
    thread: JoinHandle<()>,
}

impl Watcher {
    /// Begins, if that is wanted: one false alarm is allowed in so much time.
    ///
    /// # Errors
    /// If the dataset, its tables or the alarms of an earlier run cannot be read, or the system gives no thread.
    pub(super) fn begin(
        one_false_in: Option<Duration>,
        dataset: &Dataset,
        bar: &ProgressBar,
    ) -> Result<Option<Self>, Failure> {
        let Some(one_false_in) = one_false_in else { return Ok(None) };
        let dataset = Dataset::open_read_only(dataset.path()).or_fail(Code::Storage)?;
        let lookout = Lookout::from_now_on(dataset, one_false_in).map_err(failure)?;
        let (last_look, told) = channel();
        let bar = bar.clone();
        let thread = std::thread::Builder::new().name("alarms".to_owned());
        let thread = thread.spawn(move || watch(lookout, &told, &bar)).or_fail(Code::Failed)?;
        Ok(Some(Self { last_look, thread }))
    }

    /// Ends it: with a last look after a campaign that came to its end. After one that did not nobody waits: the next
    /// run looks.
    pub(super) fn end(self, finished: bool) {
        if finished && self.last_look.send(()).is_ok() {
            let _ended = self.thread.join();
        }
    }
}

fn watch(mut lookout: Lookout, told: &Receiver<()>, bar: &ProgressBar) {
    let clock = SystemClock::start();
    let mut rest = LOOK_EVERY;
    loop {
        let is_last = match told.recv_timeout(rest) {
            Err(RecvTimeoutError::Timeout) => false,
            Ok(()) => true,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        rest = look(&mut lookout, bar, &clock);
        if is_last {
            return;
        }
    }
}

/// Looks, and gives back how long to wait until the next time.
fn look(lookout: &mut Lookout, bar: &ProgressBar, clock: &impl Clock) -> Duration {
    let begun = clock.mono();
    match lookout.look(None) {
        Ok(alarms) => bar.suspend(|| {
            alarms.iter().take(MOST_SHOWN).for_each(|alarm| out::say(alarm_line(alarm)));
            let more = alarms.len().saturating_sub(MOST_SHOWN);
            if more > 0 {
                out::say(format_args!("and {more} more: see alarms.csv in the dataset"));
            }
        }),
        Err(error) => tracing::warn!("the last rounds cannot be looked at for alarms: {error}"),
    }
    clock.mono().since(begun).saturating_mul(REST).max(LOOK_EVERY)
}

#[cfg(test)]
mod tests;
