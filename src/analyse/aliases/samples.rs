//! What routers' answers show of who sent them: the identifications in their IPv4 headers, with the times between which they
//! were given, and the TTLs with which they set out.
//!
//! What is kept is bounded: of an address the identifications of at most so many seconds, which are the same seconds for all
//! addresses, so that samples of two that lie close together are kept together. In which order records come does
//! not matter.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::counters::FEWEST;
use super::{keep_same, set_out};
use crate::model::{Keyed, Name, Outcome, ReplyKind, RttSource, WallTime};

/// Samples of one address.
const MOST: usize = 512;
/// Samples of all addresses: 32 MiB, and as much again while they come.
const MOST_IN_ALL: usize = 1 << 21;
/// Nanoseconds that are kept or left out together.
const WINDOW: i64 = 1_000_000_000;
/// How far the clocks of two vantages may be apart.
const CLOCKS_APART: i64 = 100_000_000;

/// What was heard of addresses that traces keep nothing of, since it is different each time.
#[derive(Clone, Debug)]
pub struct Fingerprints {
    of: Keyed<IpAddr, Vec<Sample>>,
    /// The TTL with which the answers of an address set out; `None` where they differ.
    first_ttl: Keyed<IpAddr, Option<u8>>,
    vantages: BTreeMap<Name, u16>,
    /// Of all samples.
    count: usize,
    /// Seconds of a higher rank are left out.
    highest: u64,
    /// By how much the clock of the records is faster than that of round-trip times.
    speed: f64,
}

/// One identification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sample {
    /// When the probe was sent, in nanoseconds since 1970: the answer set out later.
    earliest: i64,
    /// How much later the answer was there, in microseconds: it set out before.
    within: u32,
    vantage: u16,
    pub(super) id: u16,
}

impl Default for Fingerprints {
    fn default() -> Self {
        Self::at_speed(1.0)
    }
}

impl Fingerprints {
    /// None yet. In a rehearsal the clock of the records may run faster than that of round-trip times.
    #[must_use]
    pub fn at_speed(speed: f64) -> Self {
        let speed = if speed.is_finite() { speed.max(1.0) } else { 1.0 };
        Self {
            of: Keyed::default(),
            first_ttl: Keyed::default(),
            vantages: BTreeMap::new(),
            count: 0,
            highest: u64::MAX,
            speed,
        }
    }

    /// Takes in what a vantage heard, and when its probe was sent. Only errors of routers whose TTL ran out count: other answers may be numbered otherwise.
    pub fn add(&mut self, vantage: &Name, sent_at: Option<WallTime>, outcome: &Outcome) {
        let (Outcome::Answered { reply, rtt } | Outcome::Late { reply, rtt }) = outcome else {
            return;
        };
        if reply.kind != ReplyKind::TimeExceeded {
            return;
        }
        if let Some(ttl) = reply.reply_ttl {
            keep_same(&mut self.first_ttl, reply.from, set_out(ttl));
        }
        let at = sent_at.filter(|_| rtt.source != RttSource::NotTold);
        if let (Some(id), Some(at)) = (reply.ip_id, at) {
            self.add_sample(reply.from, vantage, (at.as_nanos(), rtt.span), id);
        }
    }

    /// Takes a sample in: who answered whom, when the probe was sent, in nanoseconds since 1970, how long it took, and
    /// the identification.
    pub fn add_sample(&mut self, from: IpAddr, vantage: &Name, (at, took): (i64, Duration), id: u16) {
        let Some(vantage) = self.vantage(vantage).filter(|_| rank(at) <= self.highest) else { return };
        let took = took.mul_f64(self.speed).as_micros();
        let within = u32::try_from(took).unwrap_or(u32::MAX);
        let samples = self.of.entry(from).or_default();
        samples.push(Sample { earliest: at, within, vantage, id });
        self.count = self.count.saturating_add(1);
        if samples.len() >= MOST.saturating_mul(2) {
            self.count = self.count.saturating_sub(thin(samples));
        }
        while self.count > MOST_IN_ALL && self.highest > 0 {
            self.halve();
        }
    }

    fn vantage(&mut self, name: &Name) -> Option<u16> {
        if let Some(number) = self.vantages.get(name) {
            return Some(*number);
        }
        let number = u16::try_from(self.vantages.len()).ok()?;
        self.vantages.insert(name.clone(), number);
        Some(number)
    }

    /// Leaves out every other second of all addresses.
    fn halve(&mut self) {
        self.highest /= 2;
        self.count = 0;
        for samples in self.of.values_mut() {
            samples.retain(|sample| rank(sample.earliest) <= self.highest);
            self.count = self.count.saturating_add(samples.len());
        }
    }

    /// The TTLs with which the answers of addresses set out; `None` where they differ.
    pub(super) const fn first_ttl(&self) -> &Keyed<IpAddr, Option<u8>> {
        &self.first_ttl
    }

    /// Whether there may be enough of an address.
    pub(super) fn has_some(&self, address: IpAddr) -> bool {
        self.of.get(&address).is_some_and(|samples| samples.len() > FEWEST)
    }

    /// The samples of an address, in the order of time.
    pub(super) fn of(&self, address: IpAddr) -> Vec<Sample> {
        let mut samples = self.of.get(&address).cloned().unwrap_or_default();
        thin(&mut samples);
        samples.sort_unstable_by_key(|sample| (sample.middle(), *sample));
        samples.dedup();
        samples
    }
}

