//! Changes of inputs, drawn from a seed.

/// Numbers drawn from a seed (`SplitMix64`).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `most`, which is above 0.
    pub(crate) fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.next() % most as u64).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }

    fn one_of<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}

/// What breaks numbers, names and structures of text.
const WORDS: &[&str] = &[
    "0",
    "-1",
    "1",
    "255",
    "256",
    "65535",
    "65536",
    "4294967295",
    "4294967296",
    "8589934592",
    "18446744073709551616",
    "1e308",
    "-1e308",
    "1e-320",
    "9999999999999999999999",
    "0.1",
    "NaN",
    "null",
    "true",
    "\"\"",
    "[]",
    "{}",
    "\"*\"",
    "0.0.0.0",
    "255.255.255.255",
    "::",
    "::ffff:1.2.3.4",
    "0/0",
    "::/128",
    "/33",
    "\\u0000",
    "\\ud800",
    "\u{1b}[2J",
    "é",
    "|",
    "\t",
    "\r\n",
    "\n",
    ",",
    "\"",
    "'",
    "#",
    "[",
    "{",
    "}",
    "]",
    " ",
];

const NUMBERS: &[u32] =
    &[0, 1, 2, 4, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 1 << 24, 1 << 31, u32::MAX];

/// The longest input that is made, in bytes.
const LONGEST: usize = 256 * 1024;

/// An input with up to eight changes; `others` may lend pieces.
pub(crate) fn changed(input: &[u8], others: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=dice.below(8) {
        change(&mut bytes, others, dice);
        bytes.truncate(LONGEST);
    }
    bytes
}

fn change(bytes: &mut Vec<u8>, others: &[Vec<u8>], dice: &mut Dice) {
    let at = dice.below(bytes.len() + 1);
    let end = (at + dice.below(40)).min(bytes.len());
    match dice.below(14) {
        0 => flip(bytes, at, dice),
        1 => set(bytes, at, &[dice.byte()]),
        2 => drop(bytes.drain(at..end)),
        3 => put(bytes, at, &[dice.byte()]),
        4 => bytes.truncate(at),
        5 => set(bytes, at, &dice.one_of(&[&NUMBERS])[dice.below(NUMBERS.len())].to_be_bytes()),
        6 => set(bytes, at, &short(dice)),
        7 => put(bytes, at, dice.one_of(WORDS).as_bytes()),
        8 => replace_number(bytes, at, dice),
        9 => lend(bytes, at, others, dice),
        10 => repeat(bytes, at..end, dice),
        11 => move_line(bytes, at, dice),
        12 => bytes[at..end].fill(dice.byte()),
        _ => replace_word(bytes, at, dice),
    }
}

fn flip(bytes: &mut [u8], at: usize, dice: &mut Dice) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << dice.below(8);
    }
}

/// Two bytes of a number that stands at a border.
fn short(dice: &mut Dice) -> [u8; 2] {
    let [_, _, high, low] = NUMBERS[dice.below(NUMBERS.len())].to_be_bytes();
    [high, low]
}

fn set(bytes: &mut [u8], at: usize, to: &[u8]) {
    bytes[at..].iter_mut().zip(to).for_each(|(byte, to)| *byte = *to);
}

fn put(bytes: &mut Vec<u8>, at: usize, what: &[u8]) {
    bytes.splice(at..at, what.iter().copied());
}

/// Where the run of bytes of one kind around a place begins and ends.
fn around(bytes: &[u8], at: usize, is_one: impl Fn(&u8) -> bool) -> std::ops::Range<usize> {
    let at = at.min(bytes.len());
    let before = bytes[..at].iter().rev().take_while(|byte| is_one(byte)).count();
    let behind = bytes[at..].iter().take_while(|byte| is_one(byte)).count();
    at - before..at + behind
}

/// The next number in text becomes another.
fn replace_number(bytes: &mut Vec<u8>, at: usize, dice: &mut Dice) {
    let next = bytes[at..].iter().take(60).position(u8::is_ascii_digit).map_or(at, |offset| at + offset);
    let digits = around(bytes, next, u8::is_ascii_digit);
    let to = dice.one_of(WORDS).bytes();
    bytes.splice(digits, to);
}

fn replace_word(bytes: &mut Vec<u8>, at: usize, dice: &mut Dice) {
    let word = around(bytes, at, |byte| byte.is_ascii_alphanumeric() || b"._-:".contains(byte));
    let to = dice.one_of(WORDS).bytes();
    bytes.splice(word, to);
}

/// A piece of another input comes in, at its own place or at any.
fn lend(bytes: &mut Vec<u8>, at: usize, others: &[Vec<u8>], dice: &mut Dice) {
    let other = &others[dice.below(others.len())];
    let from = dice.below(other.len() + 1);
    let to = (from + dice.below(200)).min(other.len());
    if dice.below(4) == 0 {
        bytes.truncate(at);
        bytes.extend_from_slice(&other[from..]);
    } else {
        put(bytes, at, &other[from..to]);
    }
}

/// Mostly once or twice, and now and then very often.
fn repeat(bytes: &mut Vec<u8>, piece: std::ops::Range<usize>, dice: &mut Dice) {
    let times = [1, 2, 20, 2000][dice.below(4)];
    let repeated = bytes[piece.clone()].repeat(times);
    put(bytes, piece.end, &repeated);
}

fn move_line(bytes: &mut Vec<u8>, at: usize, dice: &mut Dice) {
    let line = around(bytes, at, |byte| *byte != b'\n');
    let mut taken: Vec<u8> = bytes.drain(line).collect();
    taken.push(b'\n');
    let to = dice.below(bytes.len() + 1);
    put(bytes, to, &taken);
}
