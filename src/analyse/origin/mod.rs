//! Address → AS, by longest-prefix match in sources that are believed in a stated order, always with the reason.
//!
//! Precedence: what the user says of a prefix; then special-purpose space (whatever a table says about
//! 10.0.0.0/8, nobody's hop is mapped by it, and exchange points are listed with such space, too); then the LANs
//! of exchange points, which are mapped to no AS; then BGP origins; then delegations; then what somebody was asked about
//! single addresses. Within one of these the longest prefix of all sources counts, and of equally long
//! ones the first source's. Where several ASes originate a prefix, all are kept; if all are of one organisation the
//! first is taken, else the one that is a customer of all others, else the first, and the reason says which. Reading
//! sources from files is not done here.

mod attribution;
mod exchange;
mod kin;
mod ranges;
mod source;
mod special;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use self::attribution::{Best, Ground};
use self::kin::Kin;
use crate::model::{AsRelation, Asn, Prefix, Untrusted};

pub use attribution::{Attribution, OriginReason};
pub use exchange::{ExchangePoint, ExchangePoints, OnLan};
pub use kin::{Choice, Organisations};
pub use source::{Found, OriginSource, OriginSourceBuilder, SeenOrigin, SourceClass, is_thin};

/// Which AS originates which prefix, IPv4 and IPv6 together.
#[derive(Clone, Default)]
pub struct OriginTable {
    /// By class; within a class as they were given.
    sources: Vec<OriginSource>,
    /// How many of them are what the user says.
    overrides: usize,
    exchange_points: ExchangePoints,
    looked_up: BTreeMap<IpAddr, (Prefix, Vec<Asn>)>,
    relations: Vec<AsRelation>,
    kin: Kin,
    as_names: BTreeMap<Asn, Untrusted>,
}

/// What one source says about an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The source.
    pub source: String,
    /// What it is.
    pub kind: &'static str,
    /// The longest prefix that it knows around the address.
    pub prefix: Prefix,
    /// Who originates it by this source, or whose port it is.
    pub origins: Vec<SeenOrigin>,
    /// Of these, those whose evidence is thin.
    pub thin: Vec<Asn>,
    /// What else there is to say, as the name of an exchange point.
    pub note: String,
    /// Whether it decides.
    pub decides: bool,
}

impl OriginTable {
    /// A table of these entries. A prefix that comes twice keeps the origins of both, in their order;
    /// an entry without origins says nothing.
    pub fn from_entries(entries: impl IntoIterator<Item = (Prefix, Vec<Asn>)>) -> Self {
        let mut builder = OriginSourceBuilder::default();
        for (prefix, origins) in entries {
            let origins: Vec<SeenOrigin> = origins.into_iter().map(SeenOrigin::from).collect();
            builder.add(prefix, &origins);
        }
        Self::default().with_source(builder.finish("entries", SourceClass::Bgp))
    }

    /// The same table with one more source, which counts behind those of its class.
    #[must_use]
    pub fn with_source(mut self, source: OriginSource) -> Self {
        let place = self.sources.partition_point(|known| known.class() <= source.class());
        self.overrides =
            self.overrides.saturating_add(usize::from(source.class() == SourceClass::Override));
        self.sources.insert(place, source);
        self
    }

    /// The same table with these exchange points instead of those that it had.
    #[must_use]
    pub fn with_exchange_points(mut self, exchange_points: ExchangePoints) -> Self {
        self.exchange_points = exchange_points;
        self
    }

    /// The same table with what else is known of the relations between ASes.
    #[must_use]
    pub fn with_relations(mut self, relations: impl IntoIterator<Item = AsRelation>) -> Self {
        for relation in relations {
            self.kin.add(relation);
            self.relations.push(relation);
        }
        self
    }

    /// The same table, to which it is known of each of these lists that its ASes are of one organisation.
    #[must_use]
    pub fn with_organisations(mut self, organisations: impl IntoIterator<Item = Vec<Asn>>) -> Self {
        for ases in organisations {
            let mut ases = ases.into_iter();
            let first = ases.next();
            first.into_iter().zip(ases).for_each(|(one, other)| self.kin.organisations.join(one, other));
        }
        self
    }

