use super::*;
use crate::analyse::sheet::{self, Aim, Sheet, asn, ip, origins, time};
use crate::model::{Event, LinkChange, Outcome, Rtt, Unreachable};

const TARGET: &str = "175.45.178.10";

fn traces(lines: &[&str]) -> Vec<Trace> {
    sheet::traces(&lines.iter().map(|line| (TARGET, *line)).collect::<Vec<_>>())
}

fn trace(line: &str) -> Trace {
    traces(&[line]).remove(0)
}

fn path(line: &str) -> AsPath {
    AsPath::new(&trace(line), &origins())
}

fn addresses(trace: &Trace) -> Vec<Option<std::net::IpAddr>> {
    trace.hops.iter().map(Hop::address).collect()
}

fn setting(own: Option<u32>) -> Setting {
    Setting { own: own.map(asn), epoch: 0, at: time("2017-10-01T08:00:00Z") }
}

/// The upstream of the first line, with the others as what else was measured.
fn upstream(lines: &[&str], events: &[Event]) -> Result<Upstream, NoUpstream> {
    let approaches: Vec<Approach> =
        lines.iter().map(|line| Approach::new(&path(line), asn(131_279))).collect();
    let entrances = Entrances::learn(approaches.iter().map(|approach| (approach, 0)));
    entrances.upstream(&approaches[0], &DeclaredLinks::new(events), setting(Some(680)))
}

fn event(at: &str, change: LinkChange, link: &str) -> Event {
    Event { at: time(at), change, link: link.parse().unwrap() }
}

const UNICOM: &str = "188.1.144.1 4.69.154.9 219.158.117.1 219.158.102.214 * * * 175.45.178.10=";

#[test]
fn the_targets_own_answer_ends_a_trace_and_what_lies_behind_is_dropped() {
    let found = trace("188.1.144.1 * 175.45.178.10= 175.45.178.10= *");
    assert_eq!(found.end, TraceEnd::Reached { ttl: crate::model::Ttl::new(3).unwrap() });
    assert_eq!(addresses(&found), vec![Some(ip("188.1.144.1")), None, Some(ip(TARGET))]);
    let by_port = trace("188.1.144.1 175.45.178.10!P");
    assert!(matches!(by_port.end, TraceEnd::Reached { .. }));
}

#[test]
fn a_router_that_speaks_for_the_target_is_not_the_target() {
    let port = trace("188.1.144.1 4.69.154.9!P");
    let by = ip("4.69.154.9");
    assert_eq!(port.end, TraceEnd::Unreachable { kind: Unreachable::Port, by });
    let net = trace("188.1.144.1 4.69.154.9!N * 4.69.154.9!N");
    assert_eq!(net.end, TraceEnd::Unreachable { kind: Unreachable::Net, by });
    assert_eq!(net.hops.len(), 2);
}

#[test]
fn silent_not_probed_and_not_sent_are_three_things() {
    let found = trace("188.1.144.1 * - x 4.69.154.9");
    let states: Vec<HopState> = found.hops.iter().map(Hop::state).collect();
    assert_eq!(
        states,
        vec![
            HopState::Answered,
            HopState::Silent,
            HopState::NotProbed,
            HopState::NotSent,
            HopState::Answered
        ]
    );
    assert_eq!(trace("188.1.144.1 * *").end, TraceEnd::Gap { hops: 2 });
    assert_eq!(trace("188.1.144.1 x x").end, TraceEnd::MaxTtl);
    assert_eq!(trace("x x").end, TraceEnd::NotMeasured);
    assert_eq!(trace("* *").end, TraceEnd::Gap { hops: 2 });
}

#[test]
fn a_router_seen_twice_in_a_row_counts_once_and_a_hidden_one_before_it_is_marked() {
    let plain = trace("188.1.144.1 188.1.144.1 4.69.154.9 *");
    assert_eq!(addresses(&plain), vec![Some(ip("188.1.144.1")), Some(ip("4.69.154.9")), None]);
    let zero = trace("188.1.144.1 4.69.154.9@0 4.69.154.9 *");
    assert_eq!(zero.hops[1].state(), HopState::Hidden);
    assert_eq!(zero.hops[2].address(), Some(ip("4.69.154.9")));
    assert_eq!(AsPath::new(&zero, &origins()).to_string(), "AS680 *1 AS3356 *1");
}

