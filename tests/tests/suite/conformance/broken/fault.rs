/// The rule that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Nothing,
    /// Trailing metadata is lost.
    Trailers,
    /// The caller's metadata is lost.
    RequestMetadata,
    /// The time that the caller waits is not told.
    Deadline,
    /// A call that was dropped goes on.
    Cancellation,
    /// ABORTED arrives as INTERNAL, and so on for every code.
    Codes,
    /// Every failure claims that nothing was processed.
    NotProcessed,
    /// No failure claims that.
    Unsure,
    /// One of a thousand messages is lost.
    Losses,
    /// The last byte of each message is lost.
    Truncation,
    /// Answers are read ahead of their reader, and requests ahead of the network.
    Backpressure,
    /// A panic's text is told to the caller.
    PanicText,
    /// A panic arrives as UNKNOWN.
    PanicCode,
    /// Draining changes nothing.
    Drain,
    /// The server goes on when the task that serves has ended.
    Death,
    /// A task is left behind by each channel.
    Leak,
    /// Memory is left behind by each call.
    Memory,
    /// Connections are not counted.
    Gauge,
    /// Calls are said to come over something else.
    Name,
    /// One call at a time.
    Concurrency,
    /// Requests are only sent once all are there.
    Interleaving,
    /// The handler is not told how requests came.
    RequestCompression,
    /// Answers travel plain, whatever the handler wants.
    AnswerCompression,
    /// All messages of a stream are compressed, whatever it chooses.
    Choice,
    /// A call goes on past its deadline, of which the server is not told.
    Patience,
    /// Every call is in the transport's own codec.
    Codec,
    /// Answers are said to be compressed that are not.
    Boast,
    /// A stream of answers that fails ends as if it were whole.
    QuietEnd,
    /// The server's side does not know its methods.
    Table,
    /// The error behind a status is told to the caller.
    CauseText,
    /// Nothing is asked about callers.
    Access,
    /// Access is asked for as a call begins, and never again.
    AccessEnds,
}
