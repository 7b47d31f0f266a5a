//! The AS of an address, and why: what decides is found at once, all else is worked out when it is asked for.

use std::fmt;
use std::net::IpAddr;

use super::exchange::OnLan;
use super::kin::{Choice, Kin};
use super::source::{Found, OriginSource, SourceClass};
use crate::model::{Asn, Prefix};

/// The AS of an address, and why.
#[derive(Clone, Debug)]
pub struct Attribution<'a>(pub(super) Ground<'a>);

/// What decides about an address.
#[derive(Clone, Debug)]
pub(super) enum Ground<'a> {
    /// One source, which names one origin.
    Said(Said<'a>),
    /// Several origins, or several sources: all origins, the chosen one first.
    Several(Said<'a>, Vec<Asn>, Option<Choice>),
    Special(Prefix, &'static str),
    Exchange(OnLan<'a>),
    LookedUp(Prefix, &'a [Asn]),
    Nothing,
}

/// The longest prefix that sources of one class know around an address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said<'a> {
    /// The first that knows it.
    source: &'a OriginSource,
    found: Found<'a>,
    /// From the next on that knows it, too; empty if none does.
    others: &'a [OriginSource],
}

impl Attribution<'_> {
    /// The AS; `None` if none can be told.
    #[must_use]
    #[inline]
    pub fn asn(&self) -> Option<Asn> {
        match &self.0 {
            Ground::Said(said) => said.found.origins.first().map(|origin| origin.asn),
            Ground::Several(_, origins, _) => origins.first().copied(),
            Ground::LookedUp(_, origins) => origins.first().copied(),
            Ground::Special(..) | Ground::Exchange(_) | Ground::Nothing => None,
        }
    }

    /// The other ASes that originate the same prefix, in the order of the table; on the LAN of an exchange
    /// point, the member whose address it is.
    #[must_use]
    pub fn alternatives(&self) -> Vec<Asn> {
        let origins: &[Asn] = match &self.0 {
            Ground::Exchange(on_lan) => return on_lan.member.into_iter().collect(),
            Ground::Several(_, origins, _) => origins,
            Ground::LookedUp(_, origins) => origins,
            Ground::Said(_) | Ground::Special(..) | Ground::Nothing => &[],
        };
        origins.iter().skip(1).copied().collect()
    }

    /// Whether so few BGP peers saw this origin that it proves nothing.
    #[must_use]
    pub fn is_thin(&self) -> bool {
        let (Ground::Said(said) | Ground::Several(said, ..)) = &self.0 else { return false };
        self.asn().is_some_and(|asn| said.is_thin(asn))
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> OriginReason {
        match &self.0 {
            Ground::Said(said) => said.reason(None),
            Ground::Several(said, _, choice) => said.reason(*choice),
            Ground::Special(prefix, name) => OriginReason::SpecialPurpose { prefix: *prefix, name },
            Ground::Exchange(on_lan) => OriginReason::ExchangePoint { prefix: on_lan.lan },
            Ground::LookedUp(prefix, _) => OriginReason::LookedUp { prefix: *prefix },
            Ground::Nothing => OriginReason::NotCovered,
        }
    }
}

impl<'a> Said<'a> {
    /// In the first class of which a source knows any prefix around the address.
    #[inline]
    pub(super) fn longest(mut sources: &'a [OriginSource], address: IpAddr) -> Option<Self> {
        let mut best: Option<Self> = None;
        while let Some((source, behind)) = sources.split_first() {
            let others = std::mem::replace(&mut sources, behind);
            if best.is_some_and(|best| best.source.class() != source.class()) {
                break;
            }
            let Some(found) = source.find(address) else { continue };
            match &mut best {
                Some(best) if best.found.length > found.length => {}
                Some(best) if best.found.length == found.length => {
                    if best.others.is_empty() {
                        best.others = others;
                    }
                }
                _ => best = Some(Self { source, found, others: &[] }),
            }
        }
        best
    }

    /// Which origin it is.
    #[inline]
    pub(super) fn ground(self, kin: &Kin) -> Ground<'a> {
        if self.found.origins.len() == 1 && self.others.is_empty() {
            Ground::Said(self)
        } else {
            self.several(kin)
        }
    }

    fn several(self, kin: &Kin) -> Ground<'a> {
        let mut origins = self.origins();
        let is_open = origins.len() > 1 && self.source.class() == SourceClass::Bgp;
        let choice = is_open.then(|| self.choose(&mut origins, kin));
        Ground::Several(self, origins, choice)
    }

    fn is_thin(&self, asn: Asn) -> bool {
        self.found.origins.iter().any(|origin| origin.asn == asn && self.source.is_thin(*origin))
    }

    /// What all sources of the class say of the prefix, each origin once.
    fn origins(&self) -> Vec<Asn> {
        let Found { address, length, origins } = self.found;
        let of_class = self.others.iter().take_while(|other| other.class() == self.source.class());
        let same = of_class.filter_map(|other| other.find(address)).filter(|other| other.length == length);
        let mut all: Vec<Asn> = Vec::new();
        for origin in origins.iter().chain(same.flat_map(|found| found.origins)) {
            if !all.contains(&origin.asn) {
                all.push(origin.asn);
            }
        }
        all
    }

    /// Puts first the origin that it is. One that too few peers saw is not preferred for whose customer it is.
    fn choose(&self, origins: &mut [Asn], kin: &Kin) -> Choice {
        let (place, choice) = kin.choose(origins);
        let is_thin = origins.get(place).is_some_and(|asn| self.is_thin(*asn));
        if choice == Choice::Customer && is_thin {
            return Choice::First;
        }
        if let Some(until_chosen) = origins.get_mut(..=place) {
            until_chosen.rotate_right(1);
        }
        choice
    }

    fn reason(&self, choice: Option<Choice>) -> OriginReason {
        let prefix = self.found.prefix();
        match (self.source.class(), choice) {
            (SourceClass::Override, _) => OriginReason::Overridden { prefix },
            (SourceClass::Delegation, _) => OriginReason::Delegated { prefix },
            (SourceClass::Bgp, Some(choice)) => OriginReason::SeveralOrigins { prefix, choice },
            (SourceClass::Bgp, None) => OriginReason::SingleOrigin { prefix },
        }
    }
}

/// Why an address belongs to an AS, or to none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OriginReason {
    /// The user said so.
    Overridden {
        /// Of this prefix.
        prefix: Prefix,
    },
    /// Special-purpose space, which is never mapped.
    SpecialPurpose {
        /// The block.
        prefix: Prefix,
        /// What it is for.
        name: &'static str,
    },
    /// The LAN of an exchange point, which is never mapped by prefix.
    ExchangePoint {
        /// The LAN.
        prefix: Prefix,
    },
    /// The longest covering prefix has one origin.
    SingleOrigin {
        /// That prefix.
        prefix: Prefix,
    },
    /// The longest covering prefix has several origins.
    SeveralOrigins {
        /// That prefix.
        prefix: Prefix,
        /// How one of them was chosen.
        choice: Choice,
    },
    /// Nobody announces it; a registry gave this block to the holder of the AS.
    Delegated {
        /// That block.
        prefix: Prefix,
    },
    /// No prefix of the table covers it; this one does by Team Cymru, who were asked about the address.
    LookedUp {
        /// That prefix.
        prefix: Prefix,
    },
    /// No prefix of the table covers it.
    NotCovered,
}

