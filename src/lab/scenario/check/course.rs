//! The course of a scenario: its clock, its events and its dice, each of which may stand in another file
//! than the topology.

use toml::Spanned;

use super::Check;
use crate::lab::scenario::raw;
use crate::model::SourceText;

/// Something that is written in a file, and in which.
#[derive(Clone, Copy)]
pub(in crate::lab::scenario) struct Part<'a, T> {
    source: &'a SourceText<'a>,
    value: T,
}

/// What a scenario says beside its topology.
pub(in crate::lab::scenario) struct Course<'a> {
    pub(super) seed: u64,
    pub(super) convergence: Part<'a, Option<&'a Spanned<raw::Span>>>,
    pub(super) convergence_inside: Part<'a, Option<&'a Spanned<raw::Span>>>,
    pub(super) clock: Part<'a, &'a raw::Clock>,
    pub(super) events: Part<'a, &'a [raw::Event]>,
}

impl<'a> Course<'a> {
    /// That of a whole file.
    pub(in crate::lab::scenario) fn of(source: &'a SourceText<'a>, file: &'a raw::File) -> Self {
        Self {
            seed: file.seed,
            convergence: Part { source, value: file.convergence.as_ref() },
            convergence_inside: Part { source, value: file.convergence_inside.as_ref() },
            clock: Part { source, value: &file.clock },
            events: Part { source, value: &file.events },
        }
    }

    /// The same with what another file says in its stead.
    pub(in crate::lab::scenario) fn extended(
        self,
        source: &'a SourceText<'a>,
        by: &'a raw::Extension,
    ) -> Self {
        let span = |own: &'a Option<Spanned<raw::Span>>, before| {
            own.as_ref().map_or(before, |span| Part { source, value: Some(span) })
        };
        Self {
            seed: by.seed.unwrap_or(self.seed),
            convergence: span(&by.convergence, self.convergence),
            convergence_inside: span(&by.convergence_inside, self.convergence_inside),
            clock: by.clock.as_ref().map_or(self.clock, |value| Part { source, value }),
            events: by.events.as_deref().map_or(self.events, |value| Part { source, value }),
        }
    }
}

impl<'a> Check<'a> {
    /// Errors are from now on about the file in which this stands.
    pub(super) fn part<T>(&mut self, part: Part<'a, T>) -> T {
        self.source = part.source;
        part.value
    }
}
