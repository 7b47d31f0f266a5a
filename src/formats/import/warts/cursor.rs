//! The bytes of one warts record: numbers are big-endian; parameters stand behind flags that say which
//! there are; addresses are embedded where they first occur, and referred to by number from then on.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::{MplsLabel, WallTime};

use super::super::fields::seconds;

/// The most bytes of flags: 70 parameters. scamper knows some 40.
const MOST_FLAG_BYTES: u32 = 10;

/// Why a record cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::formats::import) enum Bad {
    #[error("it ends before what it announces")]
    Ends,
    #[error("it has more than 70 parameters")]
    Flags,
    #[error("it refers to address {0}, which it has not named")]
    NoAddress(u32),
    #[error("an address of its kind cannot have {0} bytes")]
    AddressLength(u8),
    #[error("it names no destination")]
    NoTarget,
    #[error("it has no time")]
    NoTime,
}

/// Which parameters there are, and where they end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Params {
    bits: u128,
    end: usize,
}

impl Params {
    /// Whether there is the parameter of this number; the first is 1.
    pub(super) const fn has(self, number: u32) -> bool {
        let bit = number.saturating_sub(1);
        bit < 128 && (self.bits >> bit) & 1 == 1
    }
}

/// A record as it is read.
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Parameters are not read across their end.
    end: usize,
    named: Vec<Option<IpAddr>>,
    /// Addresses of the whole file, as old versions wrote them.
    of_file: &'a [Option<IpAddr>],
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(bytes: &'a [u8], of_file: &'a [Option<IpAddr>]) -> Self {
        Self { bytes, at: 0, end: bytes.len(), named: Vec::new(), of_file }
    }

    /// Begins parameters: seven flags a byte, and the highest bit where another byte follows.
    pub(super) fn params(&mut self) -> Result<Params, Bad> {
        let (mut bits, mut shift) = (0_u128, 0_u32);
        loop {
            let byte = self.byte()?;
            bits |= u128::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            shift = shift.saturating_add(7);
            if byte & 0x80 == 0 {
                break;
            }
            if shift >= MOST_FLAG_BYTES.saturating_mul(7) {
                return Err(Bad::Flags);
            }
        }
        let length = if bits == 0 { 0 } else { usize::from(self.short()?) };
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len()).ok_or(Bad::Ends)?;
        self.end = end;
        Ok(Params { bits, end })
    }

    /// Ends parameters, and passes over those that nobody asked for.
    pub(super) fn end(&mut self, params: Params) {
        self.at = params.end;
        self.end = self.bytes.len();
    }

    pub(super) fn take(&mut self, number: usize) -> Result<&'a [u8], Bad> {
        let end = self.at.checked_add(number).filter(|end| *end <= self.end).ok_or(Bad::Ends)?;
        let taken = self.bytes.get(self.at..end).ok_or(Bad::Ends)?;
        self.at = end;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Bad> {
        self.take(1)?.first().copied().ok_or(Bad::Ends)
    }

    pub(super) fn short(&mut self) -> Result<u16, Bad> {
        self.take(2)?.try_into().map(u16::from_be_bytes).map_err(|_| Bad::Ends)
    }

    pub(super) fn long(&mut self) -> Result<u32, Bad> {
        self.take(4)?.try_into().map(u32::from_be_bytes).map_err(|_| Bad::Ends)
    }

    pub(super) fn byte_if(&mut self, params: Params, number: u32) -> Result<Option<u8>, Bad> {
        params.has(number).then(|| self.byte()).transpose()
    }

    pub(super) fn short_if(&mut self, params: Params, number: u32) -> Result<Option<u16>, Bad> {
        params.has(number).then(|| self.short()).transpose()
    }

    pub(super) fn long_if(&mut self, params: Params, number: u32) -> Result<Option<u32>, Bad> {
        params.has(number).then(|| self.long()).transpose()
    }

    pub(super) fn time_if(&mut self, params: Params, number: u32) -> Result<Option<WallTime>, Bad> {
        params.has(number).then(|| self.time()).transpose().map(Option::flatten)
    }

    /// An address by value or by its number in this record; `None` for one that is none of IP.
    pub(super) fn address_if(&mut self, params: Params, number: u32) -> Result<Option<IpAddr>, Bad> {
        params.has(number).then(|| self.address()).transpose().map(Option::flatten)
    }

    /// An address by its number in the file.
    pub(super) fn old_address_if(&mut self, params: Params, number: u32) -> Result<Option<IpAddr>, Bad> {
        let Some(number) = self.long_if(params, number)? else { return Ok(None) };
        // Numbers begin with 1; 0 stands for no address.
        let Some(index) = number.checked_sub(1) else { return Ok(None) };
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        self.of_file.get(index).copied().ok_or(Bad::NoAddress(number))
    }

    /// MPLS labels (RFC 4950), and how many objects of other kinds there are (RFC 4884 §7).
    pub(super) fn extensions_if(
        &mut self,
        params: Params,
        number: u32,
    ) -> Result<(Vec<MplsLabel>, u64), Bad> {
        if !params.has(number) {
            return Ok((Vec::new(), 0));
        }
        let length = self.short()?.into();
        let mut objects = Cursor::new(self.take(length)?, &[]);
        let (mut labels, mut others) = (Vec::new(), 0_u64);
        while objects.at < objects.bytes.len() {
            let length = objects.short()?.into();
            let kind = (objects.byte()?, objects.byte()?);
            let data = objects.take(length)?;
            if kind == (1, 1) {
                labels.extend(data.chunks_exact(4).map(label));
            } else {
                others = others.saturating_add(1);
            }
        }
        labels.truncate(256);
        Ok((labels, others))
    }

    /// A text that ends with a zero.
    pub(super) fn text(&mut self) -> Result<String, Bad> {
        let rest = self.bytes.get(self.at..self.end).unwrap_or_default();
        let length = rest.iter().position(|byte| *byte == 0).ok_or(Bad::Ends)?;
        let text = String::from_utf8_lossy(self.take(length)?).into_owned();
        self.byte()?;
        Ok(text)
    }

    fn time(&mut self) -> Result<Option<WallTime>, Bad> {
        let (whole, micros) = (self.long()?, self.long()?);
        Ok(seconds(whole.into(), micros.into()))
    }

    pub(super) fn address(&mut self) -> Result<Option<IpAddr>, Bad> {
        let length = self.byte()?;
        if length == 0 {
            let number = self.long()?;
            let index = usize::try_from(number).unwrap_or(usize::MAX);
            return self.named.get(index).copied().ok_or(Bad::NoAddress(number));
        }
        let kind = self.byte()?;
        let address = ip(kind, self.take(length.into())?, length)?;
        self.named.push(address);
        Ok(address)
    }
}

/// 1 is IPv4 and 2 is IPv6; what lies below IP is not told.
pub(super) fn ip(kind: u8, bytes: &[u8], length: u8) -> Result<Option<IpAddr>, Bad> {
    let bad = |_| Bad::AddressLength(length);
    Ok(match kind {
        1 => Some(IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).map_err(bad)?))),
        2 => Some(IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).map_err(bad)?))),
        _ => None,
    })
}

/// RFC 3032 §2.1.
fn label(bytes: &[u8]) -> MplsLabel {
    let word = bytes.try_into().map_or(0, u32::from_be_bytes);
    let byte = |word: u32| word.to_be_bytes()[3];
    MplsLabel {
        label: word >> 12,
        class: byte(word >> 9) & 7,
        bottom: (word >> 8) & 1 == 1,
        ttl: byte(word),
    }
}