impl OriginReason {
    /// The reason in one word of a closed set.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Overridden { .. } => "overridden",
            Self::SpecialPurpose { .. } => "special_purpose",
            Self::ExchangePoint { .. } => "exchange_point",
            Self::SingleOrigin { .. } => "single_origin",
            Self::SeveralOrigins { choice: Choice::Organisation, .. } => "origins_of_one_organisation",
            Self::SeveralOrigins { choice: Choice::Customer, .. } => "origin_of_customer",
            Self::SeveralOrigins { .. } => "several_origins",
            Self::Delegated { .. } => "delegated",
            Self::LookedUp { .. } => "looked_up",
            Self::NotCovered => "not_covered",
        }
    }

    /// The prefix that decided.
    #[must_use]
    pub const fn prefix(self) -> Option<Prefix> {
        match self {
            Self::Overridden { prefix }
            | Self::SpecialPurpose { prefix, .. }
            | Self::ExchangePoint { prefix }
            | Self::SingleOrigin { prefix }
            | Self::SeveralOrigins { prefix, .. }
            | Self::Delegated { prefix }
            | Self::LookedUp { prefix } => Some(prefix),
            Self::NotCovered => None,
        }
    }
}

/// `longest match 219.158.0.0/17`, short enough for a table's cell.
impl fmt::Display for OriginReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overridden { prefix } => write!(f, "overridden for {prefix}"),
            Self::SpecialPurpose { prefix, name } => write!(f, "{name}, {prefix}: never mapped"),
            Self::ExchangePoint { prefix } => write!(f, "LAN of an exchange point, {prefix}: never mapped"),
            Self::SingleOrigin { prefix } => write!(f, "longest match {prefix}"),
            Self::SeveralOrigins { prefix, choice } => {
                let why = match choice {
                    Choice::Unknown => "the first taken: what they are to each other is not known",
                    Choice::First => "the first taken",
                    Choice::Organisation => "all of one organisation",
                    Choice::Customer => "this one a customer of the others",
                };
                write!(f, "longest match {prefix}, several origins, {why}")
            }
            Self::Delegated { prefix } => write!(f, "not announced; {prefix} was given to its holder"),
            Self::LookedUp { prefix } => write!(f, "in no table; {prefix} by Team Cymru"),
            Self::NotCovered => f.write_str("no prefix covers it"),
        }
    }
}