/// Leaves the samples of the seconds of the lowest ranks. Gives how many went.
fn thin(samples: &mut Vec<Sample>) -> usize {
    let before = samples.len();
    if before > MOST {
        samples.select_nth_unstable_by_key(MOST, |sample| (rank(sample.earliest), *sample));
        samples.truncate(MOST);
    }
    before.saturating_sub(samples.len())
}

/// Of a second: the same for all addresses, and as good as drawn (Steele, Lea and Flood, "Fast splittable pseudorandom
/// number generators", 2014).
fn rank(nanos: i64) -> u64 {
    let mut word = nanos.div_euclid(WINDOW).cast_unsigned().wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

impl Sample {
    fn latest(self) -> i64 {
        self.earliest.saturating_add(i64::from(self.within).saturating_mul(1_000))
    }

    /// The middle of the time in which it was given, in nanoseconds since 1970.
    pub(super) fn middle(self) -> i64 {
        self.earliest.saturating_add(i64::from(self.within).saturating_mul(500))
    }

    /// At most how much later another was given, in seconds; `None` if it is not certain that it was later.
    pub(super) fn until(self, later: Self) -> Option<f64> {
        let doubt = if self.vantage == later.vantage { 0 } else { CLOCKS_APART };
        let certain = later.earliest.saturating_sub(self.latest()) > doubt;
        let most = later.latest().saturating_sub(self.earliest).saturating_add(doubt);
        certain.then(|| seconds(most))
    }
}

/// Nanoseconds as seconds.
pub(super) fn seconds(nanos: i64) -> f64 {
    let whole = Duration::from_nanos(nanos.unsigned_abs()).as_secs_f64();
    if nanos < 0 { -whole } else { whole }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    fn vantage() -> Name {
        "vp".parse().unwrap()
    }

    fn added(times: impl Iterator<Item = i64>) -> Fingerprints {
        let mut samples = Fingerprints::default();
        for time in times {
            let (took, id) = (Duration::from_millis(20), u16::try_from(time).unwrap());
            samples.add_sample(address(1), &vantage(), (time * 250_000_000, took), id);
            if time % 3 == 0 {
                samples.add_sample(address(2), &vantage(), (time * 250_000_000, took), id);
            }
        }
        samples
    }

    #[test]
    fn of_many_samples_those_of_the_same_seconds_are_kept_whatever_their_order() {
        let (forward, backward) = (added(0..9_000), added((0..9_000).rev()));
        for last in [1, 2] {
            let kept = forward.of(address(last));
            assert_eq!(kept, backward.of(address(last)));
            assert_eq!(kept.len(), MOST);
            // From the beginning to the end.
            let tenth = |sample: &Sample| sample.earliest / 225_000_000_000;
            let tenths: std::collections::BTreeSet<i64> = kept.iter().map(tenth).collect();
            assert_eq!(tenths.len(), 10);
        }
        let second = |sample: &Sample| sample.earliest.div_euclid(WINDOW);
        let of_one: std::collections::BTreeSet<i64> = forward.of(address(1)).iter().map(second).collect();
        let shared =
            forward.of(address(2)).iter().filter(|sample| of_one.contains(&second(sample))).count();
        assert!(shared > MOST / 5, "{shared}");
    }

    /// An answer with this TTL and identification, a second after the one before.
    fn heard(answers: &[(ReplyKind, u8)]) -> Fingerprints {
        let mut heard = Fingerprints::default();
        for (second, (kind, ttl)) in (0..).zip(answers) {
            let reply = crate::model::Reply::plain(address(1), *kind);
            let reply = crate::model::Reply { reply_ttl: Some(*ttl), ip_id: Some(7), ..reply };
            let rtt = crate::model::Rtt { span: Duration::from_millis(20), source: RttSource::Kernel };
            let sent_at = Some(WallTime::from_nanos(second * WINDOW));
            heard.add(&vantage(), sent_at, &Outcome::Late { reply, rtt });
        }
        heard
    }

    #[test]
    fn only_routers_whose_ttl_ran_out_are_listened_to() {
        let both = heard(&[(ReplyKind::TimeExceeded, 60), (ReplyKind::EchoReply, 250)]);
        assert_eq!((both.of(address(1)).len(), both.first_ttl()[&address(1)]), (1, Some(64)));
        let differ = heard(&[(ReplyKind::TimeExceeded, 60), (ReplyKind::TimeExceeded, 250)]);
        assert_eq!((differ.of(address(1)).len(), differ.first_ttl()[&address(1)]), (2, None));
    }

    #[test]
    fn halving_leaves_half_of_the_seconds() {
        let mut samples = added(0..2_000);
        samples.halve();
        assert_eq!(samples.count, samples.of.values().map(Vec::len).sum::<usize>());
        let lowest = samples.of[&address(1)].iter().all(|sample| rank(sample.earliest) <= u64::MAX / 2);
        assert!(lowest);
    }

    #[test]
    fn which_came_later_is_not_certain_where_times_overlap_or_clocks_may_differ() {
        let sample = |earliest: i64, vantage| Sample { earliest, within: 1_000, vantage, id: 0 };
        let (one, overlaps) = (sample(0, 1), sample(900_000, 1));
        assert_eq!(one.until(overlaps), None);
        assert_eq!(one.until(sample(2_000_000, 1)), Some(0.003));
        assert_eq!(one.until(sample(2_000_000, 2)), None);
        assert_eq!(one.until(sample(102_000_000, 2)), Some(0.203));
    }
}
