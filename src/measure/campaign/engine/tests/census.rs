//! Censuses in the engine: nothing is kept of what was sent, and everything is accounted for.

use super::*;
use crate::limits::{MOST_PACKETS, Train};

const CAMPAIGN: &str = r#"
    [campaign]
    name = "census"
    [vantage]
    name = "here"
    [rates]
    total = 200
    per_unit = 80
    per_responder = 20
    [[targets]]
    prefix = "175.45.176.0/22"
    select = "all"
    [[probers]]
    name = "census"
    kind = "census"
    every = "12h"
    max_ttl = 12
    every_address = false
"#;

/// With so many tests of routers behind the census.
fn campaign(tests: u8) -> Arc<Campaign> {
    Arc::new(Campaign::parse("probes.toml", &format!("{CAMPAIGN}limit_tests = {tests}")).unwrap())
}

/// A census alone, from what an interrupted run recorded.
fn start(bench: &mut Bench, recorded: &Recorded) {
    start_with_tests(bench, recorded, 0);
}

/// A census and the tests of routers behind it.
fn start_with_tests(bench: &mut Bench, recorded: &Recorded, tests: u8) {
    let campaign = campaign(tests);
    let maker = RoundMaker::new(Arc::clone(&campaign));
    let mut order = maker.resumed(RoundId(1), &campaign.probers[0], recorded);
    let watched = Watcher { inner: order.prober, seen: Arc::clone(&bench.seen) };
    order.prober = Box::new(watched);
    bench.engine.start(order);
}

fn bench() -> Bench {
    Bench::new(campaign(0).rates.pacer(), rules())
}

/// As [`wild`], without faults: whether a way goes on must not hang on what is asked first.
fn rough(seed: u64) -> impl Fn(&Probe) -> Fate {
    move |probe| match wild(seed, probe) {
        Fate::Fault(_) => Fate::Silence,
        fate => fate,
    }
}

/// What a bench has told so far, as a dataset would have it.
fn recorded(bench: &Bench, before: &Recorded) -> Recorded {
    let mut all = before.clone();
    all.records.extend(bench.records.iter().map(|(_, record)| record.clone()));
    all.asked.extend(bench.asked.iter().copied());
    all.decided = all.decided.max(bench.decided);
    all.ledger = Ledger::default();
    all.records.iter().for_each(|record| all.ledger.count_record(&record.outcome));
    all.ledger.count_silence(swept_silence(before) + bench.silent);
    all
}

/// Probes of the census that nobody answered; those that test a router have rows.
fn swept_silence(recorded: &Recorded) -> u64 {
    let rows = recorded.records.iter().filter(|record| matches!(record.outcome, Outcome::Silent));
    recorded.ledger.silent - rows.count() as u64
}

fn tests_a_router(record: &ProbeRecord) -> bool {
    Train::of(record.probe.attempt).is_some()
}

