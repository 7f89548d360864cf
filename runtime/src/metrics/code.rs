/// The codes of gRPC by their number
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
/// How many codes there are.
pub(super) const COUNT: usize = 17;
/// What a call ends with that nobody waits for any more.
pub(super) const CANCELLED: &str = "CANCELLED";
/// What it ends with where that is because its time was up.
pub(super) const DEADLINE_EXCEEDED: &str = "DEADLINE_EXCEEDED";
const CODE_UNKNOWN: &str = "UNKNOWN";

/// A code's number and name; whatever is not a code is `UNKNOWN`, which bounds the label.
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
