use polywire_conformance::Case;

use super::fault::Fault;

/// Each fault, the cases that must notice it, and what each must say of it.
pub(super) const FAULTS: &[(Fault, &[(Case, &str)])] = &[
    (
        Fault::Trailers,
        &[
            (Case::AnswerMetadata, "expected [\"trail\"]"),
            (Case::StreamMetadata, "expected [\"trail\"]"),
            (Case::ServerTiming, "expected the handler's time as `handler;dur=MILLISECONDS`, found None"),
        ],
    ),
    (
        Fault::RequestMetadata,
        &[
            (Case::RequestMetadata, "what the unary handler found wrong"),
            (Case::Layers, "expected \"the pass is not known here\", found \"there is no pass\""),
        ],
    ),
    (Fault::Deadline, &[(Case::TimeLeft, "60 s left of 60 s, found 0 ms")]),
    (
        Fault::Cancellation,
        &[
            (Case::CallDropped, "expected 0 handlers alive within 2s, found 1"),
            (Case::CallDroppedAtOnce, "expected 0 handlers alive within 2s, found 8"),
            (
                Case::DroppedInQueue,
                "how many handlers of a call that had gone have begun: expected 0, found 1",
            ),
            (Case::DroppedInDial, "expected 0 handlers alive within 2s, found 3"),
        ],
    ),
    (
        Fault::Patience,
        &[
            (
                Case::DeadlineInQueue,
                "how many handlers of a call that had gone have begun: expected 0, found 1",
            ),
            (Case::DeadlineInDial, "expected 0 handlers alive within 2s, found 1"),
            (Case::DeadlineOver, "expected DEADLINE_EXCEEDED, found the answer"),
            (Case::DeadlineAmidFlow, "expected 0 handlers alive within 2s, found 1"),
        ],
    ),
    (
        Fault::Codes,
        &[
            (Case::Codes, "expected INVALID_ARGUMENT, found INTERNAL"),
            (Case::Undecodable, "expected INVALID_ARGUMENT, found INTERNAL"),
            (Case::MethodDeadline, "expected DEADLINE_EXCEEDED, found INTERNAL"),
        ],
    ),
    (
        Fault::NotProcessed,
        &[
            (Case::ServerDies, "expected a status that does not deny what was processed"),
            (Case::DrainCut, "expected a status that does not deny what was processed"),
            (Case::Seen, "expected a status that does not deny what a handler saw"),
        ],
    ),
    (Fault::Unsure, &[(Case::Unseen, "expected a status that says that nothing was processed")]),
    (Fault::Losses, &[(Case::Download, "the answer's number: expected 999, found 1000")]),
    (
        Fault::Truncation,
        &[
            (Case::Unary, "message does not decode"),
            (Case::OldClient, "message does not decode"),
            (Case::NewClient, "message does not decode"),
        ],
    ),
    (
        Fault::Backpressure,
        &[
            (Case::SlowCaller, "expected a sender to wait for its reader"),
            (Case::SlowHandler, "expected a sender to wait for its reader"),
        ],
    ),
    (Fault::PanicText, &[(Case::Panics, "expected that the panic's text stays at the server")]),
    (Fault::PanicCode, &[(Case::Panics, "expected INTERNAL, found UNKNOWN")]),
    (
        Fault::Drain,
        &[
            (Case::DrainFinishes, "the end of serving once nothing is in flight"),
            (Case::DrainRefuses, "found none refused"),
            (Case::DrainIdle, "the end of serving an idle connection"),
        ],
    ),
    (Fault::Death, &[(Case::ServerDies, "the end of a call whose server died")]),
    (Fault::Leak, &[(Case::Unary, "expected no task after the case within 4s, found 1")]),
    (Fault::Memory, &[(Case::Memory, "bytes more after a thousand calls of each shape, found 1")]),
    (Fault::Gauge, &[(Case::Connections, "the number of connections that have opened: expected 1, found 0")]),
    (Fault::Name, &[(Case::Caller, "expected \"pigeon\", found \"grpc\"")]),
    (Fault::Concurrency, &[(Case::AtOnce, "as many calls at once as the limit allows")]),
    (Fault::Interleaving, &[(Case::Exchange, "expected an end within 10s, found none")]),
    (
        Fault::RequestCompression,
        &[
            (Case::Gzip, "how the request came: expected \"gzip\", found \"plain\""),
            (Case::Zstd, "how the request came: expected \"zstd\", found \"plain\""),
            (Case::ContextCompression, "within a context came: expected \"gzip\", found \"plain\""),
        ],
    ),
    (
        Fault::AnswerCompression,
        &[
            (Case::Gzip, "how the answer came: expected \"gzip\", found \"plain\""),
            (Case::Zstd, "how the answer came: expected \"zstd\", found \"plain\""),
            (Case::Mixed, "how the answer came: expected \"gzip\", found \"plain\""),
            (Case::WholeStream, "how an answer came: expected \"zstd\", found \"plain\""),
        ],
    ),
    (
        Fault::Choice,
        &[
            (Case::GzipByMessage, "how a request came: expected \"plain\", found \"gzip\""),
            (Case::ZstdByMessage, "how a request came: expected \"plain\", found \"zstd\""),
        ],
    ),
    (Fault::Codec, &[(Case::ClientCodec, "expected \"msgpack\", found \"protobuf\"")]),
    (Fault::Boast, &[(Case::Incompressible, "how the answer came: expected \"plain\", found \"gzip\"")]),
    (Fault::QuietEnd, &[(Case::LateCodes, "expected CANCELLED, found the answer None")]),
    (Fault::Table, &[(Case::MethodLimit, "expected RESOURCE_EXHAUSTED, found the answer")]),
    (
        Fault::Access,
        &[
            (Case::Access, "expected UNAUTHENTICATED, found OK"),
            (Case::Undecoded, "expected that a message that is none is not read"),
        ],
    ),
    (Fault::AccessEnds, &[(Case::AccessEnds, "the end of answers: expected within 2s")]),
    (Fault::CauseText, &[(Case::Cause, "the message: expected \"out of stock\"")]),
];
