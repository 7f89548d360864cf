//! Every case, its topic, and what runs it.

use futures_util::future::BoxFuture;

use super::{
    access, cancellation, certainty, check::Verdict, compression, deadlines, death, drain, flow, layers,
    limits, load, metadata, options, panics, rig::Rig, services, shapes, skew, status, traces, waiting,
};

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

            pub(super) fn run(self, rig: Rig) -> BoxFuture<'static, Verdict> {
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
        ClientCodec = "a client may choose the codec of calls that name none" => shapes::client_codec,
        OutlivesClient = "a stream outlives the client that began it" => shapes::outlives_client,
    }
    "status" {
        Codes = "every code arrives with its message and details" => status::codes,
        LateCodes = "every code ends a stream behind its last message" => status::late_codes,
        Undecodable = "a request that is no message is INVALID_ARGUMENT for its call alone" => status::undecodable,
        EarlyFailure = "a handler may fail before it has read its requests" => status::early_failure,
        Cause = "the error behind a status stays at the server" => status::cause,
        Panics = "a panic before, amid or while reading is INTERNAL for its call alone, and its text stays" => panics::panics,
        Unseen = "a call of any shape that no handler saw is said to be not processed" => certainty::unseen,
        Seen = "a call that a handler saw is not said to be not processed, whatever its status says elsewhere" => certainty::seen,
    }
    "metadata" {
        RequestMetadata = "a handler sees the caller's metadata: ASCII, binary, repeated" => metadata::request,
        AnswerMetadata = "a single answer has leading and trailing metadata" => metadata::answer,
        StreamMetadata = "a stream has leading metadata before its first message and trailing behind its last" => metadata::stream,
        FailureMetadata = "a failure has trailing metadata" => metadata::failure,
        ServerTiming = "a caller that asks is told how long its handler took, and no other" => metadata::server_timing,
        MetadataAtLimit = "metadata of just the limit arrives, in both directions" => metadata::at_limit,
        MetadataOverLimit = "metadata over the server's limit is RESOURCE_EXHAUSTED for its call alone" => metadata::over_limit,
        MetadataOverClientsLimit = "metadata over the client's limit is RESOURCE_EXHAUSTED for its call alone" => metadata::over_clients_limit,
    }
    "deadlines" {
        TimeLeft = "a handler sees how long its caller waits" => deadlines::time_left,
        DeadlineBeforeHandler = "a deadline that passes before its handler begins ends the call, and no handler begins" => deadlines::before_handler,
        DeadlineOver = "a call whose time is over begins no handler, wherever it has been" => deadlines::over,
        DeadlineInHandler = "a handler past its deadline is dropped, and the call fails in time" => deadlines::in_handler,
        DeadlineByServer = "the server ends a call past its deadline, whether or not the caller looks at the clock" => deadlines::by_server,
        DeadlineAmidRequests = "requests that never come do not outlast the deadline" => deadlines::amid_requests,
        DeadlineAmidAnswers = "a stream of answers that rests is over at its deadline" => deadlines::amid_answers,
        DeadlineAmidFlow = "a stream of answers that never rests is over at its deadline" => deadlines::amid_flow,
        DeadlineUnread = "an unread stream is over at its deadline" => deadlines::unread,
        MethodDeadline = "a method's own deadline holds, and a caller may only shorten it" => options::deadline,
        DeadlineInQueue = "a call that waits for its turn fails at its deadline, and no handler begins" => waiting::deadline_in_queue,
        DeadlineInDial = "a call that waits for its connection fails at its deadline" => waiting::deadline_in_dial,
    }
    "cancellation" {
        CallDropped = "dropping a call drops its handler" => cancellation::call_dropped,
        CallDroppedAtOnce = "calls dropped as soon as they are made leave no handler" => cancellation::dropped_at_once,
        DroppedInQueue = "a call dropped while it waits for its turn holds up no other, and no handler begins" => waiting::dropped_in_queue,
        DroppedInDial = "a call dropped while it waits for its connection leaves no handler, and the next is answered" => waiting::dropped_in_dial,
        UploadDropped = "dropping a call of streams that has no answer yet drops its handler" => cancellation::stream_dropped,
        AnswersDropped = "dropping the answers drops the handler's stream and ends the requests" => cancellation::answers_dropped,
        UnreadDropped = "dropping answers that wait to be read drops the handler's stream" => cancellation::unread_dropped,
        RequestsBreakOff = "requests that break off are not mistaken for requests that end" => cancellation::requests_break_off,
        HandlerEndsEarly = "a handler that ends early stops the caller's requests" => cancellation::handler_ends_early,
        UnreadRequests = "a handler that reads nothing answers a caller that never stops sending" => cancellation::unread_requests,
    }
    "flow control" {
        SlowCaller = "a caller that rests stops the handler's stream" => flow::slow_caller,
        SlowHandler = "a handler that rests stops the caller's stream" => flow::slow_handler,
        OthersPass = "an unread stream delays no other call" => flow::others_pass,
    }
    "limits" {
        Fits = "messages of just the limit arrive, in both directions" => limits::fits,
        RequestOverServers = "a request over the server's limit is RESOURCE_EXHAUSTED for its call alone" => limits::request_over_servers,
        AnswerOverServers = "an answer over the server's limit is RESOURCE_EXHAUSTED for its call alone" => limits::answer_over_servers,
        RequestOverClients = "a request over the client's limit is RESOURCE_EXHAUSTED for its call alone" => limits::request_over_clients,
        AnswerOverClients = "an answer over the client's limit is RESOURCE_EXHAUSTED for its call alone" => limits::answer_over_clients,
        MethodLimit = "a message over its method's own limit is RESOURCE_EXHAUSTED for its call alone" => options::limit,
        AtOnce = "calls beyond the limit of a connection wait their turn, and all succeed" => load::at_once,
    }
    "compression" {
        Gzip = "requests and answers are compressed with gzip where each side asks for it" => compression::gzip,
        Zstd = "requests and answers are compressed with zstd where each side asks for it" => compression::zstd,
        Mixed = "an answer may be compressed otherwise than its request" => compression::mixed,
        GzipByMessage = "a stream chooses for each message whether gzip compresses it" => compression::gzip_by_message,
        ZstdByMessage = "a stream chooses for each message whether zstd compresses it" => compression::zstd_by_message,
        WholeStream = "a stream that makes no choice is compressed as a whole, or not at all" => compression::whole_stream,
        ContextCompression = "a context compresses the calls within it, unless they choose" => compression::of_context,
        Incompressible = "a message that compression does not make smaller arrives plain" => compression::incompressible,
        GzipBomb = "what gzip has made small weighs what it is once decompressed, and too much costs its call alone" => compression::gzip_bomb,
        ZstdBomb = "what zstd has made small weighs what it is once decompressed, and too much costs its call alone" => compression::zstd_bomb,
    }
    "death" {
        NoServer = "a call to an absent server is UNAVAILABLE and not processed" => death::no_server,
        ServerDies = "calls whose server dies are UNAVAILABLE, and not said to be not processed" => death::server_dies,
        ClientDies = "handlers whose client dies are dropped" => death::client_dies,
    }
    "drain" {
        DrainFinishes = "a drain lets calls in flight finish, and is over then" => drain::finishes,
        DrainRefuses = "a drain refuses new calls" => drain::refuses,
        DrainIdle = "an idle connection does not hold a drain up" => drain::idle,
        DrainCut = "a cut ends what is left, and its callers learn so" => drain::cut,
    }
    "versions" {
        OldClient = "an old client and a new server understand each other, in either codec" => skew::old_client,
        NewClient = "a new client and an old server understand each other, in either codec" => skew::new_client,
    }
    "services" {
        Unknown = "what is not served is UNIMPLEMENTED" => services::unknown,
        ComeAndGo = "services are added and removed while others call" => services::come_and_go,
        Caller = "a handler is told which transport its call came over" => services::caller,
        Layers = "a layer at either end sees every call" => layers::both_ends,
        Target = "the target that is printed reads back" => services::target,
    }
    "access" {
        Access = "each call of any shape is decided by its method's class and what its caller has proved, before a handler sees it" => access::decided,
        AccessEnds = "a call with streams ends once its caller may not make it any more, and others go on" => access::ended,
        Undecoded = "the message of a call that is refused is not read" => access::undecoded,
    }
    "traces" {
        Connections = "connections are counted as they open and close" => traces::connections,
        Messages = "no message outlives its call" => traces::messages,
        Memory = "calls leave no memory behind" => traces::memory,
    }
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
