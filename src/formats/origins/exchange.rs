//! Exchange points: CAIDA's list (one JSON object a line) and dumps of `PeeringDB` (objects `ix`, `ixlan`, `ixpfx`
//! and `netixlan`, each in a file of its own or all in one).
//!
//! Objects are taken one by one as they are read, so that of a torn file what is whole counts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::net::IpAddr;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::analyse::origin::{ExchangePoint, ExchangePoints};
use crate::formats::faults::Faults;
use crate::formats::lines::LineLimit;
use crate::model::{Asn, Prefix, Untrusted};

/// The longest line of CAIDA's list that is read, in bytes; the longest has some thousands.
const LONGEST_LINE: usize = 1024 * 1024;

/// The most objects that are taken from one file; a whole dump of 2026 has some 200,000.
const MOST_OBJECTS: u64 = 5_000_000;

/// What was read so far, of all files.
#[derive(Debug, Default)]
pub(super) struct Exchanges {
    caida: Vec<ExchangePoint>,
    names: BTreeMap<u32, Untrusted>,
    /// LAN → exchange point.
    lans: BTreeMap<u32, u32>,
    prefixes: Vec<(u32, Prefix)>,
    ports: Vec<Port>,
}

/// A port of a member on a LAN.
#[derive(Debug)]
struct Port {
    lan: u32,
    asn: Asn,
    addresses: Vec<IpAddr>,
}

/// A line of CAIDA's list.
#[derive(Deserialize)]
struct CaidaPoint {
    #[serde(default)]
    name: String,
    pdb_id: Option<u32>,
    prefixes: CaidaPrefixes,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct CaidaPrefixes {
    ipv4: Vec<String>,
    ipv6: Vec<String>,
}

/// Any object of `PeeringDB`: which one it is, its keys tell.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Object {
    id: u32,
    name: Option<String>,
    status: Option<String>,
    ix_id: Option<u32>,
    ixlan_id: Option<u32>,
    prefix: Option<String>,
    asn: Option<u32>,
    ipaddr4: Option<IpAddr>,
    ipaddr6: Option<IpAddr>,
    /// Only exchange points have it.
    proto_unicast: Option<bool>,
}

impl Exchanges {
    /// Adds a file of either kind; its beginning tells which. Returns how many objects were read.
    pub(super) fn read(&mut self, input: impl Read, faults: &mut Faults) -> u64 {
        let mut input = BufReader::with_capacity(64 * 1024, input);
        let is_caida = input.fill_buf().is_ok_and(is_caida);
        if is_caida { self.read_caida(input, faults) } else { self.read_peeringdb(input, faults) }
    }

    fn read_caida(&mut self, input: impl Read, faults: &mut Faults) -> u64 {
        let mut lines = BufReader::new(LineLimit::new(input, LONGEST_LINE)).split(b'\n');
        for number in 1.. {
            let line = match lines.next() {
                None => break,
                Some(Ok(line)) => line,
                Some(Err(error)) => {
                    faults.line(number, "", format_args!("cannot be read from here on: {error}"));
                    break;
                }
            };
            let line = line.trim_ascii();
            if matches!(line.first(), None | Some(b'#')) {
                continue;
            }
            match serde_json::from_slice::<CaidaPoint>(line) {
                Ok(point) => self.take_caida(point, number, faults),
                Err(error) => faults.line(number, &String::from_utf8_lossy(line), error),
            }
        }
        self.caida.len() as u64
    }

    fn take_caida(&mut self, point: CaidaPoint, line: usize, faults: &mut Faults) {
        let mut lans = BTreeSet::new();
        for text in point.prefixes.ipv4.iter().chain(&point.prefixes.ipv6) {
            match text.parse() {
                Ok(prefix) => drop(lans.insert(prefix)),
                Err(error) => faults.line(line, text, error),
            }
        }
        let name = Untrusted::new(point.name);
        self.caida.push(ExchangePoint { name, peeringdb: point.pdb_id, lans, ..ExchangePoint::default() });
    }

    fn read_peeringdb(&mut self, input: impl Read, faults: &mut Faults) -> u64 {
        let mut taken = Taken { to: self, faults, objects: 0 };
        let mut json = serde_json::Deserializer::from_reader(input);
        let done = Dump { taken: &mut taken, is_list: false }.deserialize(&mut json);
        let objects = taken.objects;
        if let Err(error) = done {
            faults.line(error.line(), "", format_args!("cannot be read from here on: {error}"));
        }
        objects
    }

