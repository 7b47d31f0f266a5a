//! What others measured on the real Internet, held against what they say of it themselves.

use super::*;

fn real(name: &str) -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    std::env::var_os("TETHERLINE_REAL_DATA").map_or(beside, PathBuf::from).join(name)
}

#[test]
#[ignore = "needs the real data: set TETHERLINE_REAL_DATA"]
fn the_atlas_set_of_24_september_2016_has_its_traces_stars_late_answers_and_labels_in_real_data() {
    let file = real("atlas/atlas_msm5719599_20160924.json.gz");
    let (_folder, dataset, summary) = imported(&[file], &ImportOptions::default());
    let counts = &summary.files[0].counts;
    let expected = [
        ("traceroutes", 962),
        ("packets without an answer", 5593),
        ("late answers", 293),
        ("answers with ICMP extensions", 1315),
        ("duplicate answers", 5),
    ];
    for (what, number) in expected {
        assert_eq!(counts.get(what), Some(&number), "{what}: {counts:?}");
    }
    assert_eq!(counts.get(FAULTS), None);
    let traces = traces(&dataset);
    assert_eq!(traces.len(), 962);
    // 18 have an answer from the target's address. Of these 17 are TCP; the last is of a translator that puts it
    // into the answers of all routers, so that nothing shows that the target was reached.
    let reached = traces.iter().filter(|trace| matches!(trace.end, TraceEnd::Reached { .. })).count();
    let answered = traces.iter().filter(|trace| {
        trace.hops.iter().any(|hop| hop.answers.iter().any(|answer| answer.from == trace.key.target))
    });
    assert_eq!((reached, answered.count()), (17, 18));
}

/// Flow, TTL, and who answered after how long.
type Probe = (String, String, Option<(String, String)>);

/// The numbers of a text that scamper's own program wrote, in their order.
fn told(text: &str, word: &str) -> Vec<String> {
    let behind = text.match_indices(word).map(|(at, _)| &text[at + word.len()..]);
    let end = |c: char| c == ',' || c == '\n' || c.is_whitespace();
    behind.map(|rest| rest.trim_start().split(end).next().unwrap_or_default().to_owned()).collect()
}

#[test]
#[ignore = "needs the real data: set TETHERLINE_REAL_DATA"]
fn a_warts_trace_is_what_the_text_beside_it_says_in_real_data() {
    let batch =
        read(Format::Warts, &std::fs::read(real("warts/trace_google_dns_v4_default.warts")).unwrap());
    let text = std::fs::read_to_string(real("warts/trace_google_dns_v4_default.txt")).unwrap();
    let trace = measurements(&batch)[0];
    assert_eq!(
        (trace.vantage.as_str(), trace.flow_of_all()),
        ("ubuntu-linux-20-04-desktop", FlowId(57352))
    );
    let hops: Vec<(&Sent, &Reply, Rtt)> = trace
        .probes
        .iter()
        .filter(|sent| matches!(sent.outcome, Outcome::Answered { .. }))
        .map(|sent| (sent, answer(sent).0, answer(sent).1))
        .collect();
    let each = |of: &dyn Fn(&(&Sent, &Reply, Rtt)) -> String| hops.iter().map(of).collect::<Vec<_>>();
    let lines: Vec<(&str, &str)> = text
        .lines()
        .filter_map(|line| line.strip_prefix("hop"))
        .filter_map(|line| line.trim().split_once("  "))
        .collect();
    assert_eq!(each(&|(sent, ..)| sent.ttl.to_string()), lines.iter().map(|one| one.0).collect::<Vec<_>>());
    assert_eq!(
        each(&|(_, reply, _)| reply.from.to_string()),
        lines.iter().map(|one| one.1).collect::<Vec<_>>()
    );
    assert_eq!(each(&|(sent, ..)| (sent.attempt + 1).to_string()), told(&text, " attempt: "));
    assert_eq!(each(&|(.., rtt)| format!("{:.6}s", rtt.span.as_secs_f64())), told(&text, "rtt: "));
    assert_eq!(each(&|(_, reply, _)| reply.reply_ttl.unwrap().to_string()), told(&text, "reply-ttl: "));
    assert_eq!(each(&|(_, reply, _)| reply.size.to_string()), told(&text, "reply-size: "));
    assert_eq!(each(&|(_, reply, _)| reply.icmp.unwrap().0.to_string()), told(&text, "icmp-type: "));
    assert_eq!(each(&|(_, reply, _)| reply.icmp.unwrap().1.to_string()), told(&text, "icmp-code: "));
    assert_eq!(each(&|(_, reply, _)| reply.quoted_ttl.unwrap().to_string()), told(&text, "q-ttl: "));
    let since = |sent: &Sent| format!("{:.6}s", sent.at.unwrap().since(trace.at).as_secs_f64());
    assert_eq!(each(&|(sent, ..)| since(sent)), told(&text, " tx: "));
    assert_eq!(trace.probes.len() - hops.len(), 2, "the silent hop was asked twice");
}

