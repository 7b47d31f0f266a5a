//! What a file is, told by its first bytes.

use super::caracal;
use super::input::Input;

/// How much is looked at.
const LOOKED_AT: usize = 64 * 1024;

/// A format that can be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// scamper's own: binary.
    Warts,
    /// scamper's JSON.
    ScamperJson,
    /// Results of RIPE Atlas.
    Atlas,
    /// yarrp's text.
    Yarrp,
    /// caracal's CSV, which Iris keeps.
    Caracal,
    /// A report of mtr in JSON.
    Mtr,
    /// A report of trippy in JSON.
    Trippy,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 7] =
        [Self::Warts, Self::ScamperJson, Self::Atlas, Self::Yarrp, Self::Caracal, Self::Mtr, Self::Trippy];

    /// Its name, as it is given on the command line and stands in the catalogue.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warts => "warts",
            Self::ScamperJson => "scamper-json",
            Self::Atlas => "atlas-json",
            Self::Yarrp => "yarrp",
            Self::Caracal => "caracal",
            Self::Mtr => "mtr-json",
            Self::Trippy => "trippy-json",
        }
    }

    /// What a file seems to be; `None` if it is none of them.
    pub(super) fn of(input: &mut Input) -> Option<Self> {
        let begin = input.peek();
        if begin.starts_with(&[0x12, 0x05]) {
            return Some(Self::Warts);
        }
        if begin.starts_with(caracal::HEADER.as_bytes()) {
            return Some(Self::Caracal);
        }
        if is_yarrp(begin) {
            return Some(Self::Yarrp);
        }
        let first = begin.iter().find(|byte| !byte.is_ascii_whitespace());
        first.filter(|byte| matches!(byte, b'{' | b'[')).and_then(|_| Self::of_json(begin))
    }

    /// Whose words stand in it.
    fn of_json(begin: &[u8]) -> Option<Self> {
        let begin = begin.get(..LOOKED_AT).unwrap_or(begin);
        let text = String::from_utf8_lossy(begin);
        let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
        let formats = [
            (Self::Mtr, says(&["\"hubs\""])),
            (Self::Trippy, says(&["\"info\""]) && says(&["\"start_timestamp\"", "\"hops\""])),
            (Self::Atlas, says(&["\"prb_id\"", "\"msm_id\""])),
            (Self::ScamperJson, says(&["\"cycle-start\"", "\"trace\"", "\"tracelb\"", "\"ping_sent\""])),
        ];
        formats.into_iter().find_map(|(format, says)| says.then_some(format))
    }
}

/// Comments of its own, or a line of fifteen fields that begins with an address.
fn is_yarrp(begin: &[u8]) -> bool {
    let text = String::from_utf8_lossy(begin.get(..LOOKED_AT).unwrap_or(begin));
    let comment = |line: &&str| line.starts_with('#');
    let named = ["Trace_Type:", "RTT_Granularity:", "Yarrp"];
    if text.lines().take_while(comment).any(|line| named.iter().any(|name| line.contains(name))) {
        return true;
    }
    let first = text.lines().find(|line| !line.starts_with('#')).unwrap_or_default();
    let mut fields = first.split_ascii_whitespace();
    fields.next().is_some_and(|field| field.parse::<std::net::IpAddr>().is_ok()) && fields.count() == 14
}