    /// Which ASes are of one organisation, as far as it is known.
    #[must_use]
    pub const fn organisations(&self) -> &Organisations {
        &self.kin.organisations
    }

    /// What is known of the relations between ASes; with them the borders between ASes can be told.
    #[must_use]
    pub fn relations(&self) -> &[AsRelation] {
        &self.relations
    }

    /// The same table with names of ASes that came with it; of several the first counts.
    #[must_use]
    pub fn with_as_names(mut self, names: impl IntoIterator<Item = (Asn, Untrusted)>) -> Self {
        for (asn, name) in names {
            self.as_names.entry(asn).or_insert(name);
        }
        self
    }

    /// Names of ASes that came with it.
    #[must_use]
    pub const fn as_names(&self) -> &BTreeMap<Asn, Untrusted> {
        &self.as_names
    }

    /// The same table with what Team Cymru said of single addresses; it counts where no prefix covers them.
    #[must_use]
    pub fn with_looked_up(mut self, answers: impl IntoIterator<Item = (IpAddr, Prefix, Vec<Asn>)>) -> Self {
        let answers = answers.into_iter().map(|(address, prefix, asns)| (address, (prefix, asns)));
        self.looked_up.extend(answers);
        self
    }

    /// How many prefixes its sources hold together.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sources.iter().map(OriginSource::len).fold(0, usize::saturating_add)
    }

    /// Whether they hold none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its sources, in the order of precedence.
    #[must_use]
    pub fn sources(&self) -> &[OriginSource] {
        &self.sources
    }

    /// Exchange points that it knows.
    #[must_use]
    pub const fn exchange_points(&self) -> &ExchangePoints {
        &self.exchange_points
    }

    /// The LAN of an exchange point around an address, unless it is special-purpose space.
    #[must_use]
    pub fn exchange_point(&self, address: IpAddr) -> Option<OnLan<'_>> {
        let on_lan = self.exchange_points.find(address)?;
        special::covering(address).is_none().then_some(on_lan)
    }

    /// The AS of an address, and why.
    #[must_use]
    #[inline]
    pub fn lookup(&self, address: IpAddr) -> Attribution<'_> {
        Attribution { address, ground: self.ground(address) }
    }

    #[inline]
    fn ground(&self, address: IpAddr) -> Ground<'_> {
        let (overrides, others) = self.sources.split_at_checked(self.overrides).unwrap_or_default();
        if let Some(best) = Best::of(overrides, address) {
            return best.ground(address, &self.kin);
        }
        if let Some(block) = special::covering(address) {
            return Ground::Special(block);
        }
        if let Some((point, lan)) = self.exchange_points.around(address) {
            return Ground::Exchange(point, lan);
        }
        if let Some(best) = Best::of(others, address) {
            return best.ground(address, &self.kin);
        }
        match self.looked_up.get(&address) {
            Some(looked_up) => Ground::LookedUp(looked_up),
            None => Ground::Nothing,
        }
    }

    /// What every source says about an address, in the order of precedence, and which one decides.
    #[must_use]
    pub fn statements(&self, address: IpAddr) -> Vec<Statement> {
        let mut said = Vec::new();
        let (overrides, others): (Vec<_>, Vec<_>) =
            self.sources.iter().partition(|source| source.class() == SourceClass::Override);
        said.extend(overrides.into_iter().filter_map(|source| Statement::of(source, address)));
        said.extend(special::covering(address).map(|(prefix, name)| Statement::special(*prefix, name)));
        said.extend(self.exchange_points.find(address).map(Statement::lan));
        said.extend(others.into_iter().filter_map(|source| Statement::of(source, address)));
        if let Some((prefix, origins)) = self.looked_up.get(&address) {
            said.push(Statement::looked_up(*prefix, origins));
        }
        let reason = self.lookup(address).reason();
        let decides = |statement: &&mut Statement| Some(statement.prefix) == reason.prefix();
        if let Some(statement) = said.iter_mut().filter(|said| said.is_of(reason)).find(decides) {
            statement.decides = true;
        }
        said
    }
}