#[test]
#[ignore = "needs the real data: set TETHERLINE_REAL_DATA"]
fn a_warts_ping_is_what_the_text_beside_it_says_in_real_data() {
    let batch =
        read(Format::Warts, &std::fs::read(real("warts/ping_google_dns_v4_default.warts")).unwrap());
    let text = std::fs::read_to_string(real("warts/ping_google_dns_v4_default.txt")).unwrap();
    let ping = measurements(&batch)[0];
    let each = |of: &dyn Fn(&Sent) -> String| ping.probes.iter().map(of).collect::<Vec<_>>();
    assert_eq!(each(&|sent| (sent.attempt + 1).to_string()), told(&text, " attempt: "));
    assert_eq!(each(&|sent| answer(sent).0.from.to_string()), told(&text, "reply from "));
    assert_eq!(each(&|sent| format!("{:.6}s", answer(sent).1.span.as_secs_f64())), told(&text, "rtt: "));
    assert_eq!(each(&|sent| answer(sent).0.reply_ttl.unwrap().to_string()), told(&text, " ttl: ")[1..]);
}

#[test]
#[ignore = "needs the real data: set TETHERLINE_REAL_DATA"]
fn a_warts_load_balancer_trace_is_what_the_text_beside_it_says_in_real_data() {
    let batch =
        read(Format::Warts, &std::fs::read(real("warts/tracelb_google_dns_v4_default.warts")).unwrap());
    let text = std::fs::read_to_string(real("warts/tracelb_google_dns_v4_default.txt")).unwrap();
    let found = measurements(&batch)[0];
    let mut told_probes: Vec<Probe> = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with("probe flowid") {
            let one = |word| told(line, word).remove(0);
            told_probes.push((one("flowid:"), one("ttl:"), None));
        } else if line.starts_with("reply from") {
            let one = |word| told(line, word).remove(0);
            told_probes.last_mut().unwrap().2.get_or_insert((one("from:"), one("rtt:")));
        }
    }
    told_probes.sort();
    let shown = |sent: &Sent| {
        let heard = (sent.outcome != Outcome::Silent).then(|| {
            let (reply, rtt) = answer(sent);
            (reply.from.to_string(), format!("{:.6}", rtt.span.as_secs_f64()))
        });
        (sent.flow.to_string(), sent.ttl.to_string(), heard)
    };
    // That the first node answered is told without a probe.
    let (first, probes): (Vec<&Sent>, Vec<&Sent>) = found.probes.iter().partition(|sent| sent.at.is_none());
    let mut ours: Vec<_> = probes.into_iter().map(shown).collect();
    ours.sort();
    assert_eq!(ours, told_probes);
    assert_eq!(first.len(), 1);
    let node = told(&text, "node 0 ").remove(0);
    assert_eq!(
        (first[0].ttl.get(), answer(first[0]).0.from.to_string().as_str()),
        (1, node.trim_end_matches(','))
    );
}

#[test]
#[ignore = "needs the real data: set TETHERLINE_REAL_DATA"]
fn the_lines_of_m_lab_are_read_whole_in_real_data() {
    let files =
        ["mlab_scamper1_valid-complex", "mlab_scamper2_valid-complex", "mlab_scamper2_valid-simple"];
    let files = files.map(|name| real(&format!("scamper_json/{name}.jsonl")));
    let (_folder, dataset, summary) = imported(&files, &ImportOptions::default());
    assert!(summary.files.iter().all(|file| file.format == Format::ScamperJson && file.faults.is_empty()));
    let text = std::fs::read_to_string(&files[0]).unwrap();
    let multipath = records(&dataset).into_iter().filter(|record| record.method == Method::Multipath);
    let probes: u64 = summary.files[0].counts.get("probes told of again").copied().unwrap_or(0);
    let multipath = multipath.filter(|record| match &record.outcome {
        Outcome::Answered { rtt, .. } => rtt.told().is_some(),
        _ => true,
    });
    assert_eq!(multipath.count() as u64 + probes, text.matches("\"flowid\"").count() as u64);
    let reached = traces(&dataset).into_iter().filter(|one| matches!(one.end, TraceEnd::Reached { .. }));
    assert_eq!(reached.count(), 1);
}

impl Measurement {
    /// The flow, where there is one.
    fn flow_of_all(&self) -> FlowId {
        let flow = self.probes[0].flow;
        assert!(self.probes.iter().all(|sent| sent.flow == flow));
        flow
    }
}
