//! The kernel lab leads nowhere, leaves nothing behind, and does not hide what it cannot do.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use super::lab::{DIAMOND, kernel_lab};

/// Kinds and names of all interfaces of all nodes, and of the namespace in which the lab was made.
const INTERFACES: &str = r#"
    for node in $(ls /run/netns) "of the lab"; do
        case $node in
            "of the lab") links=$(nsenter --net=/proc/1/ns/net ip -json -details link) ;;
            *) links=$(ip -n $node -json -details link) ;;
        esac
        echo "$links" | python3 -c '
import json, sys
for link in json.load(sys.stdin):
    kind = link.get("linkinfo", {}).get("info_kind", link["link_type"])
    print(kind, link["ifname"], "elsewhere" if "link_netnsid" in link else "here")'
    done
    exit 7"#;

#[test]
#[ignore = "needs the kernel lab: scripts/test runs it"]
fn every_interface_is_a_loopback_or_one_end_of_a_cable_within_and_the_exit_code_is_the_commands() {
    let output =
        kernel_lab(Path::new("/")).args([DIAMOND, "sh", "-euc", INTERFACES]).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(7), "{}", String::from_utf8_lossy(&output.stderr));
    let (loopbacks, others): (Vec<&str>, Vec<&str>) =
        said.lines().partition(|line| *line == "loopback lo here");
    // Five routers, the vantage, the hosts, and where the lab was made.
    assert_eq!(loopbacks.len(), 8, "{said}");
    assert!(others.iter().all(|line| line.starts_with("veth ") && line.ends_with(" elsewhere")), "{said}");
    for link in ["l1", "l2", "l3", "l4", "l5"] {
        assert_eq!(others.iter().filter(|line| line.contains(&format!(" {link} "))).count(), 2, "{said}");
    }
    assert_eq!(others.len(), 2 * 7, "the links, the uplink and the hosts' cable: {said}");
}

/// Kills the process of a number and waits until all in a process namespace are gone; prints what they were.
const KILL_AND_WAIT: &str = r#"
import os, select, signal, sys
victim, namespace = int(sys.argv[1]), sys.argv[2]
def is_within(pid):
    try:
        return os.readlink(f"/proc/{pid}/ns/pid") == namespace
    except OSError:
        return False
within = [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and is_within(pid)]
print(*sorted(open(f"/proc/{pid}/comm").read().strip() for pid in within))
alive = {os.pidfd_open(pid) for pid in within}
os.kill(victim, signal.SIGKILL)
while alive:
    ready = select.select(alive, [], [], 30)[0]
    assert ready, "some are still there"
    alive -= set(ready)
"#;

#[test]
#[ignore = "needs the kernel lab: scripts/test runs it"]
fn nothing_is_left_of_it_after_it_was_killed() {
    let mut lab = kernel_lab(Path::new("/"))
        .args([DIAMOND, "sh", "-euc", "readlink /proc/self/ns/pid; cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut namespace = String::new();
    let mut said = BufReader::new(lab.stdout.take().expect("its output"));
    said.read_line(&mut namespace).expect("a line");
    let output = Command::new("python3")
        .args(["-c", KILL_AND_WAIT, &lab.id().to_string(), namespace.trim_end()])
        .output()
        .expect("python3 starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let processes = String::from_utf8_lossy(&output.stdout);
    assert_eq!(processes.split_whitespace().filter(|name| *name == "bird").count(), 5, "{processes}");
    assert!(!lab.wait().expect("its end").success());
}

#[test]
#[ignore = "needs the kernel lab: scripts/test runs it"]
fn what_cannot_be_expressed_is_named_and_what_is_no_scenario_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("strange.toml");
    let diamond = std::fs::read_to_string(DIAMOND).expect("the diamond");
    let strange = diamond.replacen("name = \"r3\"", "name = \"r3\"\nlabels = [16]\nbalance = \"none\"", 1);
    std::fs::write(&path, strange).expect("written");
    let output = kernel_lab(folder.path()).arg(&path).arg("true").output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("left out: labels: router r3"), "{said}");
    assert!(said.contains("left out: balance = \"none\" (it balances per flow): router r3"), "{said}");

    for (scenario, why) in [("no/such/file.toml", "No such file"), ("Cargo.toml", "has no vantage")] {
        let output = kernel_lab(folder.path()).args([scenario, "true"]).output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && said.contains(why), "{said}");
    }
}
