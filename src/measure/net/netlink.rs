//! Questions to the kernel about this network namespace: its links, routes, neighbours and addresses; and
//! news of them. Reads only, and changes nothing. Answers are those of the calling thread's namespace.

use std::io;

use rtnetlink::packet_core::{
    NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

/// Above what the kernel puts into one datagram of a dump (32 KiB since Linux 4.6).
const DATAGRAM_BYTES: usize = 64 * 1024;

/// Netlink aligns messages to this many bytes.
const ALIGNMENT: usize = 4;

/// Why the kernel's answer could not be had.
#[derive(Debug, thiserror::Error)]
pub enum NetlinkError {
    /// The socket, or the kernel, refused.
    #[error("cannot ask the kernel about the network")]
    Refused(#[from] io::Error),
    /// The answer could not be read.
    #[error("cannot read the kernel's answer about the network: {0}")]
    Unreadable(String),
    /// Something changed while the kernel was answering.
    #[error("the network changed while the kernel was describing it: try again")]
    Interrupted,
}

/// Asks for a whole table, and gives each entry of the answer to `each`.
///
/// # Errors
/// If any part of the answer is missing or cannot be read: half a table is none.
pub(super) fn dump(
    question: RouteNetlinkMessage,
    mut each: impl FnMut(RouteNetlinkMessage),
) -> Result<(), NetlinkError> {
    let socket = connected()?;
    socket.send(&datagram(question, NLM_F_DUMP | NLM_F_REQUEST), 0)?;
    let mut buffer = vec![0; DATAGRAM_BYTES];
    while read_datagram(received(&socket, &mut buffer)?, &mut each)? == Progress::More {}
    Ok(())
}

/// Asks for one entry, and gives it back.
///
/// # Errors
/// The kernel's reason why there is none, or if the answer cannot be read.
pub(super) fn ask(question: RouteNetlinkMessage) -> Result<RouteNetlinkMessage, NetlinkError> {
    let socket = connected()?;
    socket.send(&datagram(question, NLM_F_REQUEST), 0)?;
    let (mut buffer, mut answer) = (vec![0; DATAGRAM_BYTES], None);
    read_datagram(received(&socket, &mut buffer)?, &mut |message| answer = Some(message))?;
    answer.ok_or_else(|| NetlinkError::Unreadable("there is nothing in it".to_owned()))
}

fn connected() -> Result<Socket, io::Error> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    Ok(socket)
}

fn received<'b>(socket: &Socket, buffer: &'b mut [u8]) -> Result<&'b [u8], NetlinkError> {
    let length = socket.recv(&mut &mut *buffer, 0)?;
    buffer.get(..length).ok_or_else(|| NetlinkError::Unreadable(format!("a datagram of {length} bytes")))
}

/// What is new, as the kernel tells everybody who listens.
#[derive(Debug)]
pub(super) struct News {
    socket: Socket,
    buffer: Vec<u8>,
}

impl News {
    /// Listens to these groups (`RTNLGRP_…`) from now on.
    ///
    /// # Errors
    /// The system's reason.
    pub(super) fn of(groups: &[u32]) -> Result<Self, NetlinkError> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        groups.iter().try_for_each(|group| socket.add_membership(*group))?;
        socket.set_non_blocking(true)?;
        Ok(Self { socket, buffer: vec![0; DATAGRAM_BYTES] })
    }

    /// Gives all that came since the last call to `each`. Never waits.
    ///
    /// # Errors
    /// If something was lost or cannot be read: what is known may then be out of date.
    pub(super) fn take(&mut self, mut each: impl FnMut(RouteNetlinkMessage)) -> Result<(), NetlinkError> {
        loop {
            match received(&self.socket, &mut self.buffer) {
                Ok(datagram) => read_datagram(datagram, &mut each).map(drop)?,
                Err(NetlinkError::Refused(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    }
}

fn datagram(question: RouteNetlinkMessage, flags: u16) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    header.flags = flags;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::from(question));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

/// Whether the end of the table was seen.
#[derive(PartialEq, Eq)]
enum Progress {
    More,
    Complete,
}

fn read_datagram(
    mut rest: &[u8],
    each: &mut impl FnMut(RouteNetlinkMessage),
) -> Result<Progress, NetlinkError> {
    while !rest.is_empty() {
        let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest)
            .map_err(|error| NetlinkError::Unreadable(error.to_string()))?;
        if message.header.flags & NLM_F_DUMP_INTR != 0 {
            return Err(NetlinkError::Interrupted);
        }
        match message.payload {
            NetlinkPayload::InnerMessage(inner) => each(inner),
            NetlinkPayload::Done(_) => return Ok(Progress::Complete),
            NetlinkPayload::Error(error) => return Err(error.to_io().into()),
            NetlinkPayload::Overrun(_) => return Err(NetlinkError::Interrupted),
            _ => {}
        }
        let length = usize::try_from(message.header.length).unwrap_or(usize::MAX);
        rest = rest.get(length.next_multiple_of(ALIGNMENT).max(ALIGNMENT)..).unwrap_or_default();
    }
    Ok(Progress::More)
}

#[cfg(test)]
mod tests {
    use rtnetlink::packet_route::link::LinkMessage;

    use super::*;

    #[test]
    fn a_cut_answer_is_an_error_and_not_a_short_table() {
        let whole = datagram(RouteNetlinkMessage::GetLink(LinkMessage::default()), NLM_F_DUMP);
        let mut seen = 0;
        assert!(read_datagram(&whole, &mut |_| seen += 1).is_ok());
        assert_eq!(seen, 1);
        for length in 1..whole.len() {
            assert!(read_datagram(&whole[..length], &mut |_| ()).is_err(), "{length} bytes were taken");
        }
    }
}
