//! Every case, its topic, and what runs it.

use super::{check::Verdict, rig::Rig, shapes, status};
use crate::service::BoxFuture;

macro_rules! cases {
    ($($topic:literal { $($case:ident = $name:literal => $run:path,)* })*) => {
        /// One thing that must be true of a transport.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Case {
            $($(#[doc = concat!("Of ", $topic, ": ", $name, ".")] $case,)*)*
        }

        impl Case {
            /// Every case, in the order in which they run.
            pub const ALL: &'static [Self] = &[$($(Self::$case,)*)*];

            /// What must be true, as a sentence.
            pub const fn name(self) -> &'static str {
                match self {
                    $($(Self::$case => $name,)*)*
                }
            }

            /// What it is about; cases of one topic follow each other.
            pub const fn topic(self) -> &'static str {
                match self {
                    $($(Self::$case => $topic,)*)*
                }
            }

            pub(super) fn run(self, rig: Rig) -> BoxFuture<Verdict> {
                match self {
                    $($(Self::$case => Box::pin($run(rig)),)*)*
                }
            }
        }
    };
}

cases! {
    "shapes" {
        Unary = "a unary call is answered by one message" => shapes::unary,
        Download = "a stream of 10,000 answers arrives whole and in order" => shapes::download,
        Upload = "a stream of 10,000 requests arrives whole and in order" => shapes::upload,
        Exchange = "both directions of a call flow at once and end each by itself" => shapes::exchange,
        Empty = "empty messages arrive, each of them" => shapes::empty,
        HalfClose = "a caller that has ended its requests reads on, and a handler may wait for that end" => shapes::half_close,
        EarlyAnswers = "answers may begin before the first request" => shapes::early_answers,
        OneMessage = "a unary method takes no more and no fewer than one message" => shapes::one_message,
        Codecs = "each call may choose its codec, and the handler sees which" => shapes::codecs,
        OutlivesClient = "a stream outlives the client that began it" => shapes::outlives_client,
    }
    "status" {
        Codes = "every code arrives with its message and details" => status::codes,
        LateCodes = "every code ends a stream behind its last message" => status::late_codes,
        EarlyFailure = "a handler may fail before it has read its requests" => status::early_failure,
    }
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
