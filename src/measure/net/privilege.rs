//! Does this process have what it needs to measure? Asked by opening the sockets and closing them again:
//! nothing else tells for certain. Nothing is sent.

use std::io;
use std::path::PathBuf;

use socket2::{Domain, Protocol, Socket, Type};

/// The raw packet path is closed to this process.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot open a raw {what} socket: run `sudo setcap cap_net_raw=ep {}`, or run as root, \
     or under systemd with AmbientCapabilities=CAP_NET_RAW (and AF_PACKET, if it restricts address families)",
    program.display()
)]
pub struct NoRawAccess {
    /// Which socket was refused first.
    what: &'static str,
    /// Who asked.
    program: PathBuf,
    #[source]
    source: io::Error,
}

/// The unprivileged echo engine is closed to this process.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot open an unprivileged {what} echo socket: run \
     `sudo sysctl -w net.ipv4.ping_group_range='0 2147483647'` (it governs IPv6 as well), or grant CAP_NET_RAW"
)]
pub struct NoEchoAccess {
    /// Which socket was refused.
    what: &'static str,
    #[source]
    source: io::Error,
}

/// Whether raw sockets and capture are open to this process. That the kernel has no IPv4 or no IPv6 is no
/// obstacle.
///
/// # Errors
/// One sentence: what is refused, and what to grant.
pub fn raw_access() -> Result<(), NoRawAccess> {
    let wanted = [
        ("IPv4", Domain::IPV4, Type::RAW, libc::IPPROTO_RAW),
        ("IPv6", Domain::IPV6, Type::RAW, libc::IPPROTO_RAW),
        ("packet", Domain::PACKET, Type::DGRAM, 0),
    ];
    for (what, domain, kind, protocol) in wanted {
        probe(domain, kind, Protocol::from(protocol)).map_err(|source| NoRawAccess {
            what,
            program: this_program(),
            source,
        })?;
    }
    Ok(())
}

/// Whether unprivileged ICMP echo is open to this process, for both families.
///
/// # Errors
/// One sentence: what is refused, and what to grant.
pub fn echo_access() -> Result<(), NoEchoAccess> {
    let wanted = [("IPv4", Domain::IPV4, Protocol::ICMPV4), ("IPv6", Domain::IPV6, Protocol::ICMPV6)];
    for (what, domain, protocol) in wanted {
        probe(domain, Type::DGRAM, protocol).map_err(|source| NoEchoAccess { what, source })?;
    }
    Ok(())
}

fn probe(domain: Domain, kind: Type, protocol: Protocol) -> io::Result<()> {
    let optional = domain != Domain::PACKET;
    match Socket::new(domain, kind, Some(protocol)) {
        Err(error) if optional && error.raw_os_error() == Some(libc::EAFNOSUPPORT) => Ok(()),
        answer => answer.map(drop),
    }
}

fn this_program() -> PathBuf {
    std::env::current_exe().unwrap_or_else(|_| PathBuf::from("tetherline"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_one_sentence_that_says_what_to_grant() {
        let source = io::Error::from_raw_os_error(libc::EPERM);
        let refusal = NoRawAccess { what: "IPv4", program: PathBuf::from("/opt/tetherline"), source };
        let sentence = refusal.to_string();
        assert!(!sentence.contains('\n') && !sentence.ends_with('.'), "{sentence}");
        for needed in ["setcap cap_net_raw=ep /opt/tetherline", "root", "AmbientCapabilities=CAP_NET_RAW"] {
            assert!(sentence.contains(needed), "{sentence}");
        }
    }
}