#[test]
fn of_a_router_that_saw_ttl_0_no_link_is_told_unless_somebody_shows_where_it_stands() {
    let router = Some(ip("4.69.154.9"));
    for behind in ["* 219.158.117.1", "x 219.158.117.1", "* * 219.158.117.1", ""] {
        let unsure = trace(&format!("188.1.144.1 4.69.154.9@0 {behind}"));
        let [first, hidden, there] = [0, 1, 2].map(|at| &unsure.hops[at]);
        assert_eq!((first.state(), hidden.state()), (HopState::Answered, HopState::Hidden), "{behind}");
        assert_eq!((there.address(), there.ttl), (router, hidden.ttl), "{behind}");
        assert!(unsure.hops.get(3).is_none_or(|hop| hop.address().is_none()), "{behind}");
    }
    // One that always quotes so stands where it answers: somebody else is seen behind it.
    let odd = trace("188.1.144.1 4.69.154.9@0 219.158.117.1");
    assert_eq!(addresses(&odd), vec![Some(ip("188.1.144.1")), router, Some(ip("219.158.117.1"))]);
    // What its quote tells is no upstream: whoever let the packet through may be another's.
    assert_eq!(path("188.1.144.1 4.69.154.9@0 *").to_string(), "AS680 *1 AS3356 *1");
}

#[test]
fn a_loop_is_cut_and_a_trace_that_does_not_leave_it_ends_there() {
    let left = trace("188.1.144.1 4.69.154.9 188.1.144.1 219.158.117.1 *");
    assert!(left.looped);
    assert_eq!(addresses(&left), vec![Some(ip("188.1.144.1")), Some(ip("219.158.117.1")), None]);
    assert_eq!(left.end, TraceEnd::Gap { hops: 1 });
    let caught = trace("188.1.144.1 4.69.154.9 62.115.1.1 4.69.154.9 62.115.1.1 4.69.154.9");
    assert_eq!(caught.end, TraceEnd::Loop);
    assert_eq!(caught.hops.len(), 2);
}

#[test]
fn gaps_are_bridged_only_when_both_sides_agree() {
    assert_eq!(
        path("188.1.144.1 * 188.1.241.21 4.69.154.9 * 219.158.117.1").to_string(),
        "AS680 AS3356 *1 AS4837"
    );
    let private = path("192.168.0.1 188.1.144.1 10.1.1.1 188.1.241.21 10.1.1.2 4.69.154.9");
    assert_eq!(private.to_string(), "?1 AS680 ?1 AS3356");
    assert_eq!(private.hops[2].rule, HopRule::Surrounded);
    assert_eq!(private.hops[2].asn, Some(asn(680)));
    assert!(matches!(private.hops[0].rule, HopRule::Origin(_)));
}

#[test]
fn the_destination_as_is_not_on_a_path_on_which_the_destination_did_not_answer() {
    assert_eq!(path("188.1.144.1 219.158.117.1 * * *").to_string(), "AS680 AS4837 *3");
    assert_eq!(path("188.1.144.1 219.158.117.1!H").to_string(), "AS680 AS4837");
}

#[test]
fn both_families_are_read_alike() {
    let mut sheet = Sheet::new();
    let aim = Aim { round: 1, at: time("2017-10-01T08:00:00Z"), target: "2c0f:1::9", flow: 0 };
    sheet.trace(aim, "fe80::1 2001:638:c::1 2001:1900:0:1::1 2408:8000:2:1::1 * 2c0f:1::9=");
    let mut traces = Traces::default();
    sheet.records.iter().for_each(|record| traces.add(record));
    let path = AsPath::new(&traces.finish().next().unwrap(), &origins());
    assert_eq!(path.to_string(), "?1 AS680 AS3356 AS4837 *1 AS131279");
}

#[test]
fn the_last_as_before_the_origin_is_the_upstream_also_across_the_silent_border() {
    let found = upstream(&[UNICOM], &[]).unwrap();
    assert_eq!(found, Upstream { asn: asn(4837), gap: 3, seen_entering: true });
}

#[test]
fn silence_behind_a_neighbour_that_others_passed_names_it() {
    let found = upstream(&["188.1.144.1 4.69.154.9 219.158.117.1 * * * *", UNICOM], &[]).unwrap();
    assert_eq!(found, Upstream { asn: asn(4837), gap: 4, seen_entering: false });
}

#[test]
fn silence_or_refusal_far_from_the_target_names_nobody() {
    let silent = "188.1.144.1 4.69.154.9 * * * *";
    assert_eq!(upstream(&[silent, UNICOM], &[]), Err(NoUpstream::SilentBehind(asn(3356))));
    let refused = "188.1.144.1 62.115.114.88!N";
    let by_telia = NoUpstream::Refused(Some(asn(1299)), Unreachable::Net);
    assert_eq!(upstream(&[refused, UNICOM], &[]), Err(by_telia));
    let at_the_border = "188.1.144.1 4.69.154.9 219.158.102.214!H";
    let by_unicom = NoUpstream::Refused(Some(asn(4837)), Unreachable::Host);
    assert_eq!(upstream(&[at_the_border, UNICOM], &[]), Err(by_unicom));
    assert_eq!(upstream(&["188.1.144.1 * * *", UNICOM], &[]), Err(NoUpstream::OnlyOwn(asn(680))));
    assert_eq!(upstream(&["* * *", UNICOM], &[]), Err(NoUpstream::NothingMapped));
}

