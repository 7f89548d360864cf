/// The names of gRPC's codes by number
/// ([status codes](https://github.com/grpc/grpc/blob/master/doc/statuscodes.md)).
const CODES: [&str; COUNT] = [
    "OK",
    CANCELLED,
    CODE_UNKNOWN,
    "INVALID_ARGUMENT",
    DEADLINE_EXCEEDED,
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];
/// The number of codes.
pub(super) const COUNT: usize = 17;
/// The code of a cancelled call.
pub(super) const CANCELLED: &str = "CANCELLED";
/// The code of a call that was cancelled after its deadline.
pub(super) const DEADLINE_EXCEEDED: &str = "DEADLINE_EXCEEDED";
const CODE_UNKNOWN: &str = "UNKNOWN";

/// A code's number and name. Any other text is `UNKNOWN`, which bounds the label's values.
pub(super) fn numbered(code: &str) -> (usize, &'static str) {
    let number = CODES.iter().position(|name| *name == code).unwrap_or(2);
    (number, CODES[number])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_code_is_unknown() {
        assert_eq!(numbered("OK"), (0, "OK"));
        assert_eq!(numbered("UNAUTHENTICATED"), (16, "UNAUTHENTICATED"));
        assert_eq!(numbered("Ok"), (2, CODE_UNKNOWN));
        assert_eq!(numbered("UNKNOWN"), (2, CODE_UNKNOWN));
    }
}
