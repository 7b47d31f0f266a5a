//! Objects of JSON of which a value is not of its type. The others are kept: a bad value is left out as if it were not
//! told, and with it whatever nothing can be said about without it. What that is knows each format; here
//! objects are taken apart and put together again as text, which takes a few times their size.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::Batch;

/// An object that could not be read as it stands.
pub(super) struct Unread<'a> {
    pub(super) object: &'a [u8],
    pub(super) offset: u64,
    /// What it should be.
    pub(super) what: &'static str,
    /// Why it is not.
    pub(super) error: serde_json::Error,
}

/// What is left out while an object is mended.
#[derive(Debug, Default)]
pub(super) struct LeftOut {
    pub(super) values: u64,
    /// Whether it is not known any more what else was sent than what is told.
    pub(super) sent_is_unknown: bool,
}

impl LeftOut {
    /// Counts values.
    pub(super) const fn count(&mut self, values: usize) {
        self.values = self.values.saturating_add(values as u64);
    }
}

impl Unread<'_> {
    /// Mends the object and reads what can be kept of it. `mend` gives `None` if the rest would say something else.
    pub(super) fn read(
        &self,
        batch: &mut Batch,
        mend: impl FnOnce(&str, &mut LeftOut) -> Option<String>,
        take: impl FnOnce(&str, &LeftOut, &mut Batch) -> serde_json::Result<()>,
    ) {
        let Self { object, offset, what, error } = self;
        let mut left_out = LeftOut::default();
        let mended = std::str::from_utf8(object).ok().and_then(|text| mend(text, &mut left_out));
        let taken = mended.map(|text| take(&text, &left_out, batch));
        if let Some(Ok(())) = taken {
            batch.fault(*offset, format_args!("a part of this {what} is left out: {error}"));
            batch.count_many("values left out of results that are kept otherwise", left_out.values);
        } else {
            batch.fault(*offset, format_args!("no {what}: {error}"));
        }
    }
}

/// The fields of an object, each as it is written.
pub(super) struct Fields<'a>(BTreeMap<String, Cow<'a, str>>);

impl<'a> Fields<'a> {
    /// `None` if it is no object.
    pub(super) fn of(text: &'a str) -> Option<Self> {
        let fields: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
        Some(Self(fields.into_iter().map(|(key, value)| (key, value.get().into())).collect()))
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// Mends what stands in a list, if it is there and is one.
    pub(super) fn mend_list(&mut self, key: &str, each: impl FnMut(&str) -> Option<String>) {
        if let Some(value) = self.0.get_mut(key)
            && let Some(mended) = list(value, each)
        {
            *value = mended.into();
        }
    }

    /// Mends an object inside this one, if it is there and is one.
    pub(super) fn mend_object(&mut self, key: &str, mend: impl FnOnce(&str) -> Option<String>) {
        if let Some(value) = self.0.get_mut(key)
            && let Some(mended) = mend(value)
        {
            *value = mended.into();
        }
    }

    /// Takes out the fields that cannot be read, and counts them: an object with nothing else in it must be sound.
    pub(super) fn take_bad(
        &mut self,
        left_out: &mut LeftOut,
        is_sound: impl Fn(&str) -> bool,
    ) -> Vec<String> {
        let mut bad = Vec::new();
        self.0.retain(|key, value| {
            let sound = is_sound(&object([(key, &**value)]));
            if !sound {
                bad.push(key.clone());
            }
            sound
        });
        left_out.count(bad.len());
        bad
    }

    /// The sound fields of an object; `None`, and counted, if it is none, or if a field was bad that decides.
    pub(super) fn sound(
        object: &'a str,
        left_out: &mut LeftOut,
        decide: &[&str],
        is_sound: impl Fn(&str) -> bool,
    ) -> Option<Self> {
        let Some(mut fields) = Self::of(object) else {
            left_out.count(1);
            return None;
        };
        let bad = fields.take_bad(left_out, is_sound);
        let decides = bad.iter().any(|key| decide.contains(&key.as_str()));
        (!decides).then_some(fields)
    }

    /// Takes out all fields but this.
    pub(super) fn keep_only(&mut self, kept: &str) {
        self.0.retain(|key, _| key == kept);
    }

    pub(super) fn text(&self) -> String {
        object(self.0.iter().map(|(key, value)| (key, &**value)))
    }
}

fn object<'f>(fields: impl IntoIterator<Item = (&'f String, &'f str)>) -> String {
    let field =
        |(key, value): (&String, &str)| format!("{}:{value}", serde_json::Value::from(key.as_str()));
    joined('{', fields.into_iter().map(field), '}')
}

/// A list of which every element was mended or left out; `None` if it is no list.
pub(super) fn list(text: &str, mut each: impl FnMut(&str) -> Option<String>) -> Option<String> {
    let elements: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    Some(joined('[', elements.into_iter().filter_map(|one| each(one.get())), ']'))
}

fn joined(begin: char, parts: impl Iterator<Item = String>, end: char) -> String {
    let mut text = String::from(begin);
    for part in parts {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&part);
    }
    text.push(end);
    text
}
