//! mtr, in its raw output: `h 3 4.69.2.1` says who answered behind three others.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::lab::{Flow, Lab, TARGETS};

const METHODS: [(&str, Flow); 3] =
    [("", Flow::Echo(0)), ("-u", Flow::Udp(40_000, 33_434)), ("-T -P 80", Flow::Tcp(40_000, 80))];

/// Who answered at each TTL, up to the target. Where it does not know yet how far that is, mtr asks it at
/// higher TTLs, too.
fn hops(text: &str, target: &str) -> Vec<BTreeSet<IpAddr>> {
    let target: IpAddr = target.parse().expect("an address");
    let mut hops: Vec<BTreeSet<IpAddr>> = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ["h", position, address] = words.as_slice() else { continue };
        let (position, address) = (position.parse::<usize>().unwrap(), address.parse().unwrap());
        hops.resize(hops.len().max(position + 1), BTreeSet::new());
        hops[position].insert(address);
    }
    let end = hops.iter().position(|hop| hop.contains(&target)).expect("the target answers");
    assert!(hops[end..].iter().all(|hop| hop.len() <= 1), "{text}");
    hops.truncate(end + 1);
    hops
}

fn mtr(lab: &Lab, options: &str, cycles: u8, target: &str) -> Vec<BTreeSet<IpAddr>> {
    hops(&lab.run(&format!("mtr -n --raw -i 0.1 -c {cycles} {options} {target}")), target)
}

#[test]
#[ignore = "needs other people's programs: scripts/test runs it"]
fn every_method_reports_the_only_path() {
    let lab = Lab::straight();
    for target in TARGETS {
        let path: Vec<BTreeSet<IpAddr>> =
            lab.only_path(target).into_iter().map(|hop| [hop].into()).collect();
        for (method, _) in METHODS {
            assert_eq!(mtr(&lab, method, 2, target), path, "{method}");
        }
        assert_eq!(mtr(&lab, "-T -P 81", 2, target), path, "a closed port");
    }
}

#[test]
#[ignore = "needs other people's programs: scripts/test runs it"]
fn flows_that_change_from_probe_to_probe_meet_only_who_is_there() {
    let lab = Lab::diamonds();
    for target in TARGETS {
        for (method, kind) in METHODS {
            let (met, there) = (mtr(&lab, method, 5, target), lab.hops(target, kind));
            assert_eq!(met.len(), there.len(), "{method}: {met:?}");
            for (met, there) in met.iter().zip(&there) {
                assert!(!met.is_empty() && met.is_subset(there), "{method}: {met:?}, but {there:?}");
            }
        }
    }
}

#[test]
#[ignore = "needs other people's programs: scripts/test runs it"]
fn no_probe_is_lost_where_no_link_loses() {
    let lab = Lab::straight();
    for target in TARGETS {
        let report = lab.run(&format!("mtr -n --csv -i 0.1 -c 5 {target}"));
        let rows: Vec<&str> = report.lines().skip(1).collect();
        assert_eq!(rows.len(), 8, "{report}");
        assert!(rows.iter().all(|row| row.contains(",0.00,5,")), "{report}");
    }
}