/// Every probe of the blocks that were asked, once.
fn probes_asked(asked: &AskedBlocks) -> u64 {
    asked.iter().filter(|(wave, _)| wave.is_some()).map(|(_, block)| block.probes()).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn every_probe_is_accounted_for_and_silence_has_no_rows(seed: u64, faults: bool, tests in 0_u8..3) {
        let mut bench = bench();
        start_with_tests(&mut bench, &Recorded::default(), tests);
        let hosts = [address(1, 9)];
        bench.start_echo(2, &hosts, 3);
        let fate = move |probe: &Probe| if faults { wild(seed, probe) } else { rough(seed)(probe) };
        bench.finish(&fate);
        let ledger = bench.over.iter().find(|(_, id, _)| id.0 == 1).unwrap().2;
        prop_assert!(ledger.balances(), "{}", ledger);
        prop_assert_eq!(ledger.in_flight, 0);
        let census = bench.records.iter().map(|(_, record)| record).filter(|record| record.probe.round.0 == 1);
        let testing = census.clone().filter(|record| tests_a_router(record)).count() as u64;
        prop_assert!(testing <= u64::from(tests) * MOST_PACKETS);
        let planned = probes_asked(&bench.asked) + testing;
        prop_assert_eq!(ledger.planned, planned, "what was asked is what was planned");
        let mut rows = Ledger::default();
        for record in census.clone() {
            let silent = matches!(record.outcome, Outcome::Silent);
            prop_assert!(!silent || tests_a_router(record), "{record:?}");
            let expected = fate(&record.probe);
            let fits = match expected {
                Fate::Fault(fault) => record.outcome == Outcome::SendFailed(fault),
                _ if tests_a_router(record) => agrees(&record.outcome, expected),
                _ => agrees_nearly(&record.outcome, expected),
            };
            prop_assert!(fits, "{expected:?}: {:?}", record.outcome);
            rows.count_record(&record.outcome);
        }
        prop_assert_eq!(ledger.silent, bench.silent + rows.silent);
        prop_assert_eq!((rows.answered, rows.late, rows.send_failed), (ledger.answered, ledger.late, ledger.send_failed));
        let distinct: HashSet<Probe> = census.map(|record| record.probe).collect();
        prop_assert_eq!(distinct.len() as u64, rows.planned);
        let sent: HashSet<Probe> = bench.sent.iter().map(|sent| sent.probe).collect();
        prop_assert_eq!(sent.len(), bench.sent.len(), "a probe sent twice");
        while let Some((at, _)) = bench.arrivals.keys().next().copied() {
            bench.now = bench.now.max(at);
            bench.wait(bench.now);
        }
        let count = |what: &dyn Fn(Fate) -> u64| bench.sent.iter().map(|sent| what(fate(&sent.probe))).sum::<u64>();
        let whole = bench.ledger();
        // What comes behind a round's end belongs to nobody; it is as if it came behind the late window.
        prop_assert!(whole.duplicates <= count(&duplicates));
        prop_assert_eq!(whole.duplicates + whole.unmatched, count(&duplicates) + count(&strangers));
    }

    #[test]
    fn a_census_that_is_stopped_and_resumed_tells_the_same_as_one_that_is_not(
        seed: u64,
        cuts in prop::collection::vec(1_u64..8_000, 1..5),
        tests in 0_u8..3,
    ) {
        let fate = rough(seed);
        let mut whole = bench();
        start_with_tests(&mut whole, &Recorded::default(), tests);
        whole.finish(&fate);

        let (mut so_far, mut sent) = (Recorded::default(), 0);
        let mut on_the_way = 0;
        for cut in cuts {
            let mut bench = bench();
            start_with_tests(&mut bench, &so_far, tests);
            let until = bench.now.after(MILLISECOND * u32::try_from(cut).unwrap());
            prop_assert!(bench.turn(until, &fate));
            sent += bench.sent.len() as u64;
            let known = bench.records.len() as u64 + bench.silent;
            on_the_way += sent_of(&bench) - known.min(sent_of(&bench));
            so_far = recorded(&bench, &so_far);
        }
        let mut last = bench();
        start_with_tests(&mut last, &so_far, tests);
        last.finish(&fate);
        sent += last.sent.len() as u64;
        let ledger = last.over[0].2;
        let all = recorded(&last, &so_far);

        prop_assert!(ledger.balances());
        prop_assert_eq!(ledger.silent, all.ledger.silent);
        prop_assert!(sent <= ledger.sent + on_the_way, "{sent} sent, {} told, {on_the_way} on their way", ledger.sent);
        let told = |records: &mut dyn Iterator<Item = &ProbeRecord>| -> BTreeSet<(Probe, &'static str)> {
            records.map(|record| (record.probe, record.outcome.as_str())).collect()
        };
        prop_assert_eq!(told(&mut all.records.iter()).len(), all.records.len(), "recorded twice");
        // A test of a router that was interrupted is not taken up again; the census is.
        let census = |record: &&ProbeRecord| !tests_a_router(record);
        prop_assert_eq!(
            told(&mut all.records.iter().filter(census)),
            told(&mut whole.records.iter().map(|(_, record)| record).filter(census))
        );
        if tests == 0 {
            prop_assert_eq!(ledger.planned, whole.over[0].2.planned);
        }
        prop_assert_eq!(all.asked, whole.asked);
    }
}