impl Statement {
    fn of(source: &OriginSource, address: IpAddr) -> Option<Self> {
        let found = source.find(address)?;
        let (prefix, origins) = (found.prefix(), found.origins());
        let thin = origins.iter().filter(|origin| source.is_thin(**origin)).map(|origin| origin.asn);
        let note = match source.full_peers() {
            0 => String::new(),
            full => format!("of {full} peers with about all prefixes"),
        };
        Some(Self {
            source: source.name().to_owned(),
            kind: source.class().as_str(),
            prefix,
            origins: origins.to_vec(),
            thin: thin.collect(),
            note,
            decides: false,
        })
    }

    fn plain(source: &str, kind: &'static str, prefix: Prefix) -> Self {
        let (source, note) = (source.to_owned(), String::new());
        Self { source, kind, prefix, origins: Vec::new(), thin: Vec::new(), note, decides: false }
    }

    fn special(prefix: Prefix, name: &str) -> Self {
        Self { note: name.to_owned(), ..Self::plain("built in", "special_purpose", prefix) }
    }

    fn lan(on_lan: OnLan<'_>) -> Self {
        Self {
            origins: on_lan.member.into_iter().map(SeenOrigin::from).collect(),
            note: on_lan.point.name.to_string(),
            ..Self::plain("exchange points", "exchange_point", on_lan.lan)
        }
    }

    fn looked_up(prefix: Prefix, origins: &[Asn]) -> Self {
        Self {
            origins: origins.iter().copied().map(SeenOrigin::from).collect(),
            ..Self::plain("Team Cymru", "looked_up", prefix)
        }
    }

    /// Whether it is of the kind that gives this reason.
    fn is_of(&self, reason: OriginReason) -> bool {
        let kind = match reason {
            OriginReason::Overridden { .. } => SourceClass::Override.as_str(),
            OriginReason::SingleOrigin { .. } | OriginReason::SeveralOrigins { .. } => {
                SourceClass::Bgp.as_str()
            }
            OriginReason::Delegated { .. } => SourceClass::Delegation.as_str(),
            other => other.as_str(),
        };
        self.kind == kind
    }
}