    fn take(&mut self, object: Object) -> Result<(), String> {
        if object.status.as_deref().is_some_and(|status| status == "deleted") {
            return Ok(());
        }
        match object {
            Object { prefix: Some(prefix), ixlan_id: Some(lan), .. } => {
                self.prefixes.push((lan, prefix.parse().map_err(|error| format!("{error}"))?));
            }
            Object { asn: Some(asn), ixlan_id: Some(lan), ipaddr4, ipaddr6, .. } => {
                let asn = Asn::try_from(asn).map_err(|error| error.to_string())?;
                self.ports.push(Port { lan, asn, addresses: ipaddr4.into_iter().chain(ipaddr6).collect() });
            }
            Object { id, ix_id: Some(point), .. } => drop(self.lans.insert(id, point)),
            Object { id, name: Some(name), proto_unicast: Some(_), .. } => {
                self.names.insert(id, Untrusted::new(name));
            }
            _ => {}
        }
        Ok(())
    }

    /// All exchange points. One that both CAIDA and `PeeringDB` tell of is one.
    pub(super) fn finish(self) -> ExchangePoints {
        let mut points = self.caida;
        let mut places: BTreeMap<u32, usize> = BTreeMap::new();
        for (place, point) in points.iter().enumerate() {
            places.extend(point.peeringdb.map(|id| (id, place)));
        }
        let mut ensure = |id: u32, points: &mut Vec<ExchangePoint>| {
            *places.entry(id).or_insert_with(|| {
                let name = self.names.get(&id).cloned().unwrap_or_default();
                points.push(ExchangePoint { name, peeringdb: Some(id), ..ExchangePoint::default() });
                points.len().saturating_sub(1)
            })
        };
        // In today's dumps a LAN has the number of its exchange point, and dumps without LANs can be read.
        let point_of = |lan: u32| self.lans.get(&lan).copied().unwrap_or(lan);
        for (lan, prefix) in self.prefixes {
            let place = ensure(point_of(lan), &mut points);
            if let Some(point) = points.get_mut(place) {
                point.lans.insert(prefix);
            }
        }
        for Port { lan, asn, addresses } in self.ports {
            let place = ensure(point_of(lan), &mut points);
            if let Some(point) = points.get_mut(place) {
                point.members.insert(asn);
                point.ports.extend(addresses.into_iter().map(|address| (address, asn)));
            }
        }
        ExchangePoints::new(points)
    }
}

/// Whether a file begins like CAIDA's list: comments, or an object a line that names prefixes.
fn is_caida(begin: &[u8]) -> bool {
    let mut lines = begin.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with(b"#"));
    let Some(first) = first else { return begin.starts_with(b"#") };
    let names_prefixes = first.windows(10).any(|window| window == b"\"prefixes\"");
    begin.starts_with(b"#") || (names_prefixes && first.starts_with(b"{"))
}

/// Where the objects of a file go.
struct Taken<'a> {
    to: &'a mut Exchanges,
    faults: &'a mut Faults,
    objects: u64,
}

/// A dump: `{"data": […]}`, or `{"ix": {"data": […]}, "ixlan": …}` with much else in it.
struct Dump<'a, 'b> {
    taken: &'a mut Taken<'b>,
    /// Whether this is the inner object, so that a list in it is one of objects.
    is_list: bool,
}

impl<'de> DeserializeSeed<'de> for Dump<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Dump<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a dump of PeeringDB")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "data" => map.next_value_seed(Dump { taken: self.taken, is_list: true })?,
                "ix" | "ixlan" | "ixpfx" | "netixlan" if !self.is_list => {
                    map.next_value_seed(Dump { taken: self.taken, is_list: false })?;
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(object) = list.next_element::<serde_json::Value>()? {
            self.taken.objects = self.taken.objects.saturating_add(1);
            if self.taken.objects > MOST_OBJECTS {
                return Err(serde::de::Error::custom("more objects than there are exchange points"));
            }
            let number = self.taken.objects;
            let read = Object::deserialize(object).map_err(|error| error.to_string());
            if let Err(error) = read.and_then(|object| self.taken.to.take(object)) {
                self.taken.faults.whole(format_args!("object {number}: {error}"));
            }
        }
        Ok(())
    }
}
