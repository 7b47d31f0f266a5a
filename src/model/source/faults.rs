//! Everything that is wrong with the syntax and the types of a TOML text, not only what is met first.
//!
//! A text is read again without the part in which the last mistake stood, until the rest is right: one of
//! the tables of an array, or a whole key of the top. So at most one mistake is found in each of those.

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Deserializer, Error};

/// So many are told at most: each costs another reading, or to count the lines before it.
const MOST: usize = 20;

/// The mistakes, in no order; none if the text is right.
pub(super) fn faults<T: DeserializeOwned>(text: &str) -> Vec<Error> {
    let (mut rest, mut faults) = DeTable::parse_recoverable(text);
    if !faults.is_empty() {
        faults.truncate(MOST);
        return faults;
    }
    let mut gone = Vec::new();
    while faults.len() < MOST {
        let Err(fault) = T::deserialize(Deserializer::from(rest.clone())) else { break };
        let within = fault.span().filter(|span| *span != rest.span());
        let place = within.and_then(|span| cut(rest.get_mut(), &span));
        let cut_before = |key: &String| fault.message() == format!("missing field `{key}`");
        if place.is_none() && gone.iter().any(cut_before) {
            break;
        }
        faults.push(fault);
        match place {
            Some(key) => gone.push(key),
            None => break,
        }
    }
    faults
}

/// Takes out the part in which something stands, and gives the key of the top to which it belonged.
fn cut(table: &mut DeTable<'_>, at: &Range<usize>) -> Option<String> {
    let (key, value) =
        table.iter_mut().find(|(key, value)| key.span().contains(&at.start) || holds(value, at))?;
    let name = key.get_ref().to_string();
    let bad = |element: &Spanned<DeValue<'_>>| element.get_ref().is_table() && holds(element, at);
    match value.get_mut() {
        DeValue::Array(elements) if elements.iter().any(bad) => {
            let good = elements.iter().filter(|element| !bad(element)).cloned();
            *elements = good.fold(DeArray::new(), |mut kept, element| {
                kept.push(element);
                kept
            });
        }
        _ => drop(table.remove(name.as_str())),
    }
    Some(name)
}

/// Whether a value, or anything in it, stands at a place. The span of a table is only that of its header.
fn holds(value: &Spanned<DeValue<'_>>, at: &Range<usize>) -> bool {
    let within = match value.get_ref() {
        DeValue::Array(elements) => elements.iter().any(|element| holds(element, at)),
        DeValue::Table(table) => {
            table.iter().any(|(key, value)| key.span().contains(&at.start) || holds(value, at))
        }
        _ => false,
    };
    within || value.span().contains(&at.start)
}
