//! Which rounds fall due when. Pure and seeded: made again after a restart from the same schedules, seed
//! and start, it gives the same rounds the same numbers and times.
//!
//! A round is missed when the next one of the same prober is already due. Missed rounds are counted and
//! never made up for: a vantage that was asleep must not come back with a burst.

use std::time::Duration;

use croner::Cron;

use super::seed::Draw;
use crate::model::{RoundId, WallTime};

/// Tells these draws from those of other purposes.
const PURPOSE: u64 = 0x6a69_7474_6572_2121;

/// When the rounds of one prober are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The nominal times.
    pub when: When,
    /// Each round begins up to this much after its nominal time, by a seeded draw; at most half of the
    /// shortest time between two rounds, so that rounds keep their order.
    pub jitter: Duration,
}

/// Nominal times of rounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// At the start of the campaign, and then at this interval.
    Every(Duration),
    /// By a cron pattern of five fields, in UTC.
    Cron(Box<Cron>),
}

impl When {
    /// The first nominal time after `time`; `None` if there is none before the year 2262.
    fn next_after(&self, time: WallTime) -> Option<WallTime> {
        match self {
            Self::Every(interval) => {
                let next = time.after(*interval);
                (next > time && next.as_nanos() < i64::MAX).then_some(next)
            }
            Self::Cron(cron) => next_by_cron(cron, time, false),
        }
    }

    /// The first nominal time of a campaign that starts at `start`.
    fn first(&self, start: WallTime) -> Option<WallTime> {
        match self {
            Self::Every(_) => Some(start),
            Self::Cron(cron) => next_by_cron(cron, start, true),
        }
    }

    /// The shortest time between two rounds, among the first hundred of a campaign that starts at `start`;
    /// `None` if there are fewer than two.
    #[must_use]
    pub fn shortest_gap(&self, start: WallTime) -> Option<Duration> {
        match self {
            Self::Every(interval) => Some(*interval),
            Self::Cron(_) => {
                let times = self.nominal_times(start, 100);
                times.iter().zip(times.iter().skip(1)).map(|(one, next)| next.since(*one)).min()
            }
        }
    }

    /// Rounds an hour where they lie closest: for an interval its inverse; for a cron pattern the number of
    /// rounds in the hour that begins with the first, or the inverse of the time to the second if it is
    /// only one.
    #[must_use]
    pub fn rounds_per_hour(&self, start: WallTime) -> f64 {
        let per_hour = |gap: Duration| HOUR.as_secs_f64() / gap.as_secs_f64().max(1e-9);
        match self {
            Self::Every(interval) => per_hour(*interval),
            Self::Cron(_) => {
                let times = self.nominal_times(start, 3_600);
                let Some((first, later)) = times.split_first() else { return 0.0 };
                let in_first_hour = later.iter().filter(|time| time.since(*first) < HOUR).count();
                match u32::try_from(in_first_hour) {
                    Ok(0) => later.first().map_or(0.0, |second| per_hour(second.since(*first))),
                    Ok(further) => f64::from(further.saturating_add(1)),
                    Err(_) => f64::INFINITY,
                }
            }
        }
    }

    fn nominal_times(&self, start: WallTime, most: usize) -> Vec<WallTime> {
        std::iter::successors(self.first(start), |time| self.next_after(*time)).take(most).collect()
    }
}

const HOUR: Duration = Duration::from_secs(3_600);

fn next_by_cron(cron: &Cron, time: WallTime, inclusive: bool) -> Option<WallTime> {
    let utc = jiff::tz::Offset::UTC;
    let stamp = jiff::Timestamp::from_nanosecond(i128::from(time.as_nanos())).ok()?;
    let next = cron.find_next_occurrence(&utc.to_datetime(stamp), inclusive).ok()?;
    let nanos = utc.to_timestamp(next).ok()?.as_nanosecond();
    i64::try_from(nanos).ok().map(WallTime::from_nanos)
}

/// A round that falls due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// When, with its jitter.
    pub at: WallTime,
    /// Index of the prober's schedule.
    pub prober: usize,
    /// Which round of this prober: 0, 1, 2, …, missed ones counted.
    pub occurrence: u64,
    /// Its number among all rounds of the campaign in the order in which they fall due, missed ones
    /// counted.
    pub round: RoundId,
    /// Rounds of the same prober that were missed since its last one.
    pub missed: u64,
}

/// The rounds of a campaign in the order in which they fall due.
#[derive(Clone, Debug)]
pub struct Timetable {
    draw: Draw,
    lines: Vec<Line>,
    last: RoundId,
}

