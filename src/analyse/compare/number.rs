//! The one place where numbers and times become text. The verdicts and every output take their digits from
//! here, so sentences, terminal, page, CSV and LaTeX tables cannot disagree.
//!
//! A share is rounded once, to five decimals. CSV shows these five; people see a percentage with one
//! decimal, rounded from the same five. A percentage never says 0 or 100 unless that is what the five
//! decimals say. What is not a number becomes `None`, never a text such as `NaN`.

use std::time::Duration;

use super::findings::Estimate;
use crate::model::WallTime;

/// What one whole is counted in.
const WHOLE: u64 = 100_000;
/// A tenth of a percent, in the same parts.
const TENTH: u64 = 100;

/// A share or a difference of shares, rounded to hundred-thousandths.
#[derive(Clone, Copy)]
struct Parts {
    negative: bool,
    size: u64,
}

impl Parts {
    /// `None` for what is no number or beyond all bounds.
    fn of(value: f64) -> Option<Self> {
        let size = format!("{:.0}", (value * 100_000.0).abs()).parse().ok()?;
        Some(Self { negative: value < 0.0 && size > 0, size })
    }

    /// In tenths of a percent, halves rounded up.
    const fn tenths(self) -> u64 {
        self.size.saturating_add(TENTH.div_euclid(2)).div_euclid(TENTH)
    }

    /// `58.3`, without a sign.
    fn rounded(self) -> String {
        format!("{}.{}", self.tenths().div_euclid(10), self.tenths().rem_euclid(10))
    }

    /// The same, but never 0.0 or 100.0 by rounding alone.
    fn percent(self) -> String {
        let tenths = self.tenths();
        if tenths == 0 && self.size > 0 {
            return "<0.1".to_owned();
        }
        if tenths == 1000 && self.size < WHOLE {
            return ">99.9".to_owned();
        }
        self.rounded()
    }

    /// `+`, a true minus sign, or nothing before zero.
    const fn sign(self) -> &'static str {
        match (self.negative, self.size) {
            (true, _) => "\u{2212}",
            (false, 0) => "",
            (false, _) => "+",
        }
    }
}

/// A share for files: `0.58333`; negative differences with an ASCII hyphen.
pub(crate) fn fraction(value: f64) -> Option<String> {
    let parts = Parts::of(value)?;
    let (whole, rest) = (parts.size.div_euclid(WHOLE), parts.size.rem_euclid(WHOLE));
    Some(format!("{}{whole}.{rest:05}", if parts.negative { "-" } else { "" }))
}

/// A probability for files, to two digits: `1.2e-9`.
pub(crate) fn probability(value: f64) -> Option<String> {
    value.is_finite().then(|| format!("{value:.1e}"))
}

/// A share for people: `58.3 %`.
pub(crate) fn percent(share: f64) -> Option<String> {
    Parts::of(share).map(|parts| format!("{} %", parts.percent()))
}

/// The interval of a share, for people, in percent: `[51.0, 65.4]`.
pub(crate) fn percent_interval(estimate: &Estimate) -> Option<String> {
    let (low, high) = (Parts::of(estimate.low)?, Parts::of(estimate.high)?);
    Some(format!("[{}, {}]", low.percent(), high.percent()))
}

/// A difference of shares in percentage points, for people: `+43.8 points`.
pub(crate) fn points(difference: f64) -> Option<String> {
    signed(difference).map(|text| format!("{text} points"))
}

/// The interval of a difference of shares in percentage points: `[+38.9, +48.8]`.
pub(crate) fn points_interval((low, high): (f64, f64)) -> Option<String> {
    Some(format!("[{}, {}]", signed(low)?, signed(high)?))
}

fn signed(difference: f64) -> Option<String> {
    Parts::of(difference).map(|parts| format!("{}{}", parts.sign(), parts.rounded()))
}

