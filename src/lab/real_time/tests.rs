use std::io::{ErrorKind, Read};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::{GATEWAY_MAC, HEADER, RealTimeLab, from_vantage, to_vantage};
use crate::lab::testing::{echo_request, syn};
use crate::lab::{Namespace, NoNamespace, Scenario};
use crate::model::{Clock, SystemClock};

#[test]
fn only_ip_frames_from_the_vantage_to_the_gateway_are_looked_at() {
    let packet = echo_request("175.45.176.80", 64, 7, 1);
    let frame = |to: [u8; 6], kind: [u8; 2]| [to.as_slice(), &[2; 6], &kind, &packet].concat();
    assert_eq!(from_vantage(&mut frame(GATEWAY_MAC, [8, 0])), Some(packet.clone().as_mut_slice()));
    assert_eq!(from_vantage(&mut frame(GATEWAY_MAC, [8, 6])), None);
    assert_eq!(from_vantage(&mut frame([0xff; 6], [8, 0])), None);
    assert_eq!(from_vantage(&mut to_vantage(&packet).concat()), None);
    assert_eq!(from_vantage(&mut [0; HEADER - 1]), None);
}

#[test]
fn a_checksum_that_the_kernel_left_to_the_card_is_completed_and_no_other_is_touched() {
    for to in ["175.45.176.80", "2001:df1:4b00::10"] {
        let right = syn(to, 64, (40_000, 443), 7);
        let mut untouched = right.clone();
        super::complete_checksum(&mut untouched);
        assert_eq!(untouched, right);
        let header = if to.contains(':') { 40 } else { 20 };
        // Sum of addresses, protocol and length, folded, not complemented: what Linux leaves there.
        let addresses = &right[if to.contains(':') { 8 } else { 12 }..header];
        let words = addresses.chunks(2).map(|pair| u32::from(pair[0]) * 256 + u32::from(pair[1]));
        let sum: u32 = words.sum::<u32>() + 6 + 20;
        let folded = u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
        let mut left = right.clone();
        left[header + 16..header + 18].copy_from_slice(&folded.to_be_bytes());
        super::complete_checksum(&mut left);
        assert_eq!(left, right, "{to}");
    }
}

#[test]
fn a_process_with_threads_is_told_so_and_stays_where_it_is() {
    let (keep, kept) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || kept.recv());
    assert!(matches!(Namespace::enter(), Err(NoNamespace::Threads(2..))));
    drop(keep);
    thread.join().unwrap().unwrap_err();
}

/// Time from an echo request to its reply, on the kernel's own sockets.
fn ping(to: &str, clock: SystemClock) -> Duration {
    let to: IpAddr = to.parse().unwrap();
    let (domain, protocol, request) = match to {
        IpAddr::V4(_) => {
            (Domain::IPV4, Protocol::ICMPV4, echo_request("175.45.176.80", 64, 7, 1)[20..].to_vec())
        }
        // The kernel computes the ICMPv6 checksum.
        IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6, vec![128, 0, 0, 0, 0, 7, 0, 1]),
    };
    let mut socket = Socket::new(domain, Type::RAW, Some(protocol)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    socket.connect(&SockAddr::from(SocketAddr::new(to, 0))).unwrap();
    let sent = clock.mono();
    socket.send(&request).unwrap();
    let mut buffer = [0; 256];
    let length = socket.read(&mut buffer).unwrap();
    let answer = if to.is_ipv4() { &buffer[20..length] } else { &buffer[..length] };
    assert!(matches!(answer, [0 | 129, 0, ..]), "{answer:?}");
    clock.mono().since(sent)
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn the_kernels_own_sockets_meet_the_simulated_internet_in_a_namespace() {
    // On a thread with one more namespace of its own, so that no other test sees the cable.
    let alone = std::thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        meet_the_simulated_internet();
    });
    if let Err(panic) = alone.join() {
        std::panic::resume_unwind(panic);
    }
}

fn meet_the_simulated_internet() {
    let namespace = Namespace::adopt().expect("must run in a network namespace that has only lo");
    let mut scenario = Scenario::october_2017().unwrap().at_speed(1.0);
    for link in &mut scenario.links {
        link.hazards = crate::lab::scenario::Hazards::default();
    }
    let clock = SystemClock::start();
    let lab = RealTimeLab::start(&scenario, &namespace, clock).unwrap();
    assert_eq!(lab.clock().wall(clock.mono()).since(scenario.start()).as_secs(), 0);

    // The quickest of several: a busy machine adds to one, but cannot take away from any.
    let quickest = |to, pings| (0..pings).map(|_| ping(to, clock)).min().unwrap();
    let near = quickest("188.1.144.1", 20);
    assert!((400..3_000).contains(&near.as_micros()), "{near:?}");
    for target in ["175.45.176.80", "2001:df1:4b00::10"] {
        let far = quickest(target, 5);
        assert!((285..300).contains(&far.as_millis()), "{target}: {far:?}");
    }

    let connect = |to: &str| TcpStream::connect_timeout(&to.parse().unwrap(), Duration::from_secs(2));
    connect("175.45.176.80:443").unwrap();
    connect("[2001:df1:4b00::10]:443").unwrap();
    assert_eq!(connect("175.45.176.80:444").unwrap_err().kind(), ErrorKind::ConnectionRefused);

    let udp = UdpSocket::bind("188.1.144.10:0").unwrap();
    udp.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    udp.connect("210.52.109.20:53").unwrap();
    udp.send(b"anybody?").unwrap();
    assert_eq!(udp.recv(&mut [0; 16]).unwrap_err().kind(), ErrorKind::ConnectionRefused);

    lab.shutdown();
    let second = Namespace::adopt();
    assert!(
        matches!(second, Err(NoNamespace::NotPrivate(_))),
        "a wired namespace was taken over: {second:?}"
    );
}