#[test]
fn a_filter_at_the_border_is_as_good_as_silence_there() {
    let filtered = "188.1.144.1 4.69.154.9 219.158.117.1 219.158.39.42!X";
    assert_eq!(upstream(&[filtered, UNICOM], &[]).unwrap().asn, asn(4837));
    assert_eq!(upstream(&[filtered], &[]), Err(NoUpstream::SilentBehind(asn(4837))));
}

#[test]
fn a_declared_event_tells_whether_silence_behind_a_neighbour_counts() {
    let silent = "188.1.144.1 4.69.154.9 219.158.117.1 * * * *";
    let later = [event("2017-10-01T10:50:00Z", LinkChange::Lost, "AS4837-AS131279")];
    assert_eq!(upstream(&[silent], &later).unwrap().asn, asn(4837));
    let earlier = [event("2017-10-01T07:50:00Z", LinkChange::Lost, "AS4837-AS131279")];
    assert_eq!(upstream(&[silent, UNICOM], &earlier), Err(NoUpstream::LinkDown(asn(4837))));
}

#[test]
fn a_lost_answer_does_not_make_the_as_before_an_upstream() {
    let lossy = "188.1.144.1 4.69.154.9 * * * * * 175.45.178.10=";
    let hidden = NoUpstream::MayHide(asn(3356), asn(4837));
    assert_eq!(upstream(&[lossy, UNICOM], &[]), Err(hidden));
    let cut_short = "188.1.144.1 4.69.154.9 * * * * *";
    assert_eq!(upstream(&[cut_short, lossy, UNICOM], &[]), Err(NoUpstream::SilentBehind(asn(3356))));
}

#[test]
fn the_vantages_own_as_is_an_upstream_only_where_it_is_seen_to_be() {
    assert_eq!(upstream(&["188.1.144.1 175.45.178.10="], &[]).unwrap().asn, asn(680));
    let hidden = upstream(&["188.1.144.1 * * * 175.45.178.10="], &[]);
    assert_eq!(hidden, Err(NoUpstream::OnlyOwn(asn(680))));
}

#[test]
fn a_circle_in_the_vantages_own_as_that_ended_at_the_target_does_not_make_that_as_an_upstream() {
    let circle = "188.1.144.1 188.1.241.21 188.1.144.1 175.45.178.10=";
    assert_eq!(path(circle).to_string(), "AS680 AS131279");
    assert_eq!(upstream(&[circle, UNICOM], &[]), Err(NoUpstream::OnlyOwn(asn(680))));
    // Nor does it prove to others that the AS behind which it was cut is a neighbour.
    let elsewhere = "188.1.144.1 4.69.154.9 219.158.117.1 4.69.154.9 175.45.178.10=";
    let silent = "188.1.144.1 4.69.154.9 * * * *";
    assert_eq!(upstream(&[silent, elsewhere], &[]), Err(NoUpstream::SilentBehind(asn(3356))));
}

#[test]
fn a_walk_to_an_assumed_origin_says_that_a_gap_lies_before_it() {
    let walk = Walk::new(&path("* 4.69.154.9 219.158.117.1 * *"), Some(asn(680))).to_origin(asn(131_279));
    let links: Vec<(u32, u32, bool)> =
        walk.links().map(|(from, to, gap)| (from.get(), to.get(), gap)).collect();
    assert_eq!(links, vec![(680, 3356, true), (3356, 4837, false), (4837, 131_279, true)]);
}

#[test]
fn an_answer_of_which_nobody_says_how_long_it_took_did_not_take_no_time() {
    let mut sheet = Sheet::new();
    let aim = Aim { round: 1, at: time("2017-10-01T08:00:00Z"), target: TARGET, flow: 0 };
    sheet.trace(aim, "188.1.144.1 175.45.178.10=");
    if let Some(Outcome::Answered { rtt, .. }) = sheet.records.last_mut().map(|last| &mut last.outcome) {
        *rtt = Rtt::NOT_TOLD;
    }
    let mut traces = Traces::default();
    sheet.records.iter().for_each(|record| traces.add(record));
    assert_eq!(traces.finish().next().unwrap().rtt, None);
}
