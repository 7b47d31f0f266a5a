//! Two kinds of time that cannot be mixed up: monotonic time, in which intervals are measured, and
//! wall time, in which records are dated.
//!
//! A round-trip time is a difference of [`MonoTime`]s or of kernel time stamps of one clock, never
//! of [`WallTime`]s: the wall clock may be stepped between the two.

use std::fmt;
use std::time::Duration;

/// Nanoseconds on a clock that never steps back; the origin means nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonoTime(u64);

impl MonoTime {
    /// The far end: no deadline.
    pub const NEVER: Self = Self(u64::MAX);

    /// From nanoseconds since the clock's origin.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the clock's origin.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time `span` later; stops at [`MonoTime::NEVER`].
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }

    /// How long after `earlier` this is; zero if it is not later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Nanoseconds since 1970-01-01T00:00:00Z, as the wall clock tells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallTime(i64);

impl WallTime {
    /// From nanoseconds since the epoch.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the epoch.
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// The time `span` later; stops at the end of the range (the year 2262).
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        let nanos = i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(nanos))
    }

    /// How long after `earlier` this is; zero if it is not later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let nanos = self.0.saturating_sub(earlier.0);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
    }

    /// Reads RFC 3339, as in `2017-10-01T09:07:51Z`.
    ///
    /// # Errors
    /// If the text is no RFC 3339 time, or lies outside the years 1677 to 2262.
    pub fn parse_rfc3339(text: &str) -> Result<Self, BadTime> {
        let bad = || BadTime(text.chars().take(64).collect());
        let stamp: jiff::Timestamp = text.parse().map_err(|_| bad())?;
        i64::try_from(stamp.as_nanosecond()).map(Self).map_err(|_| bad())
    }
}

/// A text that is no RFC 3339 time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a time: must be RFC 3339 with a zone, as in 2017-10-01T09:07:51Z")]
pub struct BadTime(String);

/// RFC 3339 in UTC, whole seconds where the fraction is zero.
impl fmt::Display for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(stamp) => stamp.fmt(f),
            Err(_) => write!(f, "{} ns", self.0),
        }
    }
}

/// The one bridge between the two kinds of time: the same instant read on both clocks, and how much
/// faster the wall clock runs.
///
/// The speed is 1 outside the lab. In a rehearsal that squeezes hours into a minute it is larger:
/// schedules and rates are squeezed by it, round-trip times are not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClockPair {
    mono: MonoTime,
    wall: WallTime,
    speed: f64,
}

impl ClockPair {
    /// The two clocks read at one instant, running at the same speed.
    #[must_use]
    pub const fn new(mono: MonoTime, wall: WallTime) -> Self {
        Self { mono, wall, speed: 1.0 }
    }

    /// Both clocks as they are now: of a few readings that between which least time was lost.
    #[must_use]
    pub fn read(clock: &(impl Clock + ?Sized)) -> Self {
        let reading = |_| {
            let (before, wall) = (clock.mono(), clock.wall());
            (clock.mono().since(before), Self::new(before, wall))
        };
        let (_, first) = reading(0);
        (0..3).map(reading).min_by_key(|(lost, _)| *lost).map_or(first, |(_, pair)| pair)
    }

    /// How far the wall clock of this pair is ahead of that of another at a monotonic time, in nanoseconds
    /// of the wall clock; negative if it is behind.
    #[must_use]
    pub fn ahead_of(&self, other: &Self, at: MonoTime) -> i64 {
        self.wall(at).0.saturating_sub(other.wall(at).0)
    }

    /// The same instant, with a wall clock that runs `speed` times as fast; kept within 1 to 100,000.
    #[must_use]
    pub fn squeezed(self, speed: f64) -> Self {
        Self { speed: speed.clamp(1.0, 100_000.0), ..self }
    }

    /// How many wall seconds pass in one monotonic second.
    #[must_use]
    pub const fn speed(&self) -> f64 {
        self.speed
    }

    /// What the wall clock shows at a monotonic time.
    #[must_use]
    pub fn wall(&self, mono: MonoTime) -> WallTime {
        if mono >= self.mono {
            self.wall.after(mono.since(self.mono).mul_f64(self.speed))
        } else {
            let back = self.mono.since(mono).mul_f64(self.speed);
            let nanos = i64::try_from(back.as_nanos()).unwrap_or(i64::MAX);
            WallTime(self.wall.0.saturating_sub(nanos))
        }
    }

    /// When, on the monotonic clock, the wall clock shows this time; the anchor if it is past.
    #[must_use]
    pub fn mono(&self, wall: WallTime) -> MonoTime {
        self.mono.after(wall.since(self.wall).div_f64(self.speed))
    }
}

/// The two clocks of a process. The only place, with its implementations, where time is read.
pub trait Clock {
    /// Monotonic time now.
    fn mono(&self) -> MonoTime;
    /// Wall time now.
    fn wall(&self) -> WallTime;
}

/// The computer's clocks; the monotonic one counts from the moment this was made.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    origin: std::time::Instant,
}

impl SystemClock {
    /// Starts counting now.
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn start() -> Self {
        Self { origin: std::time::Instant::now() }
    }
}

impl Clock for SystemClock {
    fn mono(&self) -> MonoTime {
        MonoTime::default().after(self.origin.elapsed())
    }

    #[allow(clippy::disallowed_methods, reason = "this is the clock")]
    fn wall(&self) -> WallTime {
        let since_epoch =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        WallTime::from_nanos(0).after(since_epoch)
    }
}

/// A clock whose wall time is not its own but that of a pair, as the lab's is.
#[derive(Clone, Copy, Debug)]
pub struct PairedClock<C> {
    clock: C,
    pair: ClockPair,
}

impl<C: Clock> PairedClock<C> {
    /// Wall time by this pair, which was made for this clock.
    #[must_use]
    pub const fn new(clock: C, pair: ClockPair) -> Self {
        Self { clock, pair }
    }
}

impl<C: Clock> Clock for PairedClock<C> {
    fn mono(&self) -> MonoTime {
        self.clock.mono()
    }

    fn wall(&self) -> WallTime {
        self.pair.wall(self.clock.mono())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_pairs_tell_a_step_of_the_wall_clock_in_both_directions() {
        let clock = SystemClock::start();
        let pair = ClockPair::read(&PairedClock::new(clock, ClockPair::read(&clock).squeezed(300.0)));
        assert!(pair.squeezed(300.0).ahead_of(&pair, clock.mono()) >= 0);
        let at = MonoTime::from_nanos(9_000_000_000);
        let later = ClockPair::new(at, pair.wall(at).after(Duration::from_secs(3600)));
        assert_eq!(later.ahead_of(&pair, at), 3_600_000_000_000);
        assert_eq!(pair.ahead_of(&later, at), -3_600_000_000_000);
    }

    #[test]
    fn a_squeezed_clock_turns_five_minutes_into_a_second() {
        let start = WallTime::parse_rfc3339("2017-10-01T07:30:00Z").unwrap();
        let pair = ClockPair::new(MonoTime::from_nanos(5), start).squeezed(300.0);
        let second_later = MonoTime::from_nanos(1_000_000_005);
        assert_eq!(pair.wall(second_later).to_string(), "2017-10-01T07:35:00Z");
        assert_eq!(pair.mono(pair.wall(second_later)), second_later);
    }

    #[test]
    fn no_difference_of_times_is_negative() {
        let early = MonoTime::from_nanos(1);
        let late = MonoTime::from_nanos(9);
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(MonoTime::NEVER.after(Duration::from_secs(1)), MonoTime::NEVER);
    }
}