fn sent_of(bench: &Bench) -> u64 {
    bench.sent.len() as u64
}

/// As [`agrees`], with times of sending that are known to half a microsecond.
fn agrees_nearly(outcome: &Outcome, fate: Fate) -> bool {
    let near = |rtt: &Rtt, delay: Duration| rtt.span.abs_diff(delay) < Duration::from_nanos(512);
    match (fate, outcome) {
        (Fate::Answer(delay, _), Outcome::Answered { rtt, .. }) => delay < TIMEOUT && near(rtt, delay),
        (Fate::Answer(delay, _), Outcome::Late { rtt, .. }) => {
            delay >= TIMEOUT && delay < TIMEOUT * 2 && near(rtt, delay)
        }
        _ => false,
    }
}

#[test]
fn nothing_is_kept_of_what_was_sent_but_times() {
    let mut bench = bench();
    start(&mut bench, &Recorded::default());
    for _ in 0..40 {
        assert!(bench.turn(bench.now.after(100 * MILLISECOND), &prompt));
        assert!(bench.engine.flights.is_empty() && bench.engine.deadlines.first() == MonoTime::NEVER);
    }
    bench.finish(&prompt);
    assert!(bench.records.len() > 200);
    assert!(bench.records.iter().all(|(_, record)| record.sent_at.is_some()));
}

#[test]
fn a_router_that_all_units_share_is_not_asked_faster_than_it_may_be_once_it_is_known() {
    let mut bench = bench();
    start(&mut bench, &Recorded::default());
    bench.finish(&prompt);
    for ttl in 1..=8 {
        let times: Vec<MonoTime> =
            bench.sent.iter().filter(|sent| sent.probe.ttl.get() == ttl).map(|sent| sent.at).collect();
        // Its first answer came 30 ms after the first question.
        let known = times[0].after(40 * MILLISECOND);
        let after: Vec<&MonoTime> = times.iter().filter(|at| **at >= known).collect();
        let most = after
            .iter()
            .map(|start| after.iter().filter(|at| **at >= *start && **at < &start.after(SECOND)).count());
        assert!(most.max() <= Some(21), "TTL {ttl}");
    }
}

#[test]
fn an_answer_from_somebody_who_does_not_know_the_key_is_no_answer() {
    let mut bench = bench();
    start(&mut bench, &Recorded::default());
    bench.finish(&|_| Fate::Forgery(20 * MILLISECOND));
    let whole = bench.ledger();
    assert_eq!((whole.answered, whole.late), (0, 0));
    assert_eq!(whole.unmatched, 2 * whole.sent);
}

#[test]
fn an_opt_out_in_the_middle_of_a_census_holds_and_is_recorded() {
    let mut bench = bench();
    start(&mut bench, &Recorded::default());
    assert!(bench.turn(bench.now.after(300 * MILLISECOND), &prompt));
    let prefix: Prefix = "175.45.177.0/24".parse().unwrap();
    bench.engine.guard_mut().opt_out(OptOut { prefix, reference: Untrusted::new("ticket 1") });
    let at = bench.now;
    bench.finish(&prompt);
    assert!(bench.sent.iter().all(|sent| sent.at <= at || !prefix.contains(sent.probe.target)));
    let blocked =
        bench.records.iter().filter(|(_, record)| record.outcome == Outcome::Blocked(BlockRule::OptOut));
    let ledger = bench.over[0].2;
    assert_eq!(blocked.count() as u64, ledger.blocked);
    assert!(ledger.balances() && ledger.blocked > 0, "{ledger}");
}