/// The rounds of one prober that are still to come.
#[derive(Clone, Debug)]
struct Line {
    schedule: Schedule,
    /// Nominal time of the next round; `None` behind the last.
    nominal: Option<WallTime>,
    occurrence: u64,
    /// Rounds missed since the last that was given out.
    missed: u64,
}

impl Timetable {
    /// From one schedule a prober, the campaign's seed, and the time at which the campaign first started.
    #[must_use]
    pub fn new(schedules: &[Schedule], seed: u64, start: WallTime) -> Self {
        let line = |schedule: &Schedule| Line {
            schedule: schedule.clone(),
            nominal: schedule.when.first(start),
            occurrence: 0,
            missed: 0,
        };
        Self {
            draw: Draw::new(seed, PURPOSE),
            lines: schedules.iter().map(line).collect(),
            last: RoundId(0),
        }
    }

    /// Gives out the next round that was not missed: it may lie before `now`, if no later round of the same
    /// prober is due by then. `None` when no round is left before the year 2262.
    pub fn next(&mut self, now: WallTime) -> Option<Due> {
        loop {
            let due = self.pop()?;
            let overtaken = self.due_time(due.prober).is_some_and(|next| next <= now);
            let line = self.lines.get_mut(due.prober)?;
            if !overtaken {
                return Some(Due { missed: std::mem::take(&mut line.missed), ..due });
            }
            line.missed = line.missed.saturating_add(1);
        }
    }

    /// When the next round falls due, missed or not; nothing is given out.
    #[must_use]
    pub fn peek(&self) -> Option<WallTime> {
        self.earliest().map(|(at, _)| at)
    }

    /// Passes over the rounds up to and including `round`, which an earlier run of the campaign has dealt
    /// with. They do not count as missed.
    pub fn skip_through(&mut self, round: RoundId) {
        while self.last < round && self.pop().is_some() {}
    }

    /// Passes over the rounds that fell due before `time`. They do not count as missed. Returns how many
    /// they were.
    pub fn skip_before(&mut self, time: WallTime) -> u64 {
        let before = self.last;
        while self.peek().is_some_and(|at| at < time) && self.pop().is_some() {}
        self.last.0.saturating_sub(before.0)
    }

    /// Takes the next round off its line, missed or not.
    fn pop(&mut self) -> Option<Due> {
        let (at, prober) = self.earliest()?;
        let line = self.lines.get_mut(prober)?;
        let occurrence = line.occurrence;
        line.nominal = line.nominal.and_then(|nominal| line.schedule.when.next_after(nominal));
        line.occurrence = occurrence.saturating_add(1);
        self.last = RoundId(self.last.0.saturating_add(1));
        Some(Due { at, prober, occurrence, round: self.last, missed: 0 })
    }

    /// The next round: when, and on which line; of two at one time, that of the prober named first.
    fn earliest(&self) -> Option<(WallTime, usize)> {
        let due = |prober| self.due_time(prober).map(|at| (at, prober));
        (0..self.lines.len()).filter_map(due).min()
    }