impl fmt::Debug for OriginTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OriginTable({} prefixes)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asn(number: u32) -> Asn {
        Asn::try_from(number).unwrap()
    }

    fn table(rows: &[(&str, &[u32])]) -> OriginTable {
        OriginTable::from_entries(rows.iter().map(|(prefix, origins)| {
            (prefix.parse().unwrap(), origins.iter().map(|number| asn(*number)).collect())
        }))
    }

    fn source(class: SourceClass, rows: &[(&str, &[u32])]) -> OriginSource {
        let mut source = OriginSourceBuilder::default();
        for (prefix, origins) in rows {
            let origins: Vec<SeenOrigin> = origins.iter().map(|number| asn(*number).into()).collect();
            source.add(prefix.parse().unwrap(), &origins);
        }
        source.finish(class.as_str(), class)
    }

    fn exchange(lan: &str, port: &str, member: u32) -> ExchangePoints {
        ExchangePoints::new(vec![ExchangePoint {
            name: crate::model::Untrusted::new("IX"),
            lans: [lan.parse().unwrap()].into(),
            ports: [(port.parse().unwrap(), asn(member))].into(),
            members: [asn(member)].into(),
            ..ExchangePoint::default()
        }])
    }

    #[test]
    fn every_class_of_source_gives_way_to_the_one_before_whatever_is_longer() {
        let table = table(&[("4.0.0.0/8", &[1]), ("5.0.0.0/8", &[1])])
            .with_source(source(SourceClass::Delegation, &[("4.1.0.0/16", &[2]), ("6.0.0.0/8", &[2])]))
            .with_source(source(SourceClass::Override, &[("10.1.0.0/16", &[3]), ("5.5.0.0/16", &[3])]))
            .with_exchange_points(exchange("4.2.0.0/24", "4.2.0.7", 9));
        let reason = |address: &str| {
            let found = table.lookup(address.parse().unwrap());
            (found.asn().map(Asn::get), found.reason().as_str())
        };
        assert_eq!(reason("4.1.2.3"), (Some(1), "single_origin"));
        assert_eq!(reason("6.1.2.3"), (Some(2), "delegated"));
        assert_eq!(reason("5.5.2.3"), (Some(3), "overridden"));
        assert_eq!(reason("10.1.2.3"), (Some(3), "overridden"));
        assert_eq!(reason("10.2.2.3"), (None, "special_purpose"));
        assert_eq!(reason("4.2.0.7"), (None, "exchange_point"));
        assert_eq!(table.lookup("4.2.0.7".parse().unwrap()).alternatives(), [asn(9)]);
        let said = table.statements("4.2.0.7".parse().unwrap());
        let told: Vec<_> = said.iter().map(|said| (said.kind, said.decides)).collect();
        assert_eq!(told, [("exchange_point", true), ("bgp", false)]);
    }

    #[test]
    fn private_space_that_an_exchange_point_lists_stays_private() {
        let table = OriginTable::default().with_exchange_points(exchange("172.30.1.0/24", "172.30.1.7", 9));
        let found = table.lookup("172.30.1.7".parse().unwrap());
        assert_eq!((found.asn(), found.reason().as_str()), (None, "special_purpose"));
        assert!(
            found.alternatives().is_empty()
                && table.exchange_point("172.30.1.7".parse().unwrap()).is_none()
        );
    }

    #[test]
    fn of_two_tables_the_longer_prefix_counts_and_of_equal_ones_both_are_told() {
        let table = table(&[("4.0.0.0/8", &[1]), ("7.0.0.0/8", &[1])])
            .with_source(source(SourceClass::Bgp, &[("4.4.0.0/16", &[2]), ("7.0.0.0/8", &[2])]));
        assert_eq!(table.lookup("4.4.0.1".parse().unwrap()).asn(), Some(asn(2)));
        let found = table.lookup("7.0.0.1".parse().unwrap());
        assert_eq!((found.asn(), found.alternatives()), (Some(asn(1)), vec![asn(2)]));
        assert_eq!(found.reason().as_str(), "several_origins");
    }

    #[test]
    fn the_longest_prefix_wins_in_both_families() {
        let table = table(&[
            ("175.45.176.0/22", &[1]),
            ("175.45.178.0/24", &[131_279]),
            ("2001:4860::/32", &[2]),
            ("2001:4860:4860::/48", &[15_169]),
        ]);
        assert_eq!(table.lookup("175.45.178.9".parse().unwrap()).asn(), Some(asn(131_279)));
        assert_eq!(table.lookup("175.45.177.9".parse().unwrap()).asn(), Some(asn(1)));
        assert_eq!(table.lookup("2001:4860:4860::8888".parse().unwrap()).asn(), Some(asn(15_169)));
        assert_eq!(table.lookup("2001:4860:1::".parse().unwrap()).asn(), Some(asn(2)));
        assert_eq!(table.lookup("8.8.8.8".parse().unwrap()).reason(), OriginReason::NotCovered);
    }

    #[test]
    fn private_space_is_mapped_by_no_table() {
        let table =
            table(&[("10.0.0.0/8", &[1]), ("0.0.0.0/0", &[2]), ("172.30.1.0/24", &[3]), ("::/0", &[4])]);
        for address in
            ["10.1.2.3", "172.30.1.9", "192.168.0.1", "100.64.0.1", "169.254.1.1", "fe80::1", "fd00::1"]
        {
            let found = table.lookup(address.parse().unwrap());
            assert_eq!(found.asn(), None, "{address}");
            assert!(found.reason().to_string().ends_with("never mapped"));
        }
        assert_eq!(table.lookup("100.128.0.1".parse().unwrap()).asn(), Some(asn(2)));
    }

    #[test]
    fn of_several_origins_the_customer_is_taken_unless_too_few_peers_saw_it_there() {
        let origins = |customer_seen_by| {
            let seen = |number, peers| SeenOrigin { asn: asn(number), peers };
            let mut source = OriginSourceBuilder::default();
            source.add("4.0.0.0/8".parse().unwrap(), &[seen(3356, 40), seen(9, customer_seen_by)]);
            let source = source.finish("rib", SourceClass::Bgp).with_full_peers(40);
            let sold = AsRelation::Transit { provider: asn(3356), customer: asn(9) };
            let table = OriginTable::default().with_source(source).with_relations([sold]);
            let found = table.lookup("4.1.2.3".parse().unwrap());
            let asns = (found.asn().unwrap().get(), found.alternatives()[0].get());
            (asns.0, asns.1, found.reason().as_str(), found.is_thin())
        };
        assert_eq!(origins(20), (9, 3356, "origin_of_customer", false));
        assert_eq!(origins(1), (3356, 9, "several_origins", false));
    }

    #[test]
    fn of_origins_of_one_organisation_the_first_is_taken_for_sure() {
        let table = table(&[("4.0.0.0/8", &[3549, 3356])]).with_organisations([vec![asn(3356), asn(3549)]]);
        let found = table.lookup("4.1.2.3".parse().unwrap());
        assert_eq!(
            (found.asn(), found.reason().as_str()),
            (Some(asn(3549)), "origins_of_one_organisation")
        );
        assert_eq!(found.alternatives(), [asn(3356)]);
    }

    #[test]
    fn several_origins_are_all_kept_and_marked() {
        let table = table(&[("37.99.128.0/19", &[47_794, 48_695]), ("37.99.128.0/19", &[48_695, 9])]);
        let found = table.lookup("37.99.129.1".parse().unwrap());
        assert_eq!(found.asn(), Some(asn(47_794)));
        assert_eq!(found.alternatives(), vec![asn(48_695), asn(9)]);
        assert!(matches!(found.reason(), OriginReason::SeveralOrigins { .. }));
    }

    #[test]
    fn what_was_looked_up_counts_only_where_no_table_and_no_registry_speaks() {
        let said = |address: &str, prefix: &str| {
            (address.parse().unwrap(), prefix.parse().unwrap(), vec![asn(9), asn(10)])
        };
        let table = table(&[("4.0.0.0/9", &[3356])]).with_looked_up([
            said("4.1.2.3", "4.1.2.0/24"),
            said("10.0.0.1", "10.0.0.0/8"),
            said("2001:4860::1", "2001:4860::/32"),
        ]);
        assert_eq!(table.lookup("4.1.2.3".parse().unwrap()).asn(), Some(asn(3356)));
        assert_eq!(table.lookup("10.0.0.1".parse().unwrap()).asn(), None);
        let found = table.lookup("2001:4860::1".parse().unwrap());
        assert_eq!((found.asn(), found.alternatives()), (Some(asn(9)), vec![asn(10)]));
        assert_eq!(found.reason().as_str(), "looked_up");
        assert_eq!(table.lookup("2001:4860::2".parse().unwrap()).reason(), OriginReason::NotCovered);
    }

    proptest! {
        #[test]
        fn agrees_with_a_scan_of_the_list(
            rows in prop::collection::vec((any::<u32>(), 1_u8..=32, 1_u32..9), 0..40),
            address in any::<u32>(),
        ) {
            let address = IpAddr::from(address.to_be_bytes());
            let rows: Vec<(Prefix, Vec<Asn>)> = rows.into_iter().map(|(bits, length, number)| {
                (Prefix::covering(IpAddr::from(bits.to_be_bytes()), length).unwrap(), vec![asn(number)])
            }).collect();
            let longest = rows.iter().filter(|(prefix, _)| prefix.contains(address)).map(|(p, _)| p.length()).max();
            let expected = rows.iter().find(|(p, _)| p.contains(address) && Some(p.length()) == longest)
                .map(|(_, origins)| origins[0]);
            let table = OriginTable::from_entries(rows);
            let found = table.lookup(address);
            if !matches!(found.reason(), OriginReason::SpecialPurpose { .. }) {
                prop_assert_eq!(found.asn(), expected);
            }
        }
    }
}
