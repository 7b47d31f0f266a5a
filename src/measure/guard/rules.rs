//! What the rules say of an address, and how they remember it.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use prefix_trie::joint::JointPrefixMap;

use super::registry::registered_blocks;
use super::{GuardRules, OptOut, Standing, Territory, registered};
use crate::model::{BlockRule, Prefix, Stretches, Unit, Untrusted};

/// All rules but that about budgets.
pub(super) struct Rules {
    territory: Territory,
    has_operator: bool,
    allow_private: bool,
    targets: JointPrefixMap<IpNet, u8>,
    opt_outs: JointPrefixMap<IpNet, Untrusted>,
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules")
            .field("territory", &self.territory)
            .field("has_operator", &self.has_operator)
            .field("allow_private", &self.allow_private)
            .finish_non_exhaustive()
    }
}

impl Rules {
    pub(super) fn new(rules: GuardRules) -> Self {
        let allowed = rules.targets.iter().map(|set| (set.prefix.as_net(), set.unit_length));
        let opted_out = rules.opt_outs.into_iter().map(|out| (out.prefix.as_net(), out.reference));
        Self {
            territory: rules.territory,
            has_operator: rules.has_operator,
            allow_private: rules.allow_private,
            targets: allowed.collect(),
            opt_outs: opted_out.collect(),
        }
    }

    pub(super) fn opt_out(&mut self, opt_out: OptOut) {
        self.opt_outs.insert(opt_out.prefix.as_net(), opt_out.reference);
    }

    /// The rule that refuses an address, if one does.
    pub(super) fn against(&self, address: IpAddr) -> Option<BlockRule> {
        if self.opt_outs.get_lpm(&IpNet::from(address)).is_some() {
            return Some(BlockRule::OptOut);
        }
        let standing = registered(address).map_or(Standing::Reachable, |entry| entry.standing);
        let in_targets = self.targets.get_lpm(&IpNet::from(address)).is_some();
        match standing {
            Standing::Never => Some(BlockRule::SpecialPurpose),
            Standing::Private if !self.allow_private => Some(BlockRule::PrivateSpace),
            _ if !in_targets => Some(BlockRule::NotATarget),
            Standing::Reachable if !self.may_probe_public_space() => Some(BlockRule::NoOperator),
            Standing::Private | Standing::Reachable => None,
        }
    }

    fn may_probe_public_space(&self) -> bool {
        self.has_operator || self.territory == Territory::Lab
    }

    /// The unit of a target.
    pub(super) fn unit_of(&self, target: IpAddr) -> Option<Unit> {
        let (_, unit_length) = self.targets.get_lpm(&IpNet::from(target))?;
        Prefix::covering(target, *unit_length).map(Unit)
    }

    /// Why, for people.
    pub(super) fn explain(&self, rule: BlockRule, address: IpAddr) -> String {
        match rule {
            BlockRule::OptOut => {
                let entry = self.opt_outs.get_lpm(&IpNet::from(address));
                let prefix = entry.map(|(net, reference)| OptOut {
                    prefix: Prefix::from(net),
                    reference: reference.clone(),
                });
                format!("opted out: {}", prefix.map_or_else(String::new, |out| out.to_string()))
            }
            BlockRule::SpecialPurpose => {
                format!("lies in {}, which is never probed", block_of(address))
            }
            BlockRule::PrivateSpace => {
                format!("lies in {}; set guard.allow_private = true if it is yours", block_of(address))
            }
            BlockRule::NotATarget => "lies in no target set of the campaign".to_owned(),
            BlockRule::NoOperator => {
                "is public, and the campaign names nobody to write to: fill in [operator]".to_owned()
            }
            BlockRule::Budget => "its unit has had its sustained budget".to_owned(),
        }
    }
}

/// The registered block that an address lies in: `127.0.0.0/8 (Loopback, RFC 1122)`.
fn block_of(address: IpAddr) -> String {
    registered(address)
        .map_or_else(String::new, |entry| format!("{} ({}, {})", entry.block, entry.name, entry.reference))
}

/// The rule that refuses an address, if one does, found once for all addresses between two ends of prefixes
/// that any rule knows: no rule can tell these apart.
#[derive(Clone, Debug)]
pub(super) struct Verdicts {
    v4: Stretches<Option<BlockRule>>,
    v6: Stretches<Option<BlockRule>>,
}

impl Verdicts {
    /// With nothing found yet.
    pub(super) fn of(rules: &Rules) -> Self {
        let opted_out = rules.opt_outs.iter().map(|(net, _)| net);
        let targets = rules.targets.iter().map(|(net, _)| net);
        let known: Vec<Prefix> =
            opted_out.chain(targets).chain(registered_blocks()).map(Prefix::from).collect();
        let family =
            |ipv4: bool| Stretches::cut_by(known.iter().copied().filter(|prefix| prefix.is_ipv4() == ipv4));
        Self { v4: family(true), v6: family(false) }
    }

    /// As [`Rules::against`].
    pub(super) fn on(&mut self, address: IpAddr, rules: &Rules) -> Option<BlockRule> {
        let family = if address.is_ipv4() { &mut self.v4 } else { &mut self.v6 };
        family.of(address, || rules.against(address))
    }
}