/// A count for people, in groups of three: `59,031`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let lead = digits.len().rem_euclid(3);
    let mut grouped = String::with_capacity(digits.len().saturating_mul(2));
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && index.rem_euclid(3) == lead {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A count that comes as a real number, for files: `2`, or `1.50` where it is a mean.
pub(crate) fn quantity(value: f64) -> Option<String> {
    if !value.is_finite() {
        return None;
    }
    let text = format!("{value:.2}");
    let text = text.strip_prefix('-').filter(|size| *size == "0.00").map(str::to_owned).unwrap_or(text);
    Some(text.strip_suffix(".00").map(str::to_owned).unwrap_or(text))
}

/// A difference of counts, for people: `+1`.
pub(crate) fn signed_quantity(value: f64) -> Option<String> {
    let size = quantity(value.abs())?;
    let sign = if size == "0" {
        ""
    } else if value < 0.0 {
        "\u{2212}"
    } else {
        "+"
    };
    Some(format!("{sign}{size}"))
}

/// Milliseconds, to the tenth: `270.1`; a difference with an ASCII hyphen.
pub(crate) fn milliseconds(value: f64) -> Option<String> {
    value
        .is_finite()
        .then(|| format!("{value:.1}"))
        .map(|text| if text == "-0.0" { "0.0".to_owned() } else { text })
}

/// A difference of milliseconds with its interval, for people: `+12.0 ms [+11.5, +12.6]`.
pub(crate) fn milliseconds_more(difference: &Estimate) -> Option<String> {
    let signed = |value: f64| {
        let text = milliseconds(value)?;
        Some(text.strip_prefix('-').map_or_else(|| format!("+{text}"), |size| format!("\u{2212}{size}")))
    };
    let Estimate { value, low, high } = *difference;
    Some(format!("{} ms [{}, {}]", signed(value)?, signed(low)?, signed(high)?))
}

/// An integer as a real number; exact up to 2^53.
pub(crate) fn real(number: u64) -> f64 {
    let low = u32::try_from(number & u64::from(u32::MAX)).unwrap_or(u32::MAX);
    let high = u32::try_from(number >> 32).unwrap_or(u32::MAX);
    f64::from(high) * 4_294_967_296.0 + f64::from(low)
}

/// The length of something, as a real number.
pub(crate) fn length(items: usize) -> f64 {
    real(u64::try_from(items).unwrap_or(u64::MAX))
}

/// The date and the time of day of a moment, to the second, both UTC: `2017-10-01`, `09:07:51`.
pub(crate) fn date_and_time(at: WallTime) -> (String, String) {
    let text = at.to_string();
    match text.split_once('T') {
        Some((date, time)) => (date.to_owned(), time.chars().take(8).collect()),
        None => (text, String::new()),
    }
}

/// A moment for people: `2017-10-01 09:07:51`, UTC.
pub(crate) fn moment(at: WallTime) -> String {
    let (date, time) = date_and_time(at);
    format!("{date} {time}").trim_end().to_owned()
}

/// A bracket of time for people, in whole seconds and rounded outwards: `2017-10-01 08:23:41 and 09:20:00 UTC`,
/// with the second date only where it is another.
pub(crate) fn bracket((from, to): (WallTime, WallTime)) -> String {
    const SECOND: i64 = 1_000_000_000;
    let past = to.as_nanos().rem_euclid(SECOND);
    let up = if past == 0 { 0 } else { SECOND.saturating_sub(past) };
    let to = WallTime::from_nanos(to.as_nanos().saturating_add(up));
    let ((from_date, from_time), (to_date, to_time)) = (date_and_time(from), date_and_time(to));
    let to_date = if from_date == to_date { String::new() } else { format!("{to_date} ") };
    format!("{from_date} {from_time} and {to_date}{to_time} UTC")
}

/// A moment that is known to lie between two others: `2017-10-01 12:21:55 ± 40 s`, rounded outwards to whole seconds.
pub(crate) fn give_or_take((from, to): (WallTime, WallTime)) -> String {
    let width = to.since(from);
    let middle = moment(from.after(width.div_f64(2.0)));
    let half = Duration::from_secs(width.as_secs().saturating_add(1).div_euclid(2).saturating_add(1));
    format!("{middle} \u{b1} {}", span(half))
}

/// A span of time in its two largest units: `1 h 38 min`.
pub(crate) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let parts = [
        (seconds.div_euclid(86_400), "d"),
        (seconds.div_euclid(3_600).rem_euclid(24), "h"),
        (seconds.div_euclid(60).rem_euclid(60), "min"),
        (seconds.rem_euclid(60), "s"),
    ];
    let from_largest = parts.into_iter().skip_while(|(size, _)| *size == 0).take(2);
    let shown: Vec<String> =
        from_largest.filter(|(size, _)| *size > 0).map(|(size, unit)| format!("{size} {unit}")).collect();
    if shown.is_empty() { "under 1 s".to_owned() } else { shown.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_share_is_not_called_all_or_none_by_rounding() {
        assert_eq!(percent(0.9997).unwrap(), ">99.9 %");
        assert_eq!(percent(0.0002).unwrap(), "<0.1 %");
        assert_eq!(percent(1.0).unwrap(), "100.0 %");
        assert_eq!(percent(0.0).unwrap(), "0.0 %");
        assert_eq!(percent(0.583_333).unwrap(), "58.3 %");
    }

    #[test]
    fn what_is_no_number_has_no_text() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(fraction(value), None);
            assert_eq!(percent(value), None);
            assert_eq!(points(value), None);
            assert_eq!(quantity(value), None);
            assert_eq!(signed_quantity(value), None);
        }
    }

    #[test]
    fn differences_carry_a_sign_and_zero_carries_none() {
        assert_eq!(points(-0.4381).unwrap(), "\u{2212}43.8 points");
        assert_eq!(points(0.0).unwrap(), "0.0 points");
        assert_eq!(points(-0.000_000_1).unwrap(), "0.0 points");
        assert_eq!(fraction(-0.4381).unwrap(), "-0.43810");
        assert_eq!(signed_quantity(-1.0).unwrap(), "\u{2212}1");
        assert_eq!(signed_quantity(0.0).unwrap(), "0");
    }

    #[test]
    fn counts_and_spans_read_well() {
        assert_eq!(
            [count(7), count(999), count(59_031), count(1_000_000)],
            ["7", "999", "59,031", "1,000,000"]
        );
        assert_eq!(span(Duration::from_secs(5_871)), "1 h 37 min");
        assert_eq!(span(Duration::from_secs(86_405)), "1 d");
        assert_eq!(span(Duration::ZERO), "under 1 s");
    }

    #[test]
    fn a_bracket_is_rounded_outwards_and_names_the_second_day_only_where_there_is_one() {
        let at = |text: &str| WallTime::parse_rfc3339(text).unwrap();
        let same = bracket((at("2017-10-01T08:23:41.9Z"), at("2017-10-01T09:19:59.1Z")));
        assert_eq!(same, "2017-10-01 08:23:41 and 09:20:00 UTC");
        let other = bracket((at("2017-10-01T23:59:59Z"), at("2017-10-01T23:59:59.5Z")));
        assert_eq!(other, "2017-10-01 23:59:59 and 2017-10-02 00:00:00 UTC");
    }

    #[test]
    fn a_moment_drops_the_fraction_and_keeps_the_second() {
        let at = WallTime::parse_rfc3339("2017-10-01T09:07:51.999999999Z").unwrap();
        assert_eq!(moment(at), "2017-10-01 09:07:51");
    }

    proptest! {
        #[test]
        fn the_percentage_is_the_rounded_fraction_of_the_file(share in 0.0..=1.0_f64) {
            let in_file: f64 = fraction(share).unwrap().parse().unwrap();
            let shown = percent(share).unwrap();
            let shown = shown.strip_suffix(" %").unwrap();
            if shown.starts_with(['<', '>']) {
                prop_assert!(in_file > 0.0 && in_file < 1.0);
            } else {
                let percent: f64 = shown.parse().unwrap();
                prop_assert!((percent - in_file * 100.0).abs() <= 0.050_000_1);
            }
        }

        #[test]
        fn integers_become_reals_unchanged(number in 0..(1_u64 << 53)) {
            prop_assert_eq!(format!("{:.0}", real(number)), number.to_string());
        }
    }
}
