//! Which ASes are of one organisation: CAIDA's as2org files, in both of their formats.
//!
//! ```text
//! # format:org_id|changed|org_name|country|source              the columns of the rows that follow
//! LPL-141-ARIN|20230101|Level 3 Parent, LLC|US|ARIN
//! # format:aut|changed|aut_name|org_id|opaque_id|source        until 2016 without opaque_id
//! 1|20230101|LVLT-1|LPL-141-ARIN|…|ARIN
//!
//! {"type":"Organization","organizationId":"LPL-141-ARIN","name":"Level 3 Parent, LLC",…}
//! {"type":"ASN","asn":"1","organizationId":"LPL-141-ARIN","name":"LVLT-1",…}
//! ```
//!
//! An AS is named by its organisation, or else by its own short name.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;

use serde::Deserialize;

use super::rows::each_line;
use crate::formats::faults::Faults;
use crate::model::{Asn, Untrusted};

/// What such files say.
#[derive(Debug, Default)]
pub(super) struct Organisations {
    ases: BTreeMap<Asn, Member>,
    names: HashMap<String, String>,
}

/// An AS of an organisation.
#[derive(Debug)]
struct Member {
    organisation: String,
    name: String,
}

/// What the rows behind a line that names columns are, and where their fields stand.
#[derive(Clone, Copy)]
enum Columns {
    Ases { asn: usize, organisation: usize, name: usize },
    Organisations { id: usize, name: usize },
}

/// A line of the format of lines of JSON.
#[derive(Deserialize)]
struct Object {
    #[serde(rename = "organizationId")]
    organisation: String,
    asn: Option<Asn>,
    #[serde(default)]
    name: String,
}

impl Organisations {
    /// Reads one file. Returns how many rows were read.
    pub(super) fn read(&mut self, input: impl Read, faults: &mut Faults) -> u64 {
        let mut columns = None;
        each_line(input, faults, |line| match line.strip_prefix('#') {
            Some(comment) => {
                columns = columns_of(comment).or(columns);
                Ok(false)
            }
            None if line.starts_with('{') => self.object(line).map(|()| true),
            None => self.row(line, columns).map(|()| true),
        })
    }

    /// The ASes of each organisation that has several; names of those that have none yet.
    pub(super) fn finish(self, names: &mut BTreeMap<Asn, Untrusted>) -> Vec<Vec<Asn>> {
        let mut ases: BTreeMap<String, Vec<Asn>> = BTreeMap::new();
        for (asn, Member { organisation, name }) in self.ases {
            let name = self.names.get(&organisation).filter(|known| !known.is_empty()).unwrap_or(&name);
            if !name.is_empty() {
                names.entry(asn).or_insert_with(|| Untrusted::new(name.as_str()));
            }
            ases.entry(organisation).or_default().push(asn);
        }
        ases.into_values().filter(|ases| ases.len() > 1).collect()
    }

    fn row(&mut self, line: &str, columns: Option<Columns>) -> Result<(), &'static str> {
        let columns = columns.ok_or("must follow a line '# format:' that names the columns")?;
        let fields: Vec<&str> = line.split('|').collect();
        let field = |place: usize| fields.get(place).copied();
        match columns {
            Columns::Organisations { id, name } => {
                let rule = "must have the fields that the line '# format:' before it names";
                let (id, name) = field(id).zip(field(name)).ok_or(rule)?;
                self.names.insert(id.to_owned(), name.to_owned());
            }
            Columns::Ases { asn, organisation, name } => {
                let asn = field(asn).and_then(|asn| asn.parse().ok()).ok_or("must have an AS number")?;
                let organisation = field(organisation).filter(|id| !id.is_empty());
                let organisation = organisation.ok_or("must say of which organisation the AS is")?;
                self.add(asn, organisation.to_owned(), field(name).unwrap_or_default().to_owned());
            }
        }
        Ok(())
    }

    fn object(&mut self, line: &str) -> Result<(), &'static str> {
        let rule = "must be an object of JSON with an organizationId, and an AS number if it is of an AS";
        let Object { organisation, asn, name } = serde_json::from_str(line).map_err(|_| rule)?;
        match asn {
            Some(asn) => self.add(asn, organisation, name),
            None => drop(self.names.insert(organisation, name)),
        }
        Ok(())
    }

    fn add(&mut self, asn: Asn, organisation: String, name: String) {
        self.ases.entry(asn).or_insert(Member { organisation, name });
    }
}

/// The columns that a comment names, if it does.
fn columns_of(comment: &str) -> Option<Columns> {
    let names = comment.trim_start().strip_prefix("format")?.trim_start().strip_prefix(':')?;
    let names: Vec<&str> = names.split('|').map(str::trim).collect();
    let place = |wanted: &[&str]| names.iter().position(|name| wanted.contains(name));
    let id = place(&["org_id"])?;
    match place(&["aut"]) {
        Some(asn) => {
            Some(Columns::Ases { asn, organisation: id, name: place(&["aut_name", "as_name", "name"])? })
        }
        None => Some(Columns::Organisations { id, name: place(&["org_name", "name"])? }),
    }
}

/// Whether a file that begins so is of this kind.
pub(super) fn begins_like_organisations(begin: &[u8]) -> bool {
    let mut lines = begin.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let comments = lines.by_ref().map_while(|line| match line {
        [] => Some(""),
        [b'#', comment @ ..] => Some(std::str::from_utf8(comment).unwrap_or_default()),
        _ => None,
    });
    let names_columns = comments.into_iter().any(|comment| columns_of(comment).is_some());
    let first = begin.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let mut first = first.filter(|line| !matches!(line.first(), None | Some(b'#')));
    names_columns || first.next().is_some_and(|line| serde_json::from_slice::<Object>(line).is_ok())
}
