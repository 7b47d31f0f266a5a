//! What became of a probe. "No answer", "not sent" and "not allowed" are never mixed up.

use super::{Reply, Rtt};

/// What became of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A valid reply came in time.
    Answered {
        /// The first valid reply; later ones are only counted.
        reply: Reply,
        /// How long it took.
        rtt: Rtt,
    },
    /// A valid reply came after the prober had stopped waiting for it.
    Late {
        /// The reply.
        reply: Reply,
        /// How long it took.
        rtt: Rtt,
    },
    /// Sent, and nothing valid came back.
    Silent,
    /// The system refused to send it.
    SendFailed(SendFault),
    /// The guard refused to let it out.
    Blocked(BlockRule),
    /// Planned, but not wanted any more.
    Skipped(SkipReason),
}

impl Outcome {
    /// As it stands in the `outcome` column.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Answered { .. } => "answered",
            Self::Late { .. } => "late",
            Self::Silent => "silent",
            Self::SendFailed(_) => "send_failed",
            Self::Blocked(_) => "blocked",
            Self::Skipped(_) => "skipped",
        }
    }

    /// As it stands in the `reason` column; `None` where the outcome needs none.
    #[must_use]
    pub const fn reason(&self) -> Option<&'static str> {
        match self {
            Self::SendFailed(fault) => Some(fault.as_str()),
            Self::Blocked(rule) => Some(rule.as_str()),
            Self::Skipped(reason) => Some(reason.as_str()),
            Self::Answered { .. } | Self::Late { .. } | Self::Silent => None,
        }
    }
}

/// Declares an enum of reasons together with the closed set of names under which they are stored.
macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl $name {
            /// As it stands in the `reason` column.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// Reads what `as_str` writes.
            #[must_use]
            pub fn from_name(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

reasons! {
    /// Why the system did not send a packet.
    SendFault {
        /// `ENOBUFS` or `EAGAIN`, also after retries.
        NoBuffer = "no_buffer",
        /// `ENETUNREACH` or `EHOSTUNREACH`: the vantage has no route.
        NoRoute = "no_route",
        /// `ENETDOWN`, `ENODEV`: the interface is down.
        InterfaceDown = "interface_down",
        /// `EPERM` or `EACCES`: a local firewall forbids it.
        Forbidden = "forbidden",
        /// `EMSGSIZE`: larger than the interface takes.
        TooLarge = "too_large",
        /// The vantage has no address of the target's family.
        NoSource = "no_source",
        /// Any other error of the system.
        Other = "other",
    }
}

reasons! {
    /// Which rule of the guard refused a packet.
    BlockRule {
        /// Special-purpose space by IANA's registries: never probed.
        SpecialPurpose = "special_purpose",
        /// Private space (RFC 1918, RFC 4193) that the campaign did not allow.
        PrivateSpace = "private_space",
        /// Somebody asked not to be probed.
        OptOut = "opt_out",
        /// Public space, and the campaign names nobody to write to.
        NoOperator = "no_operator",
        /// Neither a target nor a control target of the campaign.
        NotATarget = "not_a_target",
        /// The sustained budget of the unit is used up.
        Budget = "budget",
    }
}

reasons! {
    /// Why a planned probe was not wanted any more.
    SkipReason {
        /// The path ended before this TTL.
        BeyondEnd = "beyond_end",
        /// Too many silent hops in a row before this TTL.
        GapLimit = "gap_limit",
        /// The question was already answered by an earlier attempt.
        Settled = "settled",
        /// The round was stopped.
        Stopped = "stopped",
        /// The packets that the round may send there were used up.
        OverBudget = "over_budget",
    }
}
