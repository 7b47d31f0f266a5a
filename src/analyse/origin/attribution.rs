//! The AS of an address, and why: what decides is found at once, all else is worked out when it is asked for.

use std::fmt;
use std::net::IpAddr;

use super::exchange::ExchangePoint;
use super::kin::{Choice, Kin};
use super::source::{OriginSource, Said, SourceClass};
use super::special::Block;
use crate::model::{Asn, Prefix};

/// The AS of an address, and why.
#[derive(Clone, Debug)]
pub struct Attribution<'a> {
    pub(super) address: IpAddr,
    pub(super) ground: Ground<'a>,
}

/// What decides about an address. It is kept small, since most who ask want no more than the AS.
#[derive(Clone, Debug)]
pub(super) enum Ground<'a> {
    /// One source, which names one origin.
    One(&'a OriginSource, Said),
    Several(Box<Several<'a>>),
    Special(&'static Block),
    Exchange(&'a ExchangePoint, Said),
    LookedUp(&'a (Prefix, Vec<Asn>)),
    Nothing,
}

/// Several origins, or several sources that name one.
#[derive(Clone, Debug)]
pub(super) struct Several<'a> {
    best: Best<'a>,
    /// The chosen one first.
    origins: Vec<Asn>,
    choice: Option<Choice>,
}

/// The longest prefix that sources of one class know around an address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Best<'a> {
    /// The first that knows it.
    source: &'a OriginSource,
    said: Said,
    /// From the next on that knows it, too; empty if none does.
    others: &'a [OriginSource],
}

impl Attribution<'_> {
    /// The AS; `None` if none can be told.
    #[must_use]
    #[inline]
    pub fn asn(&self) -> Option<Asn> {
        match &self.ground {
            Ground::One(source, said) => source.origins(*said).as_slice().first().map(|origin| origin.asn),
            Ground::Several(several) => several.origins.first().copied(),
            Ground::LookedUp((_, origins)) => origins.first().copied(),
            Ground::Special(_) | Ground::Exchange(..) | Ground::Nothing => None,
        }
    }

    /// The other ASes that originate the same prefix, in the order of the table; on the LAN of an exchange
    /// point, the member whose address it is.
    #[must_use]
    pub fn alternatives(&self) -> Vec<Asn> {
        match &self.ground {
            Ground::Several(several) => several.origins.iter().skip(1).copied().collect(),
            Ground::LookedUp((_, origins)) => origins.iter().skip(1).copied().collect(),
            Ground::Exchange(point, _) => point.ports.get(&self.address).copied().into_iter().collect(),
            Ground::One(..) | Ground::Special(_) | Ground::Nothing => Vec::new(),
        }
    }

    /// Whether so few BGP peers saw this origin that it proves nothing.
    #[must_use]
    pub fn is_thin(&self) -> bool {
        let (source, said) = match &self.ground {
            Ground::One(source, said) => (*source, *said),
            Ground::Several(several) => (several.best.source, several.best.said),
            _ => return false,
        };
        self.asn().is_some_and(|asn| source.says_thinly(said, asn))
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> OriginReason {
        let said = |source: &OriginSource, said: Said, choice| {
            OriginReason::said(source.class(), said.prefix(self.address), choice)
        };
        match &self.ground {
            Ground::One(source, one) => said(source, *one, None),
            Ground::Several(several) => said(several.best.source, several.best.said, several.choice),
            Ground::Special((prefix, name)) => OriginReason::SpecialPurpose { prefix: *prefix, name },
            Ground::Exchange(_, lan) => OriginReason::ExchangePoint { prefix: lan.prefix(self.address) },
            Ground::LookedUp((prefix, _)) => OriginReason::LookedUp { prefix: *prefix },
            Ground::Nothing => OriginReason::NotCovered,
        }
    }
}

impl<'a> Best<'a> {
    /// In the first class of which a source knows any prefix around the address.
    #[inline]
    pub(super) fn of(sources: &'a [OriginSource], address: IpAddr) -> Option<Self> {
        match sources {
            [] => None,
            [source] => Some(Self { source, said: source.said(address)?, others: &[] }),
            _ => Self::of_several(sources, address),
        }
    }

    fn of_several(mut sources: &'a [OriginSource], address: IpAddr) -> Option<Self> {
        let mut best: Option<Self> = None;
        while let Some((source, behind)) = sources.split_first() {
            let others = std::mem::replace(&mut sources, behind);
            if best.is_some_and(|best| best.source.class() != source.class()) {
                break;
            }
            let Some(said) = source.said(address) else { continue };
            match &mut best {
                Some(best) if best.said.length() > said.length() => {}
                Some(best) if best.said.length() == said.length() => {
                    if best.others.is_empty() {
                        best.others = others;
                    }
                }
                _ => best = Some(Self { source, said, others: &[] }),
            }
        }
        best
    }

    /// Which origin it is.
    #[inline]
    pub(super) fn ground(self, address: IpAddr, kin: &Kin) -> Ground<'a> {
        let is_one = self.others.is_empty() && self.said.is_one();
        if is_one { Ground::One(self.source, self.said) } else { self.several(address, kin) }
    }

    fn several(self, address: IpAddr, kin: &Kin) -> Ground<'a> {
        let mut origins = self.origins(address);
        let is_open = origins.len() > 1 && self.source.class() == SourceClass::Bgp;
        let choice = is_open.then(|| self.choose(&mut origins, kin));
        Ground::Several(Box::new(Several { best: self, origins, choice }))
    }

    /// What all sources of the class say of the prefix, each origin once.
    fn origins(&self, address: IpAddr) -> Vec<Asn> {
        let of_class = self.others.iter().take_while(|other| other.class() == self.source.class());
        let others = of_class.filter_map(|other| Some((other, other.said(address)?)));
        let same = others.filter(|(_, said)| said.length() == self.said.length());
        let mut all: Vec<Asn> = Vec::new();
        for (source, said) in std::iter::once((self.source, self.said)).chain(same) {
            for origin in source.origins(said).as_slice() {
                if !all.contains(&origin.asn) {
                    all.push(origin.asn);
                }
            }
        }
        all
    }

    /// Puts first the origin that it is. One that too few peers saw is not preferred for whose customer it is.
    fn choose(&self, origins: &mut [Asn], kin: &Kin) -> Choice {
        let (place, choice) = kin.choose(origins);
        let is_thin = origins.get(place).is_some_and(|asn| self.source.says_thinly(self.said, *asn));
        if choice == Choice::Customer && is_thin {
            return Choice::First;
        }
        if let Some(until_chosen) = origins.get_mut(..=place) {
            until_chosen.rotate_right(1);
        }
        choice
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
    const fn said(class: SourceClass, prefix: Prefix, choice: Option<Choice>) -> Self {
        match (class, choice) {
            (SourceClass::Override, _) => Self::Overridden { prefix },
            (SourceClass::Delegation, _) => Self::Delegated { prefix },
            (SourceClass::Bgp, Some(choice)) => Self::SeveralOrigins { prefix, choice },
            (SourceClass::Bgp, None) => Self::SingleOrigin { prefix },
        }
    }

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