    fn due_time(&self, prober: usize) -> Option<WallTime> {
        let line = self.lines.get(prober)?;
        let most = u64::try_from(line.schedule.jitter.as_nanos()).unwrap_or(u64::MAX);
        let which = u64::try_from(prober).unwrap_or(u64::MAX);
        let jitter = Duration::from_nanos(self.draw.up_to(most, which, line.occurrence));
        line.nominal.map(|nominal| nominal.after(jitter))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn time(text: &str) -> WallTime {
        WallTime::parse_rfc3339(text).unwrap()
    }

    fn start() -> WallTime {
        time("2017-10-01T07:30:00Z")
    }

    fn every(minutes: u64, jitter_seconds: u64) -> Schedule {
        let when = When::Every(Duration::from_secs(minutes * 60));
        Schedule { when, jitter: Duration::from_secs(jitter_seconds) }
    }

    fn cron(pattern: &str) -> Schedule {
        Schedule { when: When::Cron(Box::new(pattern.parse().unwrap())), jitter: Duration::ZERO }
    }

    /// All rounds as a vantage that never sleeps gets them.
    fn rounds(mut timetable: Timetable, most: usize) -> Vec<Due> {
        let awake = |timetable: &mut Timetable| timetable.next(timetable.peek()?);
        std::iter::from_fn(|| awake(&mut timetable)).take(most).collect()
    }

    #[test]
    fn intervals_count_from_the_start_of_the_campaign() {
        let due = rounds(Timetable::new(&[every(30, 0), every(60, 0)], 1, start()), 6);
        let shown: Vec<_> =
            due.iter().map(|due| (due.at.to_string(), due.prober, due.occurrence, due.round.0)).collect();
        let at = |text: &str| format!("2017-10-01T{text}:00Z");
        assert_eq!(
            shown,
            [
                (at("07:30"), 0, 0, 1),
                (at("07:30"), 1, 0, 2),
                (at("08:00"), 0, 1, 3),
                (at("08:30"), 0, 2, 4),
                (at("08:30"), 1, 1, 5),
                (at("09:00"), 0, 3, 6),
            ]
        );
    }

    #[test]
    fn cron_means_utc() {
        let due = rounds(Timetable::new(&[cron("15 9 * * *")], 1, start()), 2);
        assert_eq!(due[0].at.to_string(), "2017-10-01T09:15:00Z");
        assert_eq!(due[1].at.to_string(), "2017-10-02T09:15:00Z");
    }

    #[test]
    fn a_cron_round_at_the_very_start_is_not_lost() {
        assert_eq!(rounds(Timetable::new(&[cron("30 7 * * *")], 1, start()), 1)[0].at, start());
    }

    #[test]
    fn a_vantage_that_slept_starts_one_round_late_and_counts_the_others() {
        let mut timetable = Timetable::new(&[every(30, 0), cron("0 0 1 1 *")], 1, start());
        assert_eq!(timetable.next(start()).map(|due| due.occurrence), Some(0));
        let late = timetable.next(time("2017-10-01T10:10:00Z")).unwrap();
        assert_eq!(late.at, time("2017-10-01T10:00:00Z"));
        assert_eq!((late.occurrence, late.missed, late.round), (5, 4, RoundId(6)));
        let next = timetable.next(time("2017-10-01T10:11:00Z")).unwrap();
        assert_eq!((next.at, next.missed), (time("2017-10-01T10:30:00Z"), 0));
    }

    #[test]
    fn a_pattern_that_never_comes_ends_the_timetable() {
        let mut timetable = Timetable::new(&[cron("0 0 30 2 *")], 1, start());
        assert_eq!(timetable.next(start()), None);
    }

    #[test]
    fn the_closest_rounds_of_a_pattern_are_counted() {
        let per_hour = |schedule: Schedule| schedule.when.rounds_per_hour(start());
        assert!((per_hour(every(30, 0)) - 2.0).abs() < 1e-9);
        assert!((per_hour(cron("*/15 3 * * *")) - 4.0).abs() < 1e-9);
        assert!((per_hour(cron("0 3 * * *")) - 1.0 / 24.0).abs() < 1e-9);
        assert_eq!(cron("0,5 3 * * *").when.shortest_gap(start()), Some(Duration::from_secs(300)));
    }

    proptest! {
        #[test]
        fn a_restart_changes_neither_times_nor_numbers(
            seed: u64,
            schedules in prop::collection::vec((1_u64..90, 0_u64..30), 1..6),
            cut in 0_u64..40,
        ) {
            let mut schedules: Vec<Schedule> = schedules.into_iter().map(|(m, j)| every(m, j)).collect();
            schedules.push(cron("7,40 * * * *"));
            let whole = rounds(Timetable::new(&schedules, seed, start()), 80);
            let mut again = Timetable::new(&schedules, seed, start());
            again.skip_through(RoundId(cut));
            let rest: Vec<Due> = whole.iter().filter(|due| due.round.0 > cut).copied().collect();
            prop_assert_eq!(rounds(again, rest.len()), rest);
        }

        #[test]
        fn rounds_keep_their_order_and_their_jitter(seed: u64, minutes in 1_u64..90) {
            let jitter = Duration::from_secs(minutes * 30);
            let mut timetable = Timetable::new(&[every(minutes, minutes * 30)], seed, start());
            let mut nominal = start();
            for _ in 0..50 {
                let due = timetable.next(nominal).unwrap();
                prop_assert!(due.at >= nominal && due.at <= nominal.after(jitter));
                nominal = nominal.after(Duration::from_secs(minutes * 60));
            }
        }

        #[test]
        fn skipping_by_time_and_by_number_agree(seed: u64, minutes in 0_u64..600) {
            let schedules = [every(30, 60), every(45, 300)];
            let time = start().after(Duration::from_secs(minutes * 60));
            let mut by_time = Timetable::new(&schedules, seed, start());
            let passed = by_time.skip_before(time);
            let mut by_number = Timetable::new(&schedules, seed, start());
            by_number.skip_through(RoundId(passed));
            prop_assert_eq!(by_time.peek(), by_number.peek());
            prop_assert!(by_time.peek().is_none_or(|at| at >= time));
        }
    }
}
