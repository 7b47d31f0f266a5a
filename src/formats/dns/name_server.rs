//! A name server of our own on the loopback interface, for tests.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

pub(crate) const PTR: u16 = 12;
pub(crate) const TXT: u16 = 16;

/// What our name server says to a question.
pub(crate) enum Says {
    Records(Vec<Vec<u8>>),
    NoSuchName,
    Refused,
    NothingAtAll,
}

pub(crate) struct NameServer {
    pub(crate) address: SocketAddr,
    questions: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl NameServer {
    pub(crate) fn start(says: fn(&str, u16) -> Says) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let questions = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&questions);
        let thread = std::thread::spawn(move || serve(&socket, &counter, says));
        Self { address, questions, thread: Some(thread) }
    }

    pub(crate) fn asked(&self) -> u64 {
        self.questions.load(Ordering::SeqCst)
    }
}

impl Drop for NameServer {
    /// A datagram too short for a question ends the server.
    fn drop(&mut self) {
        let stop = UdpSocket::bind("127.0.0.1:0").unwrap();
        stop.send_to(b"", self.address).unwrap();
        self.thread.take().unwrap().join().unwrap();
    }
}

fn serve(socket: &UdpSocket, questions: &AtomicU64, says: fn(&str, u16) -> Says) {
    let mut buffer = [0; 1500];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).unwrap();
        let query = &buffer[..length];
        if query.is_empty() {
            return;
        }
        questions.fetch_add(1, Ordering::SeqCst);
        let (name, kind, end) = question(query);
        let (code, records) = match says(&name, kind) {
            Says::Records(records) => (0, records),
            Says::NoSuchName => (3, Vec::new()),
            Says::Refused => (5, Vec::new()),
            Says::NothingAtAll => continue,
        };
        socket.send_to(&answer(query, end, code, kind, &records), from).unwrap();
    }
}

/// The name in lower case, the type, and where the question ends.
fn question(query: &[u8]) -> (String, u16, usize) {
    let (mut at, mut name) = (12, String::new());
    while query[at] != 0 {
        let end = at + 1 + usize::from(query[at]);
        name += &String::from_utf8_lossy(&query[at + 1..end]).to_ascii_lowercase();
        name.push('.');
        at = end;
    }
    (name, u16::from_be_bytes([query[at + 1], query[at + 2]]), at + 5)
}

fn answer(query: &[u8], question_end: usize, code: u8, kind: u16, records: &[Vec<u8>]) -> Vec<u8> {
    let count = u8::try_from(records.len()).unwrap();
    let mut message = vec![query[0], query[1], 0x81, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0];
    message.extend(&query[12..question_end]);
    for record in records {
        message.extend([0xc0, 12]);
        message.extend(kind.to_be_bytes());
        message.extend([0, 1, 0, 0, 1, 0]);
        message.extend(u16::try_from(record.len()).unwrap().to_be_bytes());
        message.extend(record);
    }
    message
}

pub(crate) fn wire_name(name: &str) -> Vec<u8> {
    let label = |label: &str| [&[u8::try_from(label.len()).unwrap()], label.as_bytes()].concat();
    name.split('.').flat_map(label).chain([0]).collect()
}

pub(crate) fn wire_text(parts: &[&str]) -> Vec<u8> {
    parts.iter().flat_map(|part| [&[u8::try_from(part.len()).unwrap()], part.as_bytes()].concat()).collect()
}
