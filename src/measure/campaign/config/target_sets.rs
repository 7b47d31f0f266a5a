//! The `[[targets]]` tables → [`TargetSet`]s.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::check::Checker;
use super::limits::{self, MAX_ALL};
use super::raw::{self, Text, Whole};
use super::targets::host_bits;
use super::{Select, TargetSet};
use crate::model::{Prefix, Unit};

impl Checker<'_> {
    pub(super) fn target_sets(&mut self, tables: &[raw::TargetTable]) -> Vec<TargetSet> {
        if tables.is_empty() {
            self.errors
                .push(self.source.error("nothing to probe: must hold at least one [[targets]] table"));
        }
        let mut sets: Vec<TargetSet> = Vec::new();
        for (index, table) in tables.iter().enumerate() {
            let Some(set) = self.target_set(table) else { continue };
            let twin = sets.iter().find(|other| overlap(&other.prefix, &set.prefix));
            if let Some(twin) = twin {
                let rule =
                    format!("overlaps {} above: an address must belong to one target set", twin.prefix);
                self.refuse("targets.prefix", &table.prefix, rule);
            }
            if index == limits::MAX_SETS {
                let rule = format!("must be at most {} target sets", limits::MAX_SETS);
                self.refuse("targets.prefix", &table.prefix, rule);
                break;
            }
            sets.push(set);
            self.totals(&sets, table);
        }
        sets
    }

    fn target_set(&mut self, table: &raw::TargetTable) -> Option<TargetSet> {
        let prefix: Option<Prefix> = self.parsed("targets.prefix", &table.prefix);
        let prefix = prefix?;
        let unit_length = self.unit_length(prefix, table.unit_length.as_ref())?;
        let select = self.select(table)?;
        let hitlist = self.hit_list(prefix, table.hitlist.as_deref().unwrap_or_default());
        let set =
            TargetSet { prefix, unit_length, select, hitlist, control: table.control.unwrap_or(false) };
        self.hit_list_fits(&set, table);
        self.whole_prefix_is_small(&set, table);
        Some(set)
    }

    fn unit_length(&mut self, prefix: Prefix, value: Option<&Whole>) -> Option<u8> {
        let longest: u8 = if prefix.is_ipv4() { 32 } else { 128 };
        let default = Unit::default_length(prefix.is_ipv4()).max(prefix.length());
        let Some(value) = value else { return Some(default) };
        let length = u8::try_from(*value.get_ref()).ok();
        let length = length.filter(|length| (prefix.length()..=longest).contains(length));
        if length.is_none() {
            let rule = format!(
                "must be from {} (the length of {prefix}) to {longest}: a unit is a part of its prefix",
                prefix.length()
            );
            self.refuse("targets.unit_length", value, rule);
        }
        length
    }

    fn select(&mut self, table: &raw::TargetTable) -> Option<Select> {
        let select = table.select.as_ref().map_or("sample", |select| select.get_ref().as_str());
        let per_unit = table.per_unit.as_ref();
        if let Some(value) = per_unit.filter(|_| matches!(select, "all" | "hitlist")) {
            let rule = format!("contradicts select = \"{select}\": leave out one of them");
            self.refuse("targets.per_unit", value, rule);
        }
        match select {
            "all" => Some(Select::All),
            "hitlist" => Some(Select::HitList),
            "sample" => {
                let per_unit = self.whole("targets.per_unit", per_unit, limits::PER_UNIT_TARGETS);
                Some(Select::Sample { per_unit: u32::try_from(per_unit).unwrap_or(1) })
            }
            _ => {
                let rule = "must be \"sample\", \"all\" or \"hitlist\"";
                table.select.as_ref().map(|value| self.refuse("targets.select", value, rule))?;
                None
            }
        }
    }

    fn hit_list(&mut self, prefix: Prefix, values: &[Text]) -> Vec<IpAddr> {
        let mut addresses = Vec::new();
        let mut known = BTreeSet::new();
        for value in values {
            let Ok(address) = value.get_ref().parse::<IpAddr>() else {
                self.refuse("targets.hitlist", value, "must be an address");
                continue;
            };
            if !prefix.contains(address) {
                self.refuse("targets.hitlist", value, format!("lies outside of {prefix}"));
            } else if known.insert(address) {
                addresses.push(address);
            } else {
                self.refuse("targets.hitlist", value, "is listed twice");
            }
        }
        addresses
    }

    fn hit_list_fits(&mut self, set: &TargetSet, table: &raw::TargetTable) {
        let listed = table.hitlist.as_deref().unwrap_or_default();
        match (set.select, listed.first()) {
            (Select::All, Some(first)) => {
                self.refuse(
                    "targets.hitlist",
                    first,
                    "contradicts select = \"all\": leave out one of them",
                );
            }
            (Select::HitList, None) => {
                let rule = "needs addresses in targets.hitlist";
                if let Some(select) = &table.select {
                    self.refuse("targets.select", select, rule);
                }
            }
            (Select::Sample { per_unit }, _) => self.sample_holds_hit_list(set, per_unit, listed),
            (Select::All, None) | (Select::HitList, Some(_)) => {}
        }
    }

    fn sample_holds_hit_list(&mut self, set: &TargetSet, per_unit: u32, listed: &[Text]) {
        let mut in_unit = BTreeMap::<Unit, u32>::new();
        for value in listed {
            let address = value.get_ref().parse().ok().filter(|address| set.prefix.contains(*address));
            let unit = address.and_then(|address| Prefix::covering(address, set.unit_length)).map(Unit);
            let Some(unit) = unit else { continue };
            let count = in_unit.entry(unit).or_default();
            *count = count.saturating_add(1);
            if *count == per_unit.saturating_add(1) {
                let rule = format!("is one more than targets.per_unit = {per_unit} allows in {unit}");
                self.refuse("targets.hitlist", value, rule);
            }
        }
    }

    fn whole_prefix_is_small(&mut self, set: &TargetSet, table: &raw::TargetTable) {
        let too_large = 1_u128.checked_shl(host_bits(set.prefix).into()).is_none_or(|n| n > MAX_ALL.into());
        if let Some(select) = table.select.as_ref().filter(|_| set.select == Select::All && too_large) {
            let rule = format!("{} has more than {MAX_ALL} addresses: take a sample", set.prefix);
            self.refuse("targets.select", select, rule);
        }
    }

    /// Refuses the set with which the campaign grows beyond what is held in memory.
    fn totals(&mut self, sets: &[TargetSet], table: &raw::TargetTable) {
        let Some((_, before)) = sets.split_last() else { return };
        let (had_units, had_targets) = size(before);
        let (units, targets) = size(sets);
        if units > u128::from(limits::MAX_UNITS) && had_units <= u128::from(limits::MAX_UNITS) {
            let rule = format!("makes {units} units: must be at most {} in all", limits::MAX_UNITS);
            self.refuse("targets.prefix", &table.prefix, rule);
        } else if targets > u128::from(limits::MAX_TARGETS)
            && had_targets <= u128::from(limits::MAX_TARGETS)
        {
            let rule = format!("makes {targets} targets: must be at most {} in all", limits::MAX_TARGETS);
            self.refuse("targets.prefix", &table.prefix, rule);
        }
    }
}

/// Units and targets of target sets, at most.
fn size(sets: &[TargetSet]) -> (u128, u128) {
    let units = |set: &TargetSet| {
        1_u128.checked_shl(set.unit_length.saturating_sub(set.prefix.length()).into()).unwrap_or(u128::MAX)
    };
    let targets = |set: &TargetSet| match set.select {
        Select::All => 1_u128.checked_shl(host_bits(set.prefix).into()).unwrap_or(u128::MAX),
        Select::HitList => u128::try_from(set.hitlist.len()).unwrap_or(u128::MAX),
        Select::Sample { per_unit } => units(set).saturating_mul(per_unit.into()),
    };
    sets.iter().fold((0, 0), |(u, t), set| (u.saturating_add(units(set)), t.saturating_add(targets(set))))
}

fn overlap(one: &Prefix, other: &Prefix) -> bool {
    one.covers(other) || other.covers(one)
}
